"""Text settings keep what was written, in files and on the command line; numbers are read as numbers."""

import dataclasses

import pytest

from recframe.components import Component, Kind, option
from recframe.config import PRETRAIN, TRAIN, compose_config, find_mistakes
from recframe.config.compose.typed_text import text_as_typed
from recframe.config.written import read_yaml
from recframe.plugin_loader import Registered, registry
from recframe.tracking import RunFolder

GLOBAL = "# @package _global_\n"
TEXTS = ["1e5", "2024_01", "on", "no", "1_000", "2024-01-15", "0o17", "0x1F", "1:30", "007", "1.0", ".inf", "NULL", "True"]


def composed(tmp_path, experiment, *overrides, name="experiment/mine"):
    file = tmp_path / f"{name}.yaml"
    file.parent.mkdir(parents=True, exist_ok=True)
    file.write_text(GLOBAL + experiment)
    return compose_config([f"experiment={file.stem}", *overrides], config_dir=str(tmp_path))


def test_text_in_an_experiment_is_as_written(tmp_path):
    written = "".join(f"    - {text}\n" for text in TEXTS)
    cfg = composed(tmp_path, f"name: 1e5\nlogger:\n  wandb:\n    project: 2024_01\n    entity: on\n    tags:\n{written}")
    assert (cfg.name, cfg.logger.wandb.project, cfg.logger.wandb.entity) == ("1e5", "2024_01", "on")
    assert list(cfg.logger.wandb.tags) == TEXTS


@pytest.mark.parametrize("text", TEXTS)
def test_the_folders_of_hydra_the_data_set_and_the_new_model_are_text(tmp_path, text):
    content = f"hydra: {{run: {{dir: {text}}}, sweep: {{dir: {text}}}}}\ndataset: {{path: {text}}}\npretrain: {{folder: {text}}}\n"
    values = read_yaml(content, "mine.yaml")
    assert values["hydra"] == {"run": {"dir": text}, "sweep": {"dir": text}}
    assert (values["dataset"]["path"], values["pretrain"]["folder"]) == (text, text)
    for key, app in [("hydra.run.dir", TRAIN), ("hydra.sweep.dir", TRAIN), ("dataset.path", TRAIN), ("pretrain.folder", PRETRAIN)]:
        assert text_as_typed([f"{key}={text}"], app) in ([f"{key}={text}"], [f"{key}='{text}'"])
    assert compose_config([f"pretrain.folder={text}"], app=PRETRAIN).pretrain.folder == text


def test_keys_and_lists_of_labels_are_text(tmp_path):
    (tmp_path / "labels").mkdir()
    (tmp_path / "labels" / "mine.yaml").write_text("# @package labels.mine\nprototypes: {yes: [007], no: [on], 1: [off]}\n")
    cfg = compose_config(["labels=[mine]"], config_dir=str(tmp_path))
    assert dict(cfg.labels.mine.prototypes) == {"yes": ["007"], "no": ["on"], "1": ["off"]}


def test_lists_and_dicts_on_the_command_line_are_as_typed():
    cfg = compose_config(
        ["logger.wandb.tags=[007,on,'a,b',1e5]", "labels=[sentiment]", "labels.sentiment.prototypes={positive:[1e5],negative:[007,x]}"]
    )
    assert list(cfg.logger.wandb.tags) == ["007", "on", "a,b", "1e5"]
    assert list(cfg.labels.sentiment.prototypes["negative"]) == ["007", "x"]
    assert list(cfg.labels.sentiment.prototypes["positive"]) == ["1e5"]


def test_numbers_booleans_and_nothing_stay_what_they_are(tmp_path):
    cfg = composed(tmp_path, "name: null\nseed: 1_000\nagent: {gamma: 1e-1, double: off, batch_size: 1e2}\ntrainer: {env_steps: 1e5}\n")
    assert (cfg.name, cfg.seed, cfg.agent.gamma, cfg.agent.double, cfg.agent.batch_size) == (None, 1000, 0.1, False, 100)
    assert cfg.trainer.env_steps == 100_000
    assert compose_config(["trainer.env_steps=1e5"]).trainer.env_steps == 100_000
    (problem,) = find_mistakes(["agent.batch_size=1.5e0"])
    assert problem == "agent.batch_size: Value '1.5' of type 'float' could not be converted to Integer"


def test_an_alias_is_text_where_text_belongs_and_a_number_elsewhere(tmp_path):
    cfg = composed(tmp_path, "name: &x 1e2\nseed: *x\n")
    assert (cfg.name, cfg.seed) == ("1e2", 100)


def test_names_of_choices_are_text(tmp_path):
    assert composed(tmp_path, "seed: 4\n", name="experiment/2024_01").seed == 4


def test_options_of_plugins_are_text_by_their_annotation(monkeypatch):
    @dataclasses.dataclass
    class Config:
        code: str = option("a", "a text")
        codes: list[str] = option(["a"], "texts")
        pair: tuple[str, int] = option(("a", 1), "a text and a number")
        table: dict[str, str] = option({}, "texts by name")

    component = Component(kind=Kind.DATASET, name="coded", config=Config, factory="a.b:C")
    registered = Registered(component, plugin="their", distribution="theirs", version="1")
    monkeypatch.setitem(registry()._claims, (Kind.DATASET, "coded"), [registered])
    values = read_yaml("dataset: {code: 1e5, codes: [on, 007], pair: [1_0, 1_0], table: {on: 1e5}}\n", "mine.yaml")
    assert values["dataset"] == {"code": "1e5", "codes": ["on", "007"], "pair": ["1_0", 10], "table": {"on": "1e5"}}


def test_an_edited_config_of_a_run_keeps_its_text(tmp_path):
    (tmp_path / "config.yaml").write_text("name: 1e5\ndataset: {path: 2024_01}\nlogger: {wandb: {tags: [007]}}\nseed: 1e1\n")
    with RunFolder.open(tmp_path) as folder:
        cfg = folder.read_config()
    assert (cfg.name, cfg.dataset.path, cfg.logger.wandb.tags, cfg.seed) == ("1e5", "2024_01", ["007"], 10)
