"""What a language policy writes: only items that may be shown, with exactly the probabilities that it says."""

import itertools
from dataclasses import replace

import pytest
import torch

from recframe.interfaces import PAD, allowed_items
from recframe.item_codes.config import CodesConfig
from recframe.testing.toy import toy_observation, toy_spec

RESTRICTED = {"num_candidates": 8, "num_excluded": 3}


def observed(agent, data, users=6, seed=3):
    return toy_observation(agent.spec, data, torch.Generator().manual_seed(seed), users=users)


def allowed_of(observation, num_items):
    scores = allowed_items(observation, torch.zeros(len(observation.user), num_items))
    return [set((row == 0).nonzero().flatten().tolist()) for row in scores]


def logits_without_cache(agent, observation, row, codes):
    """The vectors before each code of an item, by one pass over the prompt and the codes, without cache, branches or padding."""
    policy = agent.policy
    prompt = policy.prompt(observation[row : row + 1], policy.codes, policy.book)
    read = prompt.tokens[:, prompt.present[0]]
    tokens = torch.cat([read, policy.codes.vectors(codes[:-1].view(1, -1))], dim=1)
    size = tokens.shape[1]
    visible = torch.ones(size, size, dtype=torch.bool).tril().unsqueeze(0)
    hidden = policy.backbone(tokens, visible, torch.arange(size).unsqueeze(0))[0, read.shape[1] - 1 :]
    return [policy.codes.logits(hidden[level], level) for level in range(policy.levels)]


def log_prob_by_hand(agent, observation, row, item, allowed):
    """log P(item), with the open codes of each level found by looking through all items."""
    codes = agent.policy.book.of(torch.arange(agent.spec.num_items))
    total = 0.0
    for level, logits in enumerate(logits_without_cache(agent, observation, row, codes[item])):
        prefix = codes[item, :level]
        is_open = sorted({int(codes[other, level]) for other in allowed if torch.equal(codes[other, :level], prefix)})
        total += float(logits[is_open].log_softmax(0)[is_open.index(int(codes[item, level]))])
    return total


@pytest.mark.parametrize("options", [{}, {"history_tokens": "codes"}, {"codes": CodesConfig(kind="ids", size=4)}, {"history_items": 2}])
@pytest.mark.parametrize("restricted", [{}, RESTRICTED])
@torch.no_grad()
def test_the_probability_of_an_item_is_the_product_over_open_codes(policy, data, options, restricted):
    agent = policy(toy_spec(data, **restricted), noise=0.3, **options)
    observation = observed(agent, data)
    items = torch.arange(12).expand(6, -1)
    scores = agent.scores_of_items(observation, items)
    for row, allowed in enumerate(allowed_of(observation, 12)):
        for item in range(12):
            if item in allowed:
                assert float(scores[row, item]) == pytest.approx(log_prob_by_hand(agent, observation, row, item, allowed), abs=1e-4)
            else:
                assert float(scores[row, item]) == -torch.inf
    torch.testing.assert_close(scores.exp().sum(dim=1), torch.ones(6))
    torch.testing.assert_close(agent.scores_of_all(observation), scores, atol=1e-4, rtol=0)
    assert scores[0].exp().max() > 2 / 12  # far from uniform: the comparison says something


@torch.no_grad()
def test_the_probabilities_of_all_slates_are_those_of_draws_without_repetition(policy, data):
    small = data._replace(catalog=replace(data.catalog, **{name: getattr(data.catalog, name)[:5] for name in SLICED}))
    agent = policy(toy_spec(small, slate_size=3), noise=0.3, around=small)
    observation = toy_observation(agent.spec, small, torch.Generator().manual_seed(3), users=2)
    slates = torch.tensor(list(itertools.permutations(range(5), 3)))
    for row in range(2):
        repeated = observation[[row] * len(slates)]
        log_prob = agent.policy.evaluate(repeated, slates).log_prob
        assert float(log_prob.exp().sum()) == pytest.approx(1, abs=1e-4)
        for slate, found in list(zip(slates.tolist(), log_prob.tolist(), strict=True))[::7]:
            left, by_hand = set(range(5)), 0.0
            for item in slate:
                by_hand += log_prob_by_hand(agent, observation, row, item, left)
                left.remove(item)
            assert found == pytest.approx(by_hand, abs=1e-4)


SLICED = ("ids", "texts", "attributes", "popularity", "text_vectors")


@pytest.mark.parametrize("restricted", [{}, RESTRICTED])
@torch.no_grad()
def test_the_log_probability_of_a_draw_is_that_of_its_evaluation(policy, data, restricted):
    agent = policy(toy_spec(data, slate_size=3, **restricted), noise=0.3)
    observation = observed(agent, data, users=40)
    decision = agent.act(observation, explore=True)
    evaluation = agent.policy.evaluate(observation, decision.slate)
    torch.testing.assert_close(decision.log_prob, evaluation.log_prob, atol=1e-4, rtol=0)
    torch.testing.assert_close(evaluation.token_log_probs.sum(dim=(1, 2)), evaluation.log_prob, atol=1e-4, rtol=0)
    # a code that could not be another says nothing
    assert (evaluation.token_log_probs[~evaluation.is_choice] == 0).all()
    for slate, allowed in zip(decision.slate.tolist(), allowed_of(observation, 12), strict=True):
        assert len(set(slate)) == 3
        assert set(slate) <= allowed


@torch.no_grad()
def test_items_are_drawn_as_often_as_they_are_probable(policy, data):
    agent = policy(noise=0.3)
    observation = observed(agent, data, users=1)[[0] * 4000]
    probabilities = agent.scores_of_all(observation[:1])[0].exp()
    for drawn in (agent.act(observation, explore=True).slate[:, 0], agent.policy.generations(observation[:40], 100, agent.generator)):
        shares = torch.bincount(drawn.flatten(), minlength=12) / 4000
        # four standard deviations of a share
        assert ((shares - probabilities).abs() <= 4 * (probabilities * (1 - probabilities) / 4000).sqrt() + 1e-9).all()


@torch.no_grad()
def test_the_entropy_of_draws_is_that_of_the_distribution(policy, data):
    agent = policy(noise=0.3)
    observation = observed(agent, data, users=1)[[0] * 2000]
    estimate = agent.policy.evaluate(observation, agent.act(observation, explore=True).slate).entropy
    log_probs = agent.scores_of_all(observation[:1])[0]
    exact = -(log_probs.exp() * log_probs).sum()
    assert float(estimate.mean()) == pytest.approx(float(exact), abs=0.05)


@pytest.mark.parametrize("history_tokens", ["item", "codes"])
@torch.no_grad()
def test_padding_is_ignored(policy, data, history_tokens):
    agent = policy(toy_spec(data, history_length=5), noise=0.3, history_tokens=history_tokens)
    observation = observed(agent, data)
    padded = observation.clone()
    padded.history_items = torch.nn.functional.pad(observation.history_items[:, 2:], (2, 0), value=PAD)
    padded.history_feedback = torch.nn.functional.pad(observation.history_feedback[:, 2:], (0, 0, 2, 0))
    shorter = observation.clone()
    shorter.history_items, shorter.history_feedback = observation.history_items[:, 2:], observation.history_feedback[:, 2:]
    torch.testing.assert_close(agent.scores_of_all(padded), agent.scores_of_all(shorter), atol=1e-5, rtol=0)


@torch.no_grad()
def test_a_batch_in_parts_gives_what_a_whole_one_gives(policy, data):
    agent = policy(toy_spec(data, slate_size=2), noise=0.3)
    observation = observed(agent, data, users=9)
    before = agent.generator.get_state()
    whole = agent.act(observation, explore=True), agent.rank(observation, 5), agent.scores_of_all(observation)
    agent.config.batch_tokens = 30
    agent.generator.set_state(before)
    decision = agent.act(observation, explore=True)
    assert torch.equal(decision.slate, whole[0].slate)
    assert torch.equal(agent.rank(observation, 5), whole[1])
    torch.testing.assert_close(agent.scores_of_all(observation), whole[2], atol=1e-5, rtol=0)
    with torch.enable_grad():
        losses = {}
        for tokens in (65_536, 30):
            agent.config.batch_tokens = tokens
            agent.zero_grad()
            agent.policy.evaluate(observation, decision.slate).log_prob.mean().backward()
            losses[tokens] = agent.policy.codes.write.grad.clone()
    torch.testing.assert_close(losses[30], losses[65_536], atol=1e-5, rtol=0)


@torch.no_grad()
def test_beams_find_the_most_probable_items_and_fill_up_what_is_left(policy, data):
    agent = policy(toy_spec(data, **RESTRICTED), noise=0.3)
    observation = observed(agent, data)
    scores = agent.scores_of_all(observation)
    expected = scores.topk(12).indices.masked_fill(scores.topk(12).values.isneginf(), PAD)
    assert torch.equal(agent.rank(observation, 12), expected)
    agent.config.exact_items = 0
    for beams in (1, 3):
        agent.config.beams = beams
        ranking = agent.policy.rank(observation, 4)
        filled = ranking.items != PAD
        assert torch.equal(filled.sum(dim=1), (~scores.isneginf()).sum(dim=1).clamp(max=4))
        told = scores.gather(1, ranking.items.clamp(min=0))
        torch.testing.assert_close(ranking.log_probs[filled], told[filled], atol=1e-4, rtol=0)


def test_titles_of_words_share_their_vectors_over_the_places_of_a_title(policy, data):
    agent = policy(codes=CodesConfig(kind="titles"), noise=0.3)
    rows = agent.policy.codes.rows(agent.policy.book.of(torch.arange(12)))
    # "Space no. 0": the second word of all titles is one row
    assert len(rows[:, 1].unique()) == 1
    with torch.no_grad():
        total = agent.scores_of_all(observed(agent, data)).exp().sum(dim=1)
    torch.testing.assert_close(total, torch.ones(6))


def test_what_was_written_is_measured(policy, data):
    agent = policy(toy_spec(data, slate_size=2), noise=0.3)
    told = agent.diagnostics()
    assert {name: told[f"codes/{name}"] for name in agent.policy.book.report()} == agent.policy.book.report()
    assert 1 < told["codes/perplexity_1"] <= 3
    agent.act(observed(agent, data, users=50), explore=True)
    found = agent.diagnostics()
    assert found["invalid"] == 0
    assert found["length"] == agent.policy.levels
    assert 1 < found["code_use/level_1"] <= 3
    assert found["entropy"] > 0
    assert found["tokens_per_second"] > 0
    assert "invalid" not in agent.diagnostics()
    # codes stay as they are, until others are loaded
    assert not any(name.startswith("codes/") for name in found)
    state = agent.state_dict()
    agent.load_state_dict(state)
    assert "codes/collisions" not in agent.diagnostics()
    agent.load_state_dict(state | {"policy.book.codes": state["policy.book.codes"].flip(0)})
    assert "codes/collisions" in agent.diagnostics()


@torch.no_grad()
def test_no_pass_is_wider_than_its_bound_however_many_items_are_asked_about(policy, data, monkeypatch):
    agent = policy(toy_spec(data, **RESTRICTED), noise=0.3)
    observation = observed(agent, data)
    whole = agent.scores_of_all(observation)
    widths, forward = [], agent.policy.backbone.forward
    monkeypatch.setattr(agent.policy.backbone, "forward", lambda tokens, *rest: widths.append(tokens.shape[1]) or forward(tokens, *rest))
    prompt = agent.policy.prompt.length(observation)
    monkeypatch.setattr("recframe_plugins.agents.language_policy.generator.BRANCH_TOKENS", 6)
    torch.testing.assert_close(agent.scores_of_all(observation), whole, atol=1e-5, rtol=0)
    items = torch.arange(12).repeat(20).expand(6, -1)
    torch.testing.assert_close(agent.scores_of_items(observation, items), whole.repeat(1, 20), atol=1e-4, rtol=0)
    assert len(widths) > 20
    assert max(widths) <= max(prompt, 6)
    # the bound itself
    monkeypatch.undo()
    monkeypatch.setattr(agent.policy.backbone, "forward", lambda tokens, *rest: widths.append(tokens.shape[1]) or forward(tokens, *rest))
    widths.clear()
    agent.scores_of_items(observation[:1], torch.arange(12).repeat(100).unsqueeze(0))
    assert max(widths) <= 512
