"""Learning from a log in which every item is followed by the next one: each rule must find that out."""

import pytest
import torch

from recframe.errors import ModelError
from recframe.interfaces import PAD, Observation, Replay, SequenceBatch, Sequences
from recframe.item_codes.config import CodesConfig
from recframe.testing import update
from recframe.testing.toy import toy_spec, toy_transition
from recframe_plugins.agents.language_policy.config import LanguagePolicyConfig

ITEMS, LENGTH = 12, 5
IDS = CodesConfig(kind="ids", size=4)


def histories(generator, size):
    """Histories `[size, LENGTH]` of one item after the other, of any length from one on."""
    first = torch.randint(ITEMS, (size, 1), generator=generator)
    items = (first + torch.arange(LENGTH)) % ITEMS
    lengths = torch.randint(1, LENGTH + 1, (size, 1), generator=generator)
    return items.masked_fill(torch.arange(LENGTH) < LENGTH - lengths, PAD)


def observed(items):
    return Observation(
        user=torch.zeros(len(items), dtype=torch.int64),
        history_items=items,
        history_feedback=torch.ones(len(items), LENGTH, 1).masked_fill((items == PAD).unsqueeze(2), 0.0),
        batch_size=[len(items)],
    )


def transitions(spec, data, generator, size=32, share_right=1.0):
    """Contexts with the next item and a reward of 1, or, for the others, with a random item and no reward."""
    batch = toy_transition(spec, data, generator, users=size)
    batch.observation = observed(histories(generator, size))
    following = (batch.observation.history_items[:, -1:] + 1) % ITEMS
    right = torch.rand(size, 1, generator=generator) < share_right
    batch.slate = torch.where(right, following, torch.randint(ITEMS, (size, 1), generator=generator))
    batch.reward = right.squeeze(1).float()
    return batch


def sequences(generator, size=32):
    items = histories(generator, size)
    whole = torch.cat([items, (items[:, -1:] + 1) % ITEMS], dim=1)
    there = whole != PAD
    return SequenceBatch(
        user=torch.zeros(size, dtype=torch.int64),
        item=whole,
        feedback=there.unsqueeze(2).float(),
        reward=there.float(),
        timestamps=torch.zeros(whole.shape, dtype=torch.int64),
        terminated=torch.ones(size, dtype=torch.bool),
        batch_size=[size],
    )


def spec_of(data):
    return toy_spec(data, history_length=LENGTH, signals=("click",))


@torch.no_grad()
def probability_of_the_next(agent):
    items = histories(torch.Generator().manual_seed(99), 64)
    return float(agent.scores_of_items(observed(items), (items[:, -1:] + 1) % ITEMS).exp().mean())


@pytest.fixture(scope="module")
def supervised(policy, data):
    """A policy that has learned the order half, and how probable the next item was before."""
    agent = policy(spec_of(data), codes=IDS, learning_rate=0.01)
    before, generator, optimizers = probability_of_the_next(agent), torch.Generator().manual_seed(5), agent.optimizers()
    assert agent.experience == Sequences(128, LENGTH, with_choices=True)
    for _ in range(30):
        update(agent, optimizers, sequences(generator))
    return agent, before


def test_cross_entropy_learns_which_item_comes_next(supervised):
    agent, before = supervised
    assert before < 2 / ITEMS
    assert probability_of_the_next(agent) > 0.8


@pytest.mark.parametrize("history_tokens", ["item", "codes"])
def test_all_places_of_a_sequence_are_what_single_prompts_give(policy, data, history_tokens):
    agent = policy(spec_of(data), codes=IDS, noise=0.3, history_tokens=history_tokens)
    batch = sequences(torch.Generator().manual_seed(1), 6)
    ((_, loss),) = agent.losses(batch)
    log_probs = []
    for place in range(LENGTH):
        items = torch.full((6, LENGTH), PAD)
        items[:, LENGTH - place - 1 :] = batch.item[:, : place + 1]
        there = items[:, -1] != PAD
        with torch.no_grad():
            log_probs.append(agent.scores_of_items(observed(items), batch.item[:, place + 1 : place + 2])[there])
    assert float(loss.detach()) == pytest.approx(-float(torch.cat(log_probs).mean()), abs=1e-4)


def test_items_without_a_click_are_not_learned(policy, data):
    agent = policy(spec_of(data), codes=IDS, noise=0.3)
    batch = sequences(torch.Generator().manual_seed(1), 6)
    batch.clicked = torch.zeros_like(batch.item, dtype=torch.bool)
    assert not list(agent.losses(batch))
    batch.clicked[0, -1] = True
    ((_, loss),) = agent.losses(batch)
    alone = agent.scores_of_items(observed(batch.item[:1, :-1]), batch.item[:1, -1:])
    assert float(loss.detach()) == pytest.approx(-float(alone), abs=1e-4)


def test_only_places_that_are_learned_are_computed(policy, data):
    agent = policy(spec_of(data), codes=IDS)
    batch = sequences(torch.Generator().manual_seed(1), 40)

    def tokens():
        agent.diagnostics()
        list(agent.losses(batch))
        return agent.policy.statistics.tokens

    everywhere = tokens()
    batch.clicked = torch.zeros_like(batch.item, dtype=torch.bool)
    batch.clicked[:4, -1] = True
    # the prompts of four people, with one branch each
    assert tokens() <= 2 * 4 * (1 + LENGTH + agent.policy.levels) < everywhere / 5


@pytest.mark.parametrize(
    ("options", "updates", "margin"),
    [
        ({"logged_learning": "dpo", "beta": 0.5}, 30, 0.3),
        ({"logged_learning": "s_dpo", "beta": 0.5, "negatives_from": "policy"}, 30, 0.3),
        ({"logged_learning": "grpo", "generations": 8}, 30, 0.3),
        ({"logged_learning": "grpo", "generations": 8, "epochs": 2, "kl_weight": 0.01}, 20, 0.3),
    ],
)
def test_preferences_and_groups_make_what_was_liked_more_probable(policy, data, options, updates, margin):
    agent = policy(spec_of(data), codes=IDS, learning_rate=0.01, **options)
    before, generator, optimizers = probability_of_the_next(agent), torch.Generator().manual_seed(5), agent.optimizers()
    for _ in range(updates):
        update(agent, optimizers, transitions(agent.spec, data, generator, share_right=0.8))
    assert probability_of_the_next(agent) > before + margin
    found = agent.diagnostics()
    if options["logged_learning"] == "grpo":
        assert 0 < found["hits"] < 1
        assert 0 <= found["group_collapse"] < 1
    else:
        assert found["margin"] > 0
        assert found["preferred"] > 0.8
    if "kl_weight" in options or options["logged_learning"] != "grpo":
        assert found["kl"] > 0.01


def test_the_reference_stays_and_survives_a_checkpoint(policy, data):
    options = {"codes": IDS, "logged_learning": "dpo", "learning_rate": 0.05}
    agent, generator = policy(spec_of(data), **options), torch.Generator().manual_seed(5)
    batch = transitions(agent.spec, data, generator)

    def reference(one):
        return one.reference(one.policy, "logged", lambda policy: policy.log_prob_of_items(batch.observation, batch.slate))

    before = agent.policy.log_prob_of_items(batch.observation, batch.slate).detach()
    update(agent, agent.optimizers(), batch)
    torch.testing.assert_close(reference(agent), before)
    assert not torch.allclose(agent.policy.log_prob_of_items(batch.observation, batch.slate), before)
    other = policy(spec_of(data), seed=1, **options)
    other.load_state_dict(agent.state_dict())
    torch.testing.assert_close(reference(other), before)
    # a later stage is compared with what the earlier one has learned
    now = agent.reference(agent.policy, "simulated", lambda policy: policy.log_prob_of_items(batch.observation, batch.slate))
    torch.testing.assert_close(now, agent.policy.log_prob_of_items(batch.observation, batch.slate).detach())


def test_batches_in_which_nothing_was_liked_are_passed_over(policy, data):
    agent = policy(spec_of(data), codes=IDS, logged_learning="dpo")
    batch = transitions(agent.spec, data, torch.Generator().manual_seed(5), share_right=0.0)
    assert not list(agent.losses(batch))


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"width": 10, "heads": 2}, "agent.width (10) must be an even multiple of agent.heads (2)"),
        ({"beta": 0.5}, "agent.beta is for agent.logged_learning=dpo and s_dpo, not ce"),
        ({"logged_learning": "dpo", "negatives": 5}, "agent.negatives is for agent.logged_learning=s_dpo, not dpo"),
        ({"lora_rank": 4}, "agent.lora_rank is for a trained model; leave it out, or set agent.model"),
        ({"model": "x", "layers": 4}, "agent.layers is for a decoder made from scratch"),
        ({"model": "x", "tuning": "full", "lora_rank": 4}, "agent.lora_rank and agent.lora_alpha are for agent.tuning=lora"),
        (
            {"model": "x", "prompt": "{histroy}"},
            "agent.prompt: there is no field {histroy}; the fields are {profile}, {context}, {history}",
        ),
        ({"model": "x", "prompt": "{history"}, "agent.prompt: expected '}' before end of string"),
        ({"model": "x", "entry": "{title}{title}"}, "agent.entry names {title} twice"),
        ({"codes": CodesConfig(kind="ids", levels=2)}, "agent.codes.levels is for agent.codes.kind="),
    ],
)
def test_contradictions_are_told_in_a_line(options, line):
    lines = list(LanguagePolicyConfig(**options).contradictions())
    assert len(lines) == 1
    assert lines[0].startswith(line)


def test_a_model_that_reads_less_than_the_tracker_learns_from_what_it_reads_when_it_acts(policy, data):
    spec = toy_spec(data, history_length=LENGTH)
    assert isinstance(policy(spec, history_items=2).experience, Replay)
    assert policy(spec, history_items=LENGTH).experience == Sequences(128, LENGTH, with_choices=True)
    with pytest.raises(ModelError, match=r"agent\.history_items=9: observations have the last 5 items; leave it out"):
        policy(spec, history_items=9)
