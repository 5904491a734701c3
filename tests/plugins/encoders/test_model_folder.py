"""Reading and checking a model's files without loading the model."""

from __future__ import annotations

import os

import pytest

from recframe import files
from recframe.files import file_sha256
from recframe.language_models import check_loadable, declared_dim, model_sha256, verify_files

ST = "sentence_transformers.models"


def modules(*kinds: str) -> list[dict[str, str]]:
    return [{"name": str(i), "path": "" if i == 0 else f"{i}_{kind}", "type": f"{ST}.{kind}"} for i, kind in enumerate(kinds)]


@pytest.mark.parametrize(
    ("files", "dim"),
    [
        ({"config.json": {"hidden_size": 48}}, 48),
        ({"modules.json": modules("Transformer", "Pooling"), "1_Pooling/config.json": {"word_embedding_dimension": 32}}, 32),
        (
            {
                "modules.json": modules("Transformer", "Pooling", "Normalize"),
                "1_Pooling/config.json": {
                    "word_embedding_dimension": 32,
                    "pooling_mode_cls_token": True,
                    "pooling_mode_mean_tokens": True,
                    "pooling_mode_max_tokens": False,
                },
            },
            64,
        ),
        (
            {
                "modules.json": modules("Transformer", "Pooling"),
                "1_Pooling/config.json": {"embedding_dimension": 32, "pooling_mode": ["cls", "max", "mean"]},
            },
            96,
        ),
        (
            {
                "modules.json": modules("Transformer", "Pooling"),
                "1_Pooling/config.json": {"embedding_dimension": 32, "pooling_mode": "cls"},
            },
            32,
        ),
        (
            {
                "modules.json": modules("Transformer", "Pooling", "Dense"),
                "1_Pooling/config.json": {"word_embedding_dimension": 32},
                "2_Dense/config.json": {"in_features": 32, "out_features": 12},
            },
            12,
        ),
        (
            {
                "modules.json": modules("Transformer", "Normalize"),
                "config.json": {"hidden_size": 32},
                "config_sentence_transformers.json": {"truncate_dim": 8},
            },
            8,
        ),
        ({"modules.json": modules("StaticEmbedding")}, None),
        ({"config.json": {"text_config": {"hidden_size": 5}}}, None),
    ],
)
def test_the_dimension_is_read_from_the_configs_if_they_give_it(model_folder, files, dim):
    assert declared_dim(model_folder(files)) == dim


def test_the_hash_covers_files_that_vectors_depend_on_and_not_their_location(linked_minilm, tmp_path):
    original = model_sha256(linked_minilm({}), {})
    assert model_sha256(linked_minilm({"README.md": "another text"}, tmp_path / "readme"), {}) == original
    assert model_sha256(linked_minilm({"onnx/model.safetensors": "an export"}, tmp_path / "export"), {}) == original
    for name in ("model.safetensors", "tokenizer.json", "config.json", "1_Pooling/config.json", "modules.json", "extra.safetensors"):
        changed = linked_minilm({name: "[]"}, tmp_path / name.replace("/", "_"))
        assert model_sha256(changed, {}) != original, name
    without = linked_minilm({"vocab.txt": None}, tmp_path / "without")
    assert model_sha256(without, {}) != original


def test_a_changed_file_is_hashed_again_and_an_unchanged_one_is_not(tmp_path, monkeypatch):
    path = tmp_path / "model.safetensors"
    path.write_bytes(b"one")
    first = file_sha256(path)
    hashed = []
    original = files.hashlib.file_digest
    monkeypatch.setattr(files.hashlib, "file_digest", lambda *a: hashed.append(a) or original(*a))
    assert file_sha256(path) == first
    assert hashed == []
    # same size and modification time; the change time of the inode differs
    before = path.stat()
    path.write_bytes(b"two")
    os.utime(path, ns=(before.st_atime_ns, before.st_mtime_ns))
    replacement = tmp_path / "replacement"
    replacement.write_bytes(b"two")
    os.utime(replacement, ns=(before.st_atime_ns, before.st_mtime_ns))
    os.replace(replacement, path)
    assert file_sha256(path) != first
    assert len(hashed) == 1


def test_files_that_differ_from_the_published_ones_are_named_with_the_remedy(tmp_path):
    (tmp_path / "model.safetensors").write_bytes(b"tampered")
    with pytest.raises(ValueError, match=r"model\.safetensors has SHA-256 [0-9a-f]{64}, but the published file has 00; reinstall"):
        verify_files(tmp_path, {"model.safetensors": "00"}, "reinstall")
    with pytest.raises(ValueError, match=r"weights\.bin is missing; reinstall"):
        verify_files(tmp_path, {"weights.bin": "00"}, "reinstall")
    verify_files(tmp_path, {"model.safetensors": file_sha256(tmp_path / "model.safetensors")}, "reinstall")


@pytest.mark.parametrize(
    "files",
    [
        {"modules.json": [{"path": "", "name": "0", "type": "modeling_mine.Mine"}]},
        {
            "modules.json": [{"path": "", "name": "0", "type": f"{ST}.Router"}],
            "router_config.json": {"types": {"query_0": f"{ST}.Transformer", "document_0": "modeling_mine.Mine"}},
        },
    ],
)
def test_a_models_own_code_is_refused_unless_trusted(model_folder, files):
    folder = model_folder(files)
    with pytest.raises(ValueError, match=r"brings code of its own \(modeling_mine\.Mine\).*encoder\.trust_remote_code=true"):
        check_loadable(folder, trust_remote_code=False)
    check_loadable(folder, trust_remote_code=True)


def test_pickled_weights_are_refused_in_every_module(model_folder):
    folder = model_folder({"modules.json": modules("Transformer", "Dense"), "1_Dense/config.json": {"out_features": 3}})
    (folder / "model.safetensors").touch()
    check_loadable(folder, trust_remote_code=False)
    (folder / "1_Dense" / "pytorch_model.bin").touch()
    with pytest.raises(ValueError, match=r"1_Dense/pytorch_model\.bin are pickled"):
        check_loadable(folder, trust_remote_code=False)
    (folder / "1_Dense" / "model.safetensors").touch()
    check_loadable(folder, trust_remote_code=False)


def test_a_folder_without_a_model_is_named(tmp_path):
    with pytest.raises(ValueError, match=f"{tmp_path} holds no model"):
        check_loadable(tmp_path, trust_remote_code=False)


def test_a_broken_config_is_named(tmp_path):
    (tmp_path / "modules.json").write_text("[{")
    with pytest.raises(ValueError, match=r"modules\.json is not valid JSON"):
        declared_dim(tmp_path)
