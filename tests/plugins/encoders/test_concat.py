"""The encoder `concat`, and composing, checking and building components inside a component's config."""

import dataclasses

import numpy as np
import pytest
import torch
from omegaconf import OmegaConf

from recframe.building.component import build, component_of
from recframe.components import Component, ComponentError, option
from recframe.config import ConfigError, compose_config, find_mistakes, validate
from recframe.embeddings import EmbeddingStore
from recframe.plugin_loader import registry
from recframe.testing import check_component, check_encoder
from recframe_plugins.encoders.concat.config import ConcatConfig
from recframe_plugins.encoders.concat.encoder import ConcatEncoder
from recframe_plugins.encoders.controls.config import IdConfig, RandomEncoderConfig
from recframe_plugins.encoders.controls.encoder import IdEncoder, RandomEncoder
from recframe_plugins.encoders.tfidf.config import TfidfConfig
from recframe_plugins.encoders.tfidf.encoder import TfidfEncoder

CPU = torch.device("cpu")
TEXTS = ["a quiet film", "jazz and gardens", "football in the rain", ""]
TWO = ["encoder=concat", "+encoder@encoder.parts.noise=random", "+encoder@encoder.parts.words=tfidf"]


def noise(seed=0, dim=4):
    return RandomEncoder(RandomEncoderConfig(dim=dim, seed=seed), CPU)


def concat(weights=None, **parts):
    return ConcatEncoder(ConcatConfig(parts=parts, weights=weights or {}), CPU)


def built(*overrides):
    section = compose_config(overrides).encoder
    return build(component_of("encoder", section), section, device=CPU)


def test_the_encoder_conforms():
    check_component(registry().get("encoder", "concat"), ConcatConfig(parts={"one": noise(0), "none": IdEncoder(IdConfig(), CPU)}))
    check_encoder(concat(noise=noise(), words=TfidfEncoder(TfidfConfig(dim=3), CPU)))


def test_vectors_are_the_weighted_vectors_of_the_parts_concatenated():
    vectors = concat({"b": 0.5}, a=noise(0), b=noise(1, dim=3)).encode(TEXTS, "item")
    expected = np.concatenate([noise(0).encode(TEXTS, "item"), 0.5 * noise(1, dim=3).encode(TEXTS, "item")], axis=1)
    assert vectors.dtype == np.float32
    assert np.array_equal(vectors, expected)


def test_the_fingerprint_covers_the_parts_and_their_weights_but_not_their_names():
    encoders = [
        concat(a=noise(0), b=noise(1)),
        concat(a=noise(1), b=noise(0)),
        concat(a=noise(0)),
        concat({"a": 2.0}, a=noise(0), b=noise(1)),
    ]
    assert len({encoder.fingerprint for encoder in encoders}) == 4
    assert concat(x=noise(0), y=noise(1)).fingerprint == encoders[0].fingerprint


def test_a_part_that_reads_no_text_adds_no_dimensions():
    encoder = concat(a=noise(), nothing=IdEncoder(IdConfig(), CPU))
    assert encoder.reads
    assert encoder.dim == 4
    nothing = concat(nothing=IdEncoder(IdConfig(), CPU))
    assert not nothing.reads
    check_encoder(nothing)


def test_the_store_caches_each_part_separately(tmp_path):
    alone = EmbeddingStore(tmp_path, noise(0))
    alone.vectors(TEXTS, "item")
    store = EmbeddingStore(tmp_path, concat({"b": 3.0}, a=noise(0), b=concat(inner=noise(1))))
    vectors = store.vectors(TEXTS, "item")
    assert torch.equal(vectors, torch.from_numpy(store.encoder.encode(TEXTS, "item")))
    assert (store.encoded, store.cached) == (len(TEXTS), len(TEXTS))
    again = EmbeddingStore(tmp_path, concat(b=noise(1)))
    again.vectors(TEXTS, "item")
    assert again.encoded == 0


def test_the_encoder_is_composed_and_built_from_the_command_line():
    encoder = built(*TWO, "encoder.parts.noise.dim=5", "encoder.parts.words.dim=2", "+encoder.weights.words=0.5")
    encoder.fit(TEXTS)
    vectors = encoder.encode(TEXTS, "item")
    assert vectors.shape == (4, 7)
    assert np.allclose(np.linalg.norm(vectors[:3, 5:], axis=1), 0.5, atol=1e-5)


def test_a_concat_can_be_a_part_of_another():
    encoder = built("encoder=concat", "+encoder@encoder.parts.in=concat", "+encoder@encoder.parts.in.parts.noise=random")
    assert encoder.dim == 384


def test_a_part_of_the_preset_can_be_replaced():
    section = compose_config(["encoder=text_and_words", "encoder@encoder.parts.words=random", "encoder.weights.text=0.5"]).encoder
    assert section.parts["words"].name == "random"


def test_the_world_encoder_can_be_a_concat():
    cfg = compose_config(["encoder=id", "encoder@world_encoder=text_and_words", "world_encoder.parts.words.dim=16"])
    assert {name: part.name for name, part in cfg.world_encoder.parts.items()} == {"text": "sentence_transformers", "words": "tfidf"}
    assert validate(OmegaConf.create(OmegaConf.to_yaml(cfg))) == validate(cfg)
    problems = find_mistakes(["encoder=id", "encoder@world_encoder=concat"])
    assert problems == ["world_encoder.parts is empty: add encoders, as in +encoder@world_encoder.parts.words=tfidf"]


def test_a_config_written_and_read_again_is_the_same():
    cfg = compose_config(["encoder=text_and_words"])
    assert {name: part.name for name, part in cfg.encoder.parts.items()} == {"text": "sentence_transformers", "words": "tfidf"}
    back = validate(OmegaConf.create(OmegaConf.to_yaml(cfg)))
    assert back == validate(cfg)
    assert OmegaConf.get_type(back.encoder.parts, "words").__name__ == "TfidfConfig"
    back.encoder.parts["words"].dim = 0
    with pytest.raises(ConfigError, match=r"encoder\.parts\.words\.dim: 0 is not allowed"):
        validate(OmegaConf.create(OmegaConf.to_yaml(back)))


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["encoder=concat"], ["encoder.parts is empty: add encoders, as in +encoder@encoder.parts.words=tfidf"]),
        (
            [
                *TWO,
                "encoder.parts.words.dmi=3",
                "encoder.parts.noise.dim=0",
                "+encoder.weights.wrds=1",
                "encoder.parts.words.min_df=many",
                "+encoder.weights.words=0",
            ],
            [
                "encoder.parts.words.dmi: encoder.parts.words has no 'dmi'. Did you mean 'encoder.parts.words.dim'?",
                "encoder.parts.noise.dim: 0 is not allowed; it must be >= 1",
                "encoder.weights.wrds: there is no such part; the parts are: noise, words",
                "encoder.parts.words.min_df: Value 'many'",
                "encoder.weights.words: 0.0 is not allowed",
            ],
        ),
        (["encoder=concat", "+encoder@encoder.parts.words=tfdif"], ["no config 'encoder/tfdif' was found. Did you mean 'tfidf'?"]),
        (
            ["encoder=text_and_words", "encoder@encoder.parts.words=tfdif"],
            ["encoder@encoder.parts.words=tfdif: encoder has no choice 'tfdif'. Did"],
        ),
        (
            ["encoder=concat", "+encoder.parts.words={name: tfdif}", "+encoder.parts.more=tfidf"],
            ["encoder.parts.words: no encoder is called 'tfdif'. Did you mean 'tfidf'", "as +encoder@encoder.parts.more=NAME"],
        ),
        (
            [
                "encoder=concat",
                "+encoder@encoder.parts.in=concat",
                "+encoder@encoder.parts.far=http_embeddings",
                "encoder.parts.far.base_url=x",
                "encoder.parts.far.model=m",
            ],
            [
                "encoder.parts.in.parts is empty: add encoders, as in +encoder@encoder.parts.in.parts.words=tfidf",
                "encoder.parts.far.base_url=x is not an address",
            ],
        ),
        (
            ["encoder=concat", "+encoder@encoder.parts.far=http_embeddings", "encoder.parts.far.base_url=x"],
            ["encoder.parts.far.model is required"],
        ),
        (["encoder=concat", "+encoder@encoder.parts.words=tfidf,random", "encoder.parts.words.min_df=2"], ["has no 'min_df'"]),
    ],
)
def test_all_mistakes_in_parts_are_found_before_a_run_with_full_keys(overrides, expected):
    problems = find_mistakes(overrides)
    assert len(problems) == len(expected), problems
    assert all(any(words in problem for problem in problems) for words in expected), problems


def test_a_sweep_over_a_part_has_no_mistakes():
    assert find_mistakes(["encoder=concat", "+encoder@encoder.parts.words=tfidf,random", "encoder.parts.words.dim=8,16"]) == []


def test_a_field_of_components_must_be_declared_as_a_dict():
    config = dataclasses.make_dataclass("Config", [("inner", str, option("tfidf", "another", components=True))])
    with pytest.raises(ComponentError, match="field 'inner' of Config holds components"):
        Component("encoder", "outer", config, "module:Class")
