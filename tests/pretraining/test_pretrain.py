"""A pretraining, from its config to the folder that it writes."""

import functools
import os
import signal

import numpy as np
import pytest
import torch
import yaml
from omegaconf import OmegaConf
from pytorch_lightning.loggers.logger import DummyLogger
from safetensors.torch import load_file

from recframe.config import PRETRAIN, ConfigError, compose_config
from recframe.errors import Stop
from recframe.interfaces import EncoderError, TokenLoss
from recframe.pretraining import module, pretrain
from recframe.testing import check_encoder
from recframe.tracking.run_loggers import RunLoggers
from recframe.training.progress import ProgressBar
from recframe_plugins.encoders.registration import BertConfig, GPTConfig
from recframe_plugins.encoders.tfidf.config import TfidfConfig
from recframe_plugins.encoders.tfidf.encoder import TfidfEncoder
from recframe_plugins.encoders.transformers.encoder import TransformerEncoder

SMALL = {"pretrain.new": {"vocabulary": 400, "layers": 1, "heads": 2, "hidden_size": 16, "max_length": 12}}
QUICK = {"steps": 20, "batch_tokens": 256, "learning_rate": 0.01, "evaluations": 2, "held_out": 0.3}


@functools.cache
def composed(name):
    return compose_config([f"encoder={name}", "pretrain.from_scratch=true", "dataset.num_items=80", "dataset.num_users=20"], app=PRETRAIN)


def pretrained(folder, name, settings):
    cfg = composed(name).copy()
    for key, value in {"pretrain": {"folder": str(folder), **QUICK}, **settings}.items():
        OmegaConf.update(cfg, key, value, force_add=True)
    return pretrain(cfg)


def encoder_of(name, folder):
    return TransformerEncoder({"gpt": GPTConfig, "bert": BertConfig}[name](model=str(folder)), torch.device("cpu"))


@pytest.fixture(scope="module")
def made(tmp_path_factory):
    """A new model of each kind."""
    models = tmp_path_factory.mktemp("models")
    return {name: pretrained(models / name, name, SMALL) for name in ("gpt", "bert")}


@pytest.mark.parametrize("name", ["gpt", "bert"])
def test_a_new_model_learns_and_is_usable_as_an_encoder(made, name):
    result = made[name]
    assert result.perplexity_after < 0.8 * result.perplexity_before
    names = {path.name for path in result.folder.iterdir()}
    assert {"model.safetensors", "config.json", "tokenizer.json", "README.md", "pretraining.yaml", "metrics.csv"} <= names
    assert result.use(name) == f"recframe train encoder={name} encoder.model={result.folder}"
    encoder = encoder_of(name, result.folder)
    assert encoder.dim == 16
    check_encoder(encoder)
    assert np.isfinite(encoder.encode([""], "item")).all()


@pytest.mark.parametrize("name", ["gpt", "bert"])
def test_the_saved_model_is_the_trained_one(made, tmp_path, name):
    """Continued training starts at the final perplexity, over the same texts and masks."""
    continued = {"pretrain.from_scratch": False, "encoder.model": str(made[name].folder), "pretrain.steps": 1}
    further = pretrained(tmp_path / "further", name, continued)
    assert further.perplexity_before == pytest.approx(made[name].perplexity_after, rel=1e-5)
    assert further.parameters == made[name].parameters


@pytest.mark.parametrize("name", ["gpt", "bert"])
def test_the_seed_determines_every_weight(made, tmp_path, name):
    def weights(result):
        return load_file(result.folder / "model.safetensors")

    first, again = weights(made[name]), weights(pretrained(tmp_path / "again", name, SMALL))
    assert first.keys() == again.keys()
    assert all(torch.equal(first[key], again[key]) for key in first)
    if name == "gpt":
        other = weights(pretrained(tmp_path / "other", name, SMALL | {"pretrain.steps": 1, "seed": 1}))
        assert not torch.equal(first["transformer.h.0.attn.c_attn.weight"], other["transformer.h.0.attn.c_attn.weight"])


def test_the_record_has_the_result_and_the_config(made):
    record = yaml.safe_load((made["gpt"].folder / "pretraining.yaml").read_text())
    assert record["result"]["perplexity_after"] == made["gpt"].perplexity_after
    assert record["config"]["dataset"]["num_items"] == 80
    assert record["config"]["seed"] == 0
    assert set(record["plugins"]["components"]) == {"dataset", "encoder"}
    assert record["plugins"]["components"]["dataset"]["distribution"] == "recframe"
    readme = (made["gpt"].folder / "README.md").read_text()
    assert "dataset=synthetic" in readme
    assert f"{made['gpt'].perplexity_after:,.4g}" in readme
    metrics = (made["gpt"].folder / "metrics.csv").read_text().splitlines()
    assert metrics[0] == "steps,train/loss,eval/perplexity"
    assert [row.split(",")[0] for row in metrics[1:]] == ["10", "20"]


def test_the_weights_with_the_lowest_perplexity_are_kept(tmp_path, monkeypatch):
    seen = []

    def measured(model, batches):
        seen.append(next(model.parameters()).detach().clone())
        return [9.0, 3.0, 5.0][len(seen) - 1]

    monkeypatch.setattr("recframe.pretraining.module.perplexity", measured)

    def embeddings(folder):
        return load_file(folder / "model.safetensors")["transformer.wte.weight"]

    for final, perplexity, moment in (("best", 3.0, 1), ("last", 5.0, 2)):
        seen.clear()
        result = pretrained(tmp_path / final, "gpt", SMALL | {"pretrain.steps": 2, "pretrain.final_weights": final})
        assert (result.perplexity_before, result.perplexity_after) == (9.0, perplexity)
        assert torch.equal(embeddings(result.folder), seen[moment])
    assert not torch.equal(seen[1], seen[2])


def test_a_folder_that_is_not_empty_is_not_changed(tmp_path):
    folder = tmp_path / "model"
    folder.mkdir()
    (folder / "mine.txt").write_text("mine")
    with pytest.raises(ConfigError, match="exists already and is not overwritten"):
        pretrained(folder, "gpt", SMALL)
    assert [path.name for path in folder.iterdir()] == ["mine.txt"]


def test_a_folder_that_another_process_writes_to_is_refused(tmp_path, monkeypatch):
    """The second run is refused at its start, and the first is not disturbed."""
    refused = []

    def second(*_):
        with pytest.raises(ConfigError, match="is being written by another process") as caught:
            pretrained(tmp_path / "model", "gpt", SMALL)
        refused.append(caught.value)

    monkeypatch.setattr(ProgressBar, "on_train_end", second)
    first = pretrained(tmp_path / "model", "gpt", SMALL | {"pretrain.steps": 1})
    assert len(refused) == 1
    assert (first.folder / "model.safetensors").is_file()
    assert [path.name for path in tmp_path.iterdir()] == ["model"]


class FailingLogger(DummyLogger):
    """A stand-in for W&B that fails at the end of a run."""

    def __init__(self, failing):
        super().__init__()
        self.failing = failing

    def log_results(self, results):
        self.fail_at("log_results")

    def close(self, failed):
        self.fail_at("close")

    def fail_at(self, moment):
        if moment == self.failing:
            raise ConnectionError("the network is down\nsee the log")


@pytest.mark.parametrize(("failing", "what"), [("log_results", "the results"), ("close", "the end of the run")])
def test_a_logger_that_fails_after_training_is_a_warning(tmp_path, monkeypatch, caplog, failing, what):
    monkeypatch.setattr("recframe.tracking.wandb_run.wandb_logger", lambda *_: FailingLogger(failing))
    wandb = {"pretrain.steps": 1, "logger.wandb": {"project": "p", "entity": None, "mode": "offline", "tags": []}}
    assert pretrained(tmp_path / "model", "gpt", SMALL | wandb).folder == tmp_path / "model"
    assert f"logger=wandb: {what} could not be recorded (the network is down)" in caplog.text
    assert {"model.safetensors", "pretraining.yaml", "README.md"} <= {path.name for path in (tmp_path / "model").iterdir()}


def test_a_stop_while_loggers_close_does_not_cost_the_model(tmp_path, monkeypatch):
    monkeypatch.setattr(RunLoggers, "__exit__", lambda *_: os.kill(os.getpid(), signal.SIGTERM))
    with pytest.raises(Stop, match="the model is complete in") as stopped:
        pretrained(tmp_path / "model", "gpt", SMALL | {"pretrain.steps": 1})
    assert stopped.value.exit_code == 128 + signal.SIGTERM
    assert (tmp_path / "model" / "model.safetensors").is_file()


class OneLayer(torch.nn.Linear):
    """Predicts a token from a vector."""

    def loss(self, batch):
        return TokenLoss(torch.nn.functional.cross_entropy(self(batch["vectors"]), batch["tokens"], reduction="sum"), 4)


def test_perplexity_does_not_depend_on_autocast():
    """Lightning computes in the training's precision in validation, but not before training."""
    model, batches = OneLayer(8, 5), [{"vectors": torch.randn(4, 8), "tokens": torch.arange(4)}]
    with torch.autocast("cpu", dtype=torch.bfloat16):
        inside = module.perplexity(model, batches)
    assert inside == module.perplexity(model, batches)


@pytest.mark.parametrize("number", [signal.SIGINT, signal.SIGTERM])
def test_a_stopped_pretraining_leaves_nothing(tmp_path, monkeypatch, number):
    monkeypatch.setattr(ProgressBar, "on_train_batch_end", lambda *_: os.kill(os.getpid(), number))
    before = signal.getsignal(number)
    with pytest.raises(Stop, match="nothing was written") as stopped:
        pretrained(tmp_path / "models" / "stopped", "gpt", SMALL)
    assert stopped.value.exit_code == 128 + number
    assert list((tmp_path / "models").iterdir()) == []
    assert signal.getsignal(number) == before


def test_an_encoder_without_a_language_model_is_refused():
    with pytest.raises(EncoderError, match="TfidfEncoder has no language model"):
        TfidfEncoder(TfidfConfig(), torch.device("cpu")).language_model(["a text"], None, 0.15)
