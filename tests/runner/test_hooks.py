"""The hooks of a run: a plugin that fails is named, and can change nothing but its own part."""

import logging

import pytest
from omegaconf import OmegaConf

from recframe.errors import Stop
from recframe.plugin_loader import discover
from recframe.runner import hooks, metrics_hook
from recframe.runner.failures import recorded_failure
from recframe.runner.results import RunContext, RunFailure, RunResult
from recframe.tracking.run_log import log_file

HOOK = """
    from recframe.hookspecs import hookimpl
    from pytorch_lightning import Callback

    @hookimpl
    def {signature}:
        {body}
"""
SOUND = HOOK.format(signature="recframe_callbacks(cfg)", body="return [Callback()]")


@pytest.fixture
def installed(plugin_site, monkeypatch):
    def install(**sources: str) -> None:
        for name, source in sources.items():
            plugin_site.install(name, source)
        found = discover(plugin_site.entry_points())
        assert found.failures == []
        monkeypatch.setattr(hooks, "registry", lambda: found)
        monkeypatch.setattr(metrics_hook, "registry", lambda: found)

    return install


@pytest.mark.parametrize(
    ("body", "complaint"),
    [
        ("1 / 0", "failed: ZeroDivisionError: division by zero"),
        ("raise SystemExit(3)", "failed: SystemExit: 3"),
        ("return [None]", r"returned \[None\]; a list of Lightning callbacks is right"),
        ("return Callback()", "a list of Lightning callbacks is right"),
        ("return 'early stopping'", "returned 'early stopping'; a list of Lightning callbacks is right"),
        ("cfg['seed'].append(1)", "failed: .*AttributeError|failed: AttributeError"),
    ],
)
def test_callbacks_that_cannot_be_had_end_the_run_and_name_the_plugin(installed, body, complaint):
    installed(sound=SOUND, broken=HOOK.format(signature="recframe_callbacks(cfg)", body=body))
    with pytest.raises(hooks.HookError, match=complaint) as refused:
        hooks.plugin_callbacks(OmegaConf.create({"seed": 3}))
    assert "the hook recframe_callbacks of plugin broken (broken)" in str(refused.value)
    assert refused.value.exit_code == 1


def test_the_callbacks_of_all_plugins_are_used(installed):
    installed(one=SOUND, two=SOUND, none=HOOK.format(signature="recframe_callbacks(cfg)", body="return None"))
    assert len(hooks.plugin_callbacks(OmegaConf.create({}))) == 2


@pytest.mark.parametrize("body", ["1 / 0", "raise SystemExit(3)"])
def test_a_plugin_that_fails_at_the_start_is_logged_and_the_others_are_told(installed, tmp_path, caplog, body):
    told = HOOK.format(signature="recframe_run_started(cfg, run)", body="(run.folder / 'told').write_text(str(cfg.seed))")
    installed(a_broken_one=HOOK.format(signature="recframe_run_started(cfg, run)", body=body), sound=told)
    with caplog.at_level(logging.ERROR):
        hooks.call_started(OmegaConf.create({"seed": 3}), RunContext(tmp_path, (), None, resumed=False))
    assert (tmp_path / "told").read_text() == "3"
    assert "the hook recframe_run_started of plugin a_broken_one (a_broken_one) failed; the run goes on" in caplog.text
    assert "test_hooks" not in caplog.records[0].getMessage()
    assert caplog.records[0].exc_info is not None


def test_hooks_get_copies(installed, tmp_path):
    installed(
        changes=HOOK.format(signature="recframe_run_started(cfg, run)", body="cfg.seed = 99"),
        changes_too=HOOK.format(signature="recframe_callbacks(cfg)", body="cfg.seed = 99"),
        changes_results=HOOK.format(signature="recframe_run_finished(result)", body="result.policies['trained']['return']['mean'] = 1e9"),
    )
    cfg = OmegaConf.create({"seed": 3})
    hooks.call_started(cfg, RunContext(tmp_path, (), None, resumed=False))
    hooks.plugin_callbacks(cfg)
    assert cfg.seed == 3
    result = RunResult(tmp_path, 1.0, 10, 1.0, {"trained": {"return": {"mean": 2.0}}})
    hooks.call_finished(result)
    assert result.policies["trained"]["return"]["mean"] == 2.0


METRICS = "recframe_metrics(run, metrics, step)"


def test_metrics_go_to_each_plugin_as_copies_until_it_fails(installed, tmp_path, caplog):
    told = "(run.folder / f'told-{step}').write_text(str(metrics))"
    installed(
        a_broken_one=HOOK.format(signature=METRICS, body="1 / 0"),
        b_changes=HOOK.format(signature=METRICS, body="metrics.clear()"),
        sound=HOOK.format(signature=METRICS, body=told),
    )
    (logger,) = metrics_hook.metrics_hooks(RunContext(tmp_path, (), None, resumed=False), "env_steps")
    given = {"env_steps": 64.0, "epoch": 0, "eval/return": 2.0}
    logger.log_metrics(given, step=9)
    logger.log_metrics({"env_steps": 128.0, "loss": 0.5})
    assert (tmp_path / "told-64").read_text() == "{'eval/return': 2.0}"
    assert (tmp_path / "told-128").read_text() == "{'loss': 0.5}"
    assert given["eval/return"] == 2.0
    (failure,) = caplog.records
    assert "plugin a_broken_one (a_broken_one) failed; it gets no more metrics of this run" in failure.getMessage()


def test_without_a_plugin_that_wants_them_metrics_cost_nothing(installed, tmp_path):
    installed(sound=SOUND)
    assert metrics_hook.metrics_hooks(RunContext(tmp_path, (), None, resumed=False), "env_steps") == []


def test_a_failed_run_is_told_after_its_cause_is_on_disk(installed, tmp_path, caplog):
    body = "(failure.folder / 'told').write_text((failure.folder / 'failure.json').read_text() + failure.traceback + str(cfg.seed))"
    signature = "recframe_run_failed(cfg, failure)"
    installed(a_broken_one=HOOK.format(signature=signature, body="1 / 0"), sound=HOOK.format(signature=signature, body=body))
    cfg = OmegaConf.create({"seed": 3})

    def tell(failure: RunFailure) -> None:
        hooks.call_failed(cfg, failure)

    with log_file(tmp_path / "run.log") as handler, pytest.raises(KeyError), recorded_failure(tmp_path, handler, tell):
        raise KeyError("no such item")
    told = (tmp_path / "told").read_text()
    assert "no such item" in told.partition("}")[0]
    assert "Traceback (most recent call last)" in told
    assert told.endswith("3")
    assert "the hook recframe_run_failed of plugin a_broken_one (a_broken_one) failed; the run had failed before" in caplog.text


def test_an_interrupted_run_has_not_failed(tmp_path):
    told: list[RunFailure] = []
    with log_file(tmp_path / "run.log") as handler, pytest.raises(Stop), recorded_failure(tmp_path, handler, told.append):
        raise Stop("stopped by Ctrl-C", 130)
    assert told == []
    assert not (tmp_path / "failure.json").exists()
