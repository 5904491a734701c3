"""Codes of a catalogue: unique, as the codebooks say, measured as numpy measures them, and the same for new items without retraining."""

from __future__ import annotations

import logging
import sys
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import polars as pl
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.computed import ComputedStore
from recframe.interfaces import Catalog
from recframe.item_codes import (
    CODES_SEED,
    CodesConfig,
    CodesError,
    CodeTree,
    ItemCodes,
    RqVaeConfig,
    TransformersTokens,
    WordTokens,
    item_codes,
)
from recframe.item_codes import make as making
from recframe.item_codes.collisions import group_sizes, suffixes
from recframe.item_codes.digits import digit_levels, digits
from recframe.item_codes.residual_kmeans import residual_codes
from recframe.item_codes.rq_vae import latent

SMALL = RqVaeConfig(hidden=32, latent=8, steps=150, batch_size=128)


def catalog_of(vectors: torch.Tensor | None, titles: list[str] | None = None) -> Catalog:
    count = len(titles) if titles is not None else len(vectors) if vectors is not None else 0
    titles = titles or [f"film {item}" for item in range(count)]
    return Catalog([str(item) for item in range(count)], titles, pl.DataFrame({"title": titles}), torch.ones(count), vectors)


@pytest.fixture(scope="module")
def vectors() -> torch.Tensor:
    """400 vectors around 12 centres."""
    generator = torch.Generator().manual_seed(3)
    centres = 4 * torch.randn(12, 16, generator=generator)
    return centres[torch.randint(12, (400,), generator=generator)] + torch.randn(400, 16, generator=generator)


@pytest.fixture(scope="module")
def kmeans(vectors: torch.Tensor) -> ItemCodes:
    return item_codes(CodesConfig(size=8, levels=3), catalog_of(vectors), CODES_SEED)


@pytest.fixture(scope="module")
def rq_vae(vectors: torch.Tensor) -> ItemCodes:
    return item_codes(CodesConfig("rq_vae", size=8, levels=3, rq_vae=SMALL), catalog_of(vectors), CODES_SEED)


@settings(max_examples=40, deadline=None)
@given(st.lists(st.tuples(st.integers(0, 2), st.integers(0, 2)), min_size=1, max_size=30))
def test_a_suffix_counts_the_earlier_items_with_the_same_codes(rows: list[tuple[int, int]]) -> None:
    prefixes = torch.tensor(rows)
    assert suffixes(prefixes).tolist() == [rows[:place].count(row) for place, row in enumerate(rows)]
    assert group_sizes(prefixes).tolist() == [rows.count(row) for row in rows]


def test_residual_kmeans_takes_the_nearest_code_of_what_is_left_over(vectors: torch.Tensor, kmeans: ItemCodes) -> None:
    left = vectors.numpy().astype(np.float64)
    for level, codebook in enumerate(kmeans.learned["codebooks"].numpy().astype(np.float64)):
        distances = ((left[:, None] - codebook[None]) ** 2).sum(2)
        assert np.array_equal(distances.argmin(1), kmeans.codes[:, level].numpy())
        left = left - codebook[distances.argmin(1)]
        if level == 0:
            # the clusters' means: k-means has converged
            means = [vectors.numpy()[distances.argmin(1) == code].mean(0) for code in range(8)]
            assert np.allclose(codebook, means, atol=1e-4)
    spread = ((vectors - vectors.mean(0)) ** 2).sum()
    assert kmeans.report()["reconstruction"] == pytest.approx(1 - (left**2).sum() / float(spread), abs=1e-5)
    assert kmeans.sizes[:3] == (8, 8, 8)


def test_the_report_is_what_numpy_counts(vectors: torch.Tensor, kmeans: ItemCodes) -> None:
    report = kmeans.report()
    rows = list(map(tuple, kmeans.codes[:, :3].tolist()))
    counts = Counter(rows)
    assert report["collisions"] == pytest.approx(sum(counts[row] > 1 for row in rows) / 400)
    assert report["largest_collision"] == max(counts.values())
    for level in range(3):
        shares = np.bincount(kmeans.codes[:, level].numpy(), minlength=8) / 400
        assert report[f"used_{level + 1}"] == (shares > 0).mean()
        assert report[f"perplexity_{level + 1}"] == pytest.approx(np.exp(-sum(p * np.log(p) for p in shares if p)))
    first = kmeans.codes[:, 0].numpy()
    distances = torch.cdist(vectors, vectors).fill_diagonal_(torch.inf).numpy()
    assert report["neighbours_share_first"] == pytest.approx((first == first[distances.argmin(1)]).mean())
    pairs = [first[one] == first[other] for one in range(400) for other in range(400) if one != other]
    assert report["chance_share_first"] == pytest.approx(np.mean(pairs))
    for depth in (2, 3):
        start = [row[:depth] for row in rows]
        shared = np.mean([start[one] == start[other] for one, other in enumerate(distances.argmin(1))])
        pairs = [start[one] == start[other] for one in range(400) for other in range(400) if one != other]
        assert report[f"neighbours_share_first_{depth}"] == pytest.approx(shared)
        assert report[f"chance_share_first_{depth}"] == pytest.approx(np.mean(pairs))


@pytest.mark.parametrize("kind", ["kmeans", "rq_vae"])
def test_learned_codes_tell_all_items_apart_and_neighbours_share_them(kind: str, request: pytest.FixtureRequest) -> None:
    codes: ItemCodes = request.getfixturevalue(kind)
    CodeTree(codes.codes, codes.sizes)
    report = codes.report()
    assert report["neighbours_share_first"] > 4 * report["chance_share_first"]
    assert report["reconstruction"] > 0.7
    assert codes.num_levels == 4


@pytest.mark.parametrize("kind", ["kmeans", "rq_vae"])
def test_new_items_get_codes_without_retraining(kind: str, vectors: torch.Tensor, request: pytest.FixtureRequest) -> None:
    codes: ItemCodes = request.getfixturevalue(kind)
    # two items that are there already, and something between two others
    new = torch.stack([vectors[5], vectors[5], (vectors[0] + vectors[1]) / 2])
    more = codes.of_new(new)
    assert torch.equal(more.codes[:400], codes.codes)
    assert more.sizes == codes.sizes
    assert more.codes[400:402, :3].tolist() == [codes.codes[5, :3].tolist()] * 2
    group = int(group_sizes(codes.prefixes)[5])
    assert more.codes[400:402, 3].tolist() == [group, group + 1]
    CodeTree(more.codes, more.sizes)
    assert "reconstruction" not in more.report()
    # one after another they get the codes that they get together
    assert torch.equal(codes.of_new(new[:1]).of_new(new[1:]).codes, more.codes)
    # what is saved is enough: codes, sizes and what was learned
    saved = ItemCodes(codes.kind, codes.codes.clone(), codes.sizes, {name: value.clone() for name, value in codes.learned.items()})
    assert torch.equal(saved.of_new(new).codes, more.codes)


def test_more_items_with_one_code_than_the_last_level_has_are_refused(vectors: torch.Tensor, kmeans: ItemCodes) -> None:
    with pytest.raises(CodesError, match=r"items have the same codes.*learn codes of all items anew") as refused:
        kmeans.of_new(vectors[5].expand(kmeans.sizes[-1] + 1, -1))
    assert len(refused.value.lines) == 1


def test_the_last_level_has_room_for_as_many_new_items_as_collide(caplog: pytest.LogCaptureFixture) -> None:
    same = item_codes(CodesConfig(size=4, levels=1), catalog_of(torch.ones(30, 3)), CODES_SEED)
    assert same.report()["collisions"] == 1.0
    assert same.report()["reconstruction"] == 1.0
    assert same.codes[:, 1].tolist() == list(range(30))
    assert same.sizes == (4, 64)
    assert len(same.of_new(torch.ones(30, 3))) == 60
    assert "100 % of the items have the codes of others, up to 30 the same" in caplog.text
    assert "agent.codes.levels or agent.codes.size is small for 30 items" in caplog.text


def test_fewer_items_than_codes_are_coded() -> None:
    few = item_codes(CodesConfig(size=64, levels=2), catalog_of(torch.eye(3)), CODES_SEED)
    assert few.sizes == (64, 64, 64)
    assert few.report()["collisions"] == 0.0
    assert item_codes(CodesConfig(size=64), catalog_of(torch.eye(1)), CODES_SEED).codes.shape == (1, 4)


def test_rq_vae_codes_are_those_of_the_library(vectors: torch.Tensor, rq_vae: ItemCodes) -> None:
    from vector_quantize_pytorch import ResidualVQ

    quantizer = ResidualVQ(dim=8, num_quantizers=3, codebook_size=8).eval()
    for layer, codebook in zip(quantizer.layers, rq_vae.learned["codebooks"], strict=True):
        layer._codebook.embed.data.copy_(codebook[None])
    with torch.no_grad():
        _, indices, _ = quantizer(latent(vectors, rq_vae.learned))
    assert torch.equal(indices, rq_vae.prefixes)


def test_learned_codes_are_the_same_again_and_leave_random_numbers_alone(
    vectors: torch.Tensor, kmeans: ItemCodes, rq_vae: ItemCodes
) -> None:
    before = torch.get_rng_state()
    assert torch.equal(item_codes(CodesConfig(size=8), catalog_of(vectors), CODES_SEED).codes, kmeans.codes)
    again = item_codes(CodesConfig("rq_vae", size=8, rq_vae=SMALL), catalog_of(vectors), CODES_SEED)
    assert torch.equal(again.codes, rq_vae.codes)
    assert torch.equal(torch.get_rng_state(), before)


def test_ids_are_digits_of_their_own_that_say_nothing(vectors: torch.Tensor) -> None:
    # neighbours of one kind stand side by side in this catalogue
    ordered = vectors[vectors[:, 0].argsort()]
    codes = item_codes(CodesConfig("ids", size=8), catalog_of(ordered), CODES_SEED)
    assert codes.sizes == (8, 8, 8, 8)
    assert len(codes.codes.unique(dim=0)) == 400
    report = codes.report()
    assert report["collisions"] == 0.0
    assert report["perplexity_1"] > 7.9
    assert abs(report["neighbours_share_first"] - report["chance_share_first"]) < 0.05
    more = codes.of_new(torch.zeros(8**4 - 400, 16))
    assert torch.equal(more.codes[:400], codes.codes)
    assert len(more.codes.unique(dim=0)) == 8**4
    with pytest.raises(CodesError, match="4 digits to the base 8 are enough for 4,096 items, not 4,097"):
        more.of_new(torch.zeros(1, 16))
    assert item_codes(CodesConfig("ids"), catalog_of(None, ["a", "b"]), CODES_SEED).report().keys() >= {"collisions", "perplexity_1"}


@settings(max_examples=40, deadline=None)
@given(st.integers(1, 500), st.integers(2, 300))
def test_digits_are_different_and_have_room_for_twice_as_many(items: int, size: int) -> None:
    levels = digit_levels(items, size)
    assert size**levels >= 2 * items > 0
    codes = digits(torch.arange(2 * items), size, levels)
    assert len(codes.unique(dim=0)) == 2 * items
    assert 0 <= int(codes.min()) <= int(codes.max()) < size


TITLES = ["The Ring", "The Ring Two", "Heat", "The Ring"]


def test_titles_are_their_words_and_equal_ones_are_told_apart() -> None:
    codes = item_codes(CodesConfig("titles", size=2), catalog_of(None, TITLES), CODES_SEED)
    # 0 ends a title; words are numbered from 2 as they occur
    assert codes.codes.tolist() == [[2, 3, 0, 0], [2, 3, 4, 0], [5, 0, 0, 0], [2, 3, 0, 1]]
    assert codes.sizes == (6, 6, 6, 4)
    CodeTree(codes.codes, codes.sizes)
    new = ["The Heat Ring Two Again", "Alien", "", "Heat"]
    more = codes.of_new(torch.zeros(4, 0), new)
    assert more.codes[4:].tolist() == [[2, 5, 3, 0], [WordTokens.UNKNOWN, 0, 0, 0], [0, 0, 0, 0], [5, 0, 0, 1]]
    # what is saved is enough
    saved = ItemCodes("titles", codes.codes, codes.sizes, {"words": codes.learned["words"].clone()})
    assert torch.equal(saved.of_new(torch.zeros(4, 0), new).codes, more.codes)
    with pytest.raises(ValueError, match="need the titles"):
        codes.of_new(torch.zeros(1, 0))


def test_the_log_of_a_run_has_the_measures_in_a_line(vectors: torch.Tensor, caplog: pytest.LogCaptureFixture) -> None:
    caplog.set_level(logging.INFO)
    codes = item_codes(CodesConfig("ids", size=8), catalog_of(vectors), CODES_SEED)
    item_codes(CodesConfig("titles"), catalog_of(None, TITLES), CODES_SEED)
    shared, chance = (100 * codes.report()[name] for name in ("neighbours_share_first", "chance_share_first"))
    assert caplog.messages == [
        "item codes: ids 8 x 8 x 8 x 8 of 400 items: 0.0 % collide, "
        f"{shared:.1f} % share the first code of their nearest item ({chance:.1f} % by chance)",
        "item codes: titles of up to 3 of 6 tokens of 4 items: 50.0 % collide",
    ]


def test_titles_are_cut_at_their_longest_length() -> None:
    codes = item_codes(CodesConfig("titles", title_length=2), catalog_of(None, TITLES), CODES_SEED)
    assert codes.codes.tolist() == [[2, 3, 0], [2, 3, 1], [4, 0, 0], [2, 3, 2]]
    assert codes.report()["collisions"] == 0.75


def test_titles_are_the_tokens_of_a_language_models_tokenizer() -> None:
    from tokenizers import Tokenizer
    from tokenizers.models import WordLevel
    from tokenizers.pre_tokenizers import Whitespace
    from transformers import PreTrainedTokenizerFast

    words = Tokenizer(WordLevel({"[UNK]": 0, "<end>": 1, "The": 2, "Ring": 3, "Two": 4, "Heat": 5, "|": 6}, unk_token="[UNK]"))
    words.pre_tokenizer = Whitespace()
    tokens = TransformersTokens(PreTrainedTokenizerFast(tokenizer_object=words, unk_token="[UNK]", eos_token="<end>"), before="| ")
    codes = item_codes(CodesConfig("titles"), catalog_of(None, TITLES), CODES_SEED, tokens=tokens)
    assert codes.codes.tolist() == [[6, 2, 3, 1, 0], [6, 2, 3, 4, 0], [6, 5, 1, 1, 0], [6, 2, 3, 1, 1]]
    assert codes.sizes == (7, 7, 7, 7, 64)
    assert codes.of_new(torch.zeros(1, 0), ["Two"]).codes[-1].tolist() == [6, 4, 1, 1, 0]


def test_codes_are_found_again_by_the_content_of_the_vectors(
    vectors: torch.Tensor, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    fits = []
    fit = making.fit_codebooks
    monkeypatch.setattr(making, "fit_codebooks", lambda *args: fits.append(args[1:]) or fit(*args))
    config = CodesConfig(size=4, levels=2)
    with ComputedStore(tmp_path, {}).active():
        first = item_codes(config, catalog_of(vectors), CODES_SEED)
        again = item_codes(config, catalog_of(vectors.clone()), CODES_SEED)
        assert len(fits) == 1
        # settings that do not concern the kind change nothing
        item_codes(replace(config, rq_vae=RqVaeConfig(steps=1), title_length=3), catalog_of(vectors), CODES_SEED)
        assert len(fits) == 1
        item_codes(config, catalog_of(vectors + 1), CODES_SEED)
        item_codes(replace(config, size=5), catalog_of(vectors), CODES_SEED)
        item_codes(config, catalog_of(vectors), CODES_SEED + 1)
        assert len(fits) == 4
    assert torch.equal(first.codes, again.codes)
    assert torch.equal(first.learned["codebooks"], again.learned["codebooks"])
    assert first.report() == again.report()


def test_a_missing_library_is_one_line(vectors: torch.Tensor, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "vector_quantize_pytorch", None)
    with pytest.raises(CodesError) as missing:
        item_codes(CodesConfig("rq_vae"), catalog_of(vectors), CODES_SEED)
    assert missing.value.lines == [
        "agent.codes.kind=rq_vae needs vector-quantize-pytorch: pip install 'recframe[codes]', or use agent.codes.kind=residual_kmeans"
    ]


@pytest.mark.parametrize("vectors", [None, torch.zeros(3, 0)])
@pytest.mark.parametrize("kind", ["residual_kmeans", "rq_vae"])
def test_learned_codes_without_vectors_are_refused(kind: str, vectors: torch.Tensor | None) -> None:
    with pytest.raises(CodesError, match=f"agent.codes.kind={kind} needs items' text vectors.*use agent.codes.kind=ids"):
        item_codes(CodesConfig(kind), catalog_of(vectors, ["a", "b", "c"]), CODES_SEED)


def test_settings_that_the_kind_does_not_read_are_problems() -> None:
    assert list(CodesConfig().problems("agent.codes")) == []
    assert list(CodesConfig("rq_vae", levels=2, rq_vae=SMALL).problems("agent.codes")) == []
    found = list(CodesConfig("ids", levels=2, title_length=3, rq_vae=RqVaeConfig(steps=5)).problems("agent.codes"))
    assert [line.split()[0] for line in found] == ["agent.codes.levels", "agent.codes.title_length", "agent.codes.rq_vae.steps"]


def test_many_vectors_are_coded_in_batches(kmeans: ItemCodes, vectors: torch.Tensor) -> None:
    many = vectors.repeat(50, 1)
    assert len(many) > 16_384
    codebooks = kmeans.learned["codebooks"]
    assert torch.equal(residual_codes(many, codebooks), residual_codes(vectors, codebooks).repeat(50, 1))
