"""Runs from Python: equal to those of the command line, and without a trace in the process."""

import copy
import json
import logging
import os
import random
import signal
import subprocess
import sys
import threading
from dataclasses import dataclass, replace
from pathlib import Path

import hydra
import numpy as np
import pytest
import torch
import yaml
from hydra.core.config_store import ConfigStore
from hydra.core.global_hydra import GlobalHydra

import recframe
from recframe.components import Component
from recframe.config import ConfigError
from recframe.errors import UserError
from recframe.interfaces import Reward

SMALL = [
    *("debug=smoke", "encoder=tfidf", "logger=[csv]", "dataset.num_items=60", "dataset.num_users=80", "environment.num_users=32"),
    *("trainer.env_steps=512", "trainer.evaluate_every=256", "agent.learning_starts=128", "evaluation.references=false"),
]
DIFFERENT = {"seconds"}
"""Entries of result.json that differ between two runs of one config."""


def state_of_process() -> dict:
    """What a run must leave as it was."""
    root = logging.getLogger()
    return {
        "handlers": {number: signal.getsignal(number) for number in signal.valid_signals()},
        "logging": (root.level, [(handler, handler.level) for handler in root.handlers]),
        "random": (random.getstate(), str(np.random.get_state()), torch.get_rng_state().tolist()),
        "hydra": (GlobalHydra.instance().hydra, sorted(ConfigStore.instance().repo)),
        "cwd": os.getcwd(),
        # libraries set others when they are imported
        "environment": {name: value for name, value in os.environ.items() if name.startswith(("RECFRAME", "WANDB", "HYDRA", "PL_", "HF_"))},
        "threads": torch.get_num_threads(),
    }


@pytest.fixture(scope="module")
def own_cache(shared_cache):
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(shared_cache))
        yield


@pytest.fixture(scope="module")
def finished(own_cache, tmp_path_factory):
    """A run in a thread, started by somebody who has initialized Hydra; with the state of the process before and after."""
    folder = tmp_path_factory.mktemp("work")
    results = []
    recframe.compose()  # Hydra registers its own groups once
    assert recframe.run  # imports draw random numbers
    with pytest.MonkeyPatch.context() as patch, hydra.initialize_config_module("recframe.conf", version_base="1.2"):
        patch.chdir(folder)
        before = state_of_process()
        thread = threading.Thread(target=lambda: results.append(recframe.run(recframe.compose(SMALL))))
        thread.start()
        thread.join()
        after = state_of_process()
    return results[0], before, after


@pytest.fixture(scope="module")
def result(finished):
    return finished[0]


def written(folder: Path) -> dict:
    entries = json.loads((folder / "result.json").read_text())
    return {name: entry for name, entry in entries.items() if name not in DIFFERENT}


def test_a_run_equals_that_of_the_command_line(result, warm_recframe, tmp_path):
    warm_recframe("train", *SMALL, "hydra.run.dir=run", check=True)
    ours, theirs = result.folder, tmp_path / "run"
    assert written(ours) == written(theirs)
    for name in ("overrides.yaml", "choices.yaml", "data.json", "plugins.json", "machine.json"):
        assert (ours / name).read_text() == (theirs / name).read_text(), name
    assert {path.name for path in ours.iterdir()} == {path.name for path in theirs.iterdir()}
    configs = [yaml.safe_load((folder / "config.yaml").read_text()) for folder in (ours, theirs)]
    for config in configs:
        config["embeddings"].pop("cache")
    assert configs[0] == configs[1]
    # the log of both is from INFO on
    assert "topic_world" in (ours / "config.yaml").read_text()
    assert all("INFO recframe" in (folder / "run.log").read_text() for folder in (ours, theirs))


def test_a_run_leaves_the_process_as_it_was(finished):
    _, before, after = finished
    assert {name for name in before if before[name] != after[name]} == set()


def test_without_a_folder_the_run_is_in_a_new_one_as_on_the_command_line(result):
    assert result.folder.parent.name == "runs"
    assert result.folder.parent.parent.name.startswith("work")


def test_the_result_is_read_again_as_it_was_returned(result):
    assert recframe.load_result(result.folder) == result
    assert recframe.load_result(str(result.folder)) == result
    assert result.config.agent.name == "dqn"
    assert result.metrics["return"] == result.policies["trained"]["return"]["mean"]


def test_results_show_as_tables(result):
    table = result.table()
    assert set(table["policy"]) == set(result.policies)
    (row,) = table.filter((table["policy"] == "trained") & (table["metric"] == "return")).to_dicts()
    assert row == {"policy": "trained", "metric": "return", **result.policies["trained"]["return"]}
    text, html = str(result), result._repr_html_()
    assert all("trained" in shown and "click" in shown and str(result.folder) in shown for shown in (text, html))
    assert "\x1b" not in text
    assert "color" not in html
    odd = replace(result, caveats=("a <b> & c",), policies={"<i>": result.policies["trained"], **result.policies})
    assert "a &lt;b&gt; &amp; c" in odd._repr_html_()
    assert "&lt;i&gt;" in odd._repr_html_()
    assert "<i>" not in odd._repr_html_()


def test_results_of_the_first_schema_are_read(result, tmp_path):
    entries = json.loads((result.folder / "result.json").read_text())
    for name in ("evaluation", "selection", "plugins"):
        entries.pop(name)
    (tmp_path / "result.json").write_text(json.dumps({**entries, "schema": 1}))
    old = recframe.load_result(tmp_path)
    assert old.policies == result.policies
    assert "trained" in str(old)
    assert "trained" in old._repr_html_()


# --- mistakes


def test_mistakes_are_all_reported_at_once():
    with pytest.raises(ConfigError) as caught:
        recframe.run(["agnet=dqn", "agent.gamma=2"])
    assert [line.partition(":")[0] for line in caught.value.problems] == ["agnet", "agent.gamma"]
    assert caught.value._render_traceback_()[0] == "recframe: 2 mistakes"
    assert "Traceback" not in "".join(caught.value._render_traceback_())


@pytest.mark.parametrize(
    ("overrides", "line"),
    [
        ("agent=dqn", "overrides are a list of texts, such as ['agent=dqn', 'seed=1'], not 'agent=dqn'"),
        ({"agent": "dqn"}, "overrides are a list of texts, such as ['agent=dqn', 'seed=1'], not {'agent': 'dqn'}"),
        (None, "overrides are a list of texts, such as ['agent=dqn', 'seed=1'], not None"),
        (["+hydra.run.dir=runs/mine"], "+hydra.run.dir=runs/mine: it is for the command line; from Python, only hydra.run.dir and"),
        (["hydra/launcher=joblib"], "hydra/launcher=joblib: it is for the command line"),
        (["seed=1,2"], "seed=1,2: several values; a run takes one"),
    ],
)
def test_what_only_the_command_line_takes_is_refused(overrides, line):
    with pytest.raises(ConfigError) as caught:
        recframe.compose(overrides)
    (problem,) = caught.value.problems
    assert problem.startswith(line)


def test_a_tilde_is_the_home_folder(result, monkeypatch):
    monkeypatch.setenv("HOME", str(result.folder.parent))
    folder = f"~/{result.folder.name}"
    assert recframe.load_result(folder).policies == recframe.resume(folder).policies == result.policies
    assert recframe.load_policy(folder).folder == result.folder
    assert recframe.run(SMALL, folder=folder).policies == result.policies
    with pytest.raises(UserError, match="another run"):
        recframe.run([*SMALL, "agent.gamma=0.5"], folder=folder)


def test_values_that_were_changed_are_checked_and_recorded(result, tmp_path):
    cfg = recframe.compose(SMALL)
    cfg.agent.gamma = 2.0
    with pytest.raises(ConfigError, match=r"agent.gamma: 2.0 is not allowed"):
        recframe.run(cfg, folder=tmp_path / "run")
    assert not (tmp_path / "run").exists()
    with pytest.raises(UserError, match=r"agent\.gamma: .* then, 0\.5 now"):
        recframe.run([*SMALL, "agent.gamma=0.5"], folder=result.folder)


def test_ipython_shows_a_mistake_without_a_traceback(capsys):
    shell = pytest.importorskip("IPython.core.interactiveshell").InteractiveShell()
    shell.run_cell("import recframe; recframe.compose(['agnet=dqn'])")
    shown = capsys.readouterr().out
    assert "recframe: agnet: the config has no 'agnet'. Did you mean 'agent'?" in shown
    assert "Traceback" not in shown
    assert len(shown.splitlines()) <= 3


@pytest.mark.parametrize("what", ["no such folder", "not finished"])
def test_a_result_that_does_not_exist_is_refused_in_one_line(tmp_path, what):
    folder = tmp_path / "none"
    if what == "not finished":
        folder.mkdir()
    with pytest.raises(UserError, match=what.replace("not", "has not")) as caught:
        recframe.load_result(folder)
    assert len(caught.value._render_traceback_()) == 1


# --- interruption and failure, by a reward that is registered here


@dataclass
class NudgeConfig:
    """A click counts, and something happens at one call."""


class Nudge(Reward):
    """A click, and at call number `AT` whatever `happens` does."""

    AT = 10
    calls = 0

    def __init__(self, config: NudgeConfig) -> None:
        type(self).calls = 0

    def __call__(self, transition, catalog):
        type(self).calls += 1
        if self.calls == self.AT:
            self.happens()
        return transition.response.signals["click"]

    def happens(self) -> None:
        pass


class Interrupting(Nudge):
    def happens(self) -> None:
        signal.raise_signal(signal.SIGINT)


class Failing(Nudge):
    def happens(self) -> None:
        raise ZeroDivisionError("in a cell")


class Nesting(Nudge):
    def happens(self) -> None:
        recframe.run(SMALL)


def nudged(cls: type) -> Component:
    return Component("reward", "nudge", NudgeConfig, cls)


def test_an_interrupted_run_is_resumed_to_the_result_of_one_without_a_stop(own_cache, tmp_path, capfd):
    recframe.compose()
    before = state_of_process()
    with recframe.registered(nudged(Interrupting)):
        cfg = recframe.compose([*SMALL, "reward=[nudge]"])
        cfg.seed = 3
        with pytest.raises(recframe.Interrupted, match="the training so far is saved") as caught:
            recframe.run(cfg, folder=tmp_path / "run")
    assert isinstance(caught.value, KeyboardInterrupt)
    assert len(caught.value._render_traceback_()) == 1
    assert {name for name in before if before[name] != state_of_process()[name]} == set()
    assert yaml.safe_load((tmp_path / "run" / "overrides.yaml").read_text()) == [*SMALL, "reward=[nudge]", "seed=3"]
    assert capfd.readouterr() == ("", "")
    with pytest.raises(UserError, match=r"no reward is called 'nudge'.*registered in a Python session \(source \w+\)"):
        recframe.resume(tmp_path / "run")
    with recframe.registered(nudged(Nudge)):
        resumed = recframe.resume(tmp_path / "run", quiet=False)
        shown = capfd.readouterr().out
        whole = recframe.run([*SMALL, "reward=[nudge]", "seed=3"], folder=tmp_path / "whole")
    assert "another one now" in shown
    assert str(resumed.folder) in shown
    assert resumed.policies == whole.policies
    origin = written(whole.folder)["plugins"]["components"]["reward.nudge"]
    assert (origin["plugin"], origin["distribution"]) == ("recframe.registered", "session")


def test_a_failed_run_says_why_when_its_result_is_loaded(own_cache, tmp_path):
    with recframe.registered(nudged(Failing)):
        with pytest.raises(ZeroDivisionError, match="in a cell"):
            recframe.run([*SMALL, "reward=[nudge]"], folder=tmp_path / "run")
        with pytest.raises(UserError, match="the run failed: ZeroDivisionError: in a cell"):
            recframe.load_result(tmp_path / "run")


def test_a_run_inside_a_run_is_refused(own_cache, tmp_path):
    with recframe.registered(nudged(Nesting)), pytest.raises(UserError, match="another run is going on in this process"):
        recframe.run([*SMALL, "reward=[nudge]"], folder=tmp_path / "run")


# --- the module


def test_importing_recframe_imports_nothing_heavy_and_offers_the_whole_api():
    code = "import recframe, sys; assert recframe.compose(); print([m for m in ('torch', 'pytorch_lightning') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
    assert set(recframe.__all__) <= set(dir(recframe))
    for name in set(recframe.__all__) - {"__version__"}:
        assert getattr(recframe, name).__module__ == recframe._HOMES[name]
    with pytest.raises(AttributeError, match="no attribute 'rum'"):
        recframe.rum  # noqa: B018


def test_a_copy_of_a_config_can_be_run(tmp_path):
    """Nothing is known of it but its values."""
    cfg = copy.deepcopy(recframe.compose(SMALL))
    cfg.agent.gamma = 2.0
    with pytest.raises(ConfigError, match=r"agent\.gamma"):
        recframe.run(cfg)
