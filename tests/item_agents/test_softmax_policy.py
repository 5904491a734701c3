"""Softmax policies over items: slates are Plackett-Luce draws with the stated probabilities, whatever the catalogue's size."""

import itertools
import math

import pytest
import torch

from recframe.interfaces import PAD, Observation
from recframe.item_agents import ItemPolicy, ItemRange, PolicyScores, draw_slate, search_items, slate_probability
from recframe.item_agents import search as item_search
from recframe.item_agents import softmax_policy as policies
from recframe.item_agents.softmax_policy import LogSumAndEntropy, gumbel


def observe(users, history=None, candidates=None, excluded=None):
    history = torch.full((users, 2), PAD) if history is None else torch.tensor(history)
    feedback = torch.zeros(*history.shape, 1)
    candidates, excluded = (None if numbers is None else torch.tensor(numbers) for numbers in (candidates, excluded))
    user = torch.zeros(users, dtype=torch.int64)
    return Observation(user, history, feedback, candidates=candidates, excluded=excluded, batch_size=[users])


def policy_scores(query, repeat, observation, items):
    return PolicyScores(query, repeat, observation.history_items, items, observation)


def scoring(scores, repeat=0.0, users=1, **observed):
    """A policy that gives all users the scores `[M]`: item vectors are one-hot."""
    scores = torch.as_tensor(scores, dtype=torch.float32)
    return policy_scores(scores.expand(users, -1), torch.full((users,), repeat), observe(users, **observed), torch.eye(len(scores)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def plackett_luce(scores, slate):
    """The definition: the softmax of the items left gives the probability of each item."""
    left, probability = dict(enumerate(scores)), 1.0
    for item in slate:
        probability *= math.exp(left[item]) / sum(math.exp(score) for score in left.values() if score > -math.inf)
        del left[item]
    return probability


def test_scores_follow_the_formula():
    torch.manual_seed(0)
    policy = ItemPolicy(5, 3, temperature=2.0, device=torch.device("cpu"))
    state, items = torch.randn(2, 5), torch.randn(4, 3)
    scores = policy(state, observe(2, history=[[PAD, 1], [3, 3]]), items)
    expected = policy.query(state) @ items.T / (2.0 * math.sqrt(3))
    expected[0, 1] += policy.repeat(state)[0, 0] / 2.0
    expected[1, 3] += policy.repeat(state)[1, 0] / 2.0  # once, however often the item was shown
    torch.testing.assert_close(scores.over(ItemRange(0, 4)), expected)
    torch.testing.assert_close(scores.of(torch.tensor([[1, 0], [3, 2]])), expected.gather(1, torch.tensor([[1, 0], [3, 2]])))


def test_a_policy_starts_near_uniform():
    torch.manual_seed(0)
    policy = ItemPolicy(64, 64, temperature=1.0, device=torch.device("cpu"))
    scores = policy(torch.randn(8, 64), observe(8), torch.randn(1000, 64))
    entropy = slate_probability(scores, torch.zeros(8, 1, dtype=torch.int64)).entropy
    assert (entropy > 0.999 * math.log(1000)).all()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_the_probability_of_a_slate_is_plackett_luce(k):
    scores = [0.5, -1.0, 2.0, 0.0]
    slates = list(itertools.permutations(range(4), k))
    found = slate_probability(scoring(scores, users=len(slates)), torch.tensor(slates)).log_prob.exp()
    torch.testing.assert_close(found, torch.tensor([plackett_luce(scores, slate) for slate in slates]))
    assert found.sum().item() == pytest.approx(1.0, abs=1e-5)


def test_item_probabilities_and_entropy_are_those_of_the_softmax():
    scores = torch.tensor([0.5, -1.0, 2.0, 0.0])
    found = slate_probability(scoring(scores), torch.tensor([[2, 0]]))
    torch.testing.assert_close(found.item_log_probs[0], scores.log_softmax(0)[[2, 0]])
    softmax = torch.distributions.Categorical(logits=scores)
    torch.testing.assert_close(found.entropy[0], softmax.entropy())


def test_log_probabilities_of_a_nearly_deterministic_policy_keep_their_digits():
    # after item 0, e^-60 of the sum is left: a subtraction from the sum would give 0
    scores = [60.0, 1.0, 0.0, -1.0]
    found = slate_probability(scoring(scores), torch.tensor([[0, 1, 2]])).log_prob.item()
    assert found == pytest.approx(math.log(plackett_luce(scores, (0, 1, 2))), rel=1e-5)


@pytest.mark.parametrize(
    ("observed", "allowed"),
    [({}, range(5)), ({"candidates": [[3, PAD, 0, 2]]}, (0, 2, 3)), ({"excluded": [[1, PAD, 1]]}, (0, 2, 3, 4))],
    ids=["all", "candidates", "excluded"],
)
def test_only_items_that_may_be_shown_have_a_probability(observed, allowed):
    scores = [0.3, 2.0, -0.5, 1.0, 0.1]
    masked = [score if item in allowed else -math.inf for item, score in enumerate(scores)]
    pairs = list(itertools.permutations(allowed, 2))
    one = scoring(scores, **observed)
    found = [slate_probability(one, torch.tensor([pair])).log_prob.exp().item() for pair in pairs]
    assert found == pytest.approx([plackett_luce(masked, pair) for pair in pairs], rel=1e-4)
    assert sum(found) == pytest.approx(1.0, rel=1e-4)
    entropy = slate_probability(one, torch.tensor([pairs[0]])).entropy[0]
    torch.testing.assert_close(entropy, torch.distributions.Categorical(logits=torch.tensor(masked)[list(allowed)]).entropy())


def test_a_slate_of_all_allowed_items_has_finite_gradients():
    query = torch.tensor([[0.3, 2.0, -0.5]], requires_grad=True)
    scores = policy_scores(query, torch.zeros(1), observe(1, excluded=[[1]]), torch.eye(3))
    found = slate_probability(scores, torch.tensor([[0, 2]]))
    assert found.log_prob.item() == pytest.approx(math.log(plackett_luce([0.3, -math.inf, -0.5], (0, 2))), rel=1e-5)
    (found.log_prob + found.entropy).sum().backward()
    assert query.grad.isfinite().all()


def test_the_gradient_is_the_score_function():
    """d log pi(a) / d s = one-hot(a) - pi."""
    query = torch.tensor([[0.3, 2.0, -0.5]], requires_grad=True)
    scores = policy_scores(query, torch.zeros(1), observe(1), torch.eye(3))
    slate_probability(scores, torch.tensor([[2]])).log_prob.sum().backward()
    torch.testing.assert_close(query.grad, torch.tensor([[0.0, 0.0, 1.0]]) - query.detach().softmax(dim=1))


def test_log_sum_and_entropy_pass_gradcheck():
    scores = torch.randn(3, 5, dtype=torch.float64, generator=generator()) * torch.tensor([[0.1], [1.0], [10.0]])
    scores[1, 2] = -torch.inf
    log_sum, entropy = LogSumAndEntropy.apply(scores)
    torch.testing.assert_close(log_sum, scores.logsumexp(dim=1))
    torch.testing.assert_close(entropy, torch.special.entr(scores.softmax(dim=1)).sum(dim=1))
    assert torch.autograd.gradcheck(LogSumAndEntropy.apply, scores.requires_grad_())


def test_improbable_items_can_be_drawn(monkeypatch):
    """A million items with a weight of 1e-9 each, and one of nearly probability 1: single-precision sums would not grow."""
    scores = torch.full((1_000_000,), math.log(1e-9))
    scores[0] = 0.0
    scores = policy_scores(torch.ones(2, 1), torch.zeros(2), observe(2), scores.unsqueeze(1))
    draws = 1 - 0.001 / 1.001 * torch.tensor([[0.75], [0.25]], dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.stack([draws, torch.zeros_like(draws)]))
    slate, log_prob = draw_slate(scores, 1, generator())
    assert slate.flatten().tolist() == [pytest.approx(250_000, abs=2_000), pytest.approx(750_000, abs=2_000)]
    torch.testing.assert_close(log_prob, torch.full((2,), math.log(1e-9 / 1.001)))


@pytest.mark.parametrize(
    "observed", [{}, {"candidates": [[4, 1, 0, PAD, 2]]}, {"excluded": [[3, 3]]}], ids=["all", "candidates", "excluded"]
)
@pytest.mark.parametrize("size", [1, 3, 10**6], ids=["k at a time", "three", "at once"])
@pytest.mark.parametrize("k", [1, 2])
def test_slates_are_drawn_with_their_probabilities(observed, size, k, monkeypatch):
    users, scores = 40_000, [0.5, -1.0, 2.0, 0.0, 1.0]
    monkeypatch.setattr(policies, "MAX_SCORES", size * users)
    repeated = {name: value * users for name, value in observed.items()}
    scores = scoring(scores, repeat=-0.7, users=users, history=[[PAD, 2]] * users, **repeated)
    slate, log_prob = draw_slate(scores, k, generator())
    torch.testing.assert_close(log_prob, slate_probability(scores, slate).log_prob, rtol=1e-5, atol=1e-5)
    numbers = slate[:, 0] * 5 + slate[:, -1]
    for number in numbers.unique():
        probability = log_prob[numbers == number][0].exp().item()
        deviation = math.sqrt(probability * (1 - probability) / users)
        assert (numbers == number).float().mean().item() == pytest.approx(probability, abs=4 * deviation)


@pytest.mark.parametrize(
    "observed", [{}, {"candidates": [[4, 1, 0, PAD, 2]]}, {"excluded": [[2, 2]]}], ids=["all", "candidates", "excluded"]
)
@pytest.mark.parametrize("at_once", [1, 10**6], ids=["k at a time", "at once"])
def test_search_finds_the_most_probable_slate(observed, at_once, monkeypatch):
    monkeypatch.setattr(item_search, "MAX_SCORES", at_once)
    scores = scoring([0.5, -1.0, 2.0, 1.5, 1.0], repeat=-4.0, history=[[PAD, 3]], **observed)
    found = search_items(scores.observation, scores, 5, 2, candidates_only=True).items
    expected = {"candidates": [[2, 4]], "excluded": [[4, 0]]}.get(next(iter(observed), ""), [[2, 4]])
    assert found.tolist() == expected
    assert slate_probability(scores, found).log_prob >= draw_slate(scores, 2, generator()).log_prob - 1e-5


def test_with_candidates_only_no_other_item_is_scored(monkeypatch):
    scores = scoring([0.5, -1.0, 2.0, 1.5, 1.0], candidates=[[4, 1, 0]])
    monkeypatch.setattr(PolicyScores, "between", None)
    assert search_items(scores.observation, scores, 5, 2, candidates_only=True).items.tolist() == [[4, 0]]


def test_large_gumbel_noise_takes_many_different_values():
    """The largest of millions of draws decide; with one single-precision uniform number they would take only a few different values."""
    noise = gumbel(torch.Size([4_000_000]), generator())
    assert noise.isfinite().all()
    extreme = noise[noise > 10]
    assert len(extreme) == pytest.approx(4_000_000 * -math.expm1(-math.exp(-10)), rel=0.3)
    assert len(extreme.unique()) == len(extreme)
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.005)
    assert noise.std().item() == pytest.approx(math.pi / math.sqrt(6), rel=0.005)


@pytest.mark.parametrize("k", [1, 3])
def test_in_mixed_precision_an_unchanged_policy_has_the_probabilities_it_acted_with(k):
    torch.manual_seed(0)
    policy = ItemPolicy(8, 16, temperature=0.05, device=torch.device("cpu"))
    state, items, observation = torch.randn(64, 8), torch.randn(500, 16), observe(64, history=[[1, 2]] * 64)
    drawn = draw_slate(policy(state, observation, items), k, generator())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        learned = slate_probability(policy(state, observation, items), drawn.slate)
    assert learned.log_prob.dtype == torch.float32
    # bfloat16 log-probabilities of about k log(500) would differ by up to 2^-6 each
    torch.testing.assert_close(learned.log_prob, drawn.log_prob, rtol=0, atol=0.01 * k)
