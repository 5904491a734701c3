"""The rules of the simulated stage: their losses in numpy, their measures, the reference, and what is refused."""

from copy import deepcopy
from dataclasses import replace

import numpy as np
import pytest
import torch

from recframe.interfaces import own_minibatches
from recframe.testing import ToyEnvironment, ToyTracker, collect, toy_spec, update
from recframe_plugins.agents.language_policy.agent import LanguagePolicy
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig
from recframe_plugins.agents.language_policy.losses import reference_kl

GAMMA, LAMBDA, ENTROPY, VALUE, KL = 0.9, 0.8, 0.05, 0.4, 0.3
COMMON = {"gamma": GAMMA, "entropy_weight": ENTROPY, "value_weight": VALUE}


@pytest.fixture
def played(policy, data):
    """`played(learning="ppo", ...)`: an agent, and a chunk that it has collected."""

    def build(steps=5, group_size=1, slate_size=2, **options):
        spec = replace(toy_spec(data, num_users=6, slate_size=slate_size), group_size=group_size)
        agent = policy(spec, noise=0.3, **options)
        environment = ToyEnvironment(spec, data)
        batch, _ = collect(agent, environment, environment.reset(3), steps)
        batch.truncated = (torch.rand(batch.reward.shape, generator=torch.Generator().manual_seed(1)) < 0.1) & ~batch.terminated
        return agent, batch

    return build


def advantages(batch, value, following, gae_lambda):
    """Generalized advantages (Schulman et al., 2016, equation 16), one step after the other."""
    reward, terminated, over = batch.reward.numpy(), batch.terminated.numpy(), (batch.terminated | batch.truncated).numpy()
    found = np.zeros_like(reward)
    later = np.zeros(reward.shape[1])
    for t in range(len(reward) - 1, -1, -1):
        delta = reward[t] + GAMMA * np.where(terminated[t], 0, following[t]) - value[t]
        later = delta + GAMMA * gae_lambda * ~over[t] * later
        found[t] = later
    return found


def evaluated(agent, batch):
    """log-probabilities, entropies and values of a chunk, and values of what came after each step, in numpy."""
    flat = batch.reshape(-1)
    with torch.no_grad():
        now = agent.policy.evaluate(flat.observation, flat.slate)
        after = agent.policy.values(flat.next_observation)
    return now, now.value.view_as(batch.reward).numpy(), after.view_as(batch.reward).numpy()


def unit_of(batch):
    nothing = np.zeros(batch.reward.shape)
    returns = advantages(batch, nothing, nothing, 1.0)
    return returns.mean(), returns.std()


def first_loss(agent, batch):
    return float(next(agent.losses(batch))[1].detach())


@pytest.mark.parametrize("normalize", [True, False])
def test_reinforce_has_the_loss_of_its_paper(played, normalize):
    agent, batch = played(learning="reinforce", normalize_advantages=normalize, **COMMON)
    now, head, after = evaluated(agent, batch)
    mean, deviation = unit_of(batch)
    found = advantages(batch, mean + deviation * head, mean + deviation * after, 1.0)
    targets = (found + mean + deviation * head - mean) / deviation
    scaled = (found - found.mean()) / (found.std() + 1e-8) if normalize else found
    policy_loss = -(now.log_prob.numpy() * scaled.ravel()).mean() - ENTROPY * now.entropy.numpy().mean()
    assert first_loss(agent, batch) == pytest.approx(policy_loss + VALUE * ((head - targets) ** 2).mean(), rel=1e-4)


def test_ppo_has_the_loss_of_its_paper_also_after_steps(played):
    agent, batch = played(
        learning="ppo",
        gae_lambda=LAMBDA,
        minibatches=2,
        epochs=2,
        normalize_advantages=False,
        clip_range=0.05,
        learning_rate=0.02,
        **COMMON,
    )
    old, head, after = evaluated(agent, batch)
    mean, deviation = unit_of(batch)
    found = advantages(batch, mean + deviation * head, mean + deviation * after, LAMBDA)
    targets = ((found + mean + deviation * head - mean) / deviation).ravel()
    parts = torch.Generator()
    parts.set_state(agent.generator.get_state())
    rows = [rows for _ in range(2) for rows, _ in own_minibatches(*batch.reward.shape, 2, parts)]
    optimizer, clipped = agent.optimizers()["policy"], 0
    for part, (_, loss) in zip(rows, agent.losses(batch), strict=True):
        now, _, _ = evaluated(agent, batch)
        ratio, of = np.exp((now.log_prob - old.log_prob)[part].numpy()), found.ravel()[part]
        gain = np.minimum(ratio * of, np.clip(ratio, 0.95, 1.05) * of)
        clipped += (gain != ratio * of).sum()
        value_loss = ((now.value[part].numpy() - targets[part]) ** 2).mean()
        expected = VALUE * value_loss - gain.mean() - ENTROPY * now.entropy[part].numpy().mean()
        assert float(loss.detach()) == pytest.approx(expected, rel=1e-3)
        optimizer.zero_grad()
        loss.backward()
        optimizer.step()
    assert clipped > 0


def test_grpo_compares_sessions_of_one_person(played):
    agent, batch = played(steps=12, group_size=2, learning="grpo", minibatches=1, entropy_weight=ENTROPY, credit="session")
    now, _, _ = evaluated(agent, batch)
    loss = first_loss(agent, batch)
    compared = agent.rule("simulated").sessions
    assert float(agent.latest["groups"]) > 2
    assert float(agent.latest["waiting_steps"]) == len(compared.waiting.reward) < batch.reward.numel()
    # at pi = pi_old, the gain of each code is the advantage of its session
    another = agent.rule("simulated").sessions.__class__(2).take_in(batch, now)
    returns = another.rewards.sum(dim=2).double().numpy()
    of_sessions = ((returns - returns.mean(axis=1, keepdims=True)) / (returns.std(axis=1, ddof=1, keepdims=True) + 1e-4)).ravel()
    choices = another.steps.is_choice.flatten(1).numpy()
    gain = (of_sessions[another.row.numpy()][:, None] * choices).sum() / choices.sum()
    with torch.no_grad():
        entropy = float(agent.policy.evaluate(another.steps.observation, another.steps.slate).entropy.sum()) / choices.sum()
    assert loss == pytest.approx(-gain - ENTROPY * entropy, abs=1e-4)


@pytest.mark.parametrize("learning", ["reinforce", "ppo", "grpo"])
def test_the_reference_is_the_policy_before_its_first_step(played, learning):
    options = {"kl_weight": KL, "learning_rate": 0.02, "entropy_weight": 0.0}
    agent, batch = played(steps=12, group_size=2 if learning == "grpo" else 1, learning=learning, **options)
    flat, before = batch.reshape(-1), {name: value.clone() for name, value in agent.policy.named_parameters()}
    optimizers = agent.optimizers()
    update(agent, optimizers, batch)
    assert float(agent.latest["kl"]) == pytest.approx(0.0, abs=1e-6)
    now, _, _ = evaluated(agent, batch)
    update(agent, optimizers, batch)
    assert float(agent.latest["kl"]) > 0
    with torch.no_grad():
        held = agent.rule("simulated").reference(agent, flat.observation, flat.slate)
        moved = {name: value.clone() for name, value in agent.policy.named_parameters()}
        for name, value in agent.policy.named_parameters():
            value.copy_(before[name])
        first = agent.policy.evaluate(flat.observation, flat.slate).token_log_probs
    torch.testing.assert_close(held, first)
    assert any(not torch.equal(moved[name], before[name]) for name in before)
    if learning != "grpo":
        assert reference_kl(now.token_log_probs, first).sum(dim=(1, 2)).mean() > 0


@pytest.mark.parametrize("learning", ["reinforce", "ppo", "grpo"])
def test_the_weight_of_the_divergence_holds_the_policy_at_its_reference(played, learning):
    divergences = []
    for weight in (0.0, 100.0):
        agent, batch = played(
            steps=12,
            group_size=2 if learning == "grpo" else 1,
            learning=learning,
            kl_weight=weight,
            learning_rate=0.005,
            entropy_weight=0.0,
        )
        optimizers = agent.optimizers()
        for _ in range(6):
            update(agent, optimizers, batch)
        divergences.append(float(agent.latest["kl"]))
    assert divergences[1] < 0.5 * divergences[0]


@pytest.mark.parametrize("learning", ["reinforce", "ppo", "grpo"])
def test_what_is_always_measured(played, learning):
    agent, batch = played(steps=12, group_size=2 if learning == "grpo" else 1, learning=learning)
    update(agent, agent.optimizers(), batch)
    found = agent.diagnostics()
    assert {"invalid", "entropy", "kl", "length", "tokens_per_second", "code_use/level_1"} <= set(found)
    assert found["invalid"] == 0
    own = {"reinforce": {"explained_variance"}, "ppo": {"clipped", "mean_value"}, "grpo": {"group_collapse", "clipped", "groups"}}[learning]
    assert own <= set(found)


def test_the_divergence_without_a_weight_is_of_the_whole_chunk(played):
    agent, batch = played(steps=24, learning="ppo")
    flat, rule = batch.reshape(-1), agent.rule("simulated")
    with torch.no_grad():
        log_probs = agent.policy.evaluate(flat.observation, flat.slate).token_log_probs
    rule.reference_in_loss(agent, flat.observation, flat.slate, log_probs)
    assert float(agent.latest["kl"]) == pytest.approx(0.0, abs=1e-6)
    for part in (slice(96, None), slice(0, None, 6)):
        # the last steps, and one of six users, are no longer as the reference has them
        changed = log_probs.clone()
        changed[part] -= 0.5
        rule.reference_in_loss(agent, flat.observation, flat.slate, changed)
        assert float(agent.latest["kl"]) > 0.01


@pytest.mark.parametrize("learning", ["reinforce", "ppo", "grpo"])
def test_a_saved_agent_goes_on_to_the_last_bit(played, policy, data, learning):
    size = 2 if learning == "grpo" else 1
    agent, first = played(steps=4, group_size=size, learning=learning, kl_weight=0.1)
    other = policy(agent.spec, seed=5, learning=learning, kl_weight=0.1)
    optimizers = agent.optimizers()
    agent.diagnostics()
    update(agent, optimizers, first)
    other.load_state_dict(agent.state_dict())
    # what is logged next, too
    logged = [{name: float(value) for name, value in one.diagnostics().items() if "per_second" not in name} for one in (agent, other)]
    assert logged[0] == logged[1]
    assert "kl" in logged[0]
    loaded = other.optimizers()
    loaded["policy"].load_state_dict(deepcopy(optimizers["policy"].state_dict()))
    environment = ToyEnvironment(agent.spec, data)
    observation = environment.reset(9)
    for _ in range(4):
        batch, observation = collect(agent, environment, observation, 4)
        other.generator.set_state(agent.generator.get_state())
        assert update(agent, optimizers, batch) == update(other, loaded, batch)
    assert all(torch.equal(a, b) for a, b in zip(agent.parameters(), other.parameters(), strict=True))


class DroppingTracker(ToyTracker):
    @property
    def dropout_in_updates(self):
        return 0.1


def test_what_a_rule_cannot_learn_with_is_refused(data, policy):
    with pytest.raises(ValueError, match=r"agent\.learning=grpo compares sessions of one person: set environment\.group_size"):
        policy(learning="grpo").experience_in("simulated")
    spec = toy_spec(data)
    agent = LanguagePolicy(LanguagePolicyConfig(width=16, layers=1), spec, DroppingTracker(spec, data), seed=0)
    with pytest.raises(ValueError, match=r"state_tracker\.dropout must be 0, not 0\.1"):
        agent.experience_in("simulated")


@pytest.mark.parametrize(
    ("options", "expected"),
    [
        ({"learning": "reinforce", "minibatches": 8}, "agent.minibatches is for agent.learning=ppo and grpo, not reinforce: leave it out"),
        (
            {"learning": "grpo", "gamma": 0.5, "credit": "session"},
            "agent.gamma is not read with agent.credit=session, which compares whole returns: leave it out",
        ),
        ({"learning": "ppo", "credit": "session"}, "agent.credit is for agent.learning=grpo, not ppo: leave it out"),
    ],
)
def test_options_that_the_rule_does_not_read_are_refused(options, expected):
    assert list(LanguagePolicyConfig(**options).contradictions()) == [expected]
