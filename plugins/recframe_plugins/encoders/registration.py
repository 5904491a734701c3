"""Registration of the built-in encoders. Imports no torch, because composing a config imports this module."""

from collections.abc import Callable

from recframe.components import Component, Kind
from recframe.hookspecs import hookimpl
from recframe_plugins.encoders.concat.config import ConcatConfig
from recframe_plugins.encoders.controls.config import IdConfig, RandomEncoderConfig
from recframe_plugins.encoders.http.config import HttpEmbeddingsConfig
from recframe_plugins.encoders.sentence_transformers.config import SentenceTransformersConfig
from recframe_plugins.encoders.tfidf.config import TfidfConfig
from recframe_plugins.encoders.transformers.config import BertConfig, GPTConfig


@hookimpl
def recframe_register_components(register: Callable[[Component], None]) -> None:
    """Register the encoders."""

    def encoder(name: str, config: type, implementation: str, *provides: str) -> None:
        register(Component(Kind.ENCODER, name, config, f"recframe_plugins.encoders.{implementation}", provides=frozenset(provides)))

    encoder("sentence_transformers", SentenceTransformersConfig, "sentence_transformers.encoder:SentenceTransformersEncoder")
    encoder("bert", BertConfig, "transformers.encoder:TransformerEncoder", "pretraining")
    encoder("gpt", GPTConfig, "transformers.encoder:TransformerEncoder", "pretraining")
    encoder("tfidf", TfidfConfig, "tfidf.encoder:TfidfEncoder")
    encoder("id", IdConfig, "controls.encoder:IdEncoder", "no_texts")
    encoder("random", RandomEncoderConfig, "controls.encoder:RandomEncoder")
    encoder("concat", ConcatConfig, "concat.encoder:ConcatEncoder")
    encoder("http_embeddings", HttpEmbeddingsConfig, "http.encoder:HttpEmbeddingsEncoder")
