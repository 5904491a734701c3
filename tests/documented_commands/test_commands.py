"""The documented commands besides those that train are run on small folders with what they name, and say what they promise."""

from __future__ import annotations

import re
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recframe.cli.main import app
from tests.documented_commands.collected import Documented, others
from tests.documented_commands.not_run import reason
from tests.documented_commands.preparation import prepared

PROMISES = {
    "plugins": r"topic_world",
    "plugins show": r"boredom_weight",
    "plugins new": r"recframe plugins check \.",
    "data list": r"ml-1m .*MovieLens",
    "data describe": r"interactions[\s\S]*\.html: the same with plots",
    "codes": r"items whose codes collide",
    "codes dataset.num_items=200": r"items +200[\s\S]*codes begin with",
    "bench list": r"smoke",
    "evaluate": r"trained [\s\S]*95 % intervals over people",
    "report": r"trained",
    "report multirun/... --watch": r"page with charts: multirun/a/report.html",
    "runs": r"objective",
    "compare": r"agent.gamma +0.0 +0.9[\s\S]*A - B is paired",
    "clean": r"would remove [\s\S]*remove them with --yes",
    "wandb-sync": r"^$",
    "export": r"policy: version \w+, 40 items",
    "recommend": r"1  item-\d+ ",
    "recommend policy --questions": r"",
    "push": r"hf://reader/films: version \w+, revision \w+, 40 items",
    "pull": r"there: version \w+, revision \w+, 40 items",
    "feedback export": r"log.parquet: 160 shown items",
}
"""What each command says, by its first words; the longest that fit."""


def id_of(command: Documented) -> str:
    return command.line[:100]


@pytest.mark.parametrize("command", [one for one in others() if reason(one.words) is None], ids=id_of)
def test_a_command_does_what_it_promises(command, places, here):
    with prepared(command.words, places) as words:
        done = CliRunner().invoke(app, words)
    assert done.exit_code == 0, (words, done.output, done.exception)
    promise = max((start for start in PROMISES if command.line.startswith(start)), key=len)
    assert re.search(PROMISES[promise], done.output, re.MULTILINE), done.output
    for option in ("--html", "--csv", "--parquet", "--answers"):
        if option in words:
            assert Path(words[words.index(option) + 1]).stat().st_size > 0
