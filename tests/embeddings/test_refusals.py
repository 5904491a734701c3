"""A cache that the operating system does not let this process read or write."""

import os
import re
import stat

import pytest

from recframe.embeddings import EmbeddingStore
from recframe.embeddings.encoding import EmbeddingError

TEXTS = ["one", "two", "three"]


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
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert len(warnings) == 1
    assert f"cached vectors {of_another_user} cannot be read (Permission denied)" in warnings[0]
    assert of_another_user.exists()


def test_a_cache_folder_that_may_not_be_listed_is_not_taken_for_an_empty_one(folder, encoder, monkeypatch):
    EmbeddingStore(folder, encoder).vectors(TEXTS, "item")

    def refused(path):
        raise PermissionError(13, "Permission denied", str(path))

    monkeypatch.setattr(os, "listdir", refused)
    with pytest.raises(EmbeddingError, match=r"embeddings\.cache: .* cannot be read \(Permission denied\)"):
        EmbeddingStore(folder, encoder).vectors(TEXTS, "item")


def test_a_full_disk_is_named_with_the_setting(encoder, full_disk, monkeypatch):
    monkeypatch.setattr(encoder, "_dim", 64)
    texts = [str(number) for number in range(8_000)]
    with pytest.raises(EmbeddingError, match=rf"^embeddings\.cache: .*{re.escape(str(full_disk))}.*No space left on device") as refused:
        EmbeddingStore(full_disk, encoder).vectors(texts, "item")
    assert "\n" not in str(refused.value)
    assert refused.value.exit_code == 2
