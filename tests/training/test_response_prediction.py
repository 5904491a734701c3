"""The head that predicts responses: its loss is the one that it is documented to be, it learns, and it resumes exactly."""

import dataclasses

import numpy as np
import pytest
import torch
from torch import nn

from recframe.config.schema.run import AuxiliaryConfig, TrainerConfig
from recframe.experience import Collector, RewardSum, SimulatedStream
from recframe.interfaces import Agent, Decision, Reward, Rollout, random_items
from recframe.testing import ToyEnvironment, ToyTracker, toy_data, toy_spec
from recframe.testing.loop import collect
from recframe.training import LAST, AuxiliaryHead, Interruption, ResponsePrediction, auxiliary_head, fit

DATA = toy_data()
SPEC = toy_spec(DATA, num_users=16)


class Click(Reward):
    def __call__(self, transition, catalog):
        return transition.response.signals["click"]


class Wanderer(Agent):
    """Shows random items; its optimizer holds the tracker, but its own loss has no gradient for it."""

    experience = Rollout()

    def __init__(self, spec=SPEC) -> None:
        super().__init__(spec, seed=0)
        torch.manual_seed(0)
        self.tracker = ToyTracker(spec, DATA)
        self.bias = nn.Parameter(torch.zeros(()))

    def act(self, observation, explore):
        return Decision(random_items(observation, self.spec.num_items, self.spec.slate_size, self.generator))

    def losses(self, batch):
        yield "value", (self.bias - batch.reward).square().mean()

    def optimizers(self):
        return {"value": torch.optim.Adam(self.parameters(), lr=0.02)}


def head_of(agent, seed=1, **settings) -> AuxiliaryHead:
    head = auxiliary_head(AuxiliaryConfig(**{"weight": 1.0, "predicts": "responses", **settings}), agent, agent.tracker, seed)
    assert isinstance(head, ResponsePrediction)
    return head


def trained(folder, new_memory, agent, head, resume_from=None, evaluate=lambda: {"return": 0.0}, **settings) -> list[dict]:
    settings = TrainerConfig(
        **{"env_steps": 1280, "chunk_steps": 4, "evaluate_every": 640, "log_every": 3, "final_weights": "last", **settings}
    )
    collector = Collector(ToyEnvironment(SPEC, DATA), RewardSum({"click": (Click(), 1.0)}, DATA.catalog, frozenset()), 0)
    memory = new_memory()
    stream = SimulatedStream.of(agent, collector, settings.chunk_steps, seed=1)
    parts = {"folder": folder, "evaluate": evaluate, "interruption": Interruption(folder)}
    fit(agent, stream, settings, loggers=[memory], auxiliary=head, resume_from=resume_from, **parts)
    return [{name: value for name, value in row.items() if "per_second" not in name} for row in memory.rows]


def batch_of(spec, steps=6, seed=7):
    environment = ToyEnvironment(spec, DATA)
    return collect(Wanderer(spec), environment, environment.reset(seed), steps)[0]


@pytest.mark.parametrize("limit", [1, 1_000])
def test_the_loss_is_the_squared_error_of_standardized_signals_that_are_known(limit):
    spec = dataclasses.replace(SPEC, slate_size=3)
    agent, batch = Wanderer(spec), batch_of(spec)
    rating = batch.response.signals["rating"]
    rating[0, :5] = torch.nan
    head = head_of(agent, whole_catalog_items=limit, batch_size=10_000)
    found = head.loss(batch).item()

    observation = batch.observation.reshape(-1)
    with torch.no_grad():
        vectors = agent.tracker.project_items()
        state = agent.tracker(observation, vectors).double().numpy()
        weight, bias = head.query.weight.double().numpy(), head.query.bias.double().numpy()
    items, dim = batch.slate.reshape(len(state), 3).numpy(), vectors.shape[1]
    errors, known = [], []
    for place, name in enumerate(spec.signals):
        said = batch.response.signals[name].reshape(len(state), 3).double().numpy()
        said = np.sign(said) * np.log1p(np.abs(said))
        there = np.isfinite(said)
        target = (said - said[there].mean()) / said[there].std()
        rows = slice(place * dim, (place + 1) * dim)
        query = state @ weight[rows].T + bias[rows]
        predicted = np.einsum("sd,snd->sn", query, vectors.double().numpy()[items]) / np.sqrt(dim)
        errors.append(((predicted - target) ** 2)[there])
        known.append(target[there])
    assert found == pytest.approx(np.concatenate(errors).mean(), rel=1e-4)
    metrics = head.metrics()
    assert metrics["auxiliary/loss"] == pytest.approx(found, rel=1e-6)
    for name, wrong, target in zip(spec.signals, errors, known, strict=True):
        assert metrics[f"auxiliary/explained_variance/{name}"] == pytest.approx(1 - wrong.sum() / (target**2).sum(), rel=1e-4)
    assert head.metrics() == {}


def test_responses_that_never_differ_or_are_not_known_add_nothing():
    agent, batch = Wanderer(), batch_of(SPEC)
    head = head_of(agent)
    for name in SPEC.signals:
        batch.response.signals[name] = torch.full_like(batch.response.signals[name], torch.nan)
    assert head.loss(batch) == 0.0
    assert head.metrics() == {}
    # constants: not rounding over rounding
    for name in SPEC.signals:
        batch.response.signals[name] = torch.full_like(batch.response.signals[name], 0.1)
    assert head.loss(batch) == 0.0
    assert head.metrics() == {}
    # beside one that differs, a constant takes no part in the mean
    alone, beside = head_of(agent), head_of(agent)
    batch.response.signals["rating"] = torch.rand_like(batch.response.signals["rating"])
    first = beside.loss(batch)
    batch.response.signals["click"] = torch.full_like(batch.response.signals["click"], torch.nan)
    torch.testing.assert_close(first, alone.loss(batch))


def test_places_where_nothing_is_shown_say_nothing():
    spec = dataclasses.replace(SPEC, slate_size=3, num_questions=2)
    agent, batch = Wanderer(spec), batch_of(spec)
    first_question = spec.num_items - 2
    batch.slate[batch.slate >= first_question] = 0
    # asked: behind it nothing is shown; at a later place: it shows nothing
    batch.slate[0, :, 0] = first_question
    batch.slate[1, :, 2] = first_question + 1
    head = head_of(agent, batch_size=10_000)
    found = head.loss(batch)
    assert head.met[0].tolist() == [6 * 16 * 3 - 16 * 3 - 16] * len(spec.signals)
    for signal in batch.response.signals.values():
        signal[0], signal[1, :, 2] = 7.0, 7.0
    torch.testing.assert_close(head_of(agent, batch_size=10_000).loss(batch), found)


def test_the_head_learns_what_users_say(tmp_path, new_memory):
    agent = Wanderer()
    rows = trained(tmp_path, new_memory, agent, head_of(agent), env_steps=4_500, evaluate_every=4_500)
    of_rating = [row["auxiliary/explained_variance/rating"] for row in rows if "auxiliary/loss" in row]
    assert sum(of_rating[-6:]) / 6 > max(sum(of_rating[:3]) / 3, 0.0) + 0.2


def test_a_run_stopped_between_two_evaluations_resumes_exactly(tmp_path, new_memory):
    whole, half, rest = Wanderer(), Wanderer(), Wanderer()
    heads = [head_of(agent, seed, batch_size=8) for agent, seed in ((whole, 1), (half, 1), (rest, 2))]
    rows = trained(tmp_path / "whole", new_memory, whole, heads[0])
    count = []

    def evaluate():
        count.append(1)
        if len(count) == 2:
            raise KeyboardInterrupt
        return {"return": 0.0}

    with pytest.raises((KeyboardInterrupt, SystemExit)):
        trained(tmp_path / "half", new_memory, half, heads[1], evaluate=evaluate)
    resumed = trained(tmp_path / "half", new_memory, rest, heads[2], resume_from=tmp_path / "half" / LAST)
    assert resumed == [row for row in rows if row["env_steps"] > 640]
    mine, theirs = heads[0].state_dict(), heads[2].state_dict()
    assert all(torch.equal(mine[name], theirs[name]) for name in mine if isinstance(mine[name], torch.Tensor))
