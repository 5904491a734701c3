"""Encoders with a tuned model: which parameters are trained, and that vectors with gradient equal those without."""

import sys

import pytest
import torch

from recframe.components import contradictions
from recframe.interfaces import EncoderError
from recframe.testing import check_encoder
from recframe_plugins.encoders.sentence_transformers.config import SentenceTransformersConfig
from recframe_plugins.encoders.sentence_transformers.encoder import SentenceTransformersEncoder
from recframe_plugins.encoders.transformers.config import BertConfig, GPTConfig
from recframe_plugins.encoders.transformers.encoder import TransformerEncoder
from tests.tiny_models import tiny_model

TEXTS = [
    "a quiet film about gardens",
    "jazz",
    "",
    "football on a long train journey through the rain, and more football",
    "jazz about jazz",
]
BUILDERS = {
    "bert": (TransformerEncoder, BertConfig),
    "gpt": (TransformerEncoder, GPTConfig),
    "sentence_transformers": (SentenceTransformersEncoder, SentenceTransformersConfig),
}
TRAINED = {"lora": "lora_", "prefix": "prompt_encoder", "adapter": "ia3_", "full": ""}


@pytest.fixture(scope="module")
def folders(tmp_path_factory):
    parent = tmp_path_factory.mktemp("models")
    return {kind: tiny_model(parent / kind, TEXTS, kind) for kind in ("bert", "gpt")}


@pytest.fixture
def encoder_of(folders):
    def make(name, tuning, **options):
        encoder, config = BUILDERS[name]
        options = {"max_length": 40, "item_prompt": "film about ", **options}
        return encoder(config(model=str(folders["gpt" if name == "gpt" else "bert"]), tuning=tuning, **options), torch.device("cpu"))

    return make


# methods differ in how they wrap a model, encoders in how they call it; the other pairs are for completeness
ALWAYS = [("bert", tuning) for tuning in TRAINED]
ALWAYS += [(name, tuning) for name in ("gpt", "sentence_transformers") for tuning in ("lora", "prefix")]
ON_REQUEST = [(name, tuning) for name in BUILDERS for tuning in TRAINED if (name, tuning) not in ALWAYS]


@pytest.mark.parametrize(("name", "tuning"), [*ALWAYS, *(pytest.param(*pair, marks=pytest.mark.evidence) for pair in ON_REQUEST)])
def test_vectors_with_gradient_equal_those_without(encoder_of, name, tuning):
    frozen, encoder = encoder_of(name, "frozen"), encoder_of(name, tuning)
    parameters = encoder.trainable()
    assert parameters
    assert all(TRAINED[tuning] in parameter for parameter in parameters)
    assert encoder.trainable().keys() == parameters.keys()
    generator = torch.Generator().manual_seed(0)
    with torch.no_grad():
        for parameter in parameters.values():
            parameter.add_(0.3 * torch.randn(parameter.shape, generator=generator))
    vectors = encoder.differentiable(TEXTS, "item")
    read = torch.from_numpy(encoder.encode(TEXTS, "item"))
    torch.testing.assert_close(vectors.detach(), read, atol=1e-5, rtol=1e-4)
    assert (read - torch.from_numpy(frozen.encode(TEXTS, "item"))).abs().max() > 0.01
    (vectors * torch.randn(vectors.shape, generator=generator)).sum().backward()
    assert all(parameter.grad is not None for parameter in parameters.values())
    assert sum(float(parameter.grad.abs().sum()) > 0 for parameter in parameters.values()) > 0.9 * len(parameters)
    # vectors of the frozen model are cached under the frozen model's fingerprint
    assert encoder.fingerprint == frozen.fingerprint
    counts = encoder.token_counts(TEXTS, "item")
    assert counts == encoder_of(name, "frozen").token_counts(TEXTS, "item")
    assert counts[1] == counts[2] + 1
    check_encoder(encoder)


@pytest.mark.parametrize("tuning", ["lora", "adapter", "full"])
def test_the_initial_vectors_are_those_of_the_frozen_model(encoder_of, tuning):
    frozen, encoder = encoder_of("bert", "frozen"), encoder_of("bert", tuning)
    encoder.trainable()
    torch.testing.assert_close(torch.from_numpy(encoder.encode(TEXTS, "user")), torch.from_numpy(frozen.encode(TEXTS, "user")))


def test_a_prefix_takes_positions_from_the_texts(encoder_of):
    with pytest.raises(EncoderError, match=r"prefix_length=30: the model has 64 positions, and its texts take up to 40; .*to 34"):
        encoder_of("gpt", "prefix", prefix_length=30).trainable()


def test_without_peft_only_all_weights_can_be_tuned(encoder_of, monkeypatch):
    monkeypatch.setitem(sys.modules, "peft", None)
    with pytest.raises(EncoderError, match=r"encoder\.tuning=lora needs peft: pip install 'recframe\[tuning\]'"):
        encoder_of("bert", "lora").trainable()
    assert encoder_of("bert", "full").trainable()


def test_tuning_in_half_precision_is_refused():
    (line,) = contradictions(BertConfig(tuning="lora", dtype="bfloat16"))
    assert line.startswith("encoder.tuning=lora needs encoder.dtype=float32, not bfloat16")
    assert not contradictions(BertConfig(dtype="bfloat16"))
