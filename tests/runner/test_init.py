"""Runs that start from a trained policy: the same answers before anything is learned, and refusals of what does not fit."""

from __future__ import annotations

import json
import shutil
from dataclasses import replace

import pytest

import recframe
from recframe import runner
from recframe.building import initial
from recframe.building.parts import assemble
from recframe.config import ConfigError, compose_config, validate
from recframe.interfaces import tables_of
from recframe.runner.random_start import started_agent
from recframe.runner.stages import stages_of
from recframe.tracking import DataChanged, run_identity

FILMS, PEOPLE = 12, 12


def write_log(folder, films=FILMS):
    folder.mkdir(exist_ok=True)
    rows = "".join(f"{film},<Film> {film} (19{film + 10}),Drama\n" for film in range(films))
    (folder / "movies.csv").write_text(f"movieId,title,genres\n{rows}")
    steps = [(person, step, (person + step) % FILMS) for person in range(PEOPLE) for step in range(6)]
    lines = [f"p{person},{film},{1 + film % 5},{10 * person + step}" for person, step, film in steps]
    (folder / "ratings.csv").write_text("\n".join(["userId,movieId,rating,timestamp", *lines]) + "\n")
    return folder


def overrides(data, *more):
    small = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.k=[5]", "evaluation.references=false", "logged.batches=4"]
    log = ["experiment=next_item", "dataset=movielens_format", f"dataset.path={data}", "agent=dqn", "state_tracker.id_embeddings=false"]
    return [*log, *small, "trainer.progress_bar=false", *more]


@pytest.fixture(scope="module")
def first(tmp_path_factory):
    """A run, and its artefact."""
    folder = tmp_path_factory.mktemp("init")
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(folder / "cache"))
        data = write_log(folder / "log")
        recframe.run(overrides(data), folder=folder / "run")
        recframe.export(folder / "run", folder / "policy")
        yield folder


def answers(policy):
    asked = [policy.recommend([str(film)], k=100, exclude=[]) for film in range(FILMS)]
    return [[(one.id, one.score) for one in found if int(one.id) < FILMS] for found in asked]


def unlearned(first, *more):
    """The agent of a run with `init` before it learns, and the run's parts."""
    cfg = validate(compose_config(overrides(first / "log", f"init={first / 'policy'}", *more)))
    parts = assemble(cfg)
    agent, _ = started_agent(parts, parts.environment(cfg.environment.num_users, "train"), None)
    return agent, parts


def test_before_it_learns_the_agent_is_that_of_the_artefact(first):
    policy = recframe.load_policy(first / "policy")
    agent, parts = unlearned(first)
    for name, value in agent.state_dict().items():
        if hasattr(value, "shape"):
            assert value.equal(policy.agent.state_dict()[name]), name
    mine, theirs = (tables_of(one, data.catalog.text_vectors)[0] for one, data in ((agent, parts.reading), (policy.agent, policy.data)))
    assert mine.values.equal(theirs.values)


@pytest.mark.parametrize(
    ("settings", "start"),
    [
        ([], True),
        (["trainer.evaluate_start=false"], False),
        (["trainer.selection_window=2"], None),
        (["trainer.final_weights=last"], None),
    ],
)
def test_the_weights_of_the_policy_compete_where_one_evaluation_chooses(first, settings, start):
    agent, parts = unlearned(first, *settings)
    environment = parts.environment(parts.cfg.environment.num_users, "train")
    assert [stage.settings.evaluate_start for stage in stages_of(parts, agent, environment)] == [start]


def test_new_items_come_after_the_known_ones_whose_scores_stay(first, tmp_path):
    data = write_log(tmp_path / "more", films=FILMS + 3)
    recframe.run(
        overrides(data, f"init={first / 'policy'}", "logged.batches=1", "agent.learning_rate=1e-30", "trainer.final_weights=last"),
        folder=tmp_path / "run",
    )
    found = recframe.load_policy(tmp_path / "run")
    assert len(found.data.catalog) == FILMS + 3
    known, now = answers(recframe.load_policy(first / "policy")), answers(found)
    for before, after in zip(known, now, strict=True):
        assert [item for item, _ in before] == [item for item, _ in after]
        assert [score for _, score in after] == pytest.approx([score for _, score in before], rel=1e-4)
    recframe.export(tmp_path / "run", tmp_path / "policy")
    assert answers(recframe.load_policy(tmp_path / "policy")) == now


def test_a_run_is_started_from_unless_its_encoder_has_learned_from_texts_that_it_does_not_keep(first, tmp_path):
    with pytest.raises(ConfigError, match="export the run: recframe export RUN FOLDER"):
        recframe.run(overrides(first / "log", f"init={first / 'run'}"), folder=tmp_path / "run")
    ids = overrides(first / "log", "encoder=id")
    recframe.run(ids, folder=tmp_path / "ids")
    cfg = validate(compose_config([*ids, f"init={tmp_path / 'ids'}"]))
    parts = assemble(cfg)
    agent, _ = started_agent(parts, parts.environment(8, "train"), None)
    trained = recframe.load_policy(tmp_path / "ids").agent.state_dict()
    assert all(value.equal(trained[name]) for name, value in agent.state_dict().items() if hasattr(value, "shape"))


@pytest.mark.parametrize("stages", ["[simulated]", pytest.param("[logged,simulated]", marks=pytest.mark.evidence)])
def test_a_simulated_stage_starts_from_the_policy_too(first, tmp_path, stages):
    world = [f"stages={stages}", "environment=preference_model", "environment.similarity=text", "agent.learning_starts=64"]
    recframe.run(overrides(first / "log", *world), folder=tmp_path / "before")
    recframe.export(tmp_path / "before", tmp_path / "policy")
    again = [*world, f"init={tmp_path / 'policy'}", "trainer.final_weights=last", "agent.learning_rate=1e-30", "trainer.env_steps=64"]
    recframe.run(overrides(first / "log", *again), folder=tmp_path / "after")
    before, after = (recframe.load_policy(tmp_path / name).recommend(["3"], k=FILMS) for name in ("policy", "after"))
    assert [one.id for one in before] == [one.id for one in after]
    assert [one.score for one in before] == pytest.approx([one.score for one in after], rel=1e-4)


def test_without_learning_the_policy_gives_the_answers_of_the_artefact_and_the_run_knows_it(first, tmp_path):
    still = [f"init={first / 'policy'}", "agent.learning_rate=1e-30", "trainer.final_weights=last"]
    recframe.run(overrides(first / "log", *still), folder=tmp_path / "run")
    assert answers(recframe.load_policy(tmp_path / "run")) == answers(recframe.load_policy(first / "policy"))
    recframe.run(overrides(first / "log", *still[1:]), folder=tmp_path / "new weights")
    assert answers(recframe.load_policy(tmp_path / "new weights")) != answers(recframe.load_policy(first / "policy"))
    version = json.loads((first / "policy" / "artefact.json").read_text())["version"]
    identity = json.loads((tmp_path / "run" / "identity.json").read_text())
    assert identity["config"]["init"] == f"content of sha256 {version}"
    # the same artefact elsewhere is the same run, and other weights are another
    shutil.copytree(first / "policy", tmp_path / "copy")
    moved = validate(compose_config(overrides(first / "log", f"init={tmp_path / 'copy'}", *still[1:])))
    assert run_identity(moved).key == identity["key"]
    assert run_identity(validate(compose_config(overrides(first / "log", *still[1:])))).key != identity["key"]
    # a finished run is evaluated again only with the policy that it started from
    assert runner.evaluate(tmp_path / "run")["policies"]
    manifest = tmp_path / "run" / "data.json"
    manifest.write_text(manifest.read_text().replace(version, "0" * len(version)))
    with pytest.raises(DataChanged, match="init differs"):
        runner.evaluate(tmp_path / "run")


def test_what_does_not_fit_is_refused_in_one_line_each_before_data_is_read(first, tmp_path):
    def problems(*given):
        with pytest.raises(ConfigError) as error:
            runner.run(compose_config(overrides(tmp_path, *given)), tmp_path / "run")
        assert not (tmp_path / "run" / "config.yaml").exists()
        return error.value.problems

    policy = f"init={first / 'policy'}"
    assert "there is no such folder" in problems(f"init={tmp_path / 'nowhere'}")[0]
    assert "has neither" in problems(f"init={first / 'log'}")[0]
    unlike = problems(policy, "agent=sasrec", "state_tracker=gru", "encoder.dim=7")
    assert [line.partition(": ")[2].partition(",")[0] for line in unlike] == [
        "its agent is dqn",
        "its state_tracker is mean",
        f"its encoder.dim is {json.loads((first / 'policy' / 'artefact.json').read_text())['sections']['encoder']['dim']}",
    ]
    assert "shuffled" in problems(policy, "embeddings.shuffle=true")[0]
    damaged = tmp_path / "damaged"
    shutil.copytree(first / "policy", damaged)
    content = bytearray((damaged / "policy.safetensors").read_bytes())
    content[-1] ^= 1
    (damaged / "policy.safetensors").write_bytes(content)
    assert "policy.safetensors is damaged or was changed" in problems(f"init={damaged}")[0]
    (damaged / "artefact.json").write_text("{")
    assert "artefact.json is damaged" in problems(f"init={damaged}")[0]


def test_items_in_another_order_and_weights_of_another_shape_are_refused(first, tmp_path, monkeypatch):
    def refused(data, *more):
        with pytest.raises(ConfigError) as error:
            recframe.run(overrides(data, f"init={first / 'policy'}", *more), folder=tmp_path / "run")
        (line,) = error.value.problems
        return line

    data = write_log(tmp_path / "other")
    lines = (data / "movies.csv").read_text().splitlines()
    (data / "movies.csv").write_text("\n".join([lines[0], *lines[:0:-1]]) + "\n")
    assert "item 0 is '0' there and '11' in the data of this run" in refused(data)
    few = write_log(tmp_path / "few", films=FILMS)
    assert refused(few, "state_tracker.item_dim=9").endswith("; use its settings")
    # where only one side has profiles of users, that is what the networks differ by
    of_artefact = initial._of_artefact
    monkeypatch.setattr(initial, "_of_artefact", lambda folder: replace(of_artefact(folder), has_profiles=True))
    told = refused(few, "state_tracker.item_dim=9")
    assert "its weights are of another network" in told
    assert told.endswith("this run has none: load the data with them (such as dataset.profiles=true)")


def test_a_learned_vector_for_each_item_leaves_no_room_for_new_ones(first, tmp_path):
    ids = "state_tracker.id_embeddings=true"
    recframe.run(overrides(first / "log", ids), folder=tmp_path / "run")
    recframe.export(tmp_path / "run", tmp_path / "policy")
    more = write_log(tmp_path / "more", films=FILMS + 3)
    with pytest.raises(ConfigError, match=f"has something for each of its {FILMS} items, and the 3 new ones would have nothing"):
        recframe.run(overrides(more, ids, f"init={tmp_path / 'policy'}"), folder=tmp_path / "again")
