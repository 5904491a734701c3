"""Softmax policies over items: slates are Plackett-Luce draws, of the probability that is said, whatever the catalogue's size."""

import itertools
import math

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from recframe.interfaces import PAD, Observation
from recframe.item_agents import softmax_policy as policies
from recframe.item_agents.softmax_policy import ItemPolicy, LogSumAndEntropy, Preferences, best_slate, draw_slate, gumbel, slate_probability
from recframe.item_agents.support import Candidates, ItemRange


def observe(users, history=None, candidates=None, excluded=None):
    history = torch.full((users, 2), PAD) if history is None else torch.tensor(history)
    feedback = torch.zeros(*history.shape, 1)
    candidates, excluded = (None if numbers is None else torch.tensor(numbers) for numbers in (candidates, excluded))
    user = torch.zeros(users, dtype=torch.int64)
    return Observation(user, history, feedback, candidates=candidates, excluded=excluded, batch_size=[users])


def preferring(scores, repeat=0.0, users=1, **observed):
    """Users who all score items by `scores` `[M]`: item vectors are one-hot."""
    scores = torch.as_tensor(scores, dtype=torch.float32)
    return Preferences(scores.expand(users, -1), torch.full((users,), repeat), observe(users, **observed), torch.eye(len(scores)))


def generator(seed=0):
    return torch.Generator().manual_seed(seed)


def plackett_luce(scores, slate):
    """The definition: each item by the softmax of those left."""
    left, probability = dict(enumerate(scores)), 1.0
    for item in slate:
        probability *= math.exp(left[item]) / sum(math.exp(score) for score in left.values() if score > -math.inf)
        del left[item]
    return probability


def test_the_scores_are_those_of_the_formula():
    torch.manual_seed(0)
    policy = ItemPolicy(5, 3, temperature=2.0, device=torch.device("cpu"))
    state, items = torch.randn(2, 5), torch.randn(4, 3)
    preferences = policy(state, observe(2, history=[[PAD, 1], [3, 3]]), items)
    expected = policy.query(state) @ items.T / (2.0 * math.sqrt(3))
    expected[0, 1] += policy.repeat(state)[0, 0] / 2.0
    expected[1, 3] += policy.repeat(state)[1, 0] / 2.0  # once, however often it was shown
    torch.testing.assert_close(preferences.over(ItemRange(0, 4)), expected)
    torch.testing.assert_close(preferences.of(torch.tensor([[1, 0], [3, 2]])), expected.gather(1, torch.tensor([[1, 0], [3, 2]])))


def test_a_policy_starts_near_uniform():
    torch.manual_seed(0)
    policy = ItemPolicy(64, 64, temperature=1.0, device=torch.device("cpu"))
    preferences = policy(torch.randn(8, 64), observe(8), torch.randn(1000, 64))
    entropy = slate_probability(preferences, torch.zeros(8, 1, dtype=torch.int64)).entropy
    assert (entropy > 0.999 * math.log(1000)).all()


@pytest.mark.parametrize("k", [1, 2, 3])
def test_a_slates_probability_is_plackett_and_luces(k):
    scores = [0.5, -1.0, 2.0, 0.0]
    slates = list(itertools.permutations(range(4), k))
    found = slate_probability(preferring(scores, users=len(slates)), torch.tensor(slates)).log_prob.exp()
    torch.testing.assert_close(found, torch.tensor([plackett_luce(scores, slate) for slate in slates]))
    assert found.sum().item() == pytest.approx(1.0, abs=1e-5)


def test_items_and_entropy_are_those_of_the_softmax():
    scores = torch.tensor([0.5, -1.0, 2.0, 0.0])
    found = slate_probability(preferring(scores), torch.tensor([[2, 0]]))
    torch.testing.assert_close(found.item_log_probs[0], scores.log_softmax(0)[[2, 0]])
    softmax = torch.distributions.Categorical(logits=scores)
    torch.testing.assert_close(found.entropy[0], softmax.entropy())


def test_a_nearly_certain_policy_loses_no_digits():
    # after item 0, all that is left is e^-60 of what was: subtracted from the sum it would be nothing
    scores = [60.0, 1.0, 0.0, -1.0]
    found = slate_probability(preferring(scores), torch.tensor([[0, 1, 2]])).log_prob.item()
    assert found == pytest.approx(math.log(plackett_luce(scores, (0, 1, 2))), rel=1e-5)


@pytest.mark.parametrize(
    ("observed", "allowed"),
    [({}, range(5)), ({"candidates": [[3, PAD, 0, 2]]}, (0, 2, 3)), ({"excluded": [[1, PAD, 1]]}, (0, 2, 3, 4))],
    ids=["all", "candidates", "excluded"],
)
def test_only_what_may_be_shown_has_a_probability(observed, allowed):
    scores = [0.3, 2.0, -0.5, 1.0, 0.1]
    masked = [score if item in allowed else -math.inf for item, score in enumerate(scores)]
    pairs = list(itertools.permutations(allowed, 2))
    one = preferring(scores, **observed)
    found = [slate_probability(one, torch.tensor([pair])).log_prob.exp().item() for pair in pairs]
    assert found == pytest.approx([plackett_luce(masked, pair) for pair in pairs], rel=1e-4)
    assert sum(found) == pytest.approx(1.0, rel=1e-4)
    entropy = slate_probability(one, torch.tensor([pairs[0]])).entropy[0]
    torch.testing.assert_close(entropy, torch.distributions.Categorical(logits=torch.tensor(masked)[list(allowed)]).entropy())


def test_all_allowed_items_in_one_slate_leave_nothing_to_divide_by():
    query = torch.tensor([[0.3, 2.0, -0.5]], requires_grad=True)
    preferences = Preferences(query, torch.zeros(1), observe(1, excluded=[[1]]), torch.eye(3))
    found = slate_probability(preferences, torch.tensor([[0, 2]]))
    assert found.log_prob.item() == pytest.approx(math.log(plackett_luce([0.3, -math.inf, -0.5], (0, 2))), rel=1e-5)
    (found.log_prob + found.entropy).sum().backward()
    assert query.grad.isfinite().all()


def test_gradients_are_the_scores_functions():
    """d log pi(a) / d s = one-hot(a) - pi."""
    query = torch.tensor([[0.3, 2.0, -0.5]], requires_grad=True)
    preferences = Preferences(query, torch.zeros(1), observe(1), torch.eye(3))
    slate_probability(preferences, torch.tensor([[2]])).log_prob.sum().backward()
    torch.testing.assert_close(query.grad, torch.tensor([[0.0, 0.0, 1.0]]) - query.detach().softmax(dim=1))


def test_log_sum_and_entropy_have_the_gradients_they_say():
    scores = torch.randn(3, 5, dtype=torch.float64, generator=generator()) * torch.tensor([[0.1], [1.0], [10.0]])
    scores[1, 2] = -torch.inf
    log_sum, entropy = LogSumAndEntropy.apply(scores)
    torch.testing.assert_close(log_sum, scores.logsumexp(dim=1))
    torch.testing.assert_close(entropy, torch.special.entr(scores.softmax(dim=1)).sum(dim=1))
    assert torch.autograd.gradcheck(LogSumAndEntropy.apply, scores.requires_grad_())


def test_unlikely_items_have_room_in_the_distribution_function(monkeypatch):
    """A million items of a likelihood of 1e-9 each beside one that is nearly sure: in single precision their sums would not rise."""
    scores = torch.full((1_000_000,), math.log(1e-9))
    scores[0] = 0.0
    preferences = Preferences(torch.ones(2, 1), torch.zeros(2), observe(2), scores.unsqueeze(1))
    luck = 1 - 0.001 / 1.001 * torch.tensor([[0.75], [0.25]], dtype=torch.float64)
    monkeypatch.setattr(torch, "rand", lambda *_, **__: torch.stack([luck, torch.zeros_like(luck)]))
    slate, log_prob = draw_slate(preferences, 1, generator())
    assert slate.flatten().tolist() == [pytest.approx(250_000, abs=2_000), pytest.approx(750_000, abs=2_000)]
    torch.testing.assert_close(log_prob, torch.full((2,), math.log(1e-9 / 1.001)))


@pytest.mark.parametrize(
    "observed", [{}, {"candidates": [[4, 1, 0, PAD, 2]]}, {"excluded": [[3, 3]]}], ids=["all", "candidates", "excluded"]
)
@pytest.mark.parametrize("stretch", [1, 3, 10**6], ids=["k at a time", "three", "at once"])
@pytest.mark.parametrize("k", [1, 2])
def test_slates_are_drawn_as_often_as_they_are_probable(observed, stretch, k, monkeypatch):
    users, scores = 40_000, [0.5, -1.0, 2.0, 0.0, 1.0]
    monkeypatch.setattr(policies, "MAX_SCORES", stretch * users)
    repeated = {name: value * users for name, value in observed.items()}
    preferences = preferring(scores, repeat=-0.7, users=users, history=[[PAD, 2]] * users, **repeated)
    slate, log_prob = draw_slate(preferences, k, generator())
    torch.testing.assert_close(log_prob, slate_probability(preferences, slate).log_prob, rtol=1e-5, atol=1e-5)
    numbers = slate[:, 0] * 5 + slate[:, -1]
    for number in numbers.unique():
        probability = log_prob[numbers == number][0].exp().item()
        deviation = math.sqrt(probability * (1 - probability) / users)
        assert (numbers == number).float().mean().item() == pytest.approx(probability, abs=4 * deviation)


@settings(max_examples=40, deadline=None)
@given(num_items=st.integers(3, 30), k=st.integers(1, 3), stretch=st.integers(1, 12), seed=st.integers(0, 1000))
def test_the_best_slate_is_the_same_however_the_catalogue_is_cut(num_items, k, stretch, seed):
    preferences = preferring(
        torch.randperm(num_items, generator=generator(seed)) / num_items, excluded=[[0]] if num_items > k + 1 else None
    )
    whole = best_slate(preferences, k)
    with pytest.MonkeyPatch.context() as patch:
        patch.setattr(policies, "MAX_SCORES", stretch)
        cut = best_slate(preferences, k)
    assert torch.equal(whole.slate, cut.slate)
    assert torch.equal(whole.slate, preferences.over(ItemRange(0, num_items)).topk(k, dim=1).indices)
    most_likely = slate_probability(preferences, whole.slate).log_prob
    drawn = draw_slate(preferences, k, generator(seed))
    assert most_likely >= drawn.log_prob - 1e-5


def test_noise_has_digits_where_a_winner_is_decided():
    """Among a million draws the largest are far out; one single-precision uniform number would give a handful of different values there."""
    noise = gumbel(torch.Size([4_000_000]), generator())
    assert noise.isfinite().all()
    extreme = noise[noise > 10]
    assert len(extreme) == pytest.approx(4_000_000 * -math.expm1(-math.exp(-10)), rel=0.3)
    assert len(extreme.unique()) == len(extreme)
    assert noise.mean().item() == pytest.approx(0.5772, abs=0.005)
    assert noise.std().item() == pytest.approx(math.pi / math.sqrt(6), rel=0.005)


def test_a_candidate_list_finds_its_items_and_no_padding():
    support = Candidates(torch.tensor([[4, PAD, 2]]))
    assert support.contains(torch.tensor([[PAD, 2, 7]])).tolist() == [[False, False, True]]
    assert support.items_at(torch.tensor([[2, 0]])).tolist() == [[2, 4]]


@pytest.mark.parametrize("support", [ItemRange(2, 6), Candidates(torch.tensor([[2, 3, 4, 5], [2, 3, 4, 5]]))], ids=["range", "candidates"])
def test_what_is_added_is_added_once_where_an_item_is(support):
    values = torch.tensor([10.0, 20.0], requires_grad=True)
    found = support.add_(torch.ones(2, 4), torch.tensor([[5, PAD, 1, 5, 3], [6, 7, PAD, PAD, PAD]]), values)
    assert found.tolist() == [[1, 11, 1, 11], [1, 1, 1, 1]]
    found.sum().backward()
    assert values.grad.tolist() == [2, 0]


@pytest.mark.parametrize("k", [1, 3])
def test_in_mixed_precision_a_policy_that_has_not_changed_has_the_probabilities_it_acted_with(k):
    torch.manual_seed(0)
    policy = ItemPolicy(8, 16, temperature=0.05, device=torch.device("cpu"))
    state, items, observation = torch.randn(64, 8), torch.randn(500, 16), observe(64, history=[[1, 2]] * 64)
    drawn = draw_slate(policy(state, observation, items), k, generator())
    with torch.autocast("cpu", dtype=torch.bfloat16):
        learned = slate_probability(policy(state, observation, items), drawn.slate)
    assert learned.log_prob.dtype == torch.float32
    # of log-probabilities of k log(500), what bfloat16 leaves of them would be off by up to 2^-6 each
    torch.testing.assert_close(learned.log_prob, drawn.log_prob, rtol=0, atol=0.01 * k)
