"""The packaged model, loaded once for all tests, and folders with the files of a model."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest
import torch

from recframe_plugins.encoders.language_models.sources import find_model
from recframe_plugins.encoders.sentence_transformers.config import SentenceTransformersConfig
from recframe_plugins.encoders.sentence_transformers.encoder import SentenceTransformersEncoder


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
    """A small GPT-2 with random weights and, like GPT-2, a byte tokenizer without a padding token."""
    from tokenizers import Tokenizer, decoders, models, pre_tokenizers
    from transformers import GPT2Config, GPT2LMHeadModel, PreTrainedTokenizerFast

    end = "<|endoftext|>"
    letters = {letter: number for number, letter in enumerate([end, *sorted(pre_tokenizers.ByteLevel.alphabet())])}
    tokenizer = Tokenizer(models.BPE(vocab=letters, merges=[]))
    tokenizer.pre_tokenizer = pre_tokenizers.ByteLevel(add_prefix_space=False)
    tokenizer.decoder = decoders.ByteLevel()
    folder = tmp_path_factory.mktemp("gpt")
    PreTrainedTokenizerFast(tokenizer_object=tokenizer, bos_token=end, eos_token=end, model_max_length=48).save_pretrained(folder)
    sizes = {"vocab_size": len(letters), "n_embd": 32, "n_layer": 2, "n_head": 4, "n_positions": 48}
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(0)
        config = GPT2Config(**sizes, bos_token_id=0, eos_token_id=0, initializer_range=0.2)
        GPT2LMHeadModel(config).save_pretrained(folder)
    return folder
