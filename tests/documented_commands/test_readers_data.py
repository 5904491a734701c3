"""The documented runs on the reader's data: the settings compose, files of the kind are read, and what nothing else tries is tried."""

from __future__ import annotations

import re

from hydra import compose
from omegaconf import DictConfig

from recframe.building.parts import assemble
from recframe.config import TRAIN, find_start_problems, validate
from recframe.config.compose.initialize import initialized
from recframe.config.compose.overrides import without_nulls
from recframe.trial import try_components
from tests.documented_commands.places import with_data, write_own_settings
from tests.documented_commands.preparation import prepared
from tests.documented_commands.training import plain
from tests.test_docs import runs_of
from tests.test_docs_commands import HEAVY, training_commands

DECIDES = re.compile(r"(experiment|dataset|environment|stages|cold_items\.share|split\.by|logs\.click_column|embeddings\.shuffle)=")
"""What of a command decides what is read, and how."""
DATA = re.compile(r"dataset\.(path|test_path|items|interactions|url|missing|text_template)=")


def agent_of(words: list[str]) -> str | None:
    return next((word for word in words if word.startswith("agent=")), None)


def distinct_runs(places) -> list[list[str]]:
    """The first run of each command, or of each agent that nothing else tries, where the data or the agent is another one."""
    tried = {agent_of(words) for words in training_commands()}
    found: dict[tuple[str, ...], list[str]] = {}
    for command in plain():
        words = with_data(command.settings, places / "data")
        for run in runs_of(words) if "-m" in command.words else [words]:
            decides = {word for word in run if DECIDES.match(word) or DATA.match(word)}
            found.setdefault(tuple(sorted({*decides, *({agent_of(run)} - tried - {None})})), run)
    return list(found.values())


def composed(words: list[str], light: DictConfig) -> DictConfig:
    """A run's config, which reads in less time."""
    own = [word for word in words if not word.startswith(("hydra.", "init="))]
    # the store has just been written to, and what came in the last seconds is not read
    own += ["dataset.until=2100-01-01"] if "dataset=feedback" in own else []
    cfg = validate(compose(TRAIN.config_name, overrides=without_nulls(own)))
    for key in ("encoder", "world_encoder"):
        if cfg[key] is not None and cfg[key].name in HEAVY:
            cfg[key] = light
    return cfg


def test_runs_on_the_readers_data_begin(places, here):
    write_own_settings(here)
    tried = {agent_of(words) for words in training_commands()}
    runs = distinct_runs(places)
    assert len(runs) > 20
    with initialized(), prepared(["feedback"], places):
        light = compose(TRAIN.config_name, overrides=["encoder=tfidf"]).encoder
        for words in runs:
            cfg = composed(words, light)
            assert find_start_problems(cfg) == [], words
            parts = assemble(cfg)
            assert len(parts.data.catalog.ids) >= 3, words
            if agent_of(words) not in tried:
                try_components(cfg)
