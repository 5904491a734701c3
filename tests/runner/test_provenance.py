"""A run knows which distributions its components and hooks came from, and says what is missing or has changed."""

import json
import logging
import shutil

import pytest

from recframe.tracking import provenance

QUICK = ["debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent=random", "evaluation.references=false", "logger=[csv]"]
PLUGIN = """
    from dataclasses import dataclass
    from recframe.components import Component
    from recframe.hookspecs import hookimpl

    @dataclass
    class MoodConfig:
        '''The mood of the day.'''

    @hookimpl
    def recframe_register_components(register):
        register(Component("reward", "mood", MoodConfig, "mood_reward:Mood"))

    @hookimpl
    def recframe_run_started(cfg, run):
        pass
"""
REWARD = """
    from recframe.interfaces import Reward

    class Mood(Reward):
        def __init__(self, config):
            pass

        def __call__(self, transition, catalog):
            return transition.item_reward + 1.0
"""


@pytest.mark.slow
def test_a_run_records_the_origin_of_its_components_and_says_what_is_missing_or_changed(warm_recframe, plugin_site, tmp_path):
    site = plugin_site.folder
    plugin_site.install("mood", PLUGIN, version="0.3", files={"mood_reward.py": REWARD})
    warm_recframe("train", *QUICK, "reward=[click,mood]", "hydra.run.dir=run", site=site, check=True)
    recorded = json.loads((tmp_path / "run" / "plugins.json").read_text())
    origin = {"plugin": "mood", "distribution": "mood", "version": "0.3"}
    assert recorded["components"]["reward.mood"] == {"name": "mood", **origin}
    assert recorded["components"]["agent"]["distribution"] == "recframe"
    assert recorded["hooks"] == {"recframe_run_started": [origin]}
    assert json.loads((tmp_path / "run" / "result.json").read_text())["plugins"] == recorded

    # upgraded
    (site / "mood-0.3.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mood\nVersion: 0.4\n")
    again = warm_recframe("evaluate", "run", site=site, check=True)
    told = "the run was made with plugin 'mood' of mood 0.3, which is version 0.4 now: its numbers may change"
    assert told in again.stdout + again.stderr
    # uninstalled
    shutil.rmtree(site / "mood-0.3.dist-info")
    refused = warm_recframe("evaluate", "run", site=site)
    assert refused.returncode == 2
    assert "no reward is called 'mood'" in refused.stderr
    assert "The run had it from plugin 'mood' of mood 0.3, which is not installed" in refused.stderr


@pytest.mark.parametrize("content", [None, "", "[1]", '{"components": {"agent": 3}}', "{"])
def test_runs_without_a_readable_record_are_as_before(tmp_path, caplog, content):
    if content is not None:
        (tmp_path / "plugins.json").write_text(content)
    with caplog.at_level(logging.WARNING):
        provenance.report_changes(tmp_path)
    assert caplog.text == ""
    assert provenance.missing_plugin(tmp_path, "agent") == ""
