"""The loggers of a run: each is isolated, and named when it fails; a plugin's is chosen like a built-in one."""

import re

import pytest

from recframe.built_in_loggers import CsvLoggerConfig
from recframe.components import ComponentError, LoggerComponent
from recframe.config import compose_config, find_mistakes
from recframe.interfaces import FinalResults, RunDescription
from recframe.plugin_loader import discover, discovery
from recframe.tracking.run_loggers import LoggerError, RunLoggers

PLUGIN = """
    from dataclasses import dataclass
    from recframe.components import LoggerComponent, option
    from recframe.hookspecs import hookimpl

    @dataclass
    class LinesConfig:
        '''Lines of text.'''
        prefix: str = option("> ", "what a line begins with")
        width: int = option(80, "characters of a line", ge=1)

    @hookimpl
    def recframe_register_loggers(register):
        register(LoggerComponent({name!r}, LinesConfig, "lines_logger:Lines"))
"""
LINES = """
    from pytorch_lightning.loggers.logger import Logger

    class Lines(Logger):
        name = version = "lines"

        def __init__(self, config, run):
            self.config, self.path = config, run.folder / "lines.txt"
            {constructor}

        def write(self, text):
            with self.path.open("a") as file:
                file.write(self.config.prefix + text + "\\n")

        def log_metrics(self, metrics, step=None):
            {log_metrics}
            self.write(f"{{step}} {{metrics}}")

        def log_hyperparams(self, *_, **__): ...

        {end}
"""
WITH_RESULTS = """
        def log_results(self, results):
            self.write(f"{results.means()} {results.summary}")

        def close(self, failed):
            self.write("failed" if failed else "finished")
"""
PLAIN = """
        def finalize(self, status):
            self.write(status)
"""


@pytest.fixture
def installed(plugin_site, monkeypatch):
    def install(constructor="pass", log_metrics="pass", end=WITH_RESULTS, name="lines"):
        source = LINES.format(constructor=constructor, log_metrics=log_metrics, end=end.strip())
        plugin_site.install("lines", PLUGIN.format(name=name), version="0.3", files={"lines_logger.py": source})
        found = discover(plugin_site.entry_points())
        for module in ("recframe.tracking.run_loggers", "recframe.config.checks.sections", "recframe.config.schema.declared"):
            monkeypatch.setattr(f"{module}.registry", lambda: found)
        return found

    return install


def logged(folder, settings):
    with RunLoggers(settings, RunDescription(folder, "a run")) as loggers:
        for step in (1, 2):
            for logger in loggers.loggers:
                logger.log_metrics({"env_steps": float(step), "loss": 0.5}, step)
        table = {"trained": {"return": {"mean": 2.0, "low": 1.0, "high": 3.0, "n": 4}}}
        loggers.log_results(FinalResults({"final": table}, {"objective": 2.0}))
    lines = folder / "lines.txt"
    return lines.read_text().splitlines() if lines.exists() else []


def test_a_plugins_logger_gets_metrics_results_and_the_end(installed, tmp_path):
    assert installed().failures == []
    assert logged(tmp_path, {"csv": {}, "lines": {"prefix": "- "}}) == [
        "- 1 {'env_steps': 1.0, 'loss': 0.5}",
        "- 2 {'env_steps': 2.0, 'loss': 0.5}",
        "- {'final/trained/return': 2.0} {'objective': 2.0}",
        "- finished",
    ]
    assert (tmp_path / "metrics.csv").read_text() == "env_steps,loss\n1,0.5\n2,0.5\n"


def test_the_logger_of_the_guide_works_as_printed(plugin_site, monkeypatch, tmp_path, project_root):
    guide = (project_root / "docs" / "guide" / "loggers.md").read_text()
    files = dict(re.findall(r"```python\n# (\S+?\.py)[^\n]*\n(.*?)```", guide, re.DOTALL))
    assert set(files) == {"recframe_lines/plugin.py", "recframe_lines/logger.py"}
    plugin_site.install(
        "guide", "from recframe_lines.plugin import recframe_register_loggers", files={"recframe_lines/__init__.py": "", **files}
    )
    found = discover(plugin_site.entry_points())
    monkeypatch.setattr("recframe.tracking.run_loggers.registry", lambda: found)
    assert logged(tmp_path, {"lines": {"prefix": "- "}}) == [
        "- 1.0 {'env_steps': 1.0, 'loss': 0.5}",
        "- 2.0 {'env_steps': 2.0, 'loss': 0.5}",
        "- {'final/trained/return': 2.0}",
        "- finished",
    ]


def test_a_plain_lightning_logger_is_finalized_at_the_end(installed, tmp_path):
    installed(end=PLAIN)
    assert logged(tmp_path, {"lines": {}})[-1] == "> success"


def test_a_failed_run_is_closed_as_failed(installed, tmp_path):
    installed()
    with pytest.raises(ZeroDivisionError), RunLoggers({"lines": {}}, RunDescription(tmp_path, "a run")):
        1 / 0  # noqa: B018
    assert (tmp_path / "lines.txt").read_text() == "> failed\n"


@pytest.mark.parametrize(
    ("broken", "said"),
    [
        ({"log_metrics": "raise ConnectionError('no network')"}, "metrics could not be recorded, and no others will be (no network)"),
        ({"end": "def log_results(self, results): 1 / 0"}, "the results could not be recorded (division by zero)"),
        ({"end": "def close(self, failed): raise SystemExit(3)"}, "the end of the run could not be recorded (3)"),
    ],
)
def test_a_logger_that_fails_is_named_once_and_the_others_go_on(installed, tmp_path, caplog, broken, said):
    installed(**broken)
    logged(tmp_path, {"lines": {}, "csv": {}})
    warnings = [record.getMessage() for record in caplog.records if record.levelname == "WARNING"]
    assert warnings == [f"logger=lines of plugin 'lines' (lines 0.3): {said}"]
    assert (tmp_path / "metrics.csv").read_text().endswith("2,0.5\n")


@pytest.mark.parametrize(
    ("constructor", "said"),
    [
        ("1 / 0", "could not be made: ZeroDivisionError: division by zero"),
        ("import module_that_is_not_there", "cannot be imported .*: install what lines needs, or leave it out of logger="),
    ],
)
def test_a_logger_that_cannot_be_made_ends_the_run_and_closes_the_others(installed, tmp_path, monkeypatch, constructor, said):
    installed(constructor=constructor)
    closed = []
    monkeypatch.setattr("recframe.tracking.metrics_csv.CsvMetricsLogger.finalize", lambda _, status: closed.append(status))
    with pytest.raises(LoggerError, match=rf"logger=lines of plugin 'lines' \(lines 0.3\):? {said}"):
        RunLoggers({"csv": {}, "lines": {}}, RunDescription(tmp_path, "a run"))
    assert closed == ["failed"]


def test_an_error_of_an_essential_logger_ends_the_run(tmp_path, monkeypatch):
    def full(*_):
        raise OSError("the disk is full")

    monkeypatch.setattr("recframe.tracking.metrics_csv.CsvMetricsLogger.log_metrics", full)
    with pytest.raises(OSError, match="the disk is full"):
        logged(tmp_path, {"csv": {}})


def test_what_is_no_logger_is_refused(installed, tmp_path, monkeypatch):
    installed()
    monkeypatch.setattr("lines_logger.Lines", lambda *_: 3, raising=True)
    with pytest.raises(LoggerError, match=r"lines_logger:Lines returned 3; a pytorch_lightning.loggers.Logger is right"):
        RunLoggers({"lines": {}}, RunDescription(tmp_path, "a run"))


def test_a_built_in_logger_keeps_its_name(installed):
    found = installed(name="csv")
    (failure,) = found.failures
    assert failure.claim == ("logger", "csv")
    assert "logger 'csv' is claimed by recframe" in failure.cause
    assert "lines 0.3 (plugin 'lines')" in failure.cause
    assert found.logger("csv").distribution == "recframe"


def test_the_options_of_a_plugins_logger_are_checked_like_others(plugin_site, monkeypatch):
    plugin_site.install("lines", PLUGIN.format(name="lines"))
    found = discover(discovery.entry_points(group="recframe"))
    for module in ("config.checks.sections", "config.schema.declared", "config.schema.store", "config.checks.validate"):
        monkeypatch.setattr(f"recframe.{module}.registry", lambda: found)
    assert compose_config(["logger=[csv,lines]", "logger.lines.prefix='* '"]).logger.lines.prefix == "* "
    (problem,) = find_mistakes(["logger=[lines]", "logger.lines.width=0"])
    assert "logger.lines.width: 0 is not allowed; it must be >= 1" in problem
    (problem,) = find_mistakes(["logger=[lins]"])
    assert "lines" in problem


@pytest.mark.parametrize(
    ("given", "said"),
    [
        ({"name": "My Logger"}, "a name is a lower-case Python identifier"),
        ({"config": int}, "config must be a dataclass type"),
        ({"factory": "nowhere"}, "factory must read 'package.module:Class'"),
    ],
)
def test_a_wrong_declaration_is_refused(given, said):
    with pytest.raises(ComponentError, match=said):
        LoggerComponent(**{"name": "mine", "config": CsvLoggerConfig, "factory": "mine:Mine", **given})
