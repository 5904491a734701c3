"""A plugin's references, logger, metrics hook and command in real runs: what works is in the results, what fails is said beside them."""

import json
import re
from types import SimpleNamespace

import pytest
import torch
import typer
from typer.testing import CliRunner

import recframe

PLUGIN = """
    from dataclasses import dataclass
    from recframe.components import LoggerComponent, option
    from recframe.hookspecs import hookimpl

    @dataclass
    class LinesConfig:
        '''Lines of text.'''
        prefix: str = option("> ", "what a line begins with")

    @hookimpl
    def recframe_register_loggers(register):
        register(LoggerComponent("lines", LinesConfig, "everything_parts:Lines"))

    @hookimpl
    def recframe_reference_policies(cfg, environment, data, seed):
        from everything_parts import First, Broken
        cfg.seed = data.catalog.popularity[0] = 99
        return {"first": First(environment.spec), "random": First(environment.spec), "broken": Broken(environment.spec), "number": 3}

    @hookimpl
    def recframe_reference_rankers(log, catalog, seed):
        from everything_parts import FirstRanker, BrokenRanker
        return {"first": FirstRanker(log.num_items), "broken": BrokenRanker(log.num_items), "lambda": lambda *_: None}

    @hookimpl
    def recframe_metrics(run, metrics, step):
        with (run.folder / "told.txt").open("a") as file:
            file.write(f"{step} {sorted(metrics)}\\n")

    @hookimpl
    def recframe_register_commands(app):
        @app.command()
        def mini(folder: str, overrides: list[str]):
            "Train a small run, and print its objective."
            import recframe
            result = recframe.run(overrides, folder=folder)
            print("OBJECTIVE", result.objective, *result.policies)
"""
PARTS = """
    import torch
    from pytorch_lightning.loggers.logger import Logger

    class First:
        def __init__(self, spec):
            self.spec = spec

        def __call__(self, observation, turn):
            assert observation.history_items.shape[1] == self.spec.history_length == 25
            return torch.arange(self.spec.slate_size).expand(len(observation.user), -1)

    class Broken(First):
        def __call__(self, observation, turn):
            raise IndexError("no such shelf")

    class FirstRanker:
        reads_whole_history = False

        def __init__(self, num_items):
            self.num_items = num_items

        def rank(self, observation, k):
            from recframe.interfaces import allowed_items
            scores = -torch.arange(self.num_items).float().expand(len(observation.user), -1)
            return allowed_items(observation, scores).topk(k, dim=1).indices

    class BrokenRanker(FirstRanker):
        def rank(self, observation, k):
            return torch.zeros(len(observation.user), k)

    class Lines(Logger):
        name = version = "lines"

        def __init__(self, config, run):
            self.config, self.path = config, run.folder / "lines.txt"

        def log_metrics(self, metrics, step=None):
            self.path.open("a").write(f"{self.config.prefix}{step}\\n")

        def log_hyperparams(self, *_, **__): ...

        def log_results(self, results):
            self.path.open("a").write(f"{self.config.prefix}{sorted(results.tables)}\\n")
"""


@pytest.fixture
def everything(plugin_site):
    plugin_site.install("everything", PLUGIN, version="0.3", files={"everything_parts.py": PARTS})
    return plugin_site.folder


def test_a_plugins_command_trains_with_all_that_the_plugin_adds(warm_recframe, everything, tmp_path):
    quick = [
        "debug=smoke",
        "encoder=tfidf",
        "state_tracker=mean",
        "agent.learning_starts=64",
        "logger=[csv,lines]",
        "logger.lines.prefix='- '",
        "evaluation.reference_history_length=25",
    ]
    done = warm_recframe("mini", "run", *quick, site=everything, check=True)
    run = tmp_path / "run"
    result = json.loads((run / "result.json").read_text())
    _, objective, *names = next(line for line in done.stdout.splitlines() if line.startswith("OBJECTIVE")).split()
    assert float(objective) == result["objective"]
    assert names == list(result["policies"])
    assert "first" in names
    assert not {"broken", "number"} & set(names)
    assert result["policies"]["first"]["return"] != result["policies"]["random"]["return"]
    of = "of plugin 'everything' (everything) is not in the table"
    caveats = " ".join(result["caveats"])
    assert f"The reference policy 'random' {of}: recframe has one of this name." in caveats
    assert f"The reference policy 'number' {of}: it is 3; a callable of an observation" in caveats
    assert f"The reference policy 'broken' {of}: IndexError: no such shelf" in caveats
    assert result["seed"] == 0
    assert result["plugins"]["loggers"]["logger.lines"] == {
        "name": "lines",
        "plugin": "everything",
        "distribution": "everything",
        "version": "0.3",
    }
    told = [line.partition(" ") for line in (run / "told.txt").read_text().splitlines()]
    steps = [line.partition(",")[0] for line in (run / "metrics.csv").read_text().splitlines()[1:]]
    assert [step for step, _, _ in told] == steps
    assert any("eval/return" in names for _, _, names in told)
    assert any("loss/" in names for _, _, names in told)
    lines = (run / "lines.txt").read_text().splitlines()
    assert lines == [*(f"- {step}" for step in steps), "- ['final']"]


def test_a_plugins_rankers_are_in_the_table_of_the_log(warm_recframe, everything, tmp_path):
    rows = "\n".join(f"u{user},i{(user + step) % 9},{step}" for user in range(20) for step in range(6))
    (tmp_path / "log.csv").write_text(f"user,item,timestamp\n{rows}\n")
    quick = ["debug=smoke", "encoder=id", "logger=[]", "dataset=table", f"dataset.interactions={tmp_path / 'log.csv'}", "environment=none"]
    quick += ["stages=[logged]", "agent=item_knn", "evaluation.k=[3]", "hydra.run.dir=run"]
    warm_recframe("train", *quick, site=everything, check=True)
    result = json.loads((tmp_path / "run" / "result.json").read_text())
    assert "first" in result["policies"]
    assert {"broken", "lambda"} & set(result["policies"]) == set()
    caveats = " ".join(result["caveats"])
    assert "The reference policy 'lambda' of plugin 'everything' (everything) is not in the table: it is <function" in caveats
    assert "The reference policy 'broken' of plugin 'everything' (everything) is not in the table" in caveats


def test_the_reference_policy_of_the_guide_works_as_printed(project_root):
    guide = (project_root / "docs" / "guide" / "plugins.md").read_text()
    source = re.search(r"```python\n(@hookimpl\ndef recframe_reference_policies.*?)```", guide, re.DOTALL)[1]
    names: dict = {"hookimpl": lambda hook: hook}
    exec(source, names)
    environment = SimpleNamespace(spec=SimpleNamespace(slate_size=2))
    data = SimpleNamespace(catalog=SimpleNamespace(popularity=torch.tensor([3.0, 1.0, 2.0])))
    (policy,) = names["recframe_reference_policies"](environment, data).values()
    assert policy(SimpleNamespace(user=torch.zeros(3)), 0).tolist() == [[1, 2]] * 3


def test_the_command_of_the_guide_works_as_printed(project_root, monkeypatch):
    guide = (project_root / "docs" / "guide" / "plugins.md").read_text()
    source = re.search(r"```python\n(@hookimpl\ndef recframe_register_commands.*?)```", guide, re.DOTALL)[1]
    names: dict = {"hookimpl": lambda hook: hook}
    exec(source, names)
    app = typer.Typer()
    names["recframe_register_commands"](app)
    monkeypatch.setattr(recframe, "run", lambda overrides, folder: SimpleNamespace(objective=(overrides, folder)), raising=False)
    done = CliRunner().invoke(app, ["several", "--seeds", "2"], catch_exceptions=False)
    assert done.output == "(['seed=0'], 'several/0')\n(['seed=1'], 'several/1')\n"
