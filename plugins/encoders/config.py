"""The built-in encoders' options, and their registration."""

from dataclasses import dataclass

from recframe.components import Component, Kind, option
from recframe.hookspecs import hookimpl
from recframe_plugins.encoders.concat_config import ConcatConfig
from recframe_plugins.encoders.control_config import IdConfig, RandomConfig
from recframe_plugins.encoders.http_config import HttpEmbeddingsConfig
from recframe_plugins.encoders.model_config import ModelConfig
from recframe_plugins.encoders.transformer_config import BertConfig, GPTConfig


@dataclass
class SentenceTransformersConfig(ModelConfig):
    """A sentence-transformers language model: the packaged MiniLM, a local folder, or a model of the Hugging Face hub."""

    batch_size: int = option(64, "texts in one forward pass", ge=1)
    batch_tokens: int | None = option(
        None,
        "instead of batch_size: tokens in one forward pass, padding included; 1024 suits a CPU; a text that is longer goes alone",
        ge=16,
    )
    normalize: bool = option(True, "scale vectors to length one (models that end in a Normalize module do so in any case)")


@dataclass
class TfidfConfig:
    """TF-IDF word weights reduced by a truncated SVD (latent semantic analysis): no language model, learned from the run's own texts."""

    dim: int = option(64, "length of the vectors; less if the texts span fewer dimensions", ge=1)
    min_df: int = option(1, "leave out words that occur in fewer texts than this", ge=1)
    ngram_max: int = option(1, "1: words; 2: words and pairs of neighbouring words", choices=[1, 2])
    sublinear_tf: bool = option(True, "count a word that occurs n times in a text as 1 + log(n)")
    seed: int = option(0, "seed of the randomized SVD", ge=0)


@hookimpl
def recframe_register_components(register):
    """The built-in encoders."""
    register(
        Component(
            Kind.ENCODER,
            "sentence_transformers",
            SentenceTransformersConfig,
            "recframe_plugins.encoders.sentence_transformers:SentenceTransformersEncoder",
        )
    )
    for name, config in (("bert", BertConfig), ("gpt", GPTConfig)):
        factory = "recframe_plugins.encoders.transformer:TransformerEncoder"
        register(Component(Kind.ENCODER, name, config, factory, provides={"pretraining"}))
    register(Component(Kind.ENCODER, "tfidf", TfidfConfig, "recframe_plugins.encoders.tfidf:TfidfEncoder"))
    register(Component(Kind.ENCODER, "id", IdConfig, "recframe_plugins.encoders.controls:IdEncoder"))
    register(Component(Kind.ENCODER, "random", RandomConfig, "recframe_plugins.encoders.controls:RandomEncoder"))
    register(Component(Kind.ENCODER, "concat", ConcatConfig, "recframe_plugins.encoders.concat:ConcatEncoder"))
    register(
        Component(
            Kind.ENCODER,
            "http_embeddings",
            HttpEmbeddingsConfig,
            "recframe_plugins.encoders.http_embeddings:HttpEmbeddingsEncoder",
        )
    )
