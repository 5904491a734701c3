"""Registers the built-in encoders. Imports no torch, as composing a config imports this module."""

from collections.abc import Callable

from recframe.components import Component, Kind
from recframe.hookspecs import hookimpl
from recframe_plugins.encoders.concat.config import ConcatConfig
from recframe_plugins.encoders.controls.config import IdConfig, RandomEncoderConfig
from recframe_plugins.encoders.http.config import HttpEmbeddingsConfig
from recframe_plugins.encoders.language_models.config import SentenceTransformersConfig
from recframe_plugins.encoders.tfidf.config import TfidfConfig
from recframe_plugins.encoders.transformers.config import BertConfig, GPTConfig


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Register the encoders."""

    def encoder(name: str, config: type, implementation: str, *provides: str) -> None:
        register(Component(Kind.ENCODER, name, config, f"recframe_plugins.encoders.{implementation}", provides=frozenset(provides)))

    encoder("sentence_transformers", SentenceTransformersConfig, "language_models.sentence_transformers:SentenceTransformersEncoder")
    encoder("bert", BertConfig, "transformers.transformer:TransformerEncoder", "pretraining")
    encoder("gpt", GPTConfig, "transformers.transformer:TransformerEncoder", "pretraining")
    encoder("tfidf", TfidfConfig, "tfidf.tfidf:TfidfEncoder")
    encoder("id", IdConfig, "controls.controls:IdEncoder")
    encoder("random", RandomEncoderConfig, "controls.controls:RandomEncoder")
    encoder("concat", ConcatConfig, "concat.concat:ConcatEncoder")
    encoder("http_embeddings", HttpEmbeddingsConfig, "http.http_embeddings:HttpEmbeddingsEncoder")
