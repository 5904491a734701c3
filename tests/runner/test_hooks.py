"""The hooks of a run: a plugin that fails is named, and can change nothing but its own part."""

import logging

import pytest
from omegaconf import OmegaConf

from recframe.plugin_loader import discover
from recframe.runner import hooks
from recframe.runner.results import RunContext, RunResult

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
