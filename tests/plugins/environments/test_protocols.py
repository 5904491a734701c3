"""The protocols: repetition of items, excluded items in observations, and the length of sessions."""

import pytest
import torch

from recframe.interfaces import PAD, DataError, best_items
from recframe.references.popular import PopularPolicy
from recframe.references.random import RandomPolicy

WITHOUT_REPETITION = ["no_repetition", "fixed_length"]
# options under which many users leave early, but not all at once
IMPATIENT = {
    "topic_world": {"patience_cost": 0.8, "leave_rate": 0.6},
    "preference_model": {"patience_cost": 0.8, "leave_rate": 0.6},
    "rating_matrix": {"quit_count": 2, "quit_similarity": 0.0},
}


@pytest.fixture(params=WITHOUT_REPETITION)
def protocol(request):
    return request.param


def sessions(environment, choose, steps, seed=0):
    """Play a policy; for each step, yield the result, and for each user the items shown in the session so far."""
    observation, shown = environment.reset(seed), [[] for _ in range(environment.spec.num_users)]
    for turn in range(steps):
        slate = choose(observation, turn)
        step = environment.step(slate)
        shown = [[*before, *items] for before, items in zip(shown, slate.tolist(), strict=True)]
        yield step, shown
        finished = (step.terminated | step.truncated).tolist()
        shown = [[] if over else items for over, items in zip(finished, shown, strict=True)]
        observation = step.observation


def excluded_items(observation):
    return [sorted(item for item in items if item != PAD) for items in observation.excluded.tolist()]


def policies(environment, data):
    def greedy(observation, turn):
        return best_items(observation, environment.truth().signals["click"], environment.spec.slate_size)

    return {
        "random": RandomPolicy(environment.spec, 0),
        "popular": PopularPolicy(environment.spec, data.catalog.popularity),
        "greedy": greedy,
    }


def test_exactly_the_items_shown_in_a_session_are_excluded(make, peopled, protocol, toy_world):
    environment = make(peopled, num_users=40, slate_size=2, max_steps=5, protocol=protocol, **IMPATIENT[peopled])
    assert environment.spec.num_excluded == 10
    assert (environment.reset(0).excluded == PAD).all()
    left = 0
    for step, shown in sessions(environment, policies(environment, toy_world)["random"], 12):
        finished = (step.terminated | step.truncated).tolist()
        assert step.observation.excluded.shape == (40, 10)
        assert excluded_items(step.next_observation) == [sorted(items) for items in shown]
        assert excluded_items(step.observation) == [[] if over else sorted(items) for over, items in zip(finished, shown, strict=True)]
        left += int(step.terminated.sum())
    assert (left > 0) == (protocol == "no_repetition")


@pytest.mark.parametrize("policy", ["random", "popular", "greedy"])
@pytest.mark.parametrize("num_candidates", [0, 12])
def test_policies_never_repeat_items_or_leave_the_candidates(make, peopled, protocol, policy, num_candidates, toy_world):
    options = {"slate_size": 2, "max_steps": 6, "num_candidates": num_candidates}
    environment = make(peopled, num_users=20, protocol=protocol, **options, **IMPATIENT[peopled])
    choose = policies(environment, toy_world)[policy]

    def within_candidates(observation, turn):
        slate = choose(observation, turn)
        if num_candidates:
            assert (slate[:, :, None] == observation.candidates[:, None, :]).any(dim=2).all()
        return slate

    longest = 0
    for _, shown in sessions(environment, within_candidates, 14):
        assert all(len(set(items)) == len(items) for items in shown)
        longest = max(longest, *(len(items) for items in shown))
    # some users stay long enough for a repetition
    assert longest == 12 if protocol == "fixed_length" else longest >= 4


def test_a_session_can_show_the_whole_catalogue_once(make, peopled):
    environment = make(peopled, num_users=5, slate_size=4, max_steps=10, protocol="fixed_length")
    *_, (step, shown) = sessions(environment, RandomPolicy(environment.spec, 1), 10)
    assert all(sorted(items) == list(range(40)) for items in shown)
    assert step.truncated.all()


def test_fixed_length_sessions_end_only_by_truncation(make, peopled, random_slates):
    options = {"num_users": 30, "max_steps": 7, **IMPATIENT[peopled]}
    environment = make(peopled, protocol="fixed_length", **options)
    environment.reset(0)
    for turn, slate in enumerate(random_slates(environment, 21)):
        assert not environment.truth().leave.any()
        step = environment.step(slate)
        assert not step.terminated.any()
        assert not step.response.leave.any()
        assert (step.truncated == ((turn + 1) % 7 == 0)).all()
    environment = make(peopled, protocol="no_repetition", **options)
    environment.reset(0)
    assert any(environment.step(slate).terminated.any() for slate in random_slates(environment, 6)), "the same users leave where they may"


def test_nothing_is_excluded_in_the_free_protocol(make, kind, random_slates):
    environment = make(kind)
    assert environment.spec.num_excluded == 0
    assert environment.reset(0).excluded is None
    step = environment.step(random_slates(environment, 1)[0])
    assert step.observation.excluded is None
    assert step.next_observation.excluded is None


@pytest.mark.parametrize(
    ("options", "message", "remedy"),
    [
        (
            {"slate_size": 3, "max_steps": 14},
            "14 slates of 3 without repetition need 42 items, but the catalogue's size is 40; use environment.max_steps=13 or less",
            {"slate_size": 3, "max_steps": 13},
        ),
        (
            {"slate_size": 2, "max_steps": 6, "num_candidates": 11},
            "6 slates of 2 without repetition need 12 items, but environment.num_candidates is 11; use environment.max_steps=5 or less",
            {"slate_size": 2, "max_steps": 5, "num_candidates": 11},
        ),
    ],
    ids=["catalogue", "candidates"],
)
def test_too_few_items_are_refused_in_one_line_with_a_remedy_that_works(make, peopled, protocol, options, message, remedy):
    with pytest.raises(DataError, match=message) as refused:
        make(peopled, protocol=protocol, **options)
    assert "\n" not in str(refused.value)
    make(peopled, protocol="free", **options)
    environment = make(peopled, num_users=3, protocol=protocol, **remedy)
    for _, shown in sessions(environment, RandomPolicy(environment.spec, 0), remedy["max_steps"]):
        assert all(len(set(items)) == len(items) for items in shown)


def test_restored_session_still_excludes_shown_items(make, peopled, protocol, random_slates):
    environment, other = (make(peopled, slate_size=2, max_steps=8, protocol=protocol) for _ in range(2))
    environment.reset(0)
    slates = random_slates(environment, 12)
    for slate in slates[:4]:
        last = environment.step(slate)
    assert torch.equal(other.load_state_dict(environment.state_dict()).excluded, last.observation.excluded)
    for slate in slates[4:]:
        left, right = environment.step(slate), other.step(slate)
        assert torch.equal(left.observation.excluded, right.observation.excluded)
        assert torch.equal(left.next_observation.excluded, right.next_observation.excluded)


def test_state_of_another_protocol_is_refused(make, peopled):
    free, fixed = (make(peopled, max_steps=5, protocol=protocol) for protocol in ("free", "fixed_length"))
    free.reset(0), fixed.reset(0)
    with pytest.raises(ValueError, match=r"this environment's state has excluded of shape None, the saved one \[16, 5\]"):
        free.load_state_dict(fixed.state_dict())
