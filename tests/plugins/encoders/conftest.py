"""The packaged model, loaded once for all tests, and folders with the files of a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recframe.language_models import find_model
from recframe_plugins.encoders.sentence_transformers.config import SentenceTransformersConfig
from recframe_plugins.encoders.sentence_transformers.encoder import SentenceTransformersEncoder
from tests.tiny_models import tiny_gpt


@pytest.fixture(scope="session")
def minilm() -> SentenceTransformersEncoder:
    return SentenceTransformersEncoder(SentenceTransformersConfig(), torch.device("cpu"))


@pytest.fixture(scope="session")
def library_vectors():
    """The library's own vectors of the packaged model, one text at a time, so that they cannot depend on other texts."""
    from sentence_transformers import SentenceTransformer

    reference = SentenceTransformer(str(find_model("packaged:all-MiniLM-L6-v2", None, False).folder), device="cpu", local_files_only=True)
    return lambda texts: np.stack([reference.encode(text, show_progress_bar=False) for text in texts])


@pytest.fixture
def encoder_of():
    def make(**options) -> SentenceTransformersEncoder:
        return SentenceTransformersEncoder(SentenceTransformersConfig(**options), torch.device("cpu"))

    return make


@pytest.fixture
def linked_minilm(tmp_path: Path):
    """Make a folder of links to the packaged model's files, with some replaced (None: left out)."""
    original = find_model("packaged:all-MiniLM-L6-v2", None, False).folder

    def make(changes: dict[str, str | bytes | None], folder: Path = tmp_path / "model") -> Path:
        for path in original.rglob("*"):
            copy = folder / path.relative_to(original)
            copy.parent.mkdir(parents=True, exist_ok=True)
            if path.is_file() and str(path.relative_to(original)) not in changes:
                copy.symlink_to(path)
        for name, content in changes.items():
            if content is not None:
                (folder / name).parent.mkdir(parents=True, exist_ok=True)
                (folder / name).write_bytes(content if isinstance(content, bytes) else content.encode())
        return folder

    return make


@pytest.fixture
def model_folder(tmp_path: Path):
    """Make a folder with only the given configs (as Python values)."""

    def make(files: dict[str, object]) -> Path:
        for name, content in files.items():
            path = tmp_path / "configs" / name
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(json.dumps(content))
        return tmp_path / "configs"

    return make


@pytest.fixture(scope="session")
def gpt_folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return tiny_gpt(tmp_path_factory.mktemp("gpt"))
