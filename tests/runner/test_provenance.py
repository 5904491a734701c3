"""A run knows which distributions its components and hooks came from, and says what is missing or has changed."""

import json
import logging
import shutil

import pytest

from recframe.tracking import provenance

HOOK = """
    @hookimpl
    def recframe_run_started(cfg, run):
        pass
"""


@pytest.mark.slow
def test_a_run_records_the_origin_of_its_components_and_says_what_is_missing_or_changed(with_mood, plugin_site, tmp_path):
    recframe = with_mood(hooks=HOOK)
    recframe("train", "hydra.run.dir=run", check=True)
    recorded = json.loads((tmp_path / "run" / "plugins.json").read_text())
    origin = {"plugin": "mood", "distribution": "mood", "version": "0.3"}
    assert recorded["components"]["reward.mood"] == {"name": "mood", **origin}
    assert recorded["components"]["agent"]["distribution"] == "recframe"
    assert recorded["hooks"] == {"recframe_run_started": [origin]}
    assert json.loads((tmp_path / "run" / "result.json").read_text())["plugins"] == recorded

    # upgraded
    (plugin_site.folder / "mood-0.3.dist-info" / "METADATA").write_text("Metadata-Version: 2.1\nName: mood\nVersion: 0.4\n")
    again = recframe("evaluate", "run", check=True)
    told = "the run was made with plugin 'mood' of mood 0.3, which is version 0.4 now: its numbers may change"
    assert told in again.stdout + again.stderr
    # uninstalled
    shutil.rmtree(plugin_site.folder / "mood-0.3.dist-info")
    refused = recframe("evaluate", "run")
    assert refused.returncode == 2
    assert "no reward is called 'mood'" in refused.stderr
    assert "There are" not in refused.stderr
    gone = "It came from plugin 'mood' of mood 0.3, which is not installed"
    assert refused.stderr.count(gone) == 1
    assert gone in recframe("train").stderr


@pytest.mark.parametrize("content", [None, "", "[1]", '{"components": {"agent": 3}}', "{"])
def test_runs_without_a_readable_record_are_as_before(tmp_path, caplog, content):
    if content is not None:
        (tmp_path / "plugins.json").write_text(content)
    with caplog.at_level(logging.WARNING):
        provenance.report_changes(tmp_path)
    assert caplog.text == ""
    assert provenance.missing_plugin(tmp_path, "agent") == ""
