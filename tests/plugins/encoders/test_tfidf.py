"""The encoder `tfidf`: texts with related words are near each other, and vectors depend on options and texts only."""

from __future__ import annotations

import hashlib
import re

import numpy as np
import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from recframe_plugins.encoders.tfidf.config import TfidfConfig
from recframe_plugins.encoders.tfidf.encoder import TfidfEncoder
from recframe_plugins.encoders.tfidf.words import composed, has_marks, word

CORPUS = [
    "a detective hunts a killer in the rain",
    "the killer leaves a clue for the detective",
    "two detectives and a murder at sea",
    "a wedding, a kiss and a happy end",
    "she finds love at her sister's wedding",
    "love, a kiss and a second wedding",
    "robots conquer a distant planet",
    "a distant planet sends its robots",
]


def fitted(texts=CORPUS, **options) -> TfidfEncoder:
    encoder = TfidfEncoder(TfidfConfig(**options), torch.device("cpu"))
    encoder.fit(texts)
    return encoder


def test_texts_that_share_words_are_nearer_than_texts_that_share_none():
    encoder = fitted(dim=4)
    murder, clue, wedding = encoder.encode(["detective, killer", "the killer leaves clues", "love, wedding"], "item")
    assert murder @ clue > 0.7
    assert murder @ wedding < 0.3


def test_texts_that_share_no_word_are_near_when_the_corpus_relates_their_words():
    # "detective" and "clue" meet in one text, "clue" and "robots" in none
    encoder = fitted(dim=3)
    detective, clue, robots = encoder.encode(["detective", "clue", "robots"], "item")
    assert detective @ clue > detective @ robots + 0.3


@settings(max_examples=25, deadline=None, suppress_health_check=[HealthCheck.too_slow])
@given(texts=st.lists(st.text(max_size=20), min_size=1, max_size=6))
def test_vectors_have_length_one_or_zero_and_do_not_depend_on_other_texts(texts):
    encoder = fitted(dim=5)
    vectors = encoder.encode([*texts, *CORPUS], "item")
    assert vectors.dtype == np.float32
    assert vectors.shape == (len(texts) + len(CORPUS), 5)
    lengths = np.linalg.norm(vectors, axis=1)
    assert np.all((np.abs(lengths - 1) < 1e-5) | (lengths == 0))
    for row, text in enumerate(texts):
        assert np.array_equal(vectors[row], encoder.encode([text], "user")[0])


def test_a_text_without_known_words_is_the_zero_vector():
    assert not fitted().encode(["", "...", "🎬", "zyzzyva"], "item").any()


def test_vectors_do_not_depend_on_the_order_of_the_fitted_texts():
    one, two = fitted(dim=4), fitted(CORPUS[::-1], dim=4)
    assert one.fingerprint == two.fingerprint
    assert np.array_equal(one.encode(CORPUS, "item"), two.encode(CORPUS, "item"))


@pytest.mark.parametrize(
    "other",
    [
        lambda: fitted([*CORPUS, "one more"]),
        lambda: fitted(CORPUS[:-1]),
        lambda: fitted([*CORPUS[:-2], CORPUS[-2] + CORPUS[-1]]),
        lambda: fitted([*CORPUS, CORPUS[0]]),
        lambda: fitted(dim=3),
        lambda: fitted(min_df=2),
        lambda: fitted(ngram_max=2),
        lambda: fitted(sublinear_tf=False),
        lambda: fitted(seed=1),
    ],
)
def test_the_fingerprint_covers_the_texts_and_every_option(other):
    assert other().fingerprint != fitted().fingerprint


def test_fitting_again_discards_the_first_texts():
    encoder = fitted()
    encoder.encode(CORPUS, "item")
    encoder.fit(["cats and dogs", "dogs and birds"])
    assert not encoder.encode(["detective"], "item").any()
    assert encoder.fingerprint == fitted(["cats and dogs", "dogs and birds"]).fingerprint


@pytest.mark.parametrize(
    ("texts", "dim"),
    [(CORPUS, 8), (["one text of words"], 1), (["same words", "same words", "others"], 2), (["word"] * 3, 1), (["M", "9"], 2)],
)
def test_the_dimension_is_at_most_the_rank_of_the_texts(texts, dim):
    encoder = fitted(texts, dim=64)
    assert encoder.dim == dim
    assert encoder.encode(texts, "item").shape == (len(texts), dim)
    assert np.allclose(np.linalg.norm(encoder.encode(texts, "item"), axis=1), 1, atol=1e-5)


def test_word_pairs_distinguish_texts_that_single_words_do_not():
    texts = ["dog bites man", "man bites dog", "a third text"]
    words, pairs = fitted(texts), fitted(texts, ngram_max=2)
    assert words.encode(texts, "item")[0] @ words.encode(texts, "item")[1] == pytest.approx(1, abs=1e-5)
    assert pairs.encode(texts, "item")[0] @ pairs.encode(texts, "item")[1] < 0.9


def test_words_below_min_df_are_ignored():
    assert not fitted(min_df=2).encode(["rain sea"], "item").any()
    assert fitted(min_df=1).encode(["rain sea"], "item").any()


@pytest.mark.parametrize("texts", [[], ["", "  ", "?!"]])
def test_texts_without_a_word_are_refused(texts):
    with pytest.raises(ValueError, match=f"there is no word in the {len(texts)} texts"):
        fitted(texts)


def test_a_min_df_that_leaves_no_word_is_named():
    with pytest.raises(ValueError, match=r"min_df=9 or more of the 8 texts; lower encoder\.min_df"):
        _ = fitted(min_df=9).dim


@pytest.mark.parametrize("use", [lambda e: e.dim, lambda e: e.fingerprint, lambda e: e.encode(["a"], "item")])
def test_use_before_fit_is_refused(use):
    with pytest.raises(RuntimeError, match=r"call fit\(texts\)"):
        use(TfidfEncoder(TfidfConfig(), torch.device("cpu")))


def test_no_texts_give_no_vectors():
    assert fitted(dim=4).encode([], "item").shape == (0, 4)


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("\u0926\u093f\u0928", "\u0926\u093e\u0928"),  # Hindi: day, gift
        ("\u0bae\u0bb0\u0bae\u0bcd", "\u0bae\u0bbe\u0bb0\u0bae\u0bcd"),  # Tamil
        ("\u0e17\u0e35\u0e48", "\u0e17\u0e35"),  # Thai
        ("\u05e9\u05c1", "\u05e9\u05c2"),  # pointed Hebrew: shin, sin
        ("\u0645\u06cc\u200c\u062e\u0648", "\u0645\u06cc"),  # Persian, with a joiner inside
    ],
)
def test_words_that_differ_in_marks_only_are_different(one, other):
    first, second = fitted([f"{one} story", f"{other} story", *CORPUS], dim=8).encode([one, other], "item")
    assert np.linalg.norm(first) == pytest.approx(1.0)
    assert np.linalg.norm(second) == pytest.approx(1.0)
    assert first @ second < 0.95


def test_composed_and_decomposed_letters_are_the_same_word():
    composed, decomposed = "Am\u00e9lie", "Ame\u0301lie"
    encoder = fitted([f"{composed} in Paris", *CORPUS])
    first, second = encoder.encode([composed, decomposed], "item")
    assert np.array_equal(first, second)
    assert np.linalg.norm(first) == pytest.approx(1.0)
    other = fitted([f"{decomposed} in Paris", *CORPUS])
    assert np.array_equal(other.encode([composed], "item"), encoder.encode([composed], "item"))


@settings(max_examples=200, deadline=None)
@given(st.text(st.characters(codec="latin-1"), max_size=60))
def test_law_words_of_latin_texts_are_those_of_the_simple_pattern(text):
    assert re.findall(word(), composed(text)) == re.findall(r"\b\w+\b", text)
    assert not has_marks(text)


def test_texts_without_marks_keep_the_fingerprint_of_their_cached_vectors():
    corpus = "".join(len(text).to_bytes(8, "little").decode() + text for text in sorted(CORPUS))
    digest = hashlib.sha256(corpus.encode()).hexdigest()
    assert f"corpus={digest} scikit-learn=" in fitted().fingerprint
    assert " words=marks scikit-learn=" in fitted(["\u0926\u093f\u0928", *CORPUS]).fingerprint
    assert " words=marks scikit-learn=" in fitted(["Ame\u0301lie", *CORPUS]).fingerprint


def test_more_dimensions_than_the_texts_tell_are_said_and_not_invented(caplog):
    assert fitted(dim=100_000).dim <= len(CORPUS)
    (warning,) = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert re.fullmatch(r"tfidf: vectors of length \d+: encoder\.dim=100000 is more than the texts' words tell", warning)
    caplog.clear()
    fitted(dim=4)
    assert not caplog.records
