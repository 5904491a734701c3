"""What the pages on kinds of components, the recipes and the tutorial show is run: components, scripts, presets, a wheel."""

import re
import subprocess
import sys
import zipfile
from itertools import pairwise
from pathlib import Path
from types import SimpleNamespace

import pytest
import yaml

import recframe
from recframe.components import Kind

DOCS = Path(__file__).resolve().parents[1] / "docs"
NAMES = {
    Kind.DATASET: "songs",
    Kind.ENCODER: "trigrams",
    Kind.STATE_TRACKER: "fading",
    Kind.AGENT: "regression",
    Kind.ENVIRONMENT: "moods",
    Kind.REWARD: "top_click",
}


def blocks(page: str, language: str = "python") -> list[str]:
    return re.findall(rf"```{language}\n(.*?)```", (DOCS / page).read_text(), re.DOTALL)


def whole_component(kind: Kind) -> tuple[str, str]:
    """The module of a kind's page, and the test that stands below it."""
    module, test = blocks(f"kinds/{kind.value}.md")
    assert module.startswith(f"# my_{kind.value}.py: ")
    assert test.startswith(f"# test_my_{kind.value}.py\n")
    return module, test


@pytest.mark.parametrize("kind", Kind)
def test_the_component_on_the_page_of_a_kind_passes_the_test_on_the_page(kind, tmp_path, monkeypatch):
    module, test = whole_component(kind)
    (tmp_path / f"my_{kind.value}.py").write_text(module)
    monkeypatch.syspath_prepend(tmp_path)
    namespace: dict = {}
    exec(test, namespace)
    assert namespace["COMPONENT"].kind is kind
    namespace[f"test_{NAMES[kind]}_conforms"]()
    del sys.modules[f"my_{kind.value}"]


@pytest.mark.parametrize("page", ["../README.md", "guide/experiments.md"])
def test_the_run_from_python_on_the_page_composes(page, monkeypatch, capsys):
    def composed(overrides, folder=None):
        return SimpleNamespace(metrics=list(recframe.compose(overrides)))

    monkeypatch.setattr(recframe, "run", composed, raising=False)
    (code,) = [block for block in blocks(page) if "recframe.run(" in block]
    exec(code, {})
    assert "'agent'" in capsys.readouterr().out


@pytest.mark.slow
def test_the_six_components_of_the_pages_and_the_metric_of_the_recipe_make_a_run(warm_recframe, plugin_site, tmp_path):
    imports = "\n".join(f"from my_{kind.value} import COMPONENT as {kind.value}" for kind in Kind)
    source = f"""from recframe.hookspecs import hookimpl
{imports}

@hookimpl
def recframe_register_components(register):
    for component in ({", ".join(kind.value for kind in Kind)}):
        register(component)
"""
    plugin_site.install("pages", source, files={f"my_{kind.value}.py": whole_component(kind)[0] for kind in Kind})
    (metric,) = blocks("recipes/metric.md")
    plugin_site.install("recframe_weights", metric)
    choices = [f"{kind.value}={name}" for kind, name in NAMES.items() if kind is not Kind.REWARD]
    quick = ["debug=smoke", "trainer.env_steps=1024", "trainer.evaluate_every=512", "logger=[csv]", "hydra.run.dir=run"]
    warm_recframe("train", *choices, "reward=[top_click]", *quick, site=plugin_site.folder, check=True)
    heading, *rows = [line.split(",") for line in (tmp_path / "run" / "metrics.csv").read_text().splitlines()]
    values = [row[heading.index("weights/norm")] for row in rows]
    assert len([value for value in values if value and float(value) > 0]) == 2


def test_the_ranker_of_the_recipe_finds_a_pattern_that_popularity_does_not(tmp_path, monkeypatch, capsys):
    lines = ["user,item,timestamp,rating"]
    # everybody goes round in the same circle, each from another place
    lines += [f"user-{user},item-{(7 * user + step) % 30},{1_000 + step},{1 + step % 5}" for user in range(40) for step in range(8)]
    lines.append("user-0,a-cold-item,2000,5")
    (tmp_path / "ratings.csv").write_text("\n".join(lines))
    monkeypatch.chdir(tmp_path)
    namespace: dict = {}
    exec(blocks("recipes/own_ranker.md")[0], namespace)
    measured = namespace["evaluation"].policies
    assert measured["mine"]["ndcg@10"]["mean"] > measured["popular"]["ndcg@10"]["mean"] + 0.5
    assert "mine {'mean': " in capsys.readouterr().out
    # the guide's call is of the same objects
    namespace["policy"] = namespace["rankers"]["mine"]
    exec(blocks("guide/evaluation_on_logs.md")[0], namespace)
    assert namespace["evaluation"].policies["mine"]["ndcg@10"] == measured["mine"]["ndcg@10"]


def test_another_librarys_agent_learns_in_a_simulator_as_the_guide_shows(tmp_path, monkeypatch):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "cache"))
    (code,) = blocks("guide/gymnasium.md")
    # as printed, but for the length of training, and texts that are read in less time
    sizes = {
        "StableBaselinesVecEnv(users))": "StableBaselinesVecEnv(users), n_steps=2, n_epochs=1)",
        "100_000": "128",
        '["reward=[dwell]"]': '["reward=[dwell]", "encoder=tfidf"]',
    }
    for printed, small in sizes.items():
        assert printed in code
        code = code.replace(printed, small)
    namespace: dict = {}
    exec(code, namespace)
    assert namespace["one"].reset()[0]


def test_the_simulator_of_the_recipe_is_stepped(tmp_path, monkeypatch, capsys):
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path / "cache"))
    exec(blocks("recipes/other_library.md")[0], {})
    assert capsys.readouterr().out == "(4,)\n"


@pytest.mark.parametrize(
    ("page", "file", "words"),
    [
        ("recipes/preset.md", "conf/agent/patient_dqn.yaml", ["agent=patient_dqn"]),
        ("tutorial/experiment.md", "conf/experiment/mine.yaml", ["experiment=mine"]),
    ],
)
def test_the_files_of_the_pages_compose(page, file, words, tmp_path, monkeypatch):
    from recframe.config import compose_config, find_mistakes

    (text,) = blocks(page, "yaml")
    assert f"`{file}`" in (DOCS / page).read_text()
    (tmp_path / file).parent.mkdir(parents=True)
    (tmp_path / file).write_text(text)
    monkeypatch.chdir(tmp_path)
    assert find_mistakes(words) == []
    assert compose_config(words).agent.gamma == yaml.safe_load(text).get("gamma", 0.9)


@pytest.mark.slow
def test_the_wheel_of_the_tutorial_has_its_entry_point_its_modules_and_its_experiment(tmp_path):
    project, *_ = blocks("tutorial/reward.md", "toml")
    package_data, *_ = blocks("tutorial/publishing.md", "toml")
    (hook,) = blocks("tutorial/publishing.md")
    plugin = next(block for block in blocks("tutorial/reward.md") if "plugin.py" in block.partition("\n")[0])
    (experiment,) = blocks("tutorial/publishing.md", "yaml")
    files = {
        "pyproject.toml": project + package_data,
        "recframe_patience/__init__.py": "",
        "recframe_patience/plugin.py": f"from pathlib import Path\n{plugin}\n\n{hook}",
        "recframe_patience/conf/experiment/patience.yaml": experiment,
    }
    for name, text in files.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(text)
    command = [sys.executable, "-m", "pip", "wheel", "--quiet", "--no-deps", "--no-build-isolation", "--wheel-dir", "dist", "."]
    subprocess.run(command, check=True, capture_output=True, cwd=tmp_path)
    (wheel,) = (tmp_path / "dist").glob("*.whl")
    archive = zipfile.ZipFile(wheel)
    assert {name for name in files if name != "pyproject.toml"} <= set(archive.namelist())
    (entry_points,) = (name for name in archive.namelist() if name.endswith("entry_points.txt"))
    assert archive.read(entry_points).decode().split() == ["[recframe]", "patience", "=", "recframe_patience.plugin"]


def test_the_pages_of_the_tutorial_lead_from_one_to_the_next():
    pages = re.findall(r"\]\((\w+\.md)\)", (DOCS / "tutorial" / "index.md").read_text())
    for page, following in pairwise(pages):
        assert f"]({following})." in (DOCS / "tutorial" / page).read_text().rpartition("Next: ")[2], page
    assert sorted([*pages, "index.md"]) == sorted(path.name for path in (DOCS / "tutorial").glob("*.md"))
