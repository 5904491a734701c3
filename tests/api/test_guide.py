"""The code of the guide of the Python API runs as printed, in order, in one session."""

import re

import pytest


@pytest.mark.slow
def test_the_code_of_the_guide_runs_as_printed(project_root, shared_cache, tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECFRAME_CACHE", str(shared_cache))
    guide = (project_root / "docs" / "guide" / "python_api.md").read_text()
    blocks = re.findall(r"^```python\n(.*?)^```$", guide, re.DOTALL | re.MULTILINE)
    assert len(blocks) == 7
    names: dict = {"__name__": "__main__"}
    shown = []
    for block in blocks:
        exec(block, names)
        shown.append(capsys.readouterr().out)
    assert "trained" in shown[0]
    assert [line.partition(":")[0] for line in shown[3].splitlines()] == ["agnet", "agent.gamma"]
    assert len(shown[-1].splitlines()) == 5
    assert "agent.alpha=0.25" in (tmp_path / "runs" / "linucb" / "overrides.yaml").read_text()
    assert "reward/habit" in names["bored"].metrics
    for name in ("metrics", "policies", "table", "caveats", "config", "folder"):
        assert f"`result.{name}" in guide
        assert hasattr(names["result"], name)
