"""The speed benchmark: both libraries have the same states and as many updates, and unfinished measurements are marked."""

import importlib
import time

import pytest
import torch

USERS = 6
AGENTS = ("dqn", "ddpg", "reinforce", "actor_critic")


@pytest.fixture
def module(project_root, monkeypatch):
    """A function that imports a script of the benchmarks folder as a module."""
    monkeypatch.syspath_prepend(str(project_root / "benchmarks"))
    return importlib.import_module


@pytest.fixture
def world(module):
    small = ["agent.learning_starts=20", "agent.batch_size=8", "agent.replay_capacity=200"]

    def build(agent):
        return module("large_catalogue_cells").world(agent, 70, USERS, "cpu", small if agent in ("dqn", "ddpg") else [])

    return build


def test_both_libraries_compute_the_same_state_from_an_observation(module, world):
    side, parts = module("stable_baselines_side"), world("dqn")
    tracker = parts.agent(parts.environment(USERS, "train")).online.state_tracker
    simulation = side.bridged(parts).vector_env.simulation
    features = side.MeanTrackerFeatures(simulation.arrays.space, **side.tracker_layers(parts.cfg)["features_extractor_kwargs"])
    pairs = {
        features.items: tracker.item_projection.linear,
        features.scale: tracker.modulation.scale,
        features.shift: tracker.modulation.shift,
        features.profile: tracker.fusion.parts["profile"].linear,
        features.mix: tracker.fusion.mix,
        features.norm: tracker.fusion.norm,
    }
    for theirs, ours in pairs.items():
        theirs.load_state_dict(ours.state_dict())
    assert sum(p.numel() for p in features.parameters()) == sum(p.numel() for p in tracker.parameters())
    environment, items = simulation.environment, tracker.project_items()
    observation = environment.reset(0)
    for turn in range(30):
        arrays = {name: torch.from_numpy(value) for name, value in simulation.arrays(observation).items()}
        torch.testing.assert_close(features(arrays), tracker(observation, items), rtol=1e-4, atol=1e-5)
        observation = environment.step(torch.arange(turn, turn + USERS).unsqueeze(1)).observation


@pytest.mark.parametrize("agent", AGENTS)
def test_both_libraries_make_as_many_updates(module, world, agent):
    cells, parts = module("large_catalogue_cells"), world(agent)
    ours, theirs = (cells.measure(side, parts, 0.0) for side in cells.SIDES)
    assert ours.iterations == theirs.iterations == cells.FEWEST
    assert ours.iteration > 0
    assert (ours.updates, ours.env_steps) == (theirs.updates, theirs.env_steps) == (16 if agent in AGENTS[:2] else 1, 8 * USERS)
    model = module("stable_baselines_side").counterpart(parts)
    model.learn(3 * theirs.env_steps)
    assert model._n_updates == 3 * theirs.updates


def test_the_nearest_item_is_shown(module, world):
    side, parts = module("stable_baselines_side"), world("ddpg")
    env = side.NearestItem(side.bridged(parts), parts.reading.catalog.text_vectors)
    env.reset()
    # a vector of any length is nearest to its own item
    env.step_async(0.1 * parts.reading.catalog.text_vectors[10 : 10 + USERS].numpy())
    assert env.venv._actions.tolist() == list(range(10, 10 + USERS))


@pytest.mark.parametrize(("began", "at_least", "failure"), [(0, None, "not built in time"), (1, 60.0, None), (2, 30.0, None)])
def test_an_unfinished_iteration_gives_a_lower_bound_of_its_time(module, world, monkeypatch, began, at_least, failure):
    cells = module("large_catalogue_cells")

    def train(clock):
        # the first iteration began a minute ago
        clock.ticks = [time.perf_counter() - 60.0, *[time.perf_counter()] * (began - 1)] if began else []
        raise cells.OutOfTime

    monkeypatch.setattr(cells, "recframe_learner", lambda parts: cells.Learner(1, 1, train))
    found = cells.measure("recframe", world("dqn"), 1.0)
    assert (found.iteration, found.failure) == (None, failure)
    assert found.longer_than == (None if at_least is None else pytest.approx(at_least, rel=0.1))


def test_tables_mark_unfinished_measurements(module):
    benchmark = module("large_catalogues")

    def timed(seconds):
        return {
            "iteration": seconds,
            "longer_than": None,
            "failure": None,
            "env_steps": 2048,
            "updates": 16,
            "resident": 500,
            "parameters": 9,
        }

    late = {"iteration": None, "longer_than": 60.0, "failure": None, "parameters": 9}
    turns = {
        benchmark.Cell("dqn", 10_000, "recframe"): [timed(1.0), timed(2.0)],
        benchmark.Cell("dqn", 10_000, "stable-baselines3"): [timed(4.0), timed(6.0)],
        benchmark.Cell("dqn", 1_000_000, "recframe"): [timed(3.0), timed(4.0)],
        benchmark.Cell("dqn", 1_000_000, "stable-baselines3"): [late],
        benchmark.Cell("ddpg", 10_000, "recframe"): [timed(1.0)],
        benchmark.Cell("ddpg", 10_000, "stable-baselines3"): [benchmark.failed("out of memory")],
    }
    rows = benchmark.speed_table(turns, "cpu").splitlines()[2:]
    times = "| `dqn` | 10,000 | 1,536 [1,024, 2,048] | 12.00 [8.00, 16.00] | 1,500 [1,000, 2,000] | 500 "
    assert rows[0] == times + "| 427 [341, 512] | 3.33 [2.67, 4.00] | 5,000 [4,000, 6,000] | 500 | 3.50 [3.00, 4.00] |"
    assert rows[1].endswith("|  |  | > 60,000 |  | > 15.0 |")
    assert rows[2].endswith("|  |  | out of memory |  |  |")
    growth = benchmark.growth_table({cell: found for cell, found in turns.items() if cell.agent == "dqn"}).splitlines()[2:]
    assert growth == ["| `dqn` | recframe | 2.50 [2.00, 3.00] | 9 | 9 |", "| `dqn` | stable-baselines3 | > 10.0 | 9 | 9 |"]
