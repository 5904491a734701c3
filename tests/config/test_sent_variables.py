"""The value of an environment variable goes only to an address that the person who runs the command has named with it."""

from __future__ import annotations

import pytest
from typer.testing import CliRunner

from recframe import runner
from recframe.cli.main import app
from recframe.cli.sweep import plan_of_sweep
from recframe.config import ConfigError, Consent, compose_config, find_mistakes, validate
from recframe.config.compose.options import parse_options
from recframe.config.sent_variables import sent_variables
from recframe.serving.load import load_policy
from recframe.sweeps.sweep_file import SweepFile
from recframe.tracking import RunFolder

GLOBAL = "# @package _global_\n"
ADDRESS = "http://somewhere.example/v1"
KEY, BASE, MODEL = "encoder.api_key_variable=MY_KEY", f"encoder.base_url={ADDRESS}", "encoder.model=m"
HTTP = f"defaults:\n  - override /encoder: http_embeddings\nencoder:\n  model: m\n  base_url: {ADDRESS}\n"
SENT = f"the value of the environment variable MY_KEY would be sent to {ADDRESS}"


@pytest.fixture(autouse=True)
def secret(monkeypatch):
    monkeypatch.setenv("MY_KEY", "sk-0123")


@pytest.fixture
def own(tmp_path):
    """The problems of a command line with a folder of configs that holds these files."""

    def find(files: dict[str, str], *overrides: str) -> list[str]:
        for name, text in files.items():
            path = tmp_path / "conf" / f"{name}.yaml"
            path.parent.mkdir(parents=True, exist_ok=True)
            path.write_text(text)
        return find_mistakes(list(overrides), config_dir=str(tmp_path / "conf"))

    return find


@pytest.fixture(scope="module")
def foreign_run(tmp_path_factory):
    """The folder of somebody else's run, which sends a key."""
    with RunFolder.create(tmp_path_factory.mktemp("theirs") / "run") as folder, pytest.MonkeyPatch.context() as patch:
        patch.setenv("MY_KEY", "sk-0123")
        cfg = compose_config(["encoder=http_embeddings", MODEL, BASE, KEY, "device=cpu"])
        folder.write_config(validate(cfg), [])
    return folder.path


def test_a_file_that_names_a_key_and_an_address_is_refused_with_its_line_until_both_are_typed(own, tmp_path):
    files = {"experiment/theirs": f"{GLOBAL}{HTTP}  api_key_variable: MY_KEY\n"}
    place = f"{tmp_path}/conf/experiment/theirs.yaml, line 7: encoder.api_key_variable"
    (problem,) = own(files, "experiment=theirs")
    remedy = "to allow it, set encoder.api_key_variable and encoder.base_url on the command line"
    assert problem == f"{place}: {SENT}, which no file may decide; {remedy}"
    refused = CliRunner().invoke(
        app, ["train", "--config-dir", str(tmp_path / "conf"), "experiment=theirs", f"hydra.run.dir={tmp_path}/run"]
    )
    assert refused.exit_code == 2
    assert problem in refused.stderr
    assert not (tmp_path / "run").exists()
    (problem,) = own(files, "experiment=theirs", KEY)
    assert problem.startswith(f"{tmp_path}/conf/experiment/theirs.yaml, line 6: encoder.base_url: {SENT}")
    assert own(files, "experiment=theirs", KEY, BASE) == []


@pytest.mark.parametrize("text", ["encoder:\n  <<: {settings}\n", "encoder:\n  <<: [{settings}, {{model: n}}]\n"])
def test_settings_that_yaml_merges_are_those_of_the_file_too(own, text):
    settings = f"{{model: m, base_url: '{ADDRESS}', api_key_variable: MY_KEY}}"
    (problem,) = own({"experiment/theirs": GLOBAL + text.format(settings=settings)}, "experiment=theirs", "encoder=http_embeddings")
    assert "theirs.yaml, line 3: encoder.api_key_variable" in problem
    assert SENT in problem


def test_a_key_on_the_command_line_does_not_go_to_a_files_address(own):
    files = {"encoder/theirs": f"defaults: [http_embeddings, _self_]\nmodel: m\nbase_url: {ADDRESS}\n"}
    (problem,) = own(files, "encoder=theirs", KEY)
    assert "encoder.base_url" in problem
    assert SENT in problem
    assert own(files, "encoder=theirs") == []


def test_no_file_fills_a_variable_into_what_is_sent(own):
    files = {"experiment/theirs": f"{GLOBAL}encoder: {{item_prompt: 'a ${{oc.env:MY_KEY}}'}}\n"}
    (problem,) = own(files, "experiment=theirs", "encoder=http_embeddings", BASE, MODEL)
    assert f"line 2: encoder.item_prompt: {SENT}, which no file may decide; to allow it, set encoder.item_prompt on the" in problem


@pytest.mark.parametrize(
    "settings",
    [
        {"item_prompt": '${oc.env:"MY_KEY"}'},
        {"item_prompt": "${oc.env:MY_KEY,none}"},
        {"item_prompt": "${ oc.env : MY_KEY }"},
        {"item_prompt": "${name}"},
        {"item_prompt": "${oc.select:name}"},
        {"item_prompt": "${.user_prompt}", "user_prompt": "${..name}"},
        {"item_prompt": "${oc.env:${name}}"},
        {"item_prompt": "${dataset}"},
        {"item_prompt": "${oc.decode:${oc.env:MY_KEY}}"},
        {"api_key_variable": "${name}"},
    ],
)
def test_no_way_to_write_a_variable_is_overlooked(settings):
    dataset = {"name": "csv", "path": "${oc.env:MY_KEY}"} if settings == {"item_prompt": "${dataset}"} else {"name": "csv"}
    config = {"name": "${oc.env:MY_KEY}", "dataset": dataset, "encoder": {"name": "http_embeddings", "base_url": ADDRESS, **settings}}
    assert any(one.key in ("encoder.item_prompt", "encoder.api_key_variable") for one in sent_variables(config))
    assert sent_variables({**config, "encoder": {"name": "http_embeddings", **settings}}) == []


def test_a_variable_that_is_not_set_and_one_that_is_only_recorded_are_no_matter(own, monkeypatch):
    typed = ["encoder=http_embeddings", BASE, "encoder.model=m"]
    assert own({"experiment/mine": f"{GLOBAL}name: '${{oc.env:MY_KEY}}'\n"}, "experiment=mine", *typed) == []
    monkeypatch.delenv("MY_KEY")
    (problem,) = own({"experiment/theirs": f"{GLOBAL}{HTTP}  api_key_variable: MY_KEY\n"}, "experiment=theirs")
    assert "no environment variable of the given name is set" in problem


def test_a_sweep_is_checked_too_and_a_file_may_not_set_the_parameters_of_its_jobs(own):
    files = {"experiment/theirs": f"{GLOBAL}{HTTP}  api_key_variable: MY_KEY\n"}
    (problem,) = own(files, "experiment=theirs", "seed=0,1")
    assert SENT in problem
    params = f"hydra:\n  sweeper:\n    params: {{encoder.base_url: '{ADDRESS}'}}\n"
    (problem,) = own({"experiment/params": GLOBAL + params}, "experiment=params")
    assert "hydra.sweeper.params.encoder.base_url may decide where an environment variable is sent, which no file may decide" in problem


@pytest.mark.parametrize("override", [KEY, BASE, "encoder.item_prompt='${oc.env:MY_KEY}'"])
def test_a_recorded_override_of_a_sweep_that_decides_where_a_variable_goes_has_to_be_repeated(tmp_path, override):
    def resumed(*more: str):
        arguments = ["-m", f"sweep.resume={tmp_path}", *more]
        return plan_of_sweep(arguments, parse_options(arguments, "train")[0])

    SweepFile(("seed=0,1", "encoder=http_embeddings", override)).write(tmp_path)
    with pytest.raises(ConfigError, match=r"sweep.json: encoder\.\w+ may decide where an environment variable is sent.*repeat it on the"):
        resumed()
    _, plan = resumed(override)
    assert override in plan.file.command


@pytest.mark.parametrize(
    ("command", "consent"),
    [
        (["evaluate", "{run}"], ["--send-variable", f"MY_KEY={ADDRESS}"]),
        (["export", "{run}", "{run}.policy"], ["--send-variable", f"MY_KEY={ADDRESS}"]),
        (["train", "resume={run}"], [f"send_variable=MY_KEY={ADDRESS}"]),
    ],
)
def test_a_runs_config_alone_sends_no_key(foreign_run, monkeypatch, command, consent):
    given = []
    for name in ("evaluate", "resume"):
        monkeypatch.setattr(runner, name, lambda *_, send_variable, **__: given.append(send_variable) or {"policies": {}})
    monkeypatch.setattr("recframe.serving.artefact.write.export", lambda *_, send_variable, **__: given.append(send_variable))
    arguments = [part.format(run=foreign_run) for part in command]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2
    line = f"{foreign_run}/config.yaml: encoder.api_key_variable: {SENT}; allow it with {' '.join(consent)}"
    assert line in refused.stderr
    elsewhere = [part.replace(ADDRESS, "http://elsewhere.example/v1") for part in consent]
    assert CliRunner().invoke(app, [*arguments, *elsewhere]).exit_code == 2
    assert given == []
    CliRunner().invoke(app, [*arguments, *consent])
    assert given == [f"MY_KEY={ADDRESS}"]


def test_from_python_consent_is_an_argument(foreign_run):
    with pytest.raises(ConfigError, match=f"{SENT}; allow it with --send-variable MY_KEY="):
        runner.evaluate(foreign_run)
    with pytest.raises(ConfigError, match=f"{SENT}; allow it with send_variable=MY_KEY="):
        runner.resume(foreign_run)
    with pytest.raises(ConfigError, match=f"{SENT}; allow it with send_variable='MY_KEY="):
        load_policy(foreign_run)


def test_consent_to_several_variables_is_given_with_commas_between():
    sections = {
        "encoder": {"name": "http_embeddings", "base_url": ADDRESS, "api_key_variable": "MY_KEY", "item_prompt": "${oc.env:PATH}"},
        "world_encoder": {"name": "http_embeddings", "base_url": "http://b/v1/", "api_key_variable": "MY_KEY"},
    }
    sent = sent_variables(sections)
    assert {one.consent for one in sent} == {f"MY_KEY={ADDRESS}", f"PATH={ADDRESS}", "MY_KEY=http://b/v1/", "PATH=http://b/v1/"}
    assert len(Consent(send_variable=f"MY_KEY={ADDRESS}x,OTHER={ADDRESS},{ADDRESS}").problems(sections)) == 4
    allowed = f"MY_KEY={ADDRESS}, PATH={ADDRESS},MY_KEY=http://b/v1"
    (problem,) = Consent(send_variable=allowed, by="python").problems(sections)
    assert problem.startswith("encoder.item_prompt: the value of the environment variable PATH would be sent to http://b/v1/; allow it")


def test_a_variable_of_a_component_that_sends_nothing_is_no_matter(monkeypatch):
    assert sent_variables({"dataset": {"name": "csv", "pseudonym_key_variable": "MY_KEY"}}) == []
    encoder = {"name": "http_embeddings", "base_url": ADDRESS}
    assert sent_variables({"dataset": {"name": "csv", "pseudonym_key_variable": "MY_KEY"}, "encoder": encoder}) == []
