"""Saving and loading weights as safetensors: atomically, with a check that they fit."""

from __future__ import annotations

import hashlib
from collections.abc import Collection, Mapping
from pathlib import Path

import torch
from safetensors import SafetensorError, safe_open
from safetensors.torch import save_file
from torch import Tensor

from recframe.errors import UserError
from recframe.interfaces import Agent, TextTable
from recframe.tracking.atomic import atomic_path
from recframe.tracking.finite import not_a_number, require_numbers
from recframe.tracking.learned_shapes import names_of_learned_shape

CHECKSUM = "sha256"
"""The entry of a file's metadata with the checksum of its tensors."""


class CheckpointError(UserError):
    """A checkpoint that cannot be read, or does not fit what it is loaded into."""


def save_weights(agent: Agent, path: Path) -> None:
    """Write the agent's tensors, atomically, as safetensors."""
    save_tensors(_tensors(agent), path)


def load_weights(agent: Agent, path: Path) -> None:
    """Load weights that `save_weights` wrote.

    Raises
    ------
    CheckpointError: if the file is missing or damaged, holds NaN, or its tensors are not those of the agent.
    """
    agent.load_state_dict({**agent.state_dict(), **load_tensors(_tensors(agent), path, names_of_learned_shape(agent)[0], _of_texts(agent))})


def save_tensors(tensors: Mapping[str, Tensor], path: Path) -> None:
    """Write named tensors, atomically, as safetensors.

    Raises
    ------
    TrainingDiverged: if one holds NaN; the file, if there is one, stays as it was.
    """
    require_numbers(tensors, f"; {path.name} is not written")
    # safetensors refuses tensors that share memory or are not contiguous
    copies = {name: value.detach().cpu().clone(memory_format=torch.contiguous_format) for name, value in tensors.items()}
    path.parent.mkdir(parents=True, exist_ok=True)
    with atomic_path(path) as temporary:
        save_file(copies, temporary, {CHECKSUM: _checksum(copies)})


def load_tensors(
    expected: Mapping[str, Tensor], path: Path, any_shape: Collection[str] = (), may_lack: Collection[str] = ()
) -> dict[str, Tensor]:
    """The tensors that `save_tensors` wrote, which must have the names of the expected ones, and but for those of `any_shape` their shapes.

    may_lack: names that files of earlier releases do not have.

    Raises
    ------
    CheckpointError: if the file is missing or damaged, holds NaN, or its tensors have other names or shapes.
    """
    require_weights(path)
    try:
        with safe_open(path, framework="pt") as file:
            saved = {name: file.get_tensor(name) for name in file.keys()}  # noqa: SIM118  # it is no mapping
            recorded = (file.metadata() or {}).get(CHECKSUM)
    except (SafetensorError, OSError) as error:
        raise CheckpointError(f"{path}: cannot be read ({error}); resume the run to write it again") from None
    # files of earlier releases have none
    if recorded is not None and recorded != _checksum(saved):
        raise CheckpointError(f"{path}: is damaged: its checksum does not match; restore it from a copy, or train again in a new folder")
    shapes, saved_shapes = ({name: value.shape for name, value in tensors.items()} for tensors in (expected, saved))
    names = (shapes.keys() | saved_shapes.keys()) - (set(may_lack) - saved_shapes.keys())
    alike = {name for name in any_shape if name in saved_shapes} | {name for name in names if shapes.get(name) == saved_shapes.get(name)}
    wrong = sorted(names - alike)
    if wrong:
        raise CheckpointError(f"{path} holds the weights of another network: {', '.join(wrong[:3])} differ; was the config changed?")
    if (found := not_a_number(saved)) is not None:
        raise CheckpointError(f"{path} holds values that are not numbers, in {found}: the training that wrote it had diverged")
    return saved


def _checksum(tensors: Mapping[str, Tensor]) -> str:
    """A SHA-256 of named tensors on the CPU: of their names, types, shapes and values."""
    digest = hashlib.sha256()
    for name, value in sorted(tensors.items()):
        digest.update(f"{name} {value.dtype} {tuple(value.shape)}:".encode())
        digest.update(value.contiguous().reshape(-1).view(torch.uint8).numpy().data)
    return digest.hexdigest()


def encoder_weights(agent_weights: Path) -> Path:
    """The file of the tuned language model that belongs to an agent's weights."""
    return agent_weights.with_stem(f"{agent_weights.stem}_encoder")


def require_weights(path: Path) -> None:
    """Check that a file of weights exists and may be read.

    Raises
    ------
    CheckpointError: if not.
    """
    try:
        # safetensors calls a file that may not be read missing
        path.open("rb").close()
    except FileNotFoundError:
        raise CheckpointError(f"no weights were found at {path}: the run has not reached its first evaluation") from None
    except OSError as error:
        raise CheckpointError(f"{path}: cannot be read ({error.strerror}); ask its owner to make it readable") from None


def _tensors(agent: Agent) -> dict[str, Tensor]:
    return {name: value for name, value in agent.state_dict().items() if isinstance(value, Tensor)}


def _of_texts(agent: Agent) -> set[str]:
    """The names of how tables of texts are standardized, which are saved with the weights since there is `init`."""
    tables = [name for name, module in agent.named_modules() if isinstance(module, TextTable)]
    return {f"{table}.{part}" for table in tables for part in ("centre", "scale")}
