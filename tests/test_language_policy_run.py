"""Runs of the language policy: from a log, stopped and resumed, exported and asked, and what is refused before anything is loaded."""

import csv
import json
import math
import signal
from dataclasses import replace

import numpy as np
import pytest
import torch
from typer.testing import CliRunner

import recframe
from recframe import runner
from recframe.building.parts import assemble
from recframe.components import contradictions
from recframe.config import ConfigError, compose_config, validate
from recframe.errors import Stop
from recframe.item_codes.config import CodesConfig
from recframe.runner.stages import stages_of
from recframe.serving.artefact.write import export
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from tests.test_resume import SABOTAGE, outcome

SIMULATED = ["stages=[simulated]", "environment=rating_matrix", "dataset=synthetic_ratings"]
PEOPLE, FILMS = 40, 30
QUICK = ["debug=smoke", "encoder=tfidf", "encoder.dim=16", "logger=[csv]", "trainer.progress_bar=false", "evaluation.k=[5]"]
AGENT = ["agent=language_policy", "agent.codes.size=4", "agent.codes.levels=2", "agent.batch_size=16", "agent.width=16", "agent.layers=1"]
DPO = ["agent.logged_learning=dpo", "state_tracker.id_embeddings=false"]


def write_log(folder, num_films):
    """A log in which everybody goes on from a film to one of the next two; nobody knows the films after the first `FILMS`."""
    folder.mkdir(exist_ok=True)
    generator = np.random.default_rng(0)
    films = [f"{film},Film {film} ({1950 + film}),{'Drama' if film % 2 else 'Comedy'}\n" for film in range(num_films)]
    (folder / "movies.csv").write_text("movieId,title,genres\n" + "".join(films))
    rows = ["userId,movieId,rating,timestamp"]
    for person in range(PEOPLE):
        film = int(generator.integers(FILMS))
        for _ in range(int(generator.integers(5, 9))):
            rows.append(f"{person},{film % FILMS},{1 + film % 5},{len(rows)}")
            film += int(generator.integers(1, 3))
    (folder / "ratings.csv").write_text("\n".join(rows) + "\n")
    return ["dataset=movielens_format", f"dataset.path={folder}"]


@pytest.fixture(scope="module")
def log(tmp_path_factory):
    return write_log(tmp_path_factory.mktemp("log"), FILMS)


def scores_among(policy, candidates):
    return {line.id: line.score for line in policy.recommend(history=["3", "4"], k=100, candidates=candidates, exclude=[])}


def composed(log, *overrides):
    return compose_config(["experiment=next_item", *log, *QUICK, *AGENT, *overrides])


@pytest.fixture(scope="module")
def finished(log, tmp_path_factory):
    """A run that learned preferences, whose reference is in its checkpoints."""
    folder = tmp_path_factory.mktemp("runs") / "run"
    return runner.run(composed(log, *DPO), folder), folder


def test_a_run_learns_from_a_log_and_is_measured_on_it(finished):
    result, folder = finished
    written = json.loads((folder / "result.json").read_text())
    assert result.policies["trained"]["ndcg@5"]["mean"] >= 0
    assert written["batches"] == 20
    header, *rows = (folder / "metrics.csv").read_text().splitlines()
    names = header.split(",")
    for name in (
        "agent/invalid",
        "agent/kl",
        "agent/entropy",
        "agent/code_use/level_1",
        "agent/tokens_per_second",
        "agent/length",
        "agent/codes/perplexity_1",
    ):
        assert any(row.split(",")[names.index(name)] for row in rows), name
    invalid = {row.split(",")[names.index("agent/invalid")] for row in rows} - {""}
    assert {float(value) for value in invalid} == {0.0}


def test_a_stopped_run_resumes_to_the_same_numbers(log, finished, tmp_path, monkeypatch):
    from recframe.training.checkpoints import RunCheckpoints

    save = RunCheckpoints.save

    def stop_after(self, trainer):
        save(self, trainer)
        raise Stop("stopped", 143)

    monkeypatch.setattr(RunCheckpoints, "save", stop_after)
    with pytest.raises(Stop):
        runner.run(composed(log, *DPO), tmp_path / "run")
    monkeypatch.undo()
    again, whole = runner.resume(tmp_path / "run"), finished[0]
    assert again.policies == whole.policies
    assert again.objective == whole.objective


BOTH_STAGES = [
    *["debug=smoke", "encoder=tfidf", "encoder.dim=16", "logger=[csv]", "dataset.num_items=40", "dataset.num_users=30", *AGENT],
    *["stages=[logged,simulated]", "logged.simulated_steps=1000", "logged.batches=5", "logged.evaluate_every=5", "agent.kl_weight=0.1"],
    *["trainer.env_steps=1536", "trainer.evaluate_every=512", "evaluation.references=false", "evaluation.num_users=8"],
]
"""Six chunks of 256 steps in the simulator, behind five batches of a log."""


@pytest.mark.parametrize("settings", [[], ["evaluation.exclude_seen=false"], BOTH_STAGES])
def test_what_was_met_before_is_excluded_in_learning_as_where_the_policy_is_measured(log, settings):
    """Simulated users may be shown again what they have seen, as their environment says."""
    rule = ["agent.logged_learning=dpo"]
    cfg = compose_config([*settings, "agent.learning=ppo", *rule]) if settings == BOTH_STAGES else composed(log, *settings, *rule)
    parts = assemble(validate(cfg))
    environment = parts.training_environment()
    stage = stages_of(parts, parts.agent(environment), environment)[0]
    batch = next(iter(stage.stream.batches()))
    assert (batch.observation.excluded is not None) == (not settings)


def test_a_run_is_rewarded_for_what_it_writes_and_not_only_for_hits(log, tmp_path):
    rewards = ["reward=[click,novelty]", "reward.novelty.weight=0.5"]
    runner.run(composed(log, "agent.logged_learning=grpo", *rewards, "evaluation.references=false"), tmp_path / "run")
    rows = list(csv.DictReader((tmp_path / "run" / "metrics.csv").open()))
    found = [{name: float(row[f"agent/{name}"]) for name in ("mean_reward", "hits", "group_collapse")} for row in rows if row["agent/hits"]]
    assert found
    assert all(row["mean_reward"] > row["hits"] + 0.2 for row in found)
    assert all(row["group_collapse"] < 0.5 for row in found)


@pytest.mark.evidence
@pytest.mark.parametrize(
    ("settings", "moments"),
    [
        (["agent.learning=grpo", "environment.group_size=4"], ["after_chunk 3"]),
        (["agent.learning=ppo"], ["before_chunk 1", "after_chunk 5"]),
        (["agent.learning=reinforce"], ["before_evaluation 4"]),
    ],
)
def test_a_run_killed_in_its_simulated_stage_goes_on_to_the_same_numbers(warm_recframe, plugin_site, tmp_path, settings, moments):
    plugin_site.install("sabotage", SABOTAGE)
    command = ["train", *BOTH_STAGES, *settings]
    warm_recframe(*command, f"hydra.run.dir={tmp_path / 'whole'}", site=plugin_site.folder, check=True)
    for number, moment in enumerate(moments):
        run = tmp_path / f"run{number}"
        sabotage = f"{moment} {int(signal.SIGKILL)}"
        killed = warm_recframe(*command, f"hydra.run.dir={run}", site=plugin_site.folder, SABOTAGE=sabotage)
        assert killed.returncode == -signal.SIGKILL, killed.stdout + killed.stderr
        assert not (run / "result.json").exists()
        # the logged stage is over
        assert list((run / "checkpoints").glob("logged*"))
        warm_recframe("train", f"resume={run}", site=plugin_site.folder, check=True)
        assert outcome(run) == outcome(tmp_path / "whole")


def test_an_artefact_recommends_what_the_run_recommends_and_takes_new_items(finished, tmp_path):
    _, folder = finished
    export(folder, tmp_path / "artefact")
    of_run, of_artefact = (recframe.load_policy(place) for place in (folder, tmp_path / "artefact"))
    answer = of_run.recommend(history=["3", "4"], k=5)
    assert [line.id for line in of_artefact.recommend(history=["3", "4"], k=5)] == [line.id for line in answer]
    scores = torch.tensor([line.score for line in answer])
    assert (scores.diff() <= 0).all()
    assert (scores <= 0).all()
    known = [str(film) for film in range(FILMS)]
    before = scores_among(of_artefact, known)
    catalog = of_artefact.data.catalog
    twin = catalog.ids.index("3")
    assert of_artefact.add_items([{"id": "new", "title": catalog.titles[twin], "text": catalog.texts[twin]}]) == ["new"]
    assert scores_among(of_artefact, known) == pytest.approx(before, abs=1e-4)
    among = scores_among(of_artefact, ["new", "3", "7"])
    # the two have the same codes but for the last, which tells them apart
    codes = of_artefact.agent.policy.book.codes
    assert codes[-1, :2].tolist() == codes[twin, :2].tolist()
    assert codes[-1, 2] > codes[twin, 2]
    assert sum(math.exp(score) for score in among.values()) == pytest.approx(1)


def test_a_run_starts_from_a_policy_that_knows_fewer_items(finished, tmp_path):
    export(finished[1], tmp_path / "artefact")
    policy = recframe.load_policy(tmp_path / "artefact")
    data = write_log(tmp_path / "more", FILMS + 3)
    still = ["agent.learning_rate=1e-30", "logged.batches=1", "trainer.final_weights=last", f"init={tmp_path / 'artefact'}"]
    runner.run(composed(data, *DPO, *still), tmp_path / "run")
    more = recframe.load_policy(tmp_path / "run")
    known = [str(film) for film in range(FILMS)]
    assert scores_among(more, known) == pytest.approx(scores_among(policy, known), abs=1e-4)
    of_all = scores_among(more, [*known, "30", "31", "32"])
    assert len(of_all) == FILMS + 3
    assert sum(math.exp(score) for score in of_all.values()) == pytest.approx(1, abs=1e-4)
    # settings of codes that the weights do not have are refused
    with pytest.raises(ConfigError, match=r"agent\.codes: the codes of these weights have the sizes \[4, 4\], those of this run \[5, 5\]"):
        runner.run(composed(data, *DPO, *still, "agent.codes.size=5"), tmp_path / "other")


def test_the_command_line_recommends(finished):
    from recframe.cli.main import app

    answer = CliRunner().invoke(app, ["recommend", str(finished[1]), "--history", "3", "-k", "2", "--json"])
    assert answer.exit_code == 0
    assert len(json.loads(answer.stdout)["items"]) == 2


@pytest.mark.parametrize(
    ("overrides", "message"),
    [
        (
            ["agent.learning=ppo"],
            "agent.learning=ppo needs a stage that learns in a simulator, which stages=[logged] does not give (it gives: logged)",
        ),
        (
            [*SIMULATED, "agent.logged_learning=dpo"],
            "agent.logged_learning=dpo needs a stage that learns from a log, which stages=[simulated] does not give (it gives: simulated)",
        ),
        (["agent.codes.kind=ids", "agent.codes.levels=5"], "agent.codes.levels is for agent.codes.kind="),
        (
            ["agent.entropy_weight=0.1"],
            "agent.entropy_weight=0.1 needs a stage that learns in a simulator, which stages=[logged] does not give (it gives: logged)",
        ),
        (["agent.kl_weight=0.1", "agent.logged_learning=dpo"], "agent.kl_weight=0.1 needs a stage that learns in a simulator"),
        (["agent.epochs=5"], "agent.epochs=5 needs a stage that learns in a simulator"),
        (
            [*SIMULATED, "agent.learning=reinforce", "agent.clip_range=0.1"],
            "agent.clip_range is for agent.learning=ppo and grpo, and for agent.logged_learning=grpo: leave it out",
        ),
        (["agent.logged_learning=sft"], "agent.logged_learning: 'sft' is not allowed; it must be one of ce, dpo, s_dpo, grpo"),
    ],
)
def test_mistakes_are_one_line(log, overrides, message):
    log = log if not any(one.startswith("dataset=") for one in overrides) else []
    with pytest.raises(ConfigError) as raised:
        composed(log, *overrides)
    assert len(raised.value.problems) == 1
    assert raised.value.problems[0].startswith(message)


def test_every_option_that_does_nothing_in_a_stage_has_its_line(log):
    with pytest.raises(ConfigError) as raised:
        composed(log, "agent.gamma=0.5", "agent.epochs=5", "agent.kl_weight=0.1")
    assert [line.partition(" ")[0] for line in raised.value.problems] == ["agent.epochs=5", "agent.gamma=0.5", "agent.kl_weight=0.1"]
    composed(log, "agent.epochs=5", "agent.kl_weight=0.1", "agent.clip_range=0.1", "agent.logged_learning=grpo")


def test_titles_are_not_named_twice_in_an_entry():
    config = LanguagePolicyConfig(codes=CodesConfig(kind="titles"), model="packaged:smollm2-135m-instruct", entry="{title} {codes}")
    line = "agent.entry names {codes}, which are tokens of the title itself for agent.codes.kind=titles: name {title} alone"
    assert contradictions(config) == [line]
    assert contradictions(replace(config, entry="{title};")) == []
