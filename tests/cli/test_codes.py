"""`recframe codes`: a table of measures, examples, and every mistake at once."""

from __future__ import annotations

import re
import shlex
from collections.abc import Iterator
from pathlib import Path

import pytest
from typer.testing import CliRunner

from recframe.cli.main import app
from recframe.components import Kind
from recframe.config import find_mistakes
from recframe.config.compose.codes import codes_configs, split_codes
from recframe.item_codes import make as making
from recframe.plugin_loader import registry

PROJECT = Path(__file__).resolve().parents[2]

WORLD = ["dataset.num_items=60", "encoder=tfidf"]


@pytest.fixture
def run(tmp_path: Path):
    """Run `recframe codes` with a cache of its own."""
    return lambda *words: CliRunner().invoke(app, ["codes", *WORLD, f"embeddings.cache={tmp_path / 'cache'}", *words])


def test_kinds_are_compared_in_a_table_and_shown_by_items_that_share_codes(run) -> None:
    result = run("codes.kind=residual_kmeans,ids,titles", "codes.size=8")
    assert result.exit_code == 0, result.output
    lines = result.stdout.splitlines()
    assert lines[0].split() == ["residual_kmeans", "ids", "titles"]
    cells = {re.split(r"\s{2,}", line.strip())[0]: re.split(r"\s{2,}", line.strip())[1:] for line in lines}
    assert cells["items"] == ["60"] * 3
    assert cells["codes of an item"][:2] == ["3 + 1", "3"]
    # three digits to the base 8 are enough for 60 items and 60 new ones
    assert cells["codes of each level"][:2] == ["8 8 8", "8 8 8"]
    assert cells["used"][1] == "8 8 8"
    assert cells["items whose codes collide"][1:] == ["0.0 %", "0.0 %"]
    assert len(cells["variance explained"]) == 1
    assert len(cells["nearest item has the same first code"]) == len(cells["the same by chance"]) == 3
    for kind in ("residual_kmeans", "ids", "titles"):
        assert f"{kind}: codes begin with" in result.stdout
    assert ";" in result.stdout.split("titles: codes begin with")[1]


def test_kinds_with_unlike_numbers_of_levels_are_in_one_table(run) -> None:
    result = run("codes.kind=ids,residual_kmeans", "codes.size=64")
    assert result.exit_code == 0, result.output
    assert "the same first 3 codes" in result.stdout
    again = run("codes.kind=residual_kmeans,ids", "codes.size=64")
    assert again.exit_code == 0, again.output


def test_codes_come_from_the_cache_the_second_time(run, monkeypatch: pytest.MonkeyPatch) -> None:
    fits = []
    fit = making.fit_codebooks
    monkeypatch.setattr(making, "fit_codebooks", lambda *args: fits.append(args) or fit(*args))
    shown = [run("codes.size=8", setting) for setting in ("reuse=true", "reuse=true", "reuse=false")]
    assert [one.exit_code for one in shown] == [0, 0, 0]
    assert len(fits) == 2
    same = {"\n".join(line for line in one.stdout.splitlines() if not line.startswith("seconds")) for one in shown}
    assert len(same) == 1


def test_all_mistakes_are_said_at_once_in_one_line_each(run) -> None:
    result = run("dataset.num_itms=3", "codes.kind=words,ids", "codes.levles=3", "codes.levels=0", "codes.size")
    assert result.exit_code == 2
    lines = result.stderr.splitlines()
    assert lines[0] == "recframe: 5 mistakes"
    assert any("dataset.num_itms" in line and "num_items" in line for line in lines)
    assert any("codes.levles: there is no such setting" in line and "levels" in line for line in lines)
    assert any("codes.size: a setting is codes.KEY=VALUE" in line for line in lines)
    assert any("codes.kind: 'words' is not allowed" in line for line in lines)
    assert any("codes.levels: 0 is not allowed" in line for line in lines)


def commands_of_the_guide() -> Iterator[list[str]]:
    """The commands that need nothing of the reader's, and no agent that is not installed."""
    for line in re.findall(r"^    recframe codes (.+[^\\])$", (PROJECT / "docs" / "guide" / "codes.md").read_text(), re.MULTILINE):
        words = shlex.split(line)
        agents = [word.partition("=")[2] for word in words if word.startswith("agent=")]
        if all(agent in registry().names(Kind.AGENT) for agent in agents):
            yield words


def test_the_commands_of_the_guide_have_no_mistakes() -> None:
    commands = list(commands_of_the_guide())
    assert len(commands) >= 2
    for words in commands:
        of_codes, of_run = split_codes(words)
        assert find_mistakes(of_run) == []
        assert codes_configs(of_codes, {})


@pytest.mark.parametrize(
    ("words", "message"),
    [
        (["codes.kind=words"], "codes.kind: 'words' is not allowed; it must be one of residual_kmeans, rq_vae, ids, titles"),
        (["codes.size=many"], "codes.size: Value 'many' of type 'str' could not be converted to Integer"),
        (["codes.kind=ids", "codes.levels=2"], "codes.levels is for codes.kind=residual_kmeans and rq_vae, not for ids; leave it out"),
        (["codes.rq_vae.steps=3"], "codes.rq_vae.steps is for codes.kind=rq_vae, not for residual_kmeans; leave it out"),
        (
            ["encoder=id"],
            "codes.kind=residual_kmeans needs items' text vectors, and the encoder of this run gives none; use codes.kind=ids, or "
            "an encoder that reads texts",
        ),
    ],
)
def test_a_mistake_is_one_line(run, words: list[str], message: str) -> None:
    result = run(*words)
    assert result.exit_code == 2
    said = [line for line in result.stderr.splitlines() if line.startswith("recframe:")]
    assert said == [f"recframe: {message}"]
