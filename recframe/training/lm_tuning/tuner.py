"""Tuning the language model by the agent's losses: gradients of text vectors are propagated into the model that gave them."""

from __future__ import annotations

import logging
import time
from collections.abc import Iterable, Sequence
from pathlib import Path
from typing import Any, NamedTuple

import numpy as np
import torch
import torch.nn.functional as F
from torch import Tensor, nn

from recframe.embeddings import AffineMap
from recframe.embeddings.encoding import encode_checked
from recframe.errors import UserError
from recframe.interfaces import Agent, Data, Role, TextTable, Tunable, restore_generator, token_batches
from recframe.tracking.weights import load_tensors, save_tensors
from recframe.training.lm_tuning.sampling import sample_within_budget
from recframe.training.lm_tuning.tuned_texts import TextGroup, copy_into, text_groups

log = logging.getLogger(__name__)


class TuningError(UserError, ValueError):
    """A language model that cannot be tuned in this run; the message says why."""


class TuningDiverged(UserError, ArithmeticError):
    """The gradient of the language model is no longer finite."""

    exit_code = 1


class Reader(NamedTuple):
    """A network of the agent, and the table from which it reads texts."""

    network: nn.Module
    table: TextTable


class Tuner:
    """Tunes an encoder's model by the gradients of the agent's losses, and updates the agent's text vectors.

    In every `interval`-th batch that the agent learns from, its losses also leave a gradient at the text vectors that it reads. A loss
    counts only in the networks that its optimizer trains (the actor's loss, which follows the critic's gradient, must not change what the
    critic reads), and only in an optimizer's first step on the batch. Texts whose vectors have a gradient g are encoded again, and
    <g, vector> is differentiated by the model's parameters. The result is the gradient of the loss by the parameters at the vectors that
    were read (gradient caching; Gao et al., 2021). It is exact as long as these vectors are current, and needs the memory of one small
    batch of texts. If the texts have more tokens than `tokens`, an unbiased weighted sample stands for all (`sample_within_budget`, by the
    norm of g).

    Adam, without weight decay, then updates the parameters. After every `refresh_interval` such steps, and before each evaluation, all
    texts are encoded again; in between, agents read vectors that are a few steps older than the model.

    Parameters
    ----------
    reading: the data that the agent's state tracker was built on.
    reduction: maps the encoder's vectors to those of `reading`; None: they are the same.
    seed: for the parameters' initial values and for sampling.

    Raises
    ------
    TuningError: if no loss of the agent depends on texts, or one text has more tokens than `tokens`.
    """

    def __init__(self, encoder: Tunable, agent: Agent, reading: Data, seed: int, reduction: AffineMap | None = None) -> None:
        assert encoder.tuning is not None
        self.encoder = encoder
        self.reduction = reduction
        self.settings = encoder.tuning
        self.agent = agent
        optimizers = agent.optimizers()
        self._names = frozenset(optimizers)
        self.groups = text_groups(agent, reading)
        self._readers = _readers(agent, optimizers.values(), self.groups)
        if not self._readers:
            raise TuningError("encoder.tuning: this agent does not learn from text vectors by gradients; set encoder.tuning=frozen")
        with torch.random.fork_rng():
            torch.manual_seed(seed)
            self.parameters = encoder.trainable()
        self.optimizer = torch.optim.Adam(self.parameters.values(), lr=self.settings.learning_rate)
        self.generator = torch.Generator().manual_seed(seed)
        self._counts = torch.cat([torch.tensor(encoder.token_counts(group.texts, group.role)) for group in self.groups])
        longest = int(self._counts.max())
        if longest > self.settings.tokens:
            raise TuningError(
                f"encoder.tuning_tokens={self.settings.tokens} is less than the {longest} tokens of the longest text; "
                "raise it, or lower encoder.max_length"
            )
        self.batches = self.steps = 0
        self.seconds = 0.0
        self.cosine = 1.0
        self._behind = 0  # steps since all texts were encoded
        self._due: set[str] = set()
        self._gradients: dict[Role, Tensor] = {}
        self._latest: dict[str, list[float]] = {"grad_norm": [], "rows": []}
        count = sum(parameter.numel() for parameter in self.parameters.values())
        log.info("tuning the language model (%s): %s parameters", self.settings.method, f"{count:,}")

    def start(self) -> None:
        """Encode all texts before training: added parameters may change the model's vectors."""
        self._encode_all()

    def begin_batch(self) -> None:
        """Call before the agent learns from a batch."""
        self.batches += 1
        if self.batches % self.settings.interval == 0:
            self._due = set(self._names)
            self._watch(True)

    def collect(self, name: str, optimizer: torch.optim.Optimizer) -> None:
        """Call after `backward` on a loss of the named optimizer; takes the gradients at text vectors."""
        if not self._due:
            return
        trained = _parameters_of([optimizer])
        for network, table in self._readers:
            gradient = table.take_gradient()
            if gradient is not None and name in self._due and _trains(trained, network):
                role = next(group.role for group in self.groups if group.frozen is table.source)
                self._gradients[role] = self._gradients[role] + gradient if role in self._gradients else gradient
        self._due.discard(name)
        if not self._due:
            self._watch(False)

    def end_batch(self) -> None:
        """Call after the agent has learned from a batch; makes a tuning step if it is due."""
        if self._due:
            self._due = set()
            self._watch(False)
        if self._gradients:
            gradients, self._gradients = self._gradients, {}
            self._step(gradients)

    def refresh(self) -> None:
        """Encode all texts again, if the model has changed since."""
        if self._behind:
            self._encode_all()

    def metrics(self) -> dict[str, float]:
        """Steps so far, means over the steps since the last call, and the mean cosine of the texts' vectors to the frozen model's."""
        latest = {f"tuning/{name}": float(np.mean(values)) for name, values in self._latest.items() if values}
        self._latest = {name: [] for name in self._latest}
        return {"tuning/steps": float(self.steps), "tuning/cosine": self.cosine, **latest}

    def summary(self) -> dict[str, Any]:
        """Method and cost, for `result.json`."""
        count = sum(parameter.numel() for parameter in self.parameters.values())
        return {
            "method": self.settings.method,
            "parameters": count,
            "steps": self.steps,
            "seconds": self.seconds,
            "cosine": self.cosine,
        }

    def _watch(self, watching: bool) -> None:
        for reader in self._readers:
            reader.table.watch(watching)

    def _step(self, gradients: dict[Role, Tensor]) -> None:
        """Update the model's parameters, given the gradient `[n, D]` of each role's vectors."""
        began = time.perf_counter()
        sizes = [gradients[group.role].norm(dim=1) if group.role in gradients else torch.zeros(len(group.texts)) for group in self.groups]
        rows, weights = sample_within_budget(torch.cat([size.cpu() for size in sizes]), self._counts, self.settings.tokens, self.generator)
        self.optimizer.zero_grad()
        first = 0
        with torch.autocast(self.agent.spec.device.type, enabled=False):
            for group in self.groups:
                own = (rows >= first) & (rows < first + len(group.texts))
                if own.any():
                    self._backward(group, rows[own] - first, weights[own], self._counts[rows[own]], gradients[group.role])
                first += len(group.texts)
        norm = float(torch.nn.utils.get_total_norm([p.grad for p in self.parameters.values() if p.grad is not None]))
        if not np.isfinite(norm):
            raise TuningDiverged(
                f"training diverged: the gradient of the language model is no longer finite after {self.agent.env_steps} env steps. "
                "Try a smaller encoder.tuning_learning_rate"
            )
        self.optimizer.step()
        self._latest["grad_norm"].append(norm)
        self._latest["rows"].append(float(len(rows)))
        self.steps += 1
        self._behind += 1
        self.seconds += time.perf_counter() - began
        if self._behind >= self.settings.refresh_interval:
            self._encode_all()

    def _backward(self, group: TextGroup, rows: Tensor, weights: Tensor, counts: Tensor, gradient: Tensor) -> None:
        """Add the gradient of the weighted rows' texts to the parameters', one batch of texts at a time."""
        for batch in token_batches(counts.tolist(), self.settings.tokens):
            chosen = rows[batch].to(gradient.device)
            vectors = self.encoder.differentiable([group.texts[row] for row in chosen.tolist()], group.role)
            vectors = vectors if self.reduction is None else self.reduction(vectors)
            weighted = gradient[chosen] * weights[batch].to(gradient.device).unsqueeze(1)
            vectors.backward(weighted)

    def _encode_all(self) -> None:
        began = time.perf_counter()
        cosines = []
        with torch.autocast(self.agent.spec.device.type, enabled=False):
            for group in self.groups:
                vectors = self._encoded(group)
                group.replace(vectors)
                cosines.append(F.cosine_similarity(vectors, group.frozen, dim=1))
        self.cosine = float(torch.cat(cosines).mean())
        self.agent.texts_moved()
        self._behind = 0
        self.seconds += time.perf_counter() - began

    def _encoded(self, group: TextGroup) -> Tensor:
        """The vectors `[n, D]` of a group's texts; each different text is encoded once."""
        texts = {text: row for row, text in enumerate(dict.fromkeys(group.texts))}
        vectors = torch.from_numpy(encode_checked(self.encoder, list(texts), group.role)).to(group.frozen.device)
        vectors = vectors if self.reduction is None else self.reduction(vectors)
        return vectors[torch.tensor([texts[text] for text in group.texts], device=vectors.device)]

    def save(self, path: Path) -> None:
        """Write the model's trained parameters, as safetensors."""
        save_tensors(self.parameters, path)

    def load(self, path: Path) -> None:
        """Load the parameters that `save` wrote.

        Raises
        ------
        CheckpointError: if the file is missing, damaged or from another model.
        """
        copy_into(self.parameters, load_tensors(self.parameters, path))

    def state_dict(self) -> dict[str, Any]:
        """The state for resuming; it includes the vectors, which may be older than the parameters."""
        return {
            "parameters": {name: parameter.detach() for name, parameter in self.parameters.items()},
            "optimizer": self.optimizer.state_dict(),
            "generator": self.generator.get_state(),
            "vectors": [[table.values for table in group.tables] for group in self.groups],
            "latest": self._latest,
            "counters": [self.batches, self.steps, self._behind],
            "numbers": [self.seconds, self.cosine],
        }

    def load_state_dict(self, state: dict[str, Any]) -> None:
        """Restore a state."""
        copy_into(self.parameters, state["parameters"])
        self.optimizer.load_state_dict(state["optimizer"])
        restore_generator(self.generator, state["generator"])
        for group, values in zip(self.groups, state["vectors"], strict=True):
            for table, value in zip(group.tables, values, strict=True):
                table.values.copy_(value)
        self._latest = state["latest"]
        self.batches, self.steps, self._behind = state["counters"]
        self.seconds, self.cosine = state["numbers"]
        self.agent.texts_moved()


def _readers(agent: Agent, optimizers: Iterable[torch.optim.Optimizer], groups: Sequence[TextGroup]) -> list[Reader]:
    """The agent's trained networks that have a table of a group's texts."""
    trained, sources = _parameters_of(optimizers), {id(group.frozen) for group in groups}
    readers = [Reader(module, child) for module in agent.modules() for child in module.children() if isinstance(child, TextTable)]
    return [reader for reader in readers if _trains(trained, reader.network) and id(reader.table.source) in sources]


def _parameters_of(optimizers: Iterable[torch.optim.Optimizer]) -> set[int]:
    return {id(parameter) for optimizer in optimizers for group in optimizer.param_groups for parameter in group["params"]}


def _trains(trained: set[int], network: nn.Module) -> bool:
    return any(id(parameter) in trained for parameter in network.parameters())
