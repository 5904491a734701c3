"""Options that several families of agents share, as base classes of their configs. Imports no torch."""

from collections.abc import Iterator
from dataclasses import dataclass

from recframe.components import option
from recframe.components.templates import ITEM_FIELDS, PERSON_FIELDS, Piece, pieces, template_problems


@dataclass
class ReplayConfig:
    """The size of the replay memory, and how often the agent learns from it."""

    batch_size: int = option(256, "transitions per update", ge=1)
    replay_capacity: int = option(50_000, "largest number of transitions in the replay memory", ge=1)
    learning_starts: int = option(1_000, "transitions collected before the first update", ge=1)
    updates_per_chunk: int = option(16, "updates after each collected chunk", ge=1, le=100_000)

    def contradictions(self) -> Iterator[str]:
        """The memory must be large enough for learning to start."""
        if self.learning_starts > self.replay_capacity:
            yield (
                f"agent.learning_starts ({self.learning_starts}) must not exceed agent.replay_capacity ({self.replay_capacity}): "
                "learning would never start"
            )


@dataclass
class WorkingSetConfig:
    """How much of a catalogue is used in training."""

    whole_catalog_items: int = option(
        5_000, "largest catalogue used whole in training; of a larger one, training uses working sets (evaluation always uses all)", ge=1
    )
    working_items: int = option(
        2_048,
        "items in a working set: up to half of them shown recently, the others random; the cost of a chunk or an update grows with it",
        ge=2,
    )


@dataclass
class PriorConfig:
    """A prior over candidates: how probable a language model finds their titles after what is known of a person."""

    model: str | None = option(
        None,
        "a causal language model whose log-probabilities of the candidates are added to the agent's scores, such as "
        "packaged:smollm2-135m-instruct, a folder in the layout of transformers, or a name on the Hugging Face hub; null: no prior",
        path="folder",
    )
    revision: str | None = option(None, "commit, tag or branch of a hub model")
    weight: float = option(0.1, "weight of the log-probabilities at the start; it is learned with the agent")
    calibrate: bool = option(
        True, "subtract the log-probability that a title has without anything known, so that common words and short titles gain nothing"
    )
    prompt: str = option(
        "{profile}\n{context}\nTaken so far, the oldest first:\n{history}Next:",
        "what the model reads before a title; fields: profile, context and history",
    )
    entry: str = option("{title} ({feedback})\n", "an item in {history}; fields: title and feedback")
    history_items: int | None = option(None, "last items of the history that are read; null: all, state_tracker.history_length", ge=1)
    prompt_tokens: int = option(512, "most tokens of a prompt; a longer one loses its oldest items", ge=8)
    batch_tokens: int = option(16_384, "tokens that pass through the model at once, padding included", ge=1)

    def contradictions(self) -> Iterator[str]:
        """Templates with unknown fields, a prompt without any, and settings that are of use with a model only."""
        yield from template_problems("prior.prompt", self.prompt, PERSON_FIELDS)
        yield from template_problems("prior.entry", self.entry, ITEM_FIELDS)
        if not any(f"{{{field}}}" in self.prompt for field in PERSON_FIELDS):
            yield "prior.prompt: it says nothing about the person; name a field, such as {history}"
        if not any(not piece.is_field and piece.text.strip() for piece in _pieces(self.prompt)):
            yield "prior.prompt: it has no words of its own, so that there is no prompt for a person of whom nothing is known; add some"
        if self.model is None:
            usual = PriorConfig()
            changed = [name for name in vars(usual) if getattr(self, name) != getattr(usual, name)]
            yield from (f"prior.{name} is for a prior; leave it out, or set prior.model" for name in changed)


def _pieces(template: str) -> list[Piece]:
    """The pieces of a template; none where it is no template, which has a line of its own."""
    try:
        return pieces(template)
    except ValueError:
        return [Piece(template, False)]
