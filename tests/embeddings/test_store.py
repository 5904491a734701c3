"""The embedding store gives the encoder's vectors in order and encodes each text once."""

from __future__ import annotations

import logging
import tempfile
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recframe.embeddings import EmbeddingError, EmbeddingStore


def test_vectors_follow_the_order_of_the_texts_and_repeats_are_encoded_once(store, encoder):
    texts = ["the longest of them all", "b", "two", "b", "two", "b"]

    vectors = store.vectors(texts, "item")

    assert vectors.dtype == torch.float32
    assert np.array_equal(vectors.numpy(), encoder.expected(texts))
    assert sorted(encoder.texts) == ["b", "the longest of them all", "two"]
    assert (store.encoded, store.cached) == (3, 0)


def test_only_new_texts_reach_the_encoder(folder, encoder, counting_encoder):
    EmbeddingStore(folder, encoder).vectors(["a", "b"], "item")
    later = counting_encoder()
    store = EmbeddingStore(folder, later)

    texts = ["c", "b", "d", "a"]
    vectors = store.vectors(texts, "item")

    assert sorted(later.texts) == ["c", "d"]
    assert np.array_equal(vectors.numpy(), later.expected(texts))
    assert (store.encoded, store.cached) == (2, 2)


@settings(max_examples=60, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(batches=st.lists(st.lists(st.text()), max_size=4))
def test_the_store_gives_the_encoders_vectors_whatever_was_requested_before(batches, counting_encoder):
    with tempfile.TemporaryDirectory() as folder:
        encoder = counting_encoder()
        for texts in [*batches, ["", "🎬", "e\u0301", "é", "\0", "\n"]]:
            vectors = EmbeddingStore(Path(folder), encoder).vectors(texts, "item")
            assert vectors.shape == (len(texts), encoder.dim)
            assert np.array_equal(vectors.numpy(), encoder.expected(texts))
        assert len(encoder.texts) == len(set(encoder.texts))


def test_the_same_text_in_another_role_is_encoded_again(store, encoder):
    for role in ("item", "user", "context", "item"):
        assert np.array_equal(store.vectors(["a"], role).numpy(), encoder.expected(["a"], role))
    assert len(encoder.texts) == 3


def test_encoders_with_different_fingerprints_share_no_vectors(folder, counting_encoder):
    one, two = counting_encoder("model one", dim=4), counting_encoder("model two", dim=7)
    for encoder in (one, two, one, two):
        assert np.array_equal(EmbeddingStore(folder, encoder).vectors(["a"], "item").numpy(), encoder.expected(["a"]))
    assert one.texts == two.texts == ["a"]


def test_another_dimension_under_the_same_fingerprint_is_refused(folder, counting_encoder):
    EmbeddingStore(folder, counting_encoder(dim=4)).vectors(["a"], "item")
    with pytest.raises(EmbeddingError, match="CountingEncoder gives vectors of 7 numbers, but gave 4 under the same fingerprint"):
        EmbeddingStore(folder, counting_encoder(dim=7)).vectors(["a", "b"], "item")


def test_refitting_an_encoder_encodes_its_texts_again(store, encoder):
    store.vectors(["a"], "item")
    encoder._fingerprint = "fitted on more"
    assert np.array_equal(store.vectors(["a"], "item").numpy(), encoder.expected(["a"]))


def test_no_texts_give_no_vectors_and_write_nothing(store, encoder, folder):
    assert store.vectors([], "item").shape == (0, encoder.dim)
    assert encoder.calls == []
    assert not folder.exists()


def test_texts_are_encoded_longest_first_in_bounded_calls(store, encoder, small_shards, folder):
    texts = [str(number) * number for number in range(1, 10)]
    store.vectors(texts, "item")
    lengths = [len(text) for text in encoder.texts]
    assert lengths == sorted(lengths, reverse=True)
    assert max(len(call) for call in encoder.calls) == 2
    assert len(list(folder.rglob("*.safetensors"))) == 3


def test_a_second_request_in_the_same_process_reads_no_file_list(store, encoder, monkeypatch):
    store.vectors(["a", "b"], "item")

    def forbidden(*_):
        raise AssertionError("the folder was scanned again")

    monkeypatch.setattr(Path, "glob", forbidden)
    assert np.array_equal(store.vectors(["b", "a"], "item").numpy(), encoder.expected(["b", "a"]))


def test_cached_texts_need_neither_encode_nor_dim(folder, encoder, counting_encoder):
    EmbeddingStore(folder, encoder).vectors(["a", "b"], "item")

    class Unloadable(counting_encoder):
        @property
        def dim(self):
            raise AssertionError("dim may load a model")

        def encode(self, texts, role):
            raise AssertionError("encode must not be called")

    assert EmbeddingStore(folder, Unloadable()).vectors(["a", "b"], "item").shape == (2, 4)


def test_changing_returned_vectors_does_not_change_the_cache(store, encoder):
    store.vectors(["a"], "item").zero_()
    assert np.array_equal(store.vectors(["a"], "item").numpy(), encoder.expected(["a"]))


@pytest.mark.parametrize(
    ("answer", "complaint"),
    [
        (lambda n: np.zeros((n, 3), np.float32), r"CountingEncoder gave vectors of shape \[2, 3\] for 2 texts, not \[2, 4\]"),
        (lambda n: np.zeros((n - 1, 4), np.float32), r"shape \[1, 4\] for 2 texts"),
        (lambda n: np.zeros((n, 4), np.float32) / np.float32(0), "NaN or infinite numbers for 2 of 2 texts; the first is 'long'"),
        (lambda n: np.full((n, 4), 1e300), "NaN or infinite"),
        (lambda n: [[0.0] * 4] * n, "gave a list for 2 texts; it must give a float32 array"),
        (lambda n: np.zeros((n, 4), np.int64), "gave an array of int64"),
    ],
)
@pytest.mark.filterwarnings("ignore::RuntimeWarning")
def test_unusable_vectors_are_refused_in_one_line_and_nothing_is_written(store, encoder, folder, answer, complaint):
    encoder.encode = lambda texts, role: answer(len(texts))
    with pytest.raises(EmbeddingError, match=complaint) as refused:
        store.vectors(["long", "s"], "item")
    assert "\n" not in str(refused.value)
    assert list(folder.rglob("*.safetensors")) == []


def test_double_precision_is_converted_to_single(store, encoder):
    encoder.encode = lambda texts, role: encoder.expected(texts).astype(np.float64)
    assert store.vectors(["a"], "item").dtype == torch.float32


@pytest.mark.parametrize(("texts", "complaint"), [(["a", None], "text 1 of 2 to be encoded is None"), ("abc", "a list of texts")])
def test_anything_but_a_list_of_strings_is_refused(store, texts, complaint):
    with pytest.raises(TypeError, match=complaint):
        store.vectors(texts, "item")


def test_an_interrupted_encoding_keeps_every_finished_call(store, encoder, folder, small_shards, counting_encoder):
    texts = [f"text {number}" for number in range(10)]

    def interrupted(batch, role):
        if len(encoder.texts) == 6:
            raise KeyboardInterrupt
        return counting_encoder.encode(encoder, batch, role)

    encoder.encode = interrupted
    with pytest.raises(KeyboardInterrupt):
        store.vectors(texts, "item")

    later = counting_encoder()
    assert np.array_equal(EmbeddingStore(folder, later).vectors(texts, "item").numpy(), later.expected(texts))
    assert set(later.texts) == set(texts) - set(encoder.texts)
    assert len(later.texts) == 4


def test_progress_is_shown_only_on_a_terminal_and_only_when_something_is_encoded(folder, encoder, monkeypatch, capsys):
    monkeypatch.setenv("FORCE_COLOR", "1")
    monkeypatch.setenv("COLUMNS", "120")
    EmbeddingStore(folder, encoder, progress=False).vectors(["a"], "item")
    assert capsys.readouterr() == ("", "")
    EmbeddingStore(folder, encoder).vectors(["a"], "item")
    assert capsys.readouterr() == ("", "")
    EmbeddingStore(folder, encoder).vectors(["b", "c"], "item")
    shown = capsys.readouterr()
    assert "2/2" in shown.err
    assert shown.out == ""
    monkeypatch.delenv("FORCE_COLOR")
    EmbeddingStore(folder, encoder).vectors(["d"], "item")
    assert "encoding" not in capsys.readouterr().err


def test_the_log_has_the_number_of_encoded_texts(store, caplog):
    with caplog.at_level(logging.INFO, logger="recframe.embeddings"):
        store.vectors(["a", "b"], "item")
        store.vectors(["a", "b"], "item")
    assert caplog.records[0].getMessage() == "encoding 2 texts with CountingEncoder"
    assert len(caplog.records) == 2
