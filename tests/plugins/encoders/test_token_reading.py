"""A text as its tokens' vectors: they give the vector that the encoder gives, with gradient, and their places in the text."""

from __future__ import annotations

import numpy as np
import pytest
import torch

from recframe.interfaces import Encoder
from recframe_plugins.encoders.tfidf.config import TfidfConfig
from recframe_plugins.encoders.tfidf.encoder import TfidfEncoder
from recframe_plugins.encoders.transformers.config import BertConfig, GPTConfig
from recframe_plugins.encoders.transformers.encoder import TransformerEncoder
from tests.tiny_models import tiny_model

TEXT = "long books about war"


@pytest.fixture(params=["bert", "gpt", "minilm"])
def encoder(request, tmp_path) -> Encoder:
    if request.param == "minilm":
        return request.getfixturevalue("minilm")
    model = str(tiny_model(tmp_path / "model", [TEXT, "read :"], request.param))
    config = BertConfig(model=model, user_prompt="read: ") if request.param == "bert" else GPTConfig(model=model, user_prompt="read: ")
    return TransformerEncoder(config, torch.device("cpu"))


def test_the_tokens_give_the_encoders_vector_with_gradient(encoder):
    reading = encoder.token_reading(TEXT, "user")
    vectors = reading.vectors[None].repeat(2, 1, 1).requires_grad_()
    found = reading.encode(vectors)
    np.testing.assert_allclose(found.detach().numpy(), encoder.encode([TEXT, TEXT], "user"), atol=1e-5)
    found[0, 0].backward()
    assert vectors.grad[0].abs().sum() > 0
    assert not vectors.grad[1].any()
    # afterwards the encoder reads as before
    np.testing.assert_allclose(encoder.encode([TEXT], "user"), found[:1].detach().numpy(), atol=1e-5)


def test_tokens_have_their_places_and_prompts_and_special_tokens_none(encoder):
    reading = encoder.token_reading(TEXT, "user")
    assert [TEXT[start:end] for start, end in filter(None, reading.spans)] == TEXT.split()
    own = torch.tensor([span is not None for span in reading.spans])
    assert torch.equal(reading.vectors[~own], reading.blank[~own])
    assert (reading.blank[own] == reading.blank[own][0]).all()


def test_an_encoder_of_counted_words_has_no_tokens():
    encoder = TfidfEncoder(TfidfConfig(), torch.device("cpu"))
    encoder.fit([TEXT])
    assert encoder.token_reading(TEXT, "user") is None
