"""Secrets are written nowhere, and a model's code runs only if the command line of the person says so."""

import itertools
import sys

import pytest
from omegaconf import OmegaConf
from typer.testing import CliRunner

from recframe import runner
from recframe.cli.main import app
from recframe.config import ConfigError, compose_config, find_mistakes, recorded, validate
from recframe.reports.runs import find_runs
from recframe.tracking import RunFolder
from recframe.tracking.folder import RunFolderError, read_choices, read_overrides

HTTP = ["encoder=http_embeddings", "encoder.base_url=http://localhost:9/v1", "encoder.model=m"]


@pytest.fixture
def foreign_run(tmp_path):
    """The folder of somebody else's run, whose model brings code."""
    with RunFolder.create(tmp_path / "run") as folder:
        folder.write_config(validate(compose_config(["encoder=bert", "encoder.trust_remote_code=true", "device=cpu"])), [])
    return folder.path


@pytest.mark.parametrize(
    ("command", "consent"), [(["evaluate", "{run}"], "--trust-remote-code"), (["train", "resume={run}"], "trust_remote_code=true")]
)
def test_a_runs_config_alone_does_not_run_its_models_code(foreign_run, monkeypatch, command, consent):
    given = []
    for name in ("evaluate", "resume"):
        monkeypatch.setattr(runner, name, lambda *_, trust_remote_code, **__: given.append(trust_remote_code) or {"policies": {}})
    arguments = [part.format(run=foreign_run) for part in command]
    refused = CliRunner().invoke(app, arguments)
    assert refused.exit_code == 2
    line = f"{foreign_run}/config.yaml: encoder.trust_remote_code runs code that comes with a model: read it, and allow it with {consent}"
    assert line in refused.stderr
    assert given == []
    CliRunner().invoke(app, [*arguments, consent])
    assert given == [True]


def test_from_python_consent_is_an_argument(foreign_run):
    with pytest.raises(ConfigError, match="allow it with --trust-remote-code"):
        runner.evaluate(foreign_run)
    with pytest.raises(ConfigError, match="allow it with trust_remote_code=true"):
        runner.resume(foreign_run)


def test_a_token_in_place_of_a_variables_name_is_refused_before_a_folder_is_made(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    done = CliRunner().invoke(app, ["train", *HTTP, "encoder.api_key_variable=sk_live_abc123", "hydra.run.dir=run"])
    assert done.exit_code == 2
    assert "encoder.api_key_variable: no environment variable of the given name is set" in done.stderr
    assert "sk_live_abc123" not in done.output + done.stderr
    assert list(tmp_path.iterdir()) == []
    monkeypatch.setenv("MY_KEY", "sk_live_abc123")
    assert find_mistakes([*HTTP, "encoder.api_key_variable=MY_KEY"]) == []


def test_values_of_environment_variables_are_recorded_as_they_are_written(tmp_path, monkeypatch):
    monkeypatch.setenv("SECRET", "hunter2")
    written = [
        "name='${oc.env:SECRET}'",
        "logger.wandb.project='p-${name}'",
        "logger.wandb.tags=['${oc.env:SECRET}',b]",
        "trainer.monitor_mode=max",
    ]
    cfg = validate(compose_config(written))
    assert cfg.logger.wandb.project == "p-hunter2"
    with RunFolder.create(tmp_path / "run") as folder:
        folder.write_config(cfg, written)
    assert not [file for file in folder.path.iterdir() if "hunter2" in file.read_text()]
    assert recorded(cfg)["logger"]["wandb"] == {
        "project": "p-${name}",
        "entity": None,
        "mode": "offline",
        "tags": ["${oc.env:SECRET}", "b"],
    }
    with RunFolder.open(folder.path) as again:
        assert validate(again.read_config()).name == "hunter2"


def test_other_interpolations_and_paths_are_recorded_in_full(tmp_path, monkeypatch):
    monkeypatch.setenv("PLACE", str(tmp_path))
    cfg = validate(compose_config(["seed=4", "evaluation.seed='${seed}'", "embeddings.cache='${oc.env:PLACE}/cache'"]))
    assert (recorded(cfg)["evaluation"]["seed"], recorded(cfg)["embeddings"]["cache"]) == (4, f"{tmp_path}/cache")
    assert OmegaConf.create(recorded(cfg)).trainer == cfg.trainer


def test_an_alias_bomb_in_a_runs_config_is_refused(foreign_run):
    lines = [f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefghijk", "bcdefghijkl", strict=True)]
    (foreign_run / "config.yaml").write_text("a: &a [1]\n" + "\n".join(lines) + "\n")
    done = CliRunner().invoke(app, ["evaluate", str(foreign_run)])
    assert done.exit_code == 2
    assert f"{foreign_run}/config.yaml: aliases (*name) repeat its values" in done.stderr


def test_refusing_an_alias_bomb_takes_no_more_work_the_more_it_would_repeat(foreign_run):
    def calls(depth):
        """The calls of Python functions until the run is refused."""
        names = [f"n{number}" for number in range(depth + 1)]
        lines = [f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]" for a, b in itertools.pairwise(names)]
        (foreign_run / "config.yaml").write_text("n0: &n0 [1]\n" + "\n".join(lines) + "\n")
        counted = 0

        def count(frame, event, argument):
            nonlocal counted
            counted += event == "call"

        before = sys.getprofile()
        sys.setprofile(count)
        try:
            assert CliRunner().invoke(app, ["evaluate", str(foreign_run)]).exit_code == 2
        finally:
            sys.setprofile(before)
        return counted

    # the second has 10^12 times as many values as the first; what is imported once is imported by then
    calls(12)
    less, more = calls(12), calls(24)
    assert more < 3 * less


def test_a_file_that_replaces_a_built_in_component_says_so(tmp_path, caplog):
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "linucb.yaml").write_text("name: linucb\nalpha: 0.5\n")
    assert find_mistakes(["agent=linucb"], config_dir=str(tmp_path)) == []
    assert f"{tmp_path}/agent/linucb.yaml is used in place of the built-in agent=linucb" in caplog.text


def test_a_file_with_the_name_of_a_built_in_preset_is_said_to_be_unused(tmp_path, caplog):
    (tmp_path / "agent").mkdir()
    (tmp_path / "agent" / "ppo.yaml").write_text("defaults: [actor_critic, _self_]\n")
    assert find_mistakes(["agent=ppo"], config_dir=str(tmp_path)) == []
    assert f"{tmp_path}/agent/ppo.yaml is not used: the built-in agent=ppo has its name" in caplog.text


def test_no_file_takes_the_place_of_a_config_of_hydras_own_that_nobody_chose(tmp_path):
    place = tmp_path / "hydra" / "launcher"
    place.mkdir(parents=True)
    (place / "basic.yaml").write_text("_target_: os.getcwd\n")
    (problem,) = find_mistakes([], config_dir=str(tmp_path))
    assert problem.startswith(f"{place}/basic.yaml: hydra/launcher=basic would run code; Hydra's own files of that name are never replaced")
    (place / "basic.yaml").rename(place / "mine.yaml")
    assert find_mistakes(["hydra/launcher=mine"], config_dir=str(tmp_path)) == []


def test_a_sweeper_of_hydras_own_that_a_file_replaces_is_used_by_name_only(tmp_path):
    place = tmp_path / "hydra" / "sweeper"
    place.mkdir(parents=True)
    (place / "basic.yaml").write_text("_target_: os.getcwd\n")
    cfg = compose_config([], config_dir=str(tmp_path))
    assert "os.getcwd" not in str(cfg)
    assert find_mistakes([], config_dir=str(tmp_path)) == []


@pytest.mark.parametrize(
    "name", ["result.json", "plugins.json", "failure.json", "data.json", "machine.json", "choices.yaml", "overrides.yaml"]
)
def test_no_file_of_a_foreign_run_ends_in_a_traceback_by_values_that_are_nested_without_end(foreign_run, name):
    (foreign_run / name).write_text(("" if name.endswith("json") else "a: ") + "[" * 100_000)
    done = CliRunner().invoke(app, ["evaluate", str(foreign_run)])
    assert isinstance(done.exception, SystemExit), done.exception
    assert "RecursionError" not in done.output
    assert [run.name for run in find_runs(foreign_run).unfinished] == ["run"]


def test_an_alias_bomb_in_any_yaml_file_of_a_run_is_refused(foreign_run):
    lines = [f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]" for a, b in zip("abcdefghijk", "bcdefghijkl", strict=True)]
    bomb = "a: &a [1]\n" + "\n".join(lines) + "\n"
    for read, name in ((read_choices, "choices.yaml"), (read_overrides, "overrides.yaml")):
        (foreign_run / name).write_text(bomb)
        with pytest.raises(RunFolderError, match=r"aliases .* repeat its values"):
            read(foreign_run)


def test_a_secret_is_in_no_file_of_a_sweep_with_every_logger(warm_recframe):
    loggers = "logger=[csv,wandb,tensorboard,mlflow]"
    secret = "${oc.env:MY_SECRET}"
    chosen = [
        loggers,
        f"name='{secret}-x'",
        f"logger.wandb.tags=['{secret}']",
        f"+logger.mlflow.tags.t='{secret}'",
        f"encoder.seed={secret}",
    ]
    rest = [
        "debug=smoke",
        "agent=popular",
        "encoder=random",
        "evaluation.references=false",
        "trainer.env_steps=256",
        "trainer.evaluate_every=256",
    ]
    done = warm_recframe("train", "-m", *chosen, *rest, "hydra.sweep.dir=sweep", MY_SECRET="8675309", WANDB_MODE="offline")
    assert done.returncode == 0, done.stdout + done.stderr
    assert "8675309" not in done.stdout + done.stderr
    written = [path for path in warm_recframe.folder.rglob("*") if path.is_file()]
    assert len(written) > 15
    assert [path.name for path in written if b"8675309" in path.read_bytes()] == []
    assert secret in (warm_recframe.folder / "sweep" / "0" / "overrides.yaml").read_text()


def test_a_preset_is_shown_with_its_component_and_what_it_sets():
    shown = CliRunner().invoke(app, ["plugins", "show", "agent", "ppo"]).output
    assert "agent=ppo is a preset of agent=actor_critic with" in shown
    assert "agent.clip_range=0.2" in shown
    assert "agent.gae_lambda" in shown
