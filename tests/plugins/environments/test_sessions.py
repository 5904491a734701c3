"""Sessions of all environments: conformance, common random draws, saving, shapes, splits, and refused arguments."""

import io

import pytest
import torch
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from torch.utils._python_dispatch import TorchDispatchMode

from recframe.interfaces import PAD, DataError, random_items
from recframe.testing import check_component, check_environment
from recframe_plugins.environments.registration import recframe_register_components
from recframe_plugins.environments.simulation.sessions import people_of_split
from recframe_plugins.state_trackers.config import MeanConfig
from recframe_plugins.state_trackers.mean import MeanTracker

COMPONENTS = []
recframe_register_components(COMPONENTS.append)


def everything(step):
    signals = step.response.signals
    observations = [getattr(o, name) for o in (step.observation, step.next_observation) for name in ("user", "history_items", "candidates")]
    feedback = [step.observation.history_feedback, step.next_observation.history_feedback]
    values = [signals[name] for name in sorted(signals.keys())]
    return [*values, step.terminated, step.truncated, *feedback, *(o for o in observations if o is not None)]


def same(left, right):
    return all(torch.equal(a, b) for a, b in zip(everything(left), everything(right), strict=True))


# gymnasium requires an id, and what asks a model needs one: they are checked in their own tests; no_simulator has no sessions
SIMULATORS = [
    component for component in COMPONENTS if component.name != "gymnasium" and not {"no_simulator", "asks_model"} & set(component.provides)
]


@pytest.mark.parametrize("component", SIMULATORS, ids=lambda component: component.name)
def test_environment_conforms(component):
    check_component(component)


@pytest.mark.parametrize("options", [{"slate_size": 5}, {"num_candidates": 12, "slate_size": 3}, {"max_steps": 3}], ids=str)
def test_environment_conforms_with_slates_and_candidates(make, kind, toy_world, options):
    check_environment(make(kind, **options), toy_world)


@pytest.mark.parametrize("slate_size", [1, 5])
def test_seed_determines_the_sessions(make, kind, slate_size, random_slates):
    first, second, other = (make(kind, slate_size=slate_size, num_candidates=20) for _ in range(3))
    first.reset(3), second.reset(3), other.reset(4)
    slates = random_slates(first, 12)
    steps = [(first.step(slate), second.step(slate), other.step(slate)) for slate in slates]
    assert all(same(a, b) for a, b, _ in steps)
    assert not all(same(a, c) for a, _, c in steps)


@pytest.mark.parametrize("num_candidates", [0, 10])
def test_session_saved_to_disk_continues_bit_identically_in_another_environment(make, kind, num_candidates, random_slates):
    environment, other = (make(kind, num_candidates=num_candidates, slate_size=2, max_steps=9) for _ in range(2))
    environment.reset(1)
    slates = random_slates(environment, 30)
    for slate in slates[:7]:
        last = environment.step(slate)
    file = io.BytesIO()
    torch.save(environment.state_dict(), file)
    file.seek(0)
    observation = other.load_state_dict(torch.load(file, weights_only=True))
    assert torch.equal(observation.history_items, last.observation.history_items)
    assert torch.equal(observation.history_feedback, last.observation.history_feedback)
    assert torch.equal(other.truth().leave, environment.truth().leave)
    assert all(same(environment.step(slate), other.step(slate)) for slate in slates[7:])


def test_saved_state_is_not_changed_by_later_steps(make, kind, random_slates):
    environment = make(kind)
    environment.reset(0)
    slates = random_slates(environment, 5)
    saved = environment.state_dict()
    kept = {name: value.clone() for name, value in saved["state"].items()}
    for slate in slates:
        environment.step(slate)
    assert all(torch.equal(kept[name], saved["state"][name]) for name in kept)


def test_state_with_other_shapes_is_refused_and_changes_nothing(make, kind):
    environment, smaller = make(kind, num_users=16), make(kind, num_users=8)
    environment.reset(0), smaller.reset(0)
    before = smaller.generator.get_state()
    with pytest.raises(ValueError, match=r"shape \[8.*saved one \[16"):
        smaller.load_state_dict(environment.state_dict())
    assert torch.equal(before, smaller.generator.get_state())
    with pytest.raises(ValueError, match="candidates"):
        environment.load_state_dict(make_ready(make(kind, num_candidates=9)).state_dict())


def make_ready(environment):
    environment.reset(0)
    return environment


def test_policies_meet_the_same_users_and_random_draws(make, kind, staying, random_slates):
    left, right = (make(kind, num_users=64, max_steps=3, **staying) for _ in range(2))
    assert torch.equal(left.reset(5).user, right.reset(5).user)
    for a, b in zip(random_slates(left, 12, seed=1), random_slates(right, 12, seed=2), strict=True):
        # all sessions end by the time limit, so new users arrive at the same steps under both policies
        assert torch.equal(left.step(a).observation.user, right.step(b).observation.user)
        assert torch.equal(left.generator.get_state(), right.generator.get_state())


def test_slate_of_one_user_does_not_affect_other_users(make, kind, random_slates):
    left, right = (make(kind, num_users=32, slate_size=2, num_candidates=9) for _ in range(2))
    left.reset(5), right.reset(5)
    changed = False
    for slate, other in zip(random_slates(left, 40), random_slates(left, 40, seed=1), strict=True):
        a, b = left.step(slate), right.step(torch.cat([other[:1], slate[1:]]))
        assert all(torch.equal(x[1:], y[1:]) for x, y in zip(everything(a), everything(b), strict=True))
        changed = changed or any(not torch.equal(a.response.signals[name][0], b.response.signals[name][0]) for name in left.spec.signals)
    assert changed


def test_reading_the_truth_changes_nothing(make, kind, random_slates):
    looked, blind = make_ready(make(kind)), make_ready(make(kind))
    for slate in random_slates(looked, 8):
        looked.truth()
        assert same(looked.step(slate), blind.step(slate))


def test_observation_holds_shown_items_and_feedback_only(make, kind, staying, random_slates):
    environment = make(kind, slate_size=2, history_length=6, **staying)
    observation = environment.reset(0)
    assert observation.context is None
    assert observation.features is None
    assert (observation.history_items == PAD).all()
    items, feedback = [], []
    for slate in random_slates(environment, 4):
        step = environment.step(slate)
        items.append(slate)
        feedback.append(torch.stack([step.response.signals[name] for name in environment.spec.signals], dim=-1))
    assert torch.equal(step.observation.history_items, torch.cat(items, dim=1)[:, -6:])
    assert torch.equal(step.observation.history_feedback, torch.cat(feedback, dim=1)[:, -6:])


def test_candidates_are_distinct_items_and_new_in_each_step(make, kind, random_slates):
    environment = make(kind, num_candidates=10, num_users=50)
    previous = environment.reset(0).candidates
    for slate in random_slates(environment, 5):
        candidates = environment.step(slate).observation.candidates
        ordered = candidates.sort(dim=1).values
        assert candidates.shape == (50, 10)
        assert (ordered[:, 1:] > ordered[:, :-1]).all()
        assert ordered.min() >= 0
        assert ordered.max() < 40
        assert not (ordered == previous.sort(dim=1).values).all(dim=1).any()
        previous = candidates


def test_training_and_evaluation_have_no_common_users(make, peopled, random_slates):
    met = {}
    for split in ("train", "evaluation"):
        environment = make(peopled, split=split, num_users=500)
        met[split] = set(environment.reset(0).user.tolist())
        for slate in random_slates(environment, 5):
            met[split] |= set(environment.step(slate).observation.user.tolist())
    assert len(met["train"]) == 48
    assert len(met["evaluation"]) == 12
    assert not met["train"] & met["evaluation"]


@given(people=st.integers(2, 300), share=st.floats(0.01, 0.99), seed=st.integers(0, 2**31))
def test_splits_are_a_partition_and_neither_is_empty(people, share, seed):
    numbers = 10 + torch.arange(people)
    train, evaluation = (people_of_split(numbers, split, share, seed) for split in ("train", "evaluation"))
    assert len(train) > 0
    assert len(evaluation) > 0
    assert torch.equal(torch.cat([train, evaluation]).sort().values, numbers)
    assert abs(len(evaluation) - share * people) <= 1


def test_a_single_person_cannot_be_split():
    with pytest.raises(DataError, match=r"at least 2 people.*has 1"):
        people_of_split(torch.tensor([0]), "train", 0.2, 0)


@pytest.mark.parametrize(
    ("options", "message"),
    [
        ({"slate_size": 41, "num_candidates": 0}, "environment.slate_size is 41, but the catalogue has 40 items"),
        ({"num_candidates": 41}, "environment.num_candidates is 41, but the catalogue has 40 items"),
        ({"num_candidates": 2, "slate_size": 3}, "environment.num_candidates is 2, less than environment.slate_size 3"),
        ({"num_users": 0}, "num_users and history_length must be at least 1"),
    ],
)
def test_impossible_shapes_are_refused_in_one_line(make, kind, options, message):
    with pytest.raises(ValueError, match=message) as refused:
        make(kind, **options)
    assert "\n" not in str(refused.value)


def test_unknown_split_is_refused(make, peopled):
    with pytest.raises(ValueError, match="split is 'train' or 'evaluation', not 'test'"):
        make(peopled, split="test")


def test_step_requires_a_session_and_a_slate_of_the_right_shape(make, kind):
    environment = make(kind, slate_size=2)
    with pytest.raises(RuntimeError, match=r"reset\(seed\)"):
        environment.step(torch.zeros(16, 2, dtype=torch.int64))
    environment.reset(0)
    with pytest.raises(ValueError, match=r"\[16, 2\].*not \[16, 1\]"):
        environment.step(torch.zeros(16, 1, dtype=torch.int64))


@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
@given(
    num_users=st.integers(1, 9),
    slate_size=st.integers(1, 5),
    history_length=st.integers(1, 7),
    num_candidates=st.sampled_from([0, 5, 40]),
    seed=st.integers(0, 2**40),
)
def test_shapes_and_ranges_hold_for_any_options(make, kind, num_users, slate_size, history_length, num_candidates, seed, random_slates):
    environment = make(
        kind,
        num_users=num_users,
        history_length=history_length,
        slate_size=slate_size,
        num_candidates=num_candidates,
    )
    environment.reset(seed)
    for slate in random_slates(environment, 4, seed):
        step = environment.step(slate)
        signals = step.response.signals
        assert all(signals[name].shape == (num_users, slate_size) for name in environment.spec.signals)
        assert set(signals["click"].unique().tolist()) <= {0.0, 1.0}
        if "rating" in environment.spec.signals:
            assert signals["rating"].min() >= 1.0
            assert signals["rating"].max() <= 5.0
        assert step.observation.history_items.shape == (num_users, history_length)
        assert step.observation.history_feedback.shape == (num_users, history_length, len(environment.spec.signals))
    truth = environment.truth()
    assert all(values.shape == (num_users, 40) for values in (*truth.signals.values(), truth.leave))
    assert ((truth.leave >= 0) & (truth.leave <= 1)).all()


@given(repeat_window=st.integers(1, 8), slate_size=st.integers(1, 5), seed=st.integers(0, 2**40))
@settings(max_examples=15, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_patience_stays_between_zero_and_one_and_bounds_the_leaving_probability(
    make, tiring, repeat_window, slate_size, seed, random_slates
):
    environment = make(tiring, repeat_window=repeat_window, slate_size=slate_size)
    environment.reset(seed)
    for slate in random_slates(environment, 4, seed):
        environment.step(slate)
        assert ((environment.state["patience"] >= 0) & (environment.state["patience"] <= 1)).all()
    assert (environment.truth().leave <= environment.config.leave_rate).all()


class HostReads(TorchDispatchMode):
    """Records the operations for which the host would wait for a device."""

    WAITING = ("_local_scalar_dense", "nonzero", "masked_select", "aten::equal")

    def __init__(self):
        super().__init__()
        self.seen = []

    def __torch_dispatch__(self, function, types, args=(), kwargs=None):
        if any(name in function.name() for name in self.WAITING):
            self.seen.append(function.name())
        return function(*args, **(kwargs or {}))


@pytest.mark.parametrize("options", [{}, {"slate_size": 3, "num_candidates": 12}], ids=str)
def test_step_does_not_synchronize_with_the_device(make, kind, options):
    environment = make(kind, **options)
    observation = environment.reset(0)
    slates = [random_items(observation, 40, environment.spec.slate_size, torch.Generator().manual_seed(step)) for step in range(4)]
    with HostReads() as reads:
        for slate in slates:
            environment.step(slate)
    assert reads.seen == []
    with HostReads() as reads:
        bool(slates[0].any())
    assert reads.seen


def test_only_environments_with_users_from_the_data_identify_them(make, kind, toy_world):
    environment = make(kind)
    named = environment.reset(0).user
    assert environment.spec.has_users == (not kind.startswith(("interest", "long_term")))
    assert environment.spec.has_users or (named == 0).all()
    tracker = MeanTracker(MeanConfig(history_length=6), environment.spec, toy_world)
    assert ("profile" in tracker.fusion.parts) == environment.spec.has_users


@pytest.mark.parametrize("num_users", [5, 40])
def test_an_evaluation_meets_nobody_again_before_it_has_met_everybody(make, peopled, num_users):
    environment = make(peopled, split="evaluation", num_users=num_users)
    available = len(environment.people)
    for seed in range(3):
        observation, people = environment.start_evaluation(seed)
        counts = torch.unique(people, return_counts=True)[1]
        assert len(counts) == min(num_users, available)
        assert counts.max() - counts.min() <= 1
        assert set(people.tolist()) <= set(environment.people.tolist())
        assert torch.equal(observation.user, people) or not environment.spec.has_users


def test_training_draws_its_users_as_before(make, peopled):
    environment, other = make(peopled, num_users=30), make(peopled, num_users=30)
    other.start_evaluation(3)
    first, again = environment.reset(3), other.reset(3)
    expected = environment.people[torch.randint(len(environment.people), (30,), generator=torch.Generator().manual_seed(3))]
    assert torch.equal(first.user, again.user)
    if environment.spec.has_users:
        assert torch.equal(first.user, expected)


def test_where_users_are_drawn_again_each_session_is_of_another_person(make, kind):
    environment = make(kind, num_users=12)
    _, people = environment.start_evaluation(0)
    if not hasattr(environment, "people"):
        assert people.tolist() == list(range(12))
