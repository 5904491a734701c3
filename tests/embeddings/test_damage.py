"""Truncated, overwritten and leftover files in the cache are found, named and replaced."""

from __future__ import annotations

import logging
from pathlib import Path

import numpy as np
import pytest
from safetensors.numpy import load_file, save_file

from recframe.embeddings import EmbeddingError, EmbeddingStore

TEXTS = [f"text {number}" for number in range(10)]


def shards(folder: Path) -> list[Path]:
    return sorted(folder.rglob("*.safetensors"))


def flip(position: float):
    """Flip a bit at a relative position of the file (0: first byte, 1: last)."""

    def damage(path: Path) -> None:
        content = bytearray(path.read_bytes())
        content[round(position * (len(content) - 1))] ^= 0x10
        path.write_bytes(content)

    return damage


def swap_rows(path: Path) -> None:
    """Swap two vectors and leave the checksums as they are."""
    content = path.read_bytes()
    arrays = {name: array.copy() for name, array in load_file(path).items()}
    at = content.index(arrays["vectors"].tobytes())
    arrays["vectors"][[0, 1]] = arrays["vectors"][[1, 0]]
    path.write_bytes(content[:at] + arrays["vectors"].tobytes() + content[at + arrays["vectors"].nbytes :])


DAMAGES = {
    "empty": lambda path: path.write_bytes(b""),
    "one byte short": lambda path: path.write_bytes(path.read_bytes()[:-1]),
    "half": lambda path: path.write_bytes(path.read_bytes()[: path.stat().st_size // 2]),
    "one byte long": lambda path: path.write_bytes(path.read_bytes() + b"\0"),
    "garbage": lambda path: path.write_bytes(bytes(range(256)) * 8),
    "zeros of the same size": lambda path: path.write_bytes(bytes(path.stat().st_size)),
    "swapped rows": swap_rows,
    "another program's": lambda path: save_file({"weights": np.zeros((2, 2), np.float32)}, path),
    **{f"bit flipped at {position:.0%}": flip(position) for position in (0, 0.2, 0.45, 0.9, 1)},
}


@pytest.mark.parametrize("damage", DAMAGES.values(), ids=DAMAGES.keys())
@pytest.mark.parametrize("number", [0, 1, 2])
def test_a_damaged_shard_is_named_and_rebuilt(folder, encoder, counting_encoder, small_shards, caplog, damage, number):
    EmbeddingStore(folder, encoder).vectors(TEXTS, "item")
    victim = shards(folder)[number]
    size = len(load_file(victim)["keys"])
    damage(victim)

    later = counting_encoder()
    store = EmbeddingStore(folder, later)
    with caplog.at_level(logging.WARNING):
        vectors = store.vectors(TEXTS, "item")

    assert np.array_equal(vectors.numpy(), later.expected(TEXTS))
    assert len(later.texts) == store.encoded == size
    assert store.cached == len(TEXTS) - size
    warnings = [record.getMessage() for record in caplog.records]
    assert len(warnings) == 1
    assert str(victim) in warnings[0]
    assert not victim.exists()

    again = counting_encoder()
    assert np.array_equal(EmbeddingStore(folder, again).vectors(TEXTS, "item").numpy(), again.expected(TEXTS))
    assert again.texts == []


def test_every_flipped_bit_is_found_or_harmless(folder, encoder, counting_encoder):
    EmbeddingStore(folder, encoder).vectors(TEXTS[:3], "item")
    [path] = shards(folder)
    content = path.read_bytes()
    for position in range(0, len(content), 3):
        for old in shards(folder):
            old.unlink()
        damaged = bytearray(content)
        damaged[position] ^= 1 << (position % 8)
        path.write_bytes(damaged)
        later = counting_encoder()
        assert np.array_equal(EmbeddingStore(folder, later).vectors(TEXTS[:3], "item").numpy(), later.expected(TEXTS[:3])), position


def test_vectors_that_are_not_requested_are_not_read(folder, encoder, counting_encoder, small_shards, caplog):
    EmbeddingStore(folder, encoder).vectors(TEXTS, "item")
    first_shard, others = encoder.texts[:4], encoder.texts[4:]
    swap_rows(next(path for path in shards(folder) if np.array_equal(load_file(path)["vectors"], encoder.expected(first_shard))))
    later = counting_encoder()
    store = EmbeddingStore(folder, later)
    store.vectors(others, "item")
    assert (later.texts, caplog.records) == ([], [])
    assert np.array_equal(store.vectors(first_shard, "item").numpy(), later.expected(first_shard))
    assert len(caplog.records) == 1


def test_a_shard_in_another_encoders_folder_is_refused(folder, counting_encoder):
    one, two = counting_encoder("one"), counting_encoder("two")
    EmbeddingStore(folder, one).vectors(["a"], "item")
    [first] = shards(folder)
    EmbeddingStore(folder, two).vectors(["b"], "item")
    [second] = [path for path in shards(folder) if path != first]
    (second.parent / first.name).write_bytes(first.read_bytes())
    assert np.array_equal(EmbeddingStore(folder, two).vectors(["a"], "item").numpy(), two.expected(["a"]))


def test_a_leftover_temporary_file_is_ignored_and_removed_by_the_next_writer(folder, encoder):
    store = EmbeddingStore(folder, encoder)
    store.vectors(["a"], "item")
    leftover = shards(folder)[0].with_name("0123abcd.tmp")
    leftover.write_bytes(b"half a sha")
    assert np.array_equal(EmbeddingStore(folder, encoder).vectors(["a", "b"], "item").numpy(), encoder.expected(["a", "b"]))
    assert not leftover.exists()


def test_a_cache_removed_under_a_running_store_is_rebuilt(folder, encoder, counting_encoder):
    store = EmbeddingStore(folder, encoder)
    store.vectors(["a"], "item")
    for path in shards(folder):
        path.unlink()
    assert np.array_equal(store.vectors(["a", "b"], "item").numpy(), encoder.expected(["a", "b"]))
    later = counting_encoder()
    assert np.array_equal(EmbeddingStore(folder, later).vectors(["a"], "item").numpy(), later.expected(["a"]))


def test_a_disk_that_keeps_nothing_is_reported_after_a_few_attempts(folder, encoder, monkeypatch):
    monkeypatch.setattr("recframe.embeddings.shard_folder.write_shard", lambda *_: None)
    with pytest.raises(EmbeddingError, match="cannot be read back"):
        EmbeddingStore(folder, encoder).vectors(["a"], "item")
    assert len(encoder.calls) <= 3
