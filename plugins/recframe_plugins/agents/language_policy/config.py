"""Options of the language policy. Imports no torch; no `from __future__ import annotations`: nested configs are known by their types."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option
from recframe.components.templates import ITEM_FIELDS, PERSON_FIELDS, template_problems
from recframe.item_codes.config import CodesConfig
from recframe_plugins.agents.language_policy.simulated.config import SimulatedLearningConfig

PROMPT_FIELDS, ENTRY_FIELDS = (*PERSON_FIELDS, "state"), (*ITEM_FIELDS, "codes")
LOGGED_RULES = ("ce", "dpo", "s_dpo", "grpo")
OF_TRAINED = ("revision", "trust_remote_code", "tuning", "lora_rank", "lora_alpha", "prompt", "entry", "prompt_tokens")
OF_SCRATCH = ("layers", "width", "heads", "history_tokens")


@dataclass
class LanguagePolicyConfig(SimulatedLearningConfig):
    """A causal language model that writes the codes of the items to recommend."""

    codes: CodesConfig = option(
        default_factory=CodesConfig, help="how items become codes; titles are text tokens of a trained model, or words without one"
    )
    model: str | None = option(
        None,
        "a trained causal language model, which reads the prompt as text: packaged:smollm2-135m-instruct, a folder in the layout of "
        "transformers, or a name on the Hugging Face hub; null: a small decoder made from scratch, which reads codes and the tracked state",
        path="folder",
    )
    revision: str | None = option(None, "commit, tag or branch of a hub model")
    trust_remote_code: bool = option(False, "run the code that comes with the model", runs_code=True)
    tuning: str = option("lora", "what is trained of a trained model: lora: low-rank adapters; full: all weights", choices=["lora", "full"])
    lora_rank: int = option(16, "lora: rank of the adapters", ge=1)
    lora_alpha: int = option(32, "lora: their scale is alpha / rank", ge=1)
    prompt: str = option(
        "{profile}\n{context}\nTaken so far, the oldest first:\n{history}Next:",
        "the prompt of a trained model; fields: profile, context, history, and state (the tracked state, as one token)",
    )
    entry: str | None = option(
        None,
        "an item in {history}; fields: title, codes, feedback; null: '{title}{codes} ({feedback})' and a new line, without {codes} for "
        "codes.kind=titles",
    )
    prompt_tokens: int = option(512, "most tokens of a prompt of a trained model; a longer one loses its oldest items", ge=8)
    layers: int = option(2, "layers of the decoder that is made from scratch", ge=1)
    width: int = option(64, "numbers in a token of that decoder", ge=1)
    heads: int = option(2, "attention heads of a layer of that decoder; width must be an even multiple of it", ge=1)
    history_items: int | None = option(
        None, "last items of the history that the model itself reads; null: all, state_tracker.history_length", ge=1
    )
    history_tokens: str = option(
        "item", "item: an item of the history is one token, the sum of its codes; codes: a token for each code", choices=["item", "codes"]
    )
    logged_learning: str | None = option(
        None,
        "how the logged stage learns: ce (cross-entropy of the next item), dpo, s_dpo (preferences), grpo (group-relative policy "
        "gradient); null: ce",
        choices=LOGGED_RULES,
    )
    beta: float = option(0.1, "dpo, s_dpo: how strongly the policy is held to its reference (beta of DPO)", gt=0)
    negatives: int = option(3, "s_dpo: items that are rejected for one that was taken", ge=2)
    negatives_from: str = option(
        "uniform", "dpo, s_dpo: uniform: rejected items are drawn uniformly; policy: from the policy itself", choices=["uniform", "policy"]
    )
    generations: int = option(16, "logged grpo: items that are written for a context, a group", ge=2)
    clip_range: float = option(0.2, "grpo, ppo: distance from 1 at which the probability ratio is clipped", gt=0)
    kl_weight: float = option(
        0.0, "logged grpo, simulated stage: weight of the divergence from the reference, the policy at the start of the stage", ge=0
    )
    epochs: int = option(1, "grpo, ppo: passes over each batch", ge=1, le=10_000)
    learning_rate: float = option(1e-3, "Adam's step size", gt=0, le=10)
    batch_size: int = option(128, "logged stage: sequences, or contexts, of an update", ge=1)
    batch_tokens: int = option(
        65_536, "tokens that pass through the model at once, padding included; a larger batch is computed in parts", ge=1
    )
    beams: int = option(50, "beams of the search for the best items; more where more items are asked for", ge=1)
    exact_items: int = option(500, "largest catalogue that is ranked exactly, by the probabilities of all items, instead of by beams", ge=0)

    @property
    def entry_template(self) -> str:
        """The template of an entry, or the usual one."""
        codes = "" if self.codes.kind == "titles" else "{codes}"
        return self.entry if self.entry is not None else f"{{title}}{codes} ({{feedback}})\n"

    def contradictions(self) -> Iterator[str]:
        """Widths that heads do not divide, and codes that do not go together."""
        yield from self.codes.problems("agent.codes")
        yield from template_problems("agent.prompt", self.prompt, PROMPT_FIELDS)
        yield from template_problems("agent.entry", self.entry_template, ENTRY_FIELDS)
        if self.codes.kind == "titles" and "{codes}" in self.entry_template:
            yield "agent.entry names {codes}, which are tokens of the title itself for agent.codes.kind=titles: name {title} alone"
        usual = LanguagePolicyConfig()
        changed = {name for name in (*OF_TRAINED, *OF_SCRATCH) if getattr(self, name) != getattr(usual, name)}
        yield from (
            f"agent.{name} is for a trained model; leave it out, or set agent.model"
            if self.model is None
            else f"agent.{name} is for a decoder made from scratch; leave it out, or set agent.model=null"
            for name in sorted(changed & set(OF_TRAINED if self.model is None else OF_SCRATCH))
        )
        if self.tuning == "full" and changed & {"lora_rank", "lora_alpha"}:
            yield "agent.lora_rank and agent.lora_alpha are for agent.tuning=lora: leave them out"
        yield from self.learning_problems()
        dpo = ("dpo", "s_dpo")
        only: dict[str, tuple[str, ...]] = {"beta": dpo, "negatives_from": dpo, "negatives": ("s_dpo",), "generations": ("grpo",)}
        for name, rules in only.items():
            if getattr(self, name) != getattr(usual, name) and self.logged_learning not in rules:
                yield f"agent.{name} is for agent.logged_learning={' and '.join(rules)}, not {self.logged_learning or 'ce'}: leave it out"
        for name in ("epochs", "clip_range"):
            if getattr(self, name) != getattr(usual, name) and self.learning == "reinforce" and self.logged_learning != "grpo":
                yield f"agent.{name} is for agent.learning=ppo and grpo, and for agent.logged_learning=grpo: leave it out"
        if self.width % (2 * self.heads):
            yield f"agent.width ({self.width}) must be an even multiple of agent.heads ({self.heads}): heads read equal parts of a token"


def _usual(name: str) -> object:
    return getattr(LanguagePolicyConfig(), name)


OF_SIMULATED = ("gamma", "gae_lambda", "value_weight", "entropy_weight", "normalize_advantages", "minibatches", "credit")
OF_SIMULATED_OR_LOGGED_GRPO = ("epochs", "clip_range", "kl_weight")
SIMULATED_ALONE = (
    "learning",
    *(f"{name}!={_usual(name)}" for name in OF_SIMULATED),
    *(f"{name}!={_usual(name)}&logged_learning!=grpo" for name in OF_SIMULATED_OR_LOGGED_GRPO),
)
"""The conditions under which a setting is of use in a simulated stage alone."""
