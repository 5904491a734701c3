"""The scoring part of a policy as ONNX: from a person's history and the vectors of items to the items' scores.

The graph holds weights and no texts. The vectors of items, profiles and contexts are its inputs, so that it also scores items and people
that were not in training. Which items may be shown, and the search for the best, are the caller's.
"""

from __future__ import annotations

import logging
import warnings
from collections.abc import Iterator, Mapping
from contextlib import ExitStack, contextmanager
from importlib.util import find_spec
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from recframe.errors import UserError
from recframe.interfaces import Agent, Data, Observation, Role, StateTracker
from recframe.serving.artefact.manifest import ArtefactError
from recframe.serving.artefact.onnx_inputs import ITEMS, PEOPLE, Example, PartInputs

ONNX = "policy.onnx"
CHECKED = 64
"""Random people whose scores are compared."""
TOLERANCE = 1e-4
"""The largest difference of scores that is taken for rounding, in units of the largest difference between two items' scores."""
NO_SCORES = "it orders items by something else than scores"


class ScoringPart(nn.Module):
    """What `Agent.scores_of_items` computes, as a function of tensors alone."""

    def __init__(self, agent: Agent, reads: PartInputs) -> None:
        super().__init__()
        self.agent = agent
        self.reads = reads

    def forward(self, history_items: Tensor, history_feedback: Tensor, vectors: list[Tensor]) -> Tensor:
        """The scores `[N, R]` of all items of the question.

        history_items: `[N, H]` int64, their numbers, or `PAD`.   history_feedback: `[N, H, F]`.
        vectors: those of the items' texts `[R, D]`, and of each person's profile and context `[N, D]`, as far as they are read.
        """
        given = dict(zip(self.reads.tables, vectors, strict=True))
        row = torch.arange(history_items.shape[0])
        items = torch.arange(given["item"].shape[0] if "item" in given else self.reads.num_items)
        observation = Observation(
            user=row if "user" in given else torch.zeros_like(row),
            history_items=history_items,
            history_feedback=history_feedback,
            context=row if self.agent.spec.has_context else None,
            batch_size=[history_items.shape[0]],
        )
        with ExitStack() as stack:
            for role, texts in given.items():
                for table in self.reads.tables[role]:
                    stack.enter_context(table.exchanged(texts))
            self.agent.prepare_to_act()
            scores = self.agent.scores_of_items(observation, items.unsqueeze(0).expand(history_items.shape[0], -1))
        if scores is None:
            raise UserError(NO_SCORES)
        return scores


def require_onnx() -> None:
    """Raise ArtefactError if a package is missing that the export needs."""
    if missing := [name for name in ("onnx", "onnxscript", "onnxruntime") if find_spec(name) is None]:
        raise ArtefactError(f"ONNX needs {', '.join(missing)}: pip install 'recframe[onnx]'")


def write_onnx(folder: Path, agent: Agent, data: Data, tuned: Mapping[Role, Tensor], name: str) -> dict[str, Any]:
    """Write `policy.onnx`, whose scores are those of torch for random people; returns the entry of artefact.json.

    Parameters
    ----------
    agent: with the trained weights.   data: as it reads it.   tuned: by role, vectors that it reads in place of those of `data`.
    name: how messages call the agent.

    Raises
    ------
    ArtefactError: the agent, or its state tracker, has no such part, or its scores are not those of torch.
    """
    try:
        with _quiet(), torch.no_grad():
            return _write(folder / ONNX, agent.eval(), PartInputs(agent, data, tuned))
    except UserError as error:
        raise ArtefactError(f"{name} cannot be exported as ONNX: {error}") from None
    except Exception as error:  # the exporter's own are of many kinds
        cause = error.__cause__ or error
        reason = next(iter(str(cause).strip().splitlines()), "")
        raise ArtefactError(f"{name} cannot be exported as ONNX: {type(cause).__name__}: {reason}") from None
    finally:
        # what was computed of the examples
        agent.texts_moved()


def _write(path: Path, agent: Agent, reads: PartInputs) -> dict[str, Any]:
    if agent.reads_whole_history:
        raise UserError("it reads histories of any length")
    if any(isinstance(module, StateTracker) and module.writes_texts for module in agent.modules()):
        raise UserError("its state tracker asks a language model about each history")
    part = ScoringPart(agent, reads).eval()
    examples = [
        reads.example(CHECKED, seed=0),
        reads.example(1, seed=1),
        *([reads.example(3, seed=2, share=0.5)] if reads.any_items else []),
    ]
    expected = [_expected(agent, example) for example in examples]
    try:
        found = part(*examples[0].inputs)
    except IndexError:
        found = torch.full_like(expected[0], torch.nan)
    if not _difference(found, expected[0]) <= TOLERANCE:
        raise UserError("its scores depend on more than histories and the vectors of texts, such as a learned vector of each user")
    shapes = reads.dynamic_shapes()
    program = torch.onnx.export(
        part, examples[0].inputs, dynamo=True, verbose=False, input_names=reads.names, output_names=["scores"], dynamic_shapes=shapes
    )
    assert program is not None
    program.save(path, external_data=False)
    differences = [_difference(scores, wanted) for scores, wanted in zip(_run(path, reads, examples), expected, strict=True)]
    if not max(differences) <= TOLERANCE:
        raise UserError(f"its scores in onnxruntime differ from those of torch by {max(differences):.1g} of their range")
    shape = [PEOPLE, ITEMS if reads.any_items else reads.num_items]
    return {"file": ONNX, "inputs": reads.entries(), "outputs": {"scores": {"shape": shape, "type": "float32"}}}


def _expected(agent: Agent, example: Example) -> Tensor:
    """The scores `[N, R]` of the agent itself."""
    agent.texts_moved()
    agent.prepare_to_act()
    scores = agent.scores_of_items(example.observation, example.rows.expand(len(example.observation.user), -1))
    if scores is None:
        raise UserError(NO_SCORES)
    return scores


def _run(path: Path, reads: PartInputs, examples: list[Example]) -> Iterator[Tensor]:
    import onnxruntime

    session = onnxruntime.InferenceSession(path, providers=["CPUExecutionProvider"])
    wanted = {entry.name for entry in session.get_inputs()}
    for example in examples:
        history_items, history_feedback, vectors = example.inputs
        given = dict(zip(reads.names, [history_items, history_feedback, *vectors], strict=True))
        yield torch.from_numpy(session.run(["scores"], {name: given[name].numpy() for name in wanted})[0])


def _difference(found: Tensor, expected: Tensor) -> float:
    """The largest difference in units of the scores' range; scores may differ by a constant for each person."""
    if found.shape != expected.shape:
        return float("inf")
    found, expected = (scores - scores.mean(dim=1, keepdim=True) for scores in (found, expected))
    spread = (expected.amax(dim=1) - expected.amin(dim=1)).clamp(min=1e-6)
    return float(((found - expected).abs().amax(dim=1) / spread).max())


@contextmanager
def _quiet() -> Iterator[None]:
    """Leave out what the exporter tells of packages that it does not need."""
    logger = logging.getLogger("torch.onnx")
    level = logger.level
    logger.setLevel(logging.ERROR)
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")
            yield
    finally:
        logger.setLevel(level)
