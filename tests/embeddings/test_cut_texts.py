"""Texts longer than a model reads: they are counted when they are encoded, and the counts are cached with their vectors."""

import json
import logging

import numpy as np
import pytest
import torch
from safetensors import safe_open
from safetensors.numpy import load_file, save_file

from recframe.building.parts import assemble
from recframe.config import compose_config
from recframe.embeddings import CutTexts, EmbeddingStore
from recframe.embeddings.shards import write_shard
from recframe.interfaces import Encoder
from recframe.runner import run
from recframe_plugins.encoders.sentence_transformers.config import SentenceTransformersConfig
from recframe_plugins.encoders.sentence_transformers.encoder import SentenceTransformersEncoder
from recframe_plugins.encoders.transformers.config import BertConfig
from recframe_plugins.encoders.transformers.encoder import TransformerEncoder
from tests.embeddings.conftest import CountingEncoder

CPU = torch.device("cpu")
TEXTS = ["short", "one two three four five", "short", "one two three four five six seven eight"]


class LimitedEncoder(CountingEncoder):
    """Reads four words."""

    lengths_asked = 0

    def text_lengths(self, texts, role):
        self.lengths_asked += 1
        words = np.array([len(text.split()) for text in texts])
        return np.where(words[:, None] > 4, np.stack([words, np.full(len(texts), 4)], axis=1), 0)


def test_cut_texts_are_counted_by_role_as_often_as_they_occur(folder):
    store = EmbeddingStore(folder, LimitedEncoder())
    store.vectors(TEXTS, "item")
    store.vectors(["short"], "user")
    assert store.cut == {"item": CutTexts(texts=4, cut=2, tokens=13, read=8), "user": CutTexts(texts=1)}
    assert store.cut["item"].share_of_texts == 0.5
    assert store.cut["item"].share_of_tokens == pytest.approx(5 / 13)


def test_counts_come_from_the_cache_without_the_encoder(folder):
    EmbeddingStore(folder, LimitedEncoder()).vectors(TEXTS, "item")
    again = LimitedEncoder()
    store = EmbeddingStore(folder, again)
    store.vectors(TEXTS, "item")
    assert store.cut["item"] == CutTexts(texts=4, cut=2, tokens=13, read=8)
    assert (again.calls, again.lengths_asked) == ([], 0)


def test_vectors_cached_without_lengths_are_read_and_counted_as_unknown(folder):
    EmbeddingStore(folder, CountingEncoder()).vectors(TEXTS[:2], "item")
    store = EmbeddingStore(folder, LimitedEncoder())
    store.vectors(TEXTS, "item")
    assert store.encoded == 1
    assert store.cut["item"] == CutTexts(texts=4, cut=1, tokens=8, read=4, unknown=3)


def test_damaged_lengths_are_encoded_again(folder):
    EmbeddingStore(folder, LimitedEncoder()).vectors(TEXTS, "item")
    (path,) = folder.glob("*/*.safetensors")
    with safe_open(path, framework="np") as file:
        metadata = file.metadata()
    tensors = load_file(path)
    save_file(tensors | {"lengths": tensors["lengths"] + 1}, path, metadata=metadata)
    store = EmbeddingStore(folder, LimitedEncoder())
    store.vectors(TEXTS, "item")
    assert store.encoded == 3
    assert store.cut["item"].tokens == 13


def test_encoders_without_a_limit_are_not_counted(store, tmp_path):
    store.vectors(TEXTS, "item")
    assert store.cut == {}
    assert "lengths" not in load_file(write_shard(tmp_path, "x", np.zeros(1, dtype="V16"), np.zeros((1, 2))))


@pytest.mark.parametrize(
    "encoder",
    [
        lambda **options: TransformerEncoder(BertConfig(**options), CPU),
        lambda **options: SentenceTransformersEncoder(SentenceTransformersConfig(**options), CPU),
    ],
)
def test_language_models_count_all_tokens_and_those_read(encoder):
    words = ["film", "film " * 6, "film " * 7, "film " * 300, "", "\U0001f3ac" * 20]
    # two special tokens; the emoji are unknown, together one token
    few = encoder(max_length=8).text_lengths(words, "item")
    assert few.tolist() == [[0, 0], [0, 0], [9, 8], [302, 8], [0, 0], [0, 0]]
    prompted = encoder(max_length=8, item_prompt="film film ")
    assert prompted.text_lengths(words[:3], "item").tolist() == [[0, 0], [10, 8], [11, 8]]
    assert prompted.text_lengths(words[:3], "user").tolist() == [[0, 0], [0, 0], [9, 8]]


def overrides(tmp_path, *more: str) -> list[str]:
    return ["debug=smoke", "logger=[csv]", "dataset.num_items=30", "dataset.num_users=30", f"embeddings.cache={tmp_path / 'cache'}", *more]


def test_the_share_that_is_cut_is_logged_for_each_encoder_and_role(tmp_path, caplog):
    settings = ["encoder=bert", "encoder.max_length=8", "encoder@world_encoder=tfidf"]
    for _ in ("encoded", "cached"):
        caplog.clear()
        with caplog.at_level(logging.WARNING):
            cut = assemble(compose_config(overrides(tmp_path, *settings))).cut
        assert set(cut) == {"encoder/item_texts_cut", "encoder/item_tokens_cut", "encoder/user_texts_cut", "encoder/user_tokens_cut"}
        assert cut["encoder/item_texts_cut"] == 1.0
        assert 0.3 < cut["encoder/item_tokens_cut"] < 0.95
        assert "encoder: 100.0 % of the 30 item texts are longer than the model reads" in caplog.text
        assert "Set encoder.max_length, or use a model that reads more" in caplog.text


def test_a_part_of_a_concatenation_counts_too(tmp_path):
    parts = ["encoder=concat", "+encoder@encoder.parts.words=tfidf", "+encoder@encoder.parts.text=bert", "encoder.parts.text.max_length=8"]
    assert assemble(compose_config(overrides(tmp_path, *parts))).cut["encoder/item_texts_cut"] == 1.0


@pytest.mark.slow
def test_result_and_report_have_the_shares(tmp_path):
    cfg = compose_config(overrides(tmp_path, "encoder=bert", "encoder.max_length=8"))
    run(cfg, tmp_path / "run")
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert result["environment"]["encoder/item_texts_cut"] == 1.0
    assert 0.3 < result["environment"]["encoder/item_tokens_cut"] < 0.95
    assert "- encoder/item_texts_cut: 1\n" in (tmp_path / "run" / "report.md").read_text()
    assert "item texts are longer than the model reads" in (tmp_path / "run" / "run.log").read_text()


def test_a_run_whose_texts_are_read_whole_reports_nothing(tmp_path):
    assert assemble(compose_config(overrides(tmp_path, "encoder=bert"))).cut == {}


def test_lengths_are_optional_for_an_encoder():
    assert Encoder.text_lengths(CountingEncoder(), TEXTS, "item") is None
