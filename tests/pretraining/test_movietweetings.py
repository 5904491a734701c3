"""A small domain model: GPT-2 and its tokenizer, learned from film titles alone."""

import pytest
import torch
from omegaconf import OmegaConf

from recframe.config import PRETRAIN, compose_config
from recframe.pretraining import pretrain
from recframe.testing import check_encoder
from recframe_plugins.encoders.registration import GPTConfig
from recframe_plugins.encoders.transformers.encoder import TransformerEncoder

NEW = {"vocabulary": 4000, "layers": 2, "hidden_size": 128, "max_length": 48}


@pytest.mark.evidence
def test_a_gpt_pretrained_on_film_titles_predicts_unseen_titles(movietweetings, tmp_path):
    """A fifth of the steps behind the figures in docs/results/language.md: from 4,171 to about 151."""
    overrides = ["encoder=gpt", "dataset=movielens_format", f"dataset.path={movietweetings}", "pretrain.from_scratch=true"]
    cfg = compose_config([*overrides, f"pretrain.folder={tmp_path / 'gpt'}", "pretrain.steps=52"], app=PRETRAIN)
    OmegaConf.update(cfg, "pretrain.new", NEW)
    result = pretrain(cfg)
    assert result.perplexity_before > 3000
    assert result.perplexity_after < 250
    encoder = TransformerEncoder(GPTConfig(model=str(result.folder)), torch.device("cpu"))
    assert encoder.dim == 128
    check_encoder(encoder)
