"""What a logger's store and a database are sent of environment variables, which no file may decide."""

from __future__ import annotations

import pytest

from recframe.config import ConfigError, Consent, find_mistakes
from recframe.config.addresses import DATABASE_VARIABLES, address_at
from recframe.config.compose.trust import recorded_problems
from recframe.config.sent_variables import sent_variables
from recframe.rounds.settings import LearnSettings
from recframe.rounds.training import require_trusted_code

GLOBAL = "# @package _global_\n"
FAR, DATABASE = "https://mlflow.example", "postgresql://me@db.example/feedback"
URI, STORE = f"logger.mlflow.tracking_uri={FAR}", f"dataset.url={DATABASE}"
MLFLOW = f"defaults:\n  - override /logger: [csv, mlflow]\nlogger:\n  mlflow:\n    tracking_uri: {FAR}\n"


@pytest.fixture(autouse=True)
def secrets(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-0123")
    for name in (*DATABASE_VARIABLES, "MLFLOW_TRACKING_PASSWORD", "MLFLOW_TRACKING_TOKEN"):
        monkeypatch.delenv(name, raising=False)


@pytest.fixture
def own(tmp_path):
    """The problems of a command line with an experiment of this text."""

    def find(text: str, *overrides: str) -> list[str]:
        path = tmp_path / "experiment" / "theirs.yaml"
        path.parent.mkdir(exist_ok=True)
        path.write_text(GLOBAL + text)
        return find_mistakes(["experiment=theirs", *overrides], config_dir=str(tmp_path))

    return find


@pytest.mark.parametrize(
    ("settings", "key"),
    [
        ({"logger": {"mlflow": {"tracking_uri": FAR, "experiment": "${oc.env:MY_KEY}"}}}, "logger.mlflow.experiment"),
        ({"logger": {"mlflow": {"tracking_uri": FAR, "tags": {"a": "${oc.select:name}"}}}}, "logger.mlflow.tags.a"),
        ({"logger": {"mlflow": {"tracking_uri": FAR}}, "name": "${oc.env:MY_KEY}"}, "name"),
        ({"logger": {"mlflow": {"tracking_uri": FAR}}, "embeddings": {"cache": "/tmp/${oc.env:MY_KEY}"}}, "embeddings.cache"),
    ],
)
def test_what_is_filled_into_what_a_logger_sends_is_sent(settings, key):
    assert [(one.key, one.address) for one in sent_variables(settings)] == [(key, FAR)]


def test_what_is_recorded_as_it_is_written_is_not_sent(own):
    assert own(MLFLOW + "    tags: {a: '${oc.env:MY_KEY}'}\n") == []
    assert own("name: ${oc.env:MY_KEY}\n", "logger=[csv,mlflow]", "logger.mlflow.tracking_uri=http://localhost:5000") == []


def test_no_file_puts_a_variable_into_the_name_of_the_folder_that_loggers_note(own):
    (problem,) = own("hydra:\n  job: {name: '${oc.env:MY_KEY}'}\n  run:\n    dir: runs/${hydra:job.name}\n", "logger=[csv,mlflow]", URI)
    assert f"line 5: hydra.run.dir: the value of the environment variable MY_KEY would be sent to {FAR}" in problem


def test_texts_without_a_variable_may_be_filled_in_by_files(own):
    text = "name: '${now:%Y}-${seed}'\nagent:\n  gamma: ${.learning_rate}\nhydra:\n  run:\n    dir: 'runs/${now:%Y}-${hydra:job.name}'\n"
    assert own(text, "logger=[csv,wandb,mlflow]", URI, "logger.wandb.mode=online") == []


def test_a_files_tracking_server_gets_no_variable_until_both_are_typed(own, tmp_path):
    text = MLFLOW + "    experiment: ${oc.env:MY_KEY}\n"
    (problem,) = own(text)
    assert problem.startswith(f"{tmp_path}/experiment/theirs.yaml, line 7: logger.mlflow.experiment: the value of the environment")
    assert f"MY_KEY would be sent to {FAR}, which no file may decide" in problem
    assert own(text, URI, "logger.mlflow.experiment='${oc.env:MY_KEY}'") == []


def test_the_online_server_of_wandb_is_far_away(own):
    assert own("name: ${oc.env:MY_KEY}\n", "logger=[csv,wandb]") == []
    (problem,) = own("name: ${oc.env:MY_KEY}\n", "logger=[csv,wandb]", "logger.wandb.mode=online")
    assert "name: the value of the environment variable MY_KEY would be sent to wandb" in problem


@pytest.mark.parametrize(
    ("variable", "text", "typed"),
    [
        ("MLFLOW_TRACKING_TOKEN", MLFLOW, [URI]),
        ("MLFLOW_TRACKING_PASSWORD", MLFLOW, [URI]),
        ("PGPASSWORD", f"defaults:\n  - override /dataset: feedback\ndataset:\n  url: {DATABASE}\n", [STORE]),
    ],
)
def test_a_password_that_no_setting_names_goes_only_where_the_command_line_says(own, monkeypatch, variable, text, typed):
    def sent(*more: str) -> list[str]:
        return [line for line in own(text, *more) if "would be sent" in line]

    assert sent() == []
    monkeypatch.setenv(variable, "secret")
    (problem,) = sent()
    key = typed[0].partition("=")[0]
    assert f"line {6 if 'MLFLOW' in variable else 5}: {key}: the value of the environment variable {variable} would be sent to" in problem
    assert problem.endswith(f"to allow it, set {key} on the command line")
    assert sent(*typed) == []


def test_consent_to_a_recorded_store_and_a_resumed_sweep(monkeypatch):
    values = {"dataset": {"name": "feedback", "url": DATABASE}, "logger": {"mlflow": {"tracking_uri": FAR}}}
    recorded = [URI, STORE, "logger.wandb.mode=online"]
    assert Consent().problems(values) == []
    assert recorded_problems(recorded, "sweep.json") is None
    monkeypatch.setenv("PGPASSWORD", "secret")
    monkeypatch.setenv("MLFLOW_TRACKING_TOKEN", "secret")
    assert len(Consent(send_variable=f"PGPASSWORD={DATABASE}x").problems(values)) == 2
    assert Consent(send_variable=f"PGPASSWORD={DATABASE},MLFLOW_TRACKING_TOKEN={FAR}").problems(values) == []
    refused = recorded_problems(recorded, "sweep.json")
    assert refused is not None
    assert [line.split(": ")[1].partition(" ")[0] for line in refused.problems] == ["logger.mlflow.tracking_uri", "dataset.url"]


@pytest.mark.parametrize("url", [DATABASE, "postgresql://a.example,b.example/feedback"])
def test_the_store_that_recframe_learn_names_gets_its_password(tmp_path, monkeypatch, url):
    monkeypatch.setenv("PGPASSWORD", "secret")
    settings = LearnSettings(url, tmp_path)
    require_trusted_code(settings, {"dataset": {"name": "feedback", "url": url}})
    with pytest.raises(ConfigError, match="PGPASSWORD would be sent to postgresql://evil"):
        require_trusted_code(settings, {"dataset": {"name": "feedback", "url": "postgresql://evil/feedback"}})


@pytest.mark.parametrize(
    ("url", "far"),
    [
        ("sqlite:///feedback.db", False),
        ("sqlite:///${oc.env:HOME}/feedback.db", False),
        ("postgresql://me@localhost:5432/feedback", False),
        ("postgresql:///feedback", False),
        ("postgresql://127.0.0.1/feedback", False),
        ("postgresql://localhost/feedback?host=evil", True),
        ("postgresql://localhost,evil/feedback", True),
        ("postgresql://localhost@evil/feedback", True),
        ("postgresql://localhost.evil/feedback", True),
        ("${oc.env:MY_KEY}", True),
    ],
)
def test_which_databases_are_on_this_machine(url, far):
    assert (address_at(("dataset", "url"), url) is not None) == far


def test_a_password_in_an_address_is_not_repeated():
    shown = address_at(("dataset", "url"), "postgresql://me:hidden@evil/x?sslpassword=hidden&a=b")
    assert shown is not None
    assert "hidden" not in shown.text
    assert sent_variables({"dataset": {"url": "postgresql://evil/x", "pseudonym_key_variable": "MY_KEY"}}) == []
    (one,) = sent_variables({"dataset": {"url": "postgresql://${oc.env:MY_KEY}@evil/x"}, "name": "${oc.env:MY_KEY}"})
    assert (one.key, one.variable) == ("dataset.url", "MY_KEY")
