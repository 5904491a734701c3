"""The page: what is on it, that texts are inert, and that its charts are valid Vega-Lite."""

import json
import re
import shutil
from html.parser import HTMLParser

import altair as alt
import pytest
from hydra.core.hydra_config import HydraConfig

from recframe.cli.hydra_app import run_app
from recframe.cli.train import _options
from recframe.config import TRAIN
from recframe.reports import find_runs, write_page
from recframe.reports.page.charts.results import pairwise
from recframe.reports.page.figures import Figures
from recframe.reports.page.material import material_of
from recframe.reports.page.sections.results import drawn_styles
from recframe.reports.page.write import runs_page
from recframe.tracking import RunFolder
from recframe.tracking.failure import write_failure

SCRIPT = "<script>document.title = 'attacked'</script>"


class Elements(HTMLParser):
    """The page's elements, and the text outside scripts and styles."""

    def __init__(self, text):
        super().__init__()
        self.tags, self.text, self.data, self._in = [], "", {}, None
        self.feed(text)

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))
        self._in = dict(attrs).get("id", tag) if tag in ("script", "style") else None

    def handle_endtag(self, tag):
        if tag in ("script", "style"):
            self._in = None

    def handle_data(self, data):
        if self._in is None:
            self.text += data
        else:
            self.data[self._in] = data


def charts_of(page):
    return json.loads(Elements(page).data["charts"])


@pytest.fixture(scope="module")
def page(sweep_folder):
    return runs_page(find_runs(sweep_folder))


def test_the_page_has_a_section_for_every_question(page):
    sections = re.findall(r'<section id="(\w+)"', page)
    assert sections == [
        *("varied", "results", "comparisons", "curves", "tradeoffs", "settings", "rewards", "cost", "recommendations", "runs", "provenance")
    ]


def test_the_page_is_one_small_file_that_asks_for_nothing(page):
    assert len(page) < 5 * 2**20
    elements = Elements(page)
    policy = next(attrs["content"] for tag, attrs in elements.tags if attrs.get("http-equiv") == "Content-Security-Policy")
    assert "default-src 'none'" in policy
    linked = [attrs for tag, attrs in elements.tags if "src" in attrs or (tag == "link") or not attrs.get("href", "#").startswith("#")]
    assert linked == []


def test_policies_are_called_by_what_was_chosen_and_the_best_comes_first(page):
    text = Elements(page).text
    for name in ("dqn, tfidf", "dqn, id", "ppo, tfidf", "ppo, id"):
        assert name in text
    assert re.search(r"The best trained policy by return: ppo, (id|tfidf)\. The best reference, apart from the oracle: popular", text)


def test_each_run_has_the_command_that_repeats_it(page):
    commands = re.findall(r"<code>(OMP_NUM_THREADS=1 recframe train [^<]*)</code>", page)
    assert len(commands) == 12
    assert commands[0] == "OMP_NUM_THREADS=1 recframe train agent=dqn encoder=tfidf agent.gamma=0.9 seed=0"


def test_a_command_is_quoted_for_the_shell_and_names_the_seed(make_run, tmp_path):
    folder = make_run("0", 3, 1.0, ["reward=[click,diversity]", "name=it's mine"])
    (folder / "overrides.yaml").write_text("['reward=[click,diversity]', \"name=it's mine\"]")
    (text,) = re.findall(r"<code>(recframe train [^<]*)</code>", runs_page(find_runs(tmp_path)))
    assert text == "recframe train &#x27;reward=[click,diversity]&#x27; &#x27;name=it&#x27;&quot;&#x27;&quot;&#x27;s mine&#x27; seed=3"


def test_the_command_of_a_run_has_the_folder_of_configs_and_the_primary_config(make_run, tmp_path, monkeypatch):
    configs = tmp_path / "my configs"
    configs.mkdir()
    (configs / "mine.yaml").write_text("defaults: [config, _self_]\nname: x\n")
    monkeypatch.chdir(tmp_path)
    recorded: list[list[str]] = []
    arguments = ["--config-dir", "my configs", "--config-name", "mine", "encoder=tfidf", "logger=[]", "hydra.run.dir=run"]
    run_app(TRAIN, arguments, lambda cfg: recorded.append(_options(HydraConfig.get())) or 0.0, lambda groups: None)
    assert recorded == [["--config-dir", str(configs), "--config-name", "mine"]]
    run_app(TRAIN, arguments[4:], lambda cfg: recorded.append(_options(HydraConfig.get())) or 0.0, lambda groups: None)
    assert recorded[1] == []
    with RunFolder.open(make_run("0", 3, 1.0)) as folder:
        folder.write_launch(None, recorded[0])
    (text,) = re.findall(r"<code>(recframe train [^<]*)</code>", runs_page(find_runs(tmp_path / "0")))
    assert text == f"recframe train --config-dir &#x27;{configs}&#x27; --config-name mine seed=3"


@pytest.mark.parametrize("count", [1, 12])
def test_every_chart_is_valid_vega_lite_with_the_fields_that_it_draws(sweep_folder, count):
    page = runs_page(find_runs(sweep_folder if count > 1 else sweep_folder / "0"))
    charts = charts_of(page)
    assert len(charts) == {1: 6, 12: 11}[count]
    for chart in charts:
        alt.Chart.from_dict(chart["spec"], validate=True)
        fields = set(re.findall(r'"field": "(\w+)"', json.dumps(chart["spec"]))) | set(
            re.findall(r"datum\.(\w+)", json.dumps(chart["spec"]))
        )
        assert fields - set(chart["columns"]) == set()


def test_charts_draw_what_was_measured(sweep_folder):
    material = material_of(find_runs(sweep_folder))
    figures = Figures(drawn_styles(material))
    assert len({(one.colour, one.dash, one.shape) for one in figures.drawn.values()}) == len(figures.drawn)
    best = material.trained[0]
    results = sorted(best.means["return"].values())
    assert best.center("return") == pytest.approx(sum(results) / 3)
    interval = best.intervals["return"]
    assert interval.low < interval.mean < interval.high
    assert {name: len(curves) for name, curves in material.curves.items()} == dict.fromkeys([one.name for one in material.trained], 3)


def test_an_agent_that_is_called_like_a_reference_is_told_apart_from_it(make_run, tmp_path):
    for seed in range(2):
        for agent, mean in (("random", 1.0 + seed), ("dqn", 3.0 + seed)):
            make_run(
                f"{agent}{seed}",
                seed,
                mean,
                [f"agent={agent}"],
                {"agent.name": agent},
                {
                    name: {"return": {"mean": value, "low": 0.0, "high": 9.0, "n": 4}}
                    for name, value in (("trained", mean), ("random", 0.5))
                },
            )
    material = material_of(find_runs(tmp_path))
    assert [policy.name for policy in material.policies] == ["dqn", "random", "random (reference)"]
    pairs = [(cell["ours"], cell["theirs"]) for cell in pairwise(material).rows]
    assert len(set(pairs)) == len(pairs) == 6


def test_texts_from_data_names_and_errors_are_inert(sweep_folder, tmp_path, make_run):
    shutil.copytree(sweep_folder / "0", tmp_path / "0" / f"{SCRIPT.replace('/', '')}")
    (tmp_path / "0" / f"{SCRIPT.replace('/', '')}" / "report.md").write_text(
        f"## What the trained policy recommends\n\n- user {SCRIPT}, turn 1, after {SCRIPT}: **{SCRIPT}; </script>** (reward 1)\n"
    )
    make_run("1", 0, 2.0, [f"agent={SCRIPT}", f"name={SCRIPT}"], {"agent.name": SCRIPT, "name": SCRIPT})
    write_failure(make_run("2", 0, None, [f"agent={SCRIPT}2"]), SCRIPT, {})
    path = tmp_path / "1" / "result.json"
    result = json.loads(path.read_text())
    result["versions"][SCRIPT], result["caveats"] = SCRIPT, [SCRIPT]
    result["policies"][SCRIPT] = result["policies"]["random"]
    path.write_text(json.dumps(result))
    page = runs_page(find_runs(tmp_path))
    elements = Elements(page)
    assert SCRIPT.lower() not in page.lower()
    assert [attrs.get("id") for tag, attrs in elements.tags if tag == "script"] == ["charts", "vega", None]
    assert elements.text.count(SCRIPT) > 8
    assert SCRIPT in json.dumps(charts_of(page))


def test_a_page_of_runs_without_any_result_says_what_became_of_them(make_run, tmp_path):
    (make_run("0", 0, None, ["agent=ppo"]) / "metrics.csv").write_text("env_steps,eval/return\n10,1.0\n20,2.0\n")
    page = runs_page(find_runs(tmp_path))
    assert re.findall(r'<section id="(\w+)"', page) == ["unfinished", "curves"]
    assert "1 run: 1 stopped." in page


def test_a_page_without_charts_has_no_script_to_draw_them(make_run, tmp_path):
    make_run("0", 0, None)
    page = runs_page(find_runs(tmp_path))
    assert Elements(page).data.get("vega", "") == ""
    assert len(page) < 30_000


def test_what_differs_between_runs_is_marked(sweep_folder, tmp_path):
    for name in ("0", "1"):
        shutil.copytree(sweep_folder / name, tmp_path / name)
    path = tmp_path / "1" / "result.json"
    path.write_text(json.dumps(json.loads(path.read_text()) | {"versions": {"torch": "1.0"}}))
    page = runs_page(find_runs(tmp_path))
    assert re.search(r'<td>torch</td><td><span class="bad">[^<]*\(1 run\); 1.0 \(1 run\)</span>', page)


def test_the_page_is_in_the_folder_of_the_runs(make_run, tmp_path, monkeypatch):
    make_run("a/0", 0, 1.0)
    make_run("b/0", 0, 1.0)
    assert write_page(tmp_path / "a") == tmp_path / "a" / "report.html"
    monkeypatch.chdir(tmp_path)
    assert write_page(["a", "b"]).resolve() == tmp_path / "report.html"
    assert write_page("a", tmp_path / "other.html").name == "other.html"
    assert len(list(tmp_path.rglob("*.html"))) == 3


def test_what_runs_have_learned_from_is_counted_in_the_steps_that_they_took(make_run, tmp_path):
    folder = make_run("0", 0, 1.0, batches=300)
    assert "1,000 env steps and 300 batches of a log in 2 s" in Elements(runs_page(find_runs(tmp_path))).text
    result = json.loads((folder / "result.json").read_text())
    (folder / "result.json").write_text(json.dumps(result | {"env_steps": 0}))
    assert "together: 300 batches of a log in 2 s" in Elements(runs_page(find_runs(tmp_path))).text


def test_rankings_are_drawn_against_their_coverage_too(make_run, tmp_path):
    def statistics(mean):
        return {name: {"mean": mean, "low": 0.0, "high": 1.0, "n": 9} for name in ("ndcg@10", "coverage@10", "gini@10")}

    for seed, mean in enumerate((0.2, 0.3)):
        make_run(str(seed), seed, mean, policies={"trained": statistics(mean), "popular": statistics(0.1)})
    page = runs_page(find_runs(tmp_path))
    assert re.search(r'against <select[^>]*><option value="coverage@10">.*?<option value="gini@10">Gini@10 \(lower is better\)', page)


def test_notes_are_counted_and_what_does_not_fit_is_said(make_run, tmp_path):
    make_run("0", 0, 1.0, caveats=[f"caveat {number}" for number in range(7)])
    make_run("1", 1, 2.0, caveats=["caveat 0"])
    text = Elements(runs_page(find_runs(tmp_path))).text
    assert "Note (2 of 2 runs): caveat 0" in text
    assert "Note (1 of 2 runs): caveat 4" in text
    assert "caveat 5" not in text
    assert "and 2 more, which recframe report prints" in text
    shutil.rmtree(tmp_path / "0")
    assert " more, which" not in Elements(runs_page(find_runs(tmp_path))).text
