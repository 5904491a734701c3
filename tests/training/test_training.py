"""Training: agents need only losses, schedules are met, the best weights are kept, and a diverged run ends with advice."""

import copy
import logging

import pytest
import torch
from torch import nn

from recframe.config.schema.run import TrainerConfig
from recframe.experience import Collector, RewardSum, SimulatedStream
from recframe.interfaces import Agent, Decision, Replay, Reward, Rollout, best_items
from recframe.testing import ToyEnvironment, ToyTracker, toy_data, toy_spec
from recframe.training import BEST, FINAL, LAST, CheckpointError, Interruption, MonitorError, Schedule, TrainingDiverged, fit, load_weights
from recframe.training.checkpoints import save_weights

DATA = toy_data()
SPEC = toy_spec(DATA, num_users=16, slate_size=1)


class Click(Reward):
    def __call__(self, transition, catalog):
        return transition.response.signals["click"]


class PolicyGradient(Agent):
    """REINFORCE on immediate rewards with a critic as baseline: on-policy, with two optimizers; does not use Lightning."""

    experience = Rollout()

    def __init__(self, seed: int = 0, learning_rate: float = 0.01) -> None:
        super().__init__(SPEC, seed)
        torch.manual_seed(seed)
        self.tracker = ToyTracker(SPEC, DATA)
        self.query = nn.Linear(self.tracker.state_dim, self.tracker.item_dim)
        self.value = nn.Linear(self.tracker.state_dim, 1)
        self.learning_rate = learning_rate
        self.events: list[str] = []

    def scores(self, observation):
        items = self.tracker.project_items()
        state = self.tracker(observation, items)
        return state, self.query(state) @ items.T

    def act(self, observation, explore):
        _, scores = self.scores(observation)
        if not explore:
            return Decision(best_items(observation, scores, 1))
        return Decision(torch.multinomial(scores.softmax(dim=1), 1, generator=self.generator))

    def losses(self, batch):
        flat = batch.reshape(-1)
        before = copy.deepcopy(self.value.weight.detach())
        state, _ = self.scores(flat.observation)
        yield "critic", (self.value(state.detach()).squeeze(1) - flat.reward).pow(2).mean()
        self.events.append("critic stepped" if not torch.equal(before, self.value.weight) else "critic did not step")
        state, scores = self.scores(flat.observation)
        advantage = flat.reward - self.value(state).squeeze(1).detach()
        log_prob = scores.log_softmax(dim=1).gather(1, flat.slate).squeeze(1)
        yield "actor", -(log_prob * advantage).mean()

    def optimizers(self):
        actor = [*self.tracker.parameters(), *self.query.parameters()]
        return {
            "critic": torch.optim.Adam(self.value.parameters(), lr=self.learning_rate),
            "actor": torch.optim.Adam(actor, lr=self.learning_rate),
        }


def collector(seed: int = 0) -> Collector:
    return Collector(ToyEnvironment(SPEC, DATA), RewardSum({"click": (Click(), 1.0)}, DATA.catalog, frozenset()), seed)


def train(agent, tmp_path, evaluate=lambda: {"return": 0.0}, loggers=(), resume_from=None, fitted_before=False, **settings):
    settings = TrainerConfig(
        **{"env_steps": 640, "chunk_steps": 4, "evaluate_every": 320, "progress_bar": False, "log_every": 1, **settings}
    )
    parts = {"folder": tmp_path, "evaluate": evaluate, "loggers": loggers, "interruption": Interruption(tmp_path)}
    stream = SimulatedStream.of(agent, collector(), settings.chunk_steps, seed=1)
    return fit(agent, stream, settings, resume_from=resume_from, fitted_before=fitted_before, **parts)


@pytest.mark.parametrize(("env_steps", "evaluate_every"), [(1000, 100), (1, 1000), (999, 1), (640, 320), (12_345, 2_000)])
def test_the_schedule_is_at_least_as_long_as_asked_and_little_longer(env_steps, evaluate_every):
    schedule = Schedule.of(env_steps, evaluate_every, chunk=64)
    chunk = 64
    assert schedule.steps == schedule.epochs * schedule.chunks_per_epoch * chunk
    assert env_steps <= schedule.steps < env_steps + chunk * max(schedule.epochs, 1) + chunk


def test_each_loss_is_stepped_before_the_next_is_computed(tmp_path):
    agent = PolicyGradient()
    train(agent, tmp_path, final_weights="last")
    assert agent.env_steps == 640
    assert agent.events == ["critic stepped"] * 10


def test_an_agent_that_does_not_use_lightning_learns(tmp_path):
    agent, untrained = PolicyGradient(), PolicyGradient()

    def click_rate(policy) -> float:
        environment = ToyEnvironment(SPEC, DATA)
        observation, clicks = environment.reset(77), []
        with torch.no_grad():
            for _ in range(50):
                step = environment.step(policy.act(observation, explore=False).slate)
                clicks.append(step.response.signals["click"])
                observation = step.observation
        return float(torch.stack(clicks).mean())

    before = click_rate(untrained)
    train(agent, tmp_path, env_steps=40_000, evaluate_every=40_000, final_weights="last")
    assert click_rate(agent) > before + 0.1


def test_metrics_are_logged_against_env_steps(tmp_path, new_memory):
    memory = new_memory()
    train(PolicyGradient(), tmp_path, loggers=[memory])
    assert [row["env_steps"] for row in memory.rows] == [64, 128, 192, 256, 320, 320, 384, 448, 512, 576, 640, 640]
    assert {"loss/critic", "loss/actor", "gradient_norm/actor", "train/return", "train/reward/click"} <= set(memory.rows[4])
    assert memory.rows[5]["eval/return"] == 0.0


def test_epochs_shorter_than_the_logging_interval_are_logged_too(tmp_path, new_memory):
    memory = new_memory()
    train(PolicyGradient(), tmp_path, loggers=[memory], evaluate_every=64, log_every=3)
    assert [row["env_steps"] for row in memory.rows if "loss/actor" in row] == [192, 384, 576]


def test_an_evaluation_before_the_first_training_log_is_logged_without_parentheses(tmp_path, caplog):
    with caplog.at_level(logging.INFO, logger="recframe.training"):
        train(PolicyGradient(), tmp_path, evaluate_every=64, log_every=3)
    lines = [record.getMessage() for record in caplog.records if "env steps:" in record.getMessage()]
    assert lines[0] == "64 env steps: return 0"
    assert lines[2].startswith("192 env steps: return 0 (")
    assert lines[2].endswith(")")


def test_the_final_weights_are_the_best_by_the_monitored_metric(tmp_path):
    agent = PolicyGradient()
    seen = []

    def evaluate():
        seen.append(copy.deepcopy(agent.query.weight.detach()))
        return {"return": [1.0, 3.0, 2.0][len(seen) - 1]}

    train(agent, tmp_path, evaluate, env_steps=960)
    assert torch.equal(agent.query.weight, seen[1])
    fresh = PolicyGradient(seed=5)
    load_weights(fresh, tmp_path / BEST)
    assert torch.equal(fresh.query.weight, seen[1])


def test_a_metric_can_be_monitored_that_is_better_when_small(tmp_path):
    agent, seen = PolicyGradient(), []

    def evaluate():
        seen.append(copy.deepcopy(agent.query.weight.detach()))
        return {"gini": [0.9, 0.2, 0.5][len(seen) - 1]}

    train(agent, tmp_path, evaluate, env_steps=960, monitor="gini", monitor_mode="min")
    assert torch.equal(agent.query.weight, seen[1])


def test_training_stops_early_without_improvement(tmp_path):
    agent, count = PolicyGradient(), []

    def evaluate():
        count.append(1)
        return {"return": -float(len(count))}

    train(agent, tmp_path, evaluate, env_steps=6400, patience=2)
    assert len(count) == 3


def test_an_early_stopped_run_is_not_trained_further_on_resume(tmp_path):
    count = []

    def evaluate():
        count.append(1)
        return {"return": -float(len(count))}

    agent = PolicyGradient()
    train(agent, tmp_path, evaluate, env_steps=6400, patience=2)
    resumed = PolicyGradient(seed=9)
    train(resumed, tmp_path, evaluate, env_steps=6400, patience=2, resume_from=tmp_path / LAST)
    assert len(count) == 3
    assert torch.equal(resumed.query.weight, agent.query.weight)


class Diverging(PolicyGradient):
    """The loss of its critic overflows, since its weights exploded, or the gradient becomes NaN after a number of steps."""

    def __init__(self, of: str, after: int = 320) -> None:
        super().__init__()
        self.of, self.after = of, after

    def losses(self, batch):
        for name, loss in super().losses(batch):
            broken = name == "critic" and self.env_steps > self.after
            if broken and self.of == "gradient":
                loss.register_hook(lambda gradient: gradient * torch.nan)
            # once: the weights explode, and with others nothing would be wrong
            exploded = broken and self.of == "loss"
            self.of = "" if exploded else self.of
            yield name, loss * torch.inf if exploded else loss


@pytest.mark.parametrize("of", ["loss", "gradient"])
def test_a_loss_or_gradient_that_is_not_finite_ends_the_run_with_advice(tmp_path, of):
    with pytest.raises(
        TrainingDiverged,
        match=rf"the {of} of 'critic' is no longer a number after 384 env steps.*a smaller learning rate.*last.ckpt, is from before",
    ):
        train(Diverging(of), tmp_path)
    assert torch.load(tmp_path / LAST, weights_only=True)["recframe"]["env_steps"] == 320


def test_a_run_that_diverges_before_its_first_checkpoint_does_not_speak_of_one(tmp_path):
    with pytest.raises(TrainingDiverged, match=r"trainer\.gradient_clip\. No checkpoint was written before$"):
        train(Diverging("loss", after=0), tmp_path)
    assert not (tmp_path / LAST).exists()


def test_monitoring_a_metric_that_is_not_measured_is_refused(tmp_path):
    with pytest.raises(MonitorError, match=r"trainer\.monitor='retrun' is not measured here; the metrics are: length, return"):
        train(PolicyGradient(), tmp_path, lambda: {"return": 0.0, "length": 1.0}, monitor="retrun")


def test_weights_of_another_network_are_refused(tmp_path):
    train(PolicyGradient(), tmp_path)
    other = PolicyGradient()
    other.query = nn.Linear(3, 5)
    with pytest.raises(CheckpointError, match=r"another network: query\.bias, query\.weight differ"):
        load_weights(other, tmp_path / BEST)
    with pytest.raises(CheckpointError, match="no weights"):
        load_weights(other, tmp_path / "nowhere.safetensors")


class Strided(PolicyGradient):
    """Has buffers that are views: transposed, part of a larger tensor, and expanded."""

    def __init__(self):
        super().__init__()
        numbers = torch.arange(12.0).view(3, 4)
        for name, view in {"turned": numbers.T, "part": numbers[:, 1:3], "spread": torch.ones(1).expand(5)}.items():
            self.register_buffer(name, view)


def test_weights_that_are_not_contiguous_are_saved(tmp_path):
    agent, other = Strided(), Strided()
    save_weights(agent, tmp_path / FINAL)
    for name in ("turned", "part", "spread"):
        setattr(other, name, torch.zeros_like(getattr(other, name)))
    load_weights(other, tmp_path / FINAL)
    assert all(
        torch.equal(value, other.state_dict()[name]) for name, value in agent.state_dict().items() if isinstance(value, torch.Tensor)
    )


def test_checkpoints_contain_no_pickled_objects(tmp_path):
    train(PolicyGradient(), tmp_path)
    assert torch.load(tmp_path / LAST, weights_only=True)["recframe"]["complete"]
    assert not list(tmp_path.glob(".*"))


class Surprised(PolicyGradient):
    """Learns from prioritized replay, and gives every transition the priority 3."""

    experience = Replay(capacity=640, batch_size=8, learning_starts=64, updates_per_chunk=2, priority_exponent=1.0)

    def priorities(self):
        assert self.events[-1] == "critic stepped"
        return torch.full((8,), 3.0)


def test_prioritized_replay_gets_the_agents_priorities_after_each_batch(tmp_path):
    train(Surprised(), tmp_path)
    saved = torch.load(tmp_path / LAST, weights_only=True)["recframe"]["source"]["priorities"]
    assert saved["largest"] == pytest.approx(3.0, abs=1e-4)
    # transitions after the first chunk started with the largest priority so far
    assert saved["scaled"][:64].unique().tolist() == pytest.approx([1.0, 3.0], abs=1e-4)
    assert saved["scaled"][64:].unique().tolist() == pytest.approx([3.0], abs=1e-4)


def returns(*values: float):
    left = iter(values)
    return lambda: {"return": next(left)}


@pytest.mark.parametrize(
    ("window", "chosen", "value"),
    # a single lucky evaluation, or the best mean of three
    [(1, 128, 9.0), (3, 512, (5.0 + 6.0 + 6.0) / 3)],
)
def test_the_best_weights_are_those_of_the_best_mean_over_a_window(tmp_path, window, chosen, value):
    options = {"env_steps": 576, "evaluate_every": 64, "selection_window": window}
    selection = train(PolicyGradient(), tmp_path, evaluate=returns(0.0, 9.0, 1.0, 1.0, 3.0, 5.0, 6.0, 6.0, 2.0), **options)
    assert (selection.steps, selection.metric, selection.evaluations, selection.candidates) == (chosen, "return", window, 9)
    assert selection.value == pytest.approx(value)


def test_a_start_that_is_better_than_all_that_is_learned_gives_the_weights(tmp_path, new_memory):
    agent, untrained, memory = PolicyGradient(), PolicyGradient(), new_memory()
    selection = train(agent, tmp_path, evaluate=returns(3.0, 1.0, 2.0), loggers=[memory], evaluate_start=True)
    assert (selection.steps, selection.value, selection.candidates) == (0, 3.0, 3)
    assert torch.equal(agent.query.weight, untrained.query.weight)
    assert [(row["env_steps"], row["eval/return"]) for row in memory.rows if "eval/return" in row] == [(0, 3.0), (320, 1.0), (640, 2.0)]


@pytest.mark.parametrize(
    ("fitted_before", "settings", "evaluations"),
    [
        (False, {}, 2),
        (True, {}, 3),
        (True, {"evaluate_start": False}, 2),
        (False, {"evaluate_start": True}, 3),
        # nothing is selected
        (True, {"final_weights": "last"}, 2),
    ],
)
def test_the_start_is_evaluated_where_the_agent_knows_something_or_it_is_asked_for(tmp_path, fitted_before, settings, evaluations):
    seen = []

    def evaluate():
        seen.append(1)
        return {"return": 0.0}

    train(PolicyGradient(), tmp_path, evaluate, fitted_before=fitted_before, **settings)
    assert len(seen) == evaluations


def test_a_resumed_run_compares_with_its_start_and_does_not_evaluate_it_again(tmp_path):
    class Stopped(Exception):
        pass

    left = iter([3.0, 1.0])

    def evaluate():
        if (value := next(left, None)) is None:
            raise Stopped
        return {"return": value}

    with pytest.raises(Stopped):
        train(PolicyGradient(), tmp_path, evaluate, env_steps=960, evaluate_start=True)
    agent = PolicyGradient(seed=9)
    selection = train(agent, tmp_path, returns(2.0, 2.5), env_steps=960, evaluate_start=True, resume_from=tmp_path / LAST)
    assert (selection.steps, selection.value, selection.candidates) == (0, 3.0, 4)
    assert torch.equal(agent.query.weight, PolicyGradient().query.weight)


def test_the_last_weights_are_taken_whatever_their_value(tmp_path):
    selection = train(PolicyGradient(), tmp_path, evaluate=returns(5.0, 1.0), final_weights="last")
    assert (selection.steps, selection.value, selection.evaluations) == (640, None, 0)
