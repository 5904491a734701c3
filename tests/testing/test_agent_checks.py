"""check_agent accepts correct agents and reports what is wrong with broken ones."""

import pytest
import torch
from torch import nn

from recframe.interfaces import Agent, Decision, NoExperience, Replay, Rollout, allowed_items, best_items, random_items
from recframe.testing import ConformanceError, ToyEnvironment, ToyTracker, check_agent, toy_data, toy_spec
from recframe.testing.agents import ROUNDS
from recframe_plugins.environments.topic_world.config import TopicWorldConfig
from recframe_plugins.environments.topic_world.topic_world import TopicWorld

DATA = toy_data()
SPEC = toy_spec(DATA, num_candidates=6)


class Learner(Agent):
    """Learns immediate rewards and explores half the time: a correct agent."""

    def __init__(self, spec=SPEC, seed=0):
        super().__init__(spec, seed)
        torch.manual_seed(0)
        self.tracker = ToyTracker(spec, DATA)
        self.items = None

    @property
    def experience(self):
        return Replay(1_000, 16, 16, 1)

    def prepare_to_act(self):
        with torch.no_grad():
            self.items = self.tracker.project_items()

    def act(self, observation, explore):
        greedy = best_items(observation, self.tracker(observation, self.items) @ self.items.T, self.spec.slate_size)
        random = random_items(observation, self.spec.num_items, self.spec.slate_size, self.generator)
        return Decision(random if explore else greedy)

    def losses(self, batch):
        items = self.tracker.project_items()
        scores = (self.tracker(batch.observation, items) * items[batch.slate[:, 0]]).sum(dim=1)
        yield "main", (scores - batch.reward).pow(2).mean()

    def optimizers(self):
        return {"main": torch.optim.Adam(self.tracker.parameters())}


class Prioritized(Learner):
    """Learns from several steps and with prioritized replay."""

    @property
    def experience(self):
        return Replay(1_000, 16, 16, 1, n_step=3, gamma=0.9, priority_exponent=0.5)

    def losses(self, batch):
        items = self.tracker.project_items()
        scores = (self.tracker(batch.observation, items) * items[batch.slate[:, 0]]).sum(dim=1)
        with torch.no_grad():
            after = self.tracker(batch.next_observation, items) @ items.T
            target = batch.reward + self.discount(batch) * after.amax(dim=1) * ~batch.terminated
        self.error = (target - scores).detach()
        yield "main", (self.weight(batch) * (target - scores).pow(2)).mean()

    def discount(self, batch):
        return batch.discount

    def weight(self, batch):
        return batch.weight

    def priorities(self):
        return self.error.abs()


class Shortsighted(Prioritized):
    """Discounts as if every transition had one step."""

    def discount(self, batch):
        return 0.9


class Unweighted(Prioritized):
    def weight(self, batch):
        return torch.ones_like(batch.reward)


class Rescaled(Prioritized):
    """Weights all transitions by the mean weight."""

    def weight(self, batch):
        return batch.weight.mean()


class Unbiased(Unweighted):
    """Asks for no weights, and so may ignore them."""

    @property
    def experience(self):
        return Replay(1_000, 16, 16, 1, n_step=3, gamma=0.9, priority_exponent=0.5, importance_exponent=0.0)


class BootstrapsFromAllowed(Learner):
    """Multiplies the best value of the allowed items by zero after a session has ended: NaN if no item is left."""

    def losses(self, batch):
        items = self.tracker.project_items()
        scores = (self.tracker(batch.observation, items) * items[batch.slate[:, 0]]).sum(dim=1)
        with torch.no_grad():
            after = allowed_items(batch.next_observation, self.tracker(batch.next_observation, items) @ items.T)
            target = batch.reward + 0.9 * self.future(after.amax(dim=1), batch.terminated)
        yield "main", (target - scores).pow(2).mean()

    def future(self, value, terminated):
        return value * ~terminated


class BootstrapsWithMask(BootstrapsFromAllowed):
    def future(self, value, terminated):
        return value.masked_fill(terminated, 0.0)


def whole_catalogue():
    """Sessions that show every item of the catalogue."""
    config = TopicWorldConfig(max_steps=40, protocol="fixed_length")
    return TopicWorld(config, DATA, num_users=6, history_length=5, split="train", device="cpu")


@pytest.mark.parametrize("environment", [ToyEnvironment(SPEC, DATA), whole_catalogue()], ids=["candidates", "exclusions"])
def test_an_agent_that_bootstraps_where_no_item_is_left_is_reported(environment):
    check_agent(BootstrapsWithMask(environment.spec), environment)
    with pytest.raises(
        ConformanceError, match="in which no item is left gave NaN or infinity: leave out their next value with masked_fill"
    ):
        check_agent(BootstrapsFromAllowed(environment.spec), environment)


def ranking(change):
    """A Prioritized whose priorities are `change(error)`."""
    return type("Broken", (Prioritized,), {"priorities": lambda self: change(self.error)})


class OnPolicy(Learner):
    @property
    def experience(self):
        return Rollout()

    def losses(self, batch):
        assert batch.batch_size == torch.Size([6, 6])
        yield from super().losses(batch.reshape(-1))


class ClosedForm(Agent):
    """Shows the items of the highest mean reward: it learns by counting, without an optimizer."""

    def __init__(self, spec=SPEC, seed=0):
        super().__init__(spec, seed)
        self.register_buffer("sums", torch.zeros(spec.num_items))
        self.register_buffer("counts", torch.ones(spec.num_items))

    @property
    def experience(self):
        return Rollout()

    def act(self, observation, explore):
        if explore:
            return Decision(random_items(observation, self.spec.num_items, self.spec.slate_size, self.generator))
        return Decision(best_items(observation, self.sums / self.counts, self.spec.slate_size))

    def losses(self, batch):
        self.sums.index_add_(0, batch.slate.flatten(), batch.item_reward.flatten())
        self.counts.index_add_(0, batch.slate.flatten(), torch.ones_like(batch.item_reward.flatten()))
        yield from ()

    def optimizers(self):
        return {}


class ClosedFormUnsaved(ClosedForm):
    """Its sums are not a buffer, so that no checkpoint contains them."""

    def __init__(self):
        super().__init__()
        sums = self.sums
        del self.sums
        self.sums = sums


class ClosedFormIdle(ClosedForm):
    def losses(self, batch):
        yield from ()


def choosing(change):
    """A Learner whose decisions go through `change(decision, observation)`."""

    class Broken(Learner):
        def act(self, observation, explore):
            return change(super().act(observation, explore), observation)

    return Broken


def losing(change):
    """A Learner whose (name, loss) goes through `change`."""

    class Broken(Learner):
        def losses(self, batch):
            for name, loss in super().losses(batch):
                yield change(name, loss)

    return Broken


def expecting(plan):
    """A Learner that asks for another kind of experience."""
    return type("Broken", (Learner,), {"experience": plan})


def stepping(make):
    """A Learner whose optimizers are `make(its parameters)`."""

    class Broken(Learner):
        def optimizers(self):
            return make(list(self.tracker.parameters()))

    return Broken


class GlobalAct(Learner):
    def act(self, observation, explore):
        torch.rand(1)
        return super().act(observation, explore)


class HiddenGenerator(Learner):
    def __init__(self):
        super().__init__()
        self.hidden = torch.Generator()

    def __deepcopy__(self, memo):
        other = type(self)()
        other.load_state_dict(self.state_dict())
        other.hidden.seed()
        return other

    def act(self, observation, explore):
        return Decision(random_items(observation, self.spec.num_items, 1, self.hidden))


class InPlaceAct(Learner):
    def act(self, observation, explore):
        decision = super().act(observation, explore)
        observation.history_feedback.add_(1)
        return decision


class Unreachable(Learner):
    def __init__(self):
        super().__init__()
        self.unused = nn.Linear(1, 1)

    def optimizers(self):
        return {"main": torch.optim.Adam(self.unused.parameters())}


class LearnsNaN(Learner):
    updates = 0

    def losses(self, batch):
        yield from super().losses(batch)
        self.updates += 1
        if self.updates == ROUNDS:  # only after the last batch: otherwise the next loss would be NaN first
            with torch.no_grad():
                self.tracker.profile.weight.fill_(torch.nan)


class InfiniteGradient(Learner):
    def losses(self, batch):
        for name, loss in super().losses(batch):
            yield name, loss + (self.tracker.feedback.weight * 0).abs().sum().sqrt()


class InPlaceLosses(Learner):
    def losses(self, batch):
        batch.reward.sub_(batch.reward.mean())
        yield from super().losses(batch)


class GlobalLosses(Learner):
    def losses(self, batch):
        for name, loss in super().losses(batch):
            yield name, loss * torch.rand(1).squeeze()


class TextDiagnostics(Learner):
    def diagnostics(self):
        return {"mood": "good"}


def restoring(restore):
    """A Learner that restores a saved state by `restore`."""
    return type("Broken", (Learner,), {"set_extra_state": restore})


class SavesNumpy(Learner):
    def get_extra_state(self):
        return super().get_extra_state() | {"more": torch.zeros(2).numpy()}


class HiddenCounter(Learner):
    """Its losses depend on a count of updates that no checkpoint contains."""

    updates = 0

    def losses(self, batch):
        self.updates += 1
        for name, loss in super().losses(batch):
            yield name, loss * self.updates

    def load_state_dict(self, *args, **kwargs):
        self.updates = 0
        return super().load_state_dict(*args, **kwargs)


class HiddenTargetCounter(Learner):
    """Moves its target every second update, by a count that no checkpoint contains."""

    updates = 0

    def __init__(self, spec=SPEC, seed=0):
        super().__init__(spec, seed)
        self.register_buffer("target", torch.zeros(()))

    def losses(self, batch):
        yield from super().losses(batch)
        self.updates += 1
        if self.updates % 2 == 0:
            self.target.copy_(self.tracker.feedback.weight.detach().sum())

    def load_state_dict(self, *args, **kwargs):
        self.updates = 0
        return super().load_state_dict(*args, **kwargs)


class HiddenPreference(Learner):
    """Its decisions depend on a value that no checkpoint contains."""

    offset = 0

    def act(self, observation, explore):
        return super().act(observation, explore) if not self.offset else Decision(observation.candidates[:, :1])

    def load_state_dict(self, *args, **kwargs):
        self.offset = 1
        return super().load_state_dict(*args, **kwargs)


class StaleCache(Learner):
    """Projects the items only at the first call, so that its decisions ignore what it learns."""

    def optimizers(self):
        return {"main": torch.optim.Adam(self.tracker.parameters(), lr=0.5)}

    def prepare_to_act(self):
        if self.items is None:
            super().prepare_to_act()

    def load_state_dict(self, *args, **kwargs):
        result = super().load_state_dict(*args, **kwargs)
        self.items = None
        return result


@pytest.mark.parametrize("agent", [Learner, OnPolicy, ClosedForm, Prioritized, Unbiased])
@pytest.mark.parametrize("choices", [{}, {"num_candidates": 6}, {"slate_size": 3, "has_context": True}])
def test_a_correct_agent_passes(agent, choices):
    spec = toy_spec(DATA, **choices)
    check_agent(agent(spec), ToyEnvironment(spec, DATA))


@pytest.mark.parametrize(
    ("agent", "message"),
    [
        (object, "must subclass"),
        (expecting("replay"), "experience must be one of recframe.interfaces.Experience, not str"),
        (choosing(lambda decision, _: decision.slate), "must return a recframe.interfaces.Decision, not Tensor"),
        (choosing(lambda decision, _: Decision(decision.slate.squeeze(1))), r"the slate must have the shape \[6, 1\], not \[6\]"),
        (choosing(lambda decision, _: Decision(decision.slate.int())), "must be torch.int64"),
        (choosing(lambda decision, _: Decision(decision.slate + 40)), "must contain item numbers from 0 to 39"),
        (choosing(lambda decision, _: Decision((decision.slate + 1) % 40)), "an item that is not a candidate"),
        (choosing(lambda decision, _: Decision(decision.slate, decision.slate.float())), r"log_prob must have the shape \[6\]"),
        (choosing(lambda decision, _: Decision(decision.slate, torch.ones(len(decision.slate)))), "log_prob is above 0"),
        (choosing(lambda decision, _: Decision(decision.slate, torch.full((len(decision.slate),), -torch.inf))), "NaN or infinity"),
        (GlobalAct, r"act\(\) draws from torch's global random state"),
        (HiddenGenerator, "an identical agent made another decision"),
        (InPlaceAct, r"act\(\) changed history_feedback"),
        (stepping(lambda _: {}), r"for 'main', but optimizers\(\) has \[\]"),
        (ClosedFormIdle, "values learned without an optimizer must be buffers"),
        (ClosedFormUnsaved, "after load_state_dict the decisions differ"),
        (expecting(NoExperience()), "must say what experience it learns from"),
        (stepping(lambda parameters: [torch.optim.SGD(parameters)]), "must return a dict of names to torch optimizers"),
        (stepping(lambda _: {"main": torch.optim.SGD([nn.Parameter(torch.zeros(1))])}), "steps parameters that the agent does not contain"),
        (
            stepping(lambda parameters: {name: torch.optim.SGD(parameters) for name in ("main", "critic")}),
            "never yielded a loss for the optimizer 'critic'",
        ),
        (Unreachable, "reaches none of the parameters"),
        (LearnsNaN, "learning made a weight NaN or infinite"),
        (InfiniteGradient, "has a gradient that is NaN or infinite"),
        (stepping(lambda parameters: {"main": torch.optim.SGD(parameters, lr=0.0)}), "no weight changed in learning"),
        (InPlaceLosses, r"losses\(\) changed reward of the batch in place"),
        (GlobalLosses, r"losses\(\) draws from torch's global random state"),
        (losing(lambda name, loss: ("actor", loss)), r"for 'actor', but optimizers\(\) has \['main'\]"),
        (losing(lambda name, loss: (name, loss.expand(3))), "must be a scalar tensor"),
        (losing(lambda name, loss: (name, loss / 0)), "must be finite"),
        (losing(lambda name, loss: (name, loss.detach())), "has no gradient"),
        (Shortsighted, r"ignores batch\.discount"),
        (Unweighted, r"ignores batch\.weight"),
        (Rescaled, r"ignores batch\.weight"),
        (ranking(lambda error: None), r"priorities\(\) is None, but the agent asks for prioritized replay"),
        (ranking(lambda error: error.abs().mean()), r"priorities\(\) must have the shape \[16\], not \[\]"),
        (ranking(lambda error: error.abs().log() * torch.inf), r"priorities\(\) contains NaN or infinity"),
        (ranking(lambda error: error - error.max() - 1), r"priorities\(\) has a value below 0"),
        (ranking(lambda error: error.abs().requires_grad_()), r"priorities\(\) has a gradient"),
        (TextDiagnostics, "'mood' must be a number"),
        (restoring(lambda self, state: self.generator.set_state(state["generator"])), "env_steps or the generator is not restored"),
        (restoring(lambda self, state: setattr(self, "env_steps", state["env_steps"])), "env_steps or the generator is not restored"),
        (SavesNumpy, "does not survive torch.load"),
        (HiddenCounter, "after load_state_dict the losses differ"),
        (HiddenTargetCounter, r"learning gives another result \(target differs\)"),
        (HiddenPreference, "after load_state_dict the decisions differ"),
        (StaleCache, r"the decisions differ: .*recompute caches in prepare_to_act\(\)"),
    ],
)
def test_a_broken_agent_is_reported(agent, message):
    with pytest.raises(ConformanceError, match=message):
        check_agent(agent(), ToyEnvironment(SPEC, DATA))


def test_a_slate_with_an_item_twice_is_reported():
    spec = toy_spec(DATA, slate_size=3)
    agent = choosing(lambda decision, _: Decision(decision.slate[:, :1].expand(-1, 3)))(spec)
    with pytest.raises(ConformanceError, match="shows the same item twice"):
        check_agent(agent, ToyEnvironment(spec, DATA))
