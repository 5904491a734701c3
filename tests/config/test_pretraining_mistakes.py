"""Mistakes in the config of a pretraining: all are found at once, each in a line with its remedy."""

import pytest
from omegaconf import OmegaConf

from recframe.config import PRETRAIN, ConfigError, compose_config, find_mistakes, validate


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (["encoder=tfidf"], "encoder=tfidf has no language model to train; these have one: bert, gpt"),
        (["encoder=gtp"], "encoder=gtp: encoder has no choice 'gtp'. Did you mean 'gpt'?"),
        (["encoder=gpt"], "encoder.model is required: "),
        (["dataset=movielens_format"], "dataset.path is required"),
        (["agent=dqn"], "agent: recframe pretrain has no such group; it has: dataset, encoder, pretrain"),
        (["agent.gamma=0.9"], "agent.gamma: the config has no 'agent'"),
        (["experiment=movietweetings"], "experiment: recframe pretrain has no such group"),
        (["pretrain.epoch=2"], "pretrain.epoch: pretrain has no 'epoch'. Did you mean 'pretrain.epochs'?"),
        (["pretrain.held_out=1"], "pretrain.held_out: 1.0 is not allowed; it must be > 0 and < 1"),
        (["pretrain.from_scratch=true", "pretrain.new.tokenizer=words"], "pretrain.new.tokenizer: 'words' is not allowed"),
        (
            ["pretrain.from_scratch=true", "pretrain.new.heads=3"],
            "pretrain.new.hidden_size is 256, not a multiple of pretrain.new.heads (3)",
        ),
        (
            ["pretrain.from_scratch=true", "encoder.model=models/old"],
            "encoder.model=models/old is not read with pretrain.from_scratch=true: a new model is made; leave one of the two out",
        ),
        (
            ["pretrain.from_scratch=true", "encoder.max_length=12"],
            "encoder.max_length=12 is not read with pretrain.from_scratch=true: a new model's is pretrain.new.max_length",
        ),
        (["encoder.tuning=lora"], "encoder.tuning=lora is for agents: pretraining trains all weights; set it to frozen"),
        (["pretrain.new.layers=2"], "pretrain.new.layers is for a new model: add pretrain.from_scratch=true"),
        (["encoder.max_length=5000"], "encoder.max_length=5000 is more than encoder.batch_tokens="),
        (["logger=[csv,tensorbord]"], "logger=tensorbord: logger has no choice 'tensorbord'"),
        (["logger=[wandb]", "logger.wandb.mode=onlin"], "logger.wandb.mode: 'onlin' is not allowed"),
        (["device=gpu"], "device: 'gpu' is not a device"),
        (["seed=0,-1"], "seed: -1 is not allowed"),
    ],
)
def test_a_mistake_is_named_with_its_remedy(overrides, expected):
    (problem,) = find_mistakes(overrides, app=PRETRAIN)
    assert expected in problem
    assert "\n" not in problem


def test_a_valid_config_has_no_mistakes():
    assert find_mistakes([], app=PRETRAIN) == []
    assert find_mistakes(["encoder=gpt", "pretrain.from_scratch=true", "seed=0,1"], app=PRETRAIN) == []
    assert find_mistakes(["logger=null"], app=PRETRAIN) == []


def test_a_folder_that_is_in_use_is_a_mistake(tmp_path):
    assert find_mistakes([f"pretrain.folder={tmp_path}"], app=PRETRAIN) == []
    (tmp_path / "file").write_text("")
    (tmp_path / "empty").mkdir()
    (tmp_path / "link").symlink_to(tmp_path / "empty")
    (tmp_path / "nowhere").symlink_to(tmp_path / "absent")
    for folder in (tmp_path, tmp_path / "file", tmp_path / "link", tmp_path / "nowhere"):
        (problem,) = find_mistakes([f"pretrain.folder={folder}"], app=PRETRAIN)
        assert problem.startswith("pretrain.folder: ")


def test_a_config_composed_from_python_can_be_validated_again():
    cfg = compose_config(["encoder=gpt", "pretrain.from_scratch=true", "pretrain.folder=models/mine"], app=PRETRAIN)
    valid = validate(OmegaConf.create(OmegaConf.to_container(cfg)), PRETRAIN)
    assert valid.encoder.model == "models/mine"  # the folder of the new model
    assert validate(valid, PRETRAIN) == valid
    valid.pretrain.steps = -1
    with pytest.raises(ConfigError, match=r"pretrain\.steps: -1 is not allowed"):
        validate(valid, PRETRAIN)
