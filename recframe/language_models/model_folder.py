"""Facts about a language model that its files tell before it is loaded: its hash, its dimension, and whether it is safe to load."""

from __future__ import annotations

import hashlib
import json
import os
from collections.abc import Iterator, Mapping
from pathlib import Path
from typing import Any

from recframe.errors import ModelError
from recframe.files import file_sha256

# files that a model's vectors depend on; not its README, nor weights in formats that are never loaded
RELEVANT_SUFFIXES = frozenset({".safetensors", ".json", ".txt", ".model", ".jinja", ".tiktoken", ".py"})
PICKLED_SUFFIXES = frozenset({".bin", ".pt", ".pth"})
KEY = "encoder.model"
"""The option that messages name, unless the caller has another."""

KEEP_DIMENSION = frozenset({"Normalize", "Dropout", "LayerNorm"})


def sibling(key: str, name: str) -> str:
    """The full key of the option `name` in the section of the option `key`."""
    return f"{key.rpartition('.')[0]}.{name}".lstrip(".")


def verify_files(folder: Path, sha256: Mapping[str, str], remedy: str, key: str = KEY) -> None:
    """Check that files of `folder` are the published ones.

    Raises
    ------
    ModelError: naming the file that is missing or differs, and the remedy.
    """
    for name, expected in sha256.items():
        path = folder / name
        if not path.is_file():
            raise ModelError(f"{key}: {path} is missing; {remedy}")
        found = file_sha256(path)
        if found != expected:
            raise ModelError(f"{key}: {path} has SHA-256 {found}, but the published file has {expected}; {remedy}")


def model_sha256(folder: Path, known: Mapping[str, str]) -> str:
    """A hash of all files that the vectors depend on. `known` has the hashes of files that are verified elsewhere and not read here."""
    digest = hashlib.sha256()
    for path in sorted(_relevant_files(folder)):
        name = path.relative_to(folder).as_posix()
        digest.update(f"{name}\0{known.get(name) or file_sha256(path)}\n".encode())
    return digest.hexdigest()


def declared_dim(folder: Path) -> int | None:
    """The length of the vectors according to the model's configs; None if they do not give it."""
    hidden: int | None = _read_json(folder / "config.json").get("hidden_size")
    modules = _modules(folder)
    if not modules:
        # a plain transformer, to which sentence-transformers adds mean pooling
        return hidden
    dim: int | None = None
    for module in modules:
        kind = module["type"].rpartition(".")[2]
        config = _read_json(folder / module["path"] / "config.json")
        if kind == "Transformer":
            dim = config.get("hidden_size")
        elif kind == "Pooling":
            dim = _pooled_dim(config)
        elif kind == "Dense":
            dim = config.get("out_features")
        elif kind not in KEEP_DIMENSION:
            return None
    # the model keeps the first numbers of vectors that were trained for this (Kusupati et al., 2022)
    cut = _read_json(folder / "config_sentence_transformers.json").get("truncate_dim")
    return dim if dim is None or cut is None else min(dim, cut)


def check_loadable(folder: Path, trust_remote_code: bool, key: str = KEY) -> None:
    """Check that loading the model runs no code of the model (unless that is allowed) and unpickles nothing.

    Releases of sentence-transformers before 6 run the Python files of a local folder without asking.

    Raises
    ------
    ModelError: naming the folder, what is wrong with it and the remedy.
    """
    where = f"{key}: {folder}"
    if not (folder / "modules.json").is_file() and not (folder / "config.json").is_file():
        raise ModelError(f"{where} holds no model: it has neither modules.json nor config.json")
    if not trust_remote_code:
        foreign = [name for name in _module_types(folder) if not name.startswith("sentence_transformers.")]
        if foreign:
            raise ModelError(
                f"{where} brings code of its own ({foreign[0]}); read it, then set {sibling(key, 'trust_remote_code')}=true to run it"
            )
    for part in _module_folders(folder):
        _refuse_foreign_weights(part, key)


def check_transformer(folder: Path, key: str = KEY) -> None:
    """Check that the folder holds a transformer with weights of its own that are not pickled; its modules.json is ignored.

    Raises
    ------
    ModelError: naming the folder, what is wrong with it and the remedy.
    """
    if not (folder / "config.json").is_file():
        raise ModelError(f"{key}: {folder} holds no transformer: it has no config.json")
    _refuse_foreign_weights(folder, key)


def hidden_size(folder: Path) -> int | None:
    """The size of a plain transformer's last hidden states according to its config; None if it does not give it."""
    config = _read_json(folder / "config.json")
    # OPT projects its last states; GPT-2 and DistilBERT use other names
    for name in ("word_embed_proj_dim", "hidden_size", "n_embd", "dim"):
        if isinstance(config.get(name), int):
            return int(config[name])
    return None


def chosen_length(folder: Path) -> int | None:
    """The number of tokens of a text that a sentence-transformers model reads; None for other models."""
    length = _read_json(folder / "sentence_bert_config.json").get("max_seq_length")
    return length if isinstance(length, int) else None


def _refuse_foreign_weights(folder: Path, key: str) -> None:
    if (folder / "adapter_config.json").is_file():
        # the libraries would load the model that it names, which the fingerprint does not cover and which may be pickled
        raise ModelError(
            f"{key}: {folder} holds a peft adapter (adapter_config.json), not a model of its own; "
            f"merge it into its model (merge_and_unload), save that, and set {key} to its folder"
        )
    files = [path for path in folder.iterdir() if path.is_file()] if folder.is_dir() else []
    pickled = [path for path in files if path.suffix in PICKLED_SUFFIXES and path.stem != "training_args"]
    if pickled and not any(path.suffix == ".safetensors" for path in files):
        raise ModelError(f"{key}: the weights in {pickled[0]} are pickled, and only safetensors are loaded; convert them")


def _relevant_files(folder: Path) -> Iterator[Path]:
    """Files of the folder and of its modules' folders; not of other folders, which may hold exports or training checkpoints."""
    for part in _module_folders(folder):
        for path in part.glob("*") if part == folder else part.rglob("*"):
            if path.suffix in RELEVANT_SUFFIXES and not path.name.startswith(".") and path.is_file():
                yield path


def _module_folders(folder: Path) -> list[Path]:
    named = {os.path.normpath(folder / module["path"]) for module in _modules(folder)}
    return [folder, *(Path(name) for name in sorted(named) if Path(name) != folder)]


def _module_types(folder: Path) -> Iterator[str]:
    """The classes of the model's modules, as its files name them."""
    for module in _modules(folder):
        yield module["type"]
        for name in ("config.json", "router_config.json"):
            types = _read_json(folder / module["path"] / name).get("types")
            if isinstance(types, dict):
                yield from map(str, types.values())


def _pooled_dim(config: Mapping[str, Any]) -> int | None:
    """The length after pooling: the vectors of several pooling modes are concatenated."""
    of_word = config.get("embedding_dimension", config.get("word_embedding_dimension"))
    if not isinstance(of_word, int):
        return None
    mode = config.get("pooling_mode")
    if isinstance(mode, list):
        return of_word * len(mode)
    if isinstance(mode, str):
        return of_word
    return of_word * max(1, sum(value is True for key, value in config.items() if key.startswith("pooling_mode_")))


def _modules(folder: Path) -> list[dict[str, Any]]:
    path = folder / "modules.json"
    return _parsed(path) if path.is_file() else []


def _read_json(path: Path) -> dict[str, Any]:
    parsed = _parsed(path) if path.is_file() else {}
    return parsed if isinstance(parsed, dict) else {}


def _parsed(path: Path) -> Any:
    try:
        return json.loads(path.read_text(encoding="utf-8"))
    except (UnicodeDecodeError, json.JSONDecodeError) as error:
        raise ModelError(f"{path} is not valid JSON ({error}); get the model's files again") from error
