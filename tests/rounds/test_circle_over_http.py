"""The circle over HTTP: people of a simulator are shown what a server that explores chooses, and its log says what another policy earns."""

from __future__ import annotations

from concurrent.futures import ThreadPoolExecutor
from typing import NamedTuple

import numpy as np
import pytest
import torch

import recframe
from recframe.building.parts import Parts
from recframe.config import validate
from recframe.evaluation.off_policy.decisions import logged_decisions
from recframe.evaluation.off_policy.evaluation import evaluate_off_policy
from recframe.evaluation.off_policy.policies import ranking_policy
from recframe.feedback.export import export_log
from recframe.feedback.store import FeedbackStore
from recframe.runner.trained import trained_agent
from recframe.server.settings import read_settings
from recframe.tracking import RunFolder
from recframe_plugins.datasets.bandit_log.bandit_log import BanditLog
from recframe_plugins.datasets.bandit_log.config import BanditLogConfig
from tests.serving.server.conftest import Served, running

ITEMS, PEOPLE, TURNS = 6, 80, 8


class World(NamedTuple):
    """A policy that was trained in topic_world, and what the world is made of.

    choices: by user of the data, the item whose text is most like the person's profile: what a second policy would show, `[U]`.
    """

    policy: recframe.LoadedPolicy
    parts: Parts
    choices: torch.Tensor


@pytest.fixture(scope="module")
def world(tmp_path_factory) -> World:
    folder = tmp_path_factory.mktemp("circle")
    data = [f"dataset.num_items={ITEMS}", "dataset.num_users=400", "environment.num_users=16", "trainer.env_steps=64"]
    small = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.references=false", "evaluation.num_users=4"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(folder / "cache"))
        recframe.run([*data, *small, "agent.learning_starts=32"], folder=folder / "run")
        recframe.export(folder / "run", folder / "policy")
        with RunFolder.open_to_read(folder / "run") as opened:
            cfg = validate(opened.read_config())
        _, parts, *_ = trained_agent(folder / "run", cfg, other_data=False, remedy="")
    likeness = parts.data.users.profiles.vectors @ parts.data.catalog.text_vectors.T
    return World(recframe.load_policy(folder / "policy"), parts, likeness.argmax(dim=1))


def circle(world: World, server: Served, seed: int) -> float:
    """Let people of the simulator use the server; returns the true chance of a click on what the second policy would have shown them."""
    environment, ids, users = world.parts.environment(PEOPLE, "evaluation"), world.policy.data.catalog.ids, world.parts.data.users.ids
    observation = environment.reset(seed)
    visits, true = [f"{seed}-{person}" for person in range(PEOPLE)], []
    with ThreadPoolExecutor(8) as people:
        for _ in range(TURNS):
            who = observation.user
            true.append(environment.truth().signals["click"][torch.arange(PEOPLE), world.choices[who]].mean().item())
            asked = [{"user": users[user], "session": visit, "k": 1} for user, visit in zip(who.tolist(), visits, strict=True)]
            answers = list(people.map(lambda one: server.recommend(**one), asked))
            shown = torch.tensor([[ids.index(answer["items"][0]["id"])] for answer in answers])
            step = environment.step(shown)
            clicked = step.response.signals["click"][:, 0].bool().tolist()
            told = [answer for answer, click in zip(answers, clicked, strict=True) if click]
            list(people.map(lambda one: server.click(one, signals={"click": 1}), told))
            over = (step.terminated | step.truncated).tolist()
            visits = [f"{visit}+" if ends else visit for visit, ends in zip(visits, over, strict=True)]
            observation = step.observation
    return float(np.mean(true))


@pytest.mark.parametrize(("repetitions", "least"), [(1, 1), pytest.param(30, 26, marks=pytest.mark.evidence)])
def test_the_log_of_a_server_that_explores_covers_the_value_of_a_second_policy_in_the_simulator(world, tmp_path, repetitions, least):
    found, true = [], []
    for seed in range(repetitions):
        config = read_settings(["exploration.kind=epsilon", "exploration.epsilon=0.9", f"seed={seed}"])
        with FeedbackStore.open(f"sqlite:///{tmp_path}/{seed}.db") as store:
            with running({"main": world.policy}, store, config) as server:
                true.append(circle(world, server, seed))
            assert export_log(store, tmp_path / f"{seed}.parquet") == PEOPLE * TURNS
        data = BanditLog(BanditLogConfig(interactions=str(tmp_path / f"{seed}.parquet"))).load()
        rows = {item: row for row, item in enumerate(data.catalog.ids)}
        chosen = dict(zip(world.parts.data.users.ids, world.choices.tolist(), strict=True))
        of_person = np.array([rows[world.policy.data.catalog.ids[chosen[user]]] for user in data.users.ids])
        decisions = logged_decisions(data.interactions, len(rows), "click")
        second = ranking_policy(lambda some, people=decisions.people, items=of_person: items[people[some], None], len(rows))
        found.append(evaluate_off_policy(decisions, {"second": second}).policies["second"]["value"])
    covered = sum(one["low"] <= np.mean(true) <= one["high"] for one in found)
    mean, width = np.mean([one["mean"] for one in found]), np.mean([one["high"] - one["low"] for one in found])
    print(f"{covered} of {repetitions} intervals, {width:.3f} wide on average, cover {np.mean(true):.4f}; mean estimate {mean:.4f}")
    assert covered >= least
    assert 0 < width < 0.5
    assert mean == pytest.approx(np.mean(true), abs=0.05)
