"""The prior over candidates: how probable a frozen causal language model finds their titles after a prompt about the person."""

from __future__ import annotations

from typing import Any

import torch
import torch.nn.functional as F
from torch import Tensor

from recframe.agent_options import PriorConfig
from recframe.computed import Computed, computed
from recframe.errors import ModelError
from recframe.interfaces import PAD, Data, EnvironmentSpec, Observation, is_excluded
from recframe.item_agents.prompts.pieces import Tokens
from recframe.item_agents.prompts.text_prompt import LONGEST_TITLE, TextPrompt
from recframe.item_agents.prompts.token_table import TokenTable
from recframe.language_models import find_model, load_causal, model_sha256, position_limit
from recframe.language_models.backbone import Backbone
from recframe.language_models.reading import PromptVectors, Reading

KEY = "prior.model"
MOST_LOGITS = 2**25
"""Scores of tokens that are computed at once, 128 MiB of them."""
MOST_BRANCHED = 512
"""Tokens that branch off a prompt in one pass: how each sees the others is a table of all pairs."""


class CandidatePrior:
    """log P(title of i | prompt), centred over each user's candidates, `[N, C]`.

    The log-probability of a title is the sum over its tokens and the end of its line. With `calibrate` it is that less log P(title | the
    prompt with nothing in its fields), the pointwise mutual information of title and person (Holtzman et al., 2021, "Surface form
    competition"): a model finds common words and short titles probable after any prompt.

    The prompt of a user is read once; the candidates branch off it side by side. Nothing is remembered from turn to turn: histories grow,
    so that hardly a prompt occurs twice. What titles have without anything known is computed once for the catalogue.

    Questions (`EnvironmentSpec.num_questions`) are not read, and have 0, the mean: a prior over what people take says nothing of asking.

    Raises
    ------
    ModelError: the model is not found, does not load, or has too few positions.
    """

    def __init__(self, config: PriorConfig, spec: EnvironmentSpec, data: Data) -> None:
        assert config.model is not None
        self.config, self.spec = config, spec
        source = find_model(config.model, config.revision, trust_remote_code=False, key=KEY)
        # transformers has types for little of what is asked of it
        model: Any
        model, tokenizer = load_causal(source, config.model, key=KEY)
        limit = position_limit(model)
        if limit is not None and limit < config.prompt_tokens + LONGEST_TITLE:
            raise ModelError(
                f"prior.prompt_tokens={config.prompt_tokens}: {KEY}={config.model} has {limit} positions, and a title follows the prompt; "
                f"set it to {max(limit - LONGEST_TITLE, 0)} or less"
            )
        model.set_attn_implementation("sdpa")
        model.requires_grad_(False)
        self.sha256 = model_sha256(source.folder, source.sha256)
        self.backbone = Backbone(model.base_model, head=model.get_output_embeddings()).to(spec.device)
        self.embeddings = model.base_model.get_input_embeddings()
        read = {"items": config.history_items or spec.history_length, "longest": config.prompt_tokens}
        self.prompt = TextPrompt(config.prompt, config.entry, tokenizer, spec, data, **read)
        # as the rest of a line that the prompt has begun
        lines = [f" {' '.join(title.split())}\n" for title in data.catalog.titles]
        self.lines = TokenTable(tokenizer, lines, LONGEST_TITLE, spec.device)
        titles, tokens = lines[: spec.first_question], config.prompt_tokens
        self._texts = {"titles": titles, "prompt": config.prompt, "prompt_tokens": tokens, "model": self.sha256}
        self._without: Tensor | None = None

    def __deepcopy__(self, memo: dict[int, Any]) -> CandidatePrior:
        return self

    @torch.no_grad()
    def __call__(self, observation: Observation) -> Tensor:
        """The centred log-probabilities `[N, C]` of the candidates; 0 for `PAD`, for what is excluded, and for questions."""
        candidates: Tensor | None = observation.candidates
        assert candidates is not None
        if not self.spec.num_questions:
            return self._centred(observation, candidates)
        items = candidates.masked_fill(candidates >= self.spec.first_question, PAD)
        there = items != PAD
        places = (~there).long().argsort(dim=1, stable=True)[:, : max(int(there.sum(dim=1).max()), 1)]
        values = self._centred(observation, items.gather(1, places))
        return values.new_zeros(candidates.shape).scatter(1, places, values)

    def _centred(self, observation: Observation, candidates: Tensor) -> Tensor:
        """The centred log-probabilities `[N, C]` of `candidates` `[N, C]`, which are items or `PAD`."""
        log_probs = self.log_probs(observation, candidates)
        if self.config.calibrate:
            log_probs = log_probs - self.without_person()[candidates]
        allowed = (candidates != PAD) & ~is_excluded(observation, candidates)
        mean = log_probs.masked_fill(~allowed, 0.0).sum(dim=1) / allowed.sum(dim=1).clamp(min=1)
        return (log_probs - mean.unsqueeze(1)).masked_fill(~allowed, 0.0)

    def log_probs(self, observation: Observation, items: Tensor) -> Tensor:
        """log P(title of i | prompt) `[N, C]` of items `[N, C]`, which are of the catalogue or `PAD`."""
        prompts, lines = self.prompt.tokens(observation), self.lines.of(items)
        longest = max(int(lines.there.sum(dim=2).max()), 1)
        lines = Tokens(lines.ids[..., :longest], lines.there[..., :longest])
        users, count, length = lines.ids.shape
        size = max(self.config.batch_tokens // (prompts.ids.shape[1] + count * length), 1)
        parts = [self._log_probs(_rows(prompts, rows), _rows(lines, rows)) for rows in torch.arange(users, device=items.device).split(size)]
        return torch.cat(parts)

    def without_person(self) -> Tensor:
        """log P(title | the prompt with nothing in its fields) `[M - Q]` of all items, from the cache where a run has left it there."""
        if self._without is None:
            found = computed("prior without a person", self._texts, lambda: Computed({"log_probs": self._without_person()}))
            self._without = found.tensors["log_probs"].to(self.spec.device)
        return self._without

    def _without_person(self) -> Tensor:
        device = self.spec.device
        nobody = torch.full((1,), PAD, device=device)
        observation = Observation(
            user=nobody,
            history_items=nobody.expand(self.spec.history_length).unsqueeze(0),
            history_feedback=torch.zeros(1, self.spec.history_length, len(self.spec.signals), device=device),
            context=nobody if self.spec.has_context else None,
            batch_size=[1],
        )
        size = max(self.config.batch_tokens // max(self.lines.width, 1), 1)
        items = torch.arange(self.spec.first_question, device=device)
        return torch.cat([self.log_probs(observation, part.unsqueeze(0))[0] for part in items.split(size)])

    def _log_probs(self, prompts: Tokens, lines: Tokens) -> Tensor:
        """The sums `[N, C]` of the log-probabilities of the tokens of `lines` `[N, C, T]` after `prompts` `[N, P]`."""
        reading = Reading(self.backbone, PromptVectors(self._vectors(prompts.ids), prompts.there))
        # a token that is not there is read as any other, and changes nothing: it comes after those that are
        size = max(MOST_BRANCHED // lines.ids.shape[2], 1)
        later = [reading.branches(self._vectors(part)) for part in lines.ids[..., :-1].split(size, dim=1)]
        first = reading.last[:, None, None].expand(-1, lines.ids.shape[1], -1, -1)
        hidden = torch.cat([first, torch.cat(later, dim=1)], dim=2)
        return self._of_tokens(hidden, lines)

    def _vectors(self, ids: Tensor) -> Tensor:
        return F.embedding(ids, self.embeddings.weight)

    def _of_tokens(self, hidden: Tensor, lines: Tokens) -> Tensor:
        """`[N, C]`, given the vectors `[N, C, T, E]` from which each token is predicted; the softmax is over the whole vocabulary."""
        there = lines.there
        vectors, wanted = hidden[there], lines.ids[there]
        size = max(MOST_LOGITS // len(self.backbone.head.weight), 1)
        found = []
        for part, ids in zip(vectors.split(size), wanted.split(size), strict=True):
            logits = self.backbone.head(part).float()
            found.append(-F.cross_entropy(logits, ids, reduction="none"))
        log_probs = torch.zeros(there.shape, device=there.device)
        log_probs[there] = torch.cat(found)
        return log_probs.sum(dim=2)


def _rows(tokens: Tokens, rows: Tensor) -> Tokens:
    return Tokens(tokens.ids[rows], tokens.there[rows])
