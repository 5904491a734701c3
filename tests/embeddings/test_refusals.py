"""A cache that the operating system does not let this process read or write."""

import os
import stat
from collections import deque

import numpy as np
import pytest

from recframe.embeddings import EmbeddingStore, shard_folder
from recframe.embeddings.encoding import EmbeddingError

TEXTS = ["one", "two", "three"]


@pytest.fixture(autouse=True)
def another_process(monkeypatch):
    """What a process says once is said in each test, and none has the vectors of another."""
    monkeypatch.setattr(shard_folder, "_told", set())
    monkeypatch.setattr(shard_folder, "_unwritten", deque())


def warnings(caplog):
    return [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]


def shard(folder):
    (path,) = folder.glob("*/*.safetensors")
    return path


def test_a_shard_has_the_permissions_of_the_umask(folder, encoder):
    umask = os.umask(0o002)
    try:
        EmbeddingStore(folder, encoder).vectors(TEXTS, "item")
    finally:
        os.umask(umask)
    assert stat.S_IMODE(shard(folder).stat().st_mode) == 0o664


def test_a_shard_that_may_not_be_read_is_named_before_its_texts_are_encoded_again(folder, encoder, counting_encoder, caplog, monkeypatch):
    EmbeddingStore(folder, encoder).vectors(TEXTS, "item")
    of_another_user = shard(folder)
    opened = type(of_another_user).open

    def refused(path, *arguments, **options):  # root may read every file
        if path == of_another_user:
            raise PermissionError(13, "Permission denied", str(path))
        return opened(path, *arguments, **options)

    monkeypatch.setattr(type(of_another_user), "open", refused)
    again = counting_encoder()
    vectors = EmbeddingStore(folder, again).vectors(TEXTS, "item")
    assert vectors.numpy().tolist() == again.expected(TEXTS).tolist()
    assert sorted(again.texts) == sorted(TEXTS)
    (warning,) = warnings(caplog)
    assert f"cached vectors {of_another_user} cannot be read (Permission denied)" in warning
    assert of_another_user.exists()


def test_a_cache_folder_that_may_not_be_listed_is_not_taken_for_an_empty_one(folder, encoder, monkeypatch):
    EmbeddingStore(folder, encoder).vectors(TEXTS, "item")

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(EmbeddingError, match=r"embeddings\.cache: .* cannot be read \(Permission denied\)"):
        EmbeddingStore(folder, encoder).vectors(TEXTS, "item")


def test_on_a_full_disk_vectors_are_encoded_and_not_kept(encoder, full_disk, monkeypatch, caplog):
    monkeypatch.setattr(encoder, "_dim", 64)
    texts = [str(number) for number in range(8_000)]
    store = EmbeddingStore(full_disk, encoder)
    assert np.array_equal(store.vectors(texts, "item").numpy(), encoder.expected(texts))
    # the first shard did not fit either, and nothing is left of it
    assert not [*full_disk.rglob("*.safetensors"), *full_disk.rglob("*.tmp")]
    # what is in memory is not encoded again by this store
    assert np.array_equal(store.vectors(texts[::-1], "item").numpy(), encoder.expected(texts[::-1]))
    assert len(encoder.texts) == len(texts)
    (warning,) = warnings(caplog)
    assert f"text vectors cannot be written to {full_disk} (No space left on device)" in warning
    assert warning.startswith("embeddings.cache: ")
    assert "set it to a folder" in warning


def test_vectors_of_a_read_only_store_are_read_and_others_are_encoded_and_not_kept(
    folder, encoder, counting_encoder, make_read_only, caplog, monkeypatch
):
    EmbeddingStore(folder, encoder).vectors(TEXTS, "item")
    files = set(folder.rglob("*"))
    make_read_only(folder)
    again, other = counting_encoder(), counting_encoder("another one")
    texts = [*TEXTS, "four", "four"]
    # the second has no folder, and none can be made
    for reader in (again, other):
        store = EmbeddingStore(folder, reader)
        assert np.array_equal(store.vectors(texts, "item").numpy(), reader.expected(texts))
        assert np.array_equal(store.vectors(texts, "item").numpy(), reader.expected(texts))
    # the next job of the process has them; what is too much for its memory is encoded again
    third, fourth = counting_encoder(), counting_encoder()
    assert np.array_equal(EmbeddingStore(folder, third).vectors(texts, "item").numpy(), third.expected(texts))
    monkeypatch.setattr(shard_folder, "MOST_BYTES", 50)
    EmbeddingStore(folder, counting_encoder("a third one")).vectors(texts, "item")
    assert np.array_equal(EmbeddingStore(folder, fourth).vectors(texts, "item").numpy(), fourth.expected(texts))
    assert (again.texts, third.texts, fourth.texts) == (["four"], [], ["four"])
    assert sorted(other.texts) == sorted({*texts})
    assert set(folder.rglob("*")) == files
    (warning,) = warnings(caplog)
    assert f"embeddings.cache: text vectors cannot be written to {folder} (" in warning
    assert "others are encoded and not kept; to keep them, set it to a folder that you may write to" in warning


def test_a_damaged_shard_that_cannot_be_removed_is_not_read(folder, encoder, counting_encoder, make_read_only, caplog):
    EmbeddingStore(folder, encoder).vectors(TEXTS, "item")
    damaged = shard(folder)
    content = bytearray(damaged.read_bytes())
    content[-1] ^= 1
    damaged.write_bytes(content)
    make_read_only(folder)
    again = counting_encoder()
    store = EmbeddingStore(folder, again)
    for _ in range(2):
        assert np.array_equal(store.vectors(TEXTS, "item").numpy(), again.expected(TEXTS))
    assert len(again.texts) == len(TEXTS)
    assert damaged.exists()
    told, _ = warnings(caplog)
    assert f"cached vectors {damaged} are damaged (" in told
    assert "and cannot be removed" in told
