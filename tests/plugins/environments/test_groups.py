"""Users in groups: the sessions of one person begin alike and meet the same random numbers."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from recframe.building.parts import assemble
from recframe.config import compose_config, validate
from recframe.interfaces import first_sessions, groups_of, next_sessions
from recframe.testing import check_environment
from recframe_plugins.environments.simulation.random_numbers import GroupNumbers

# users who leave early, at different times
BRIEF = {
    "topic_world": {"patience_cost": 0.4, "patience_boredom_cost": 0.4},
    "preference_model": {"patience_cost": 0.4, "patience_boredom_cost": 0.4},
    "interest_evolution": {"time_budget": 5.0},
    "interest_exploration": {"max_steps": 5},
    "long_term_satisfaction": {"time_budget": 6},
    "rating_matrix": {"quit_count": 2, "quit_similarity": 0.1},
}


def sessions(environment, slate_of, steps, start="reset", size=None):
    """`{(group, session, step): (observation, response)}`, as rows, where `slate_of(session, step)` is shown."""
    observation = environment.reset(1) if start == "reset" else environment.start_evaluation(1)[0]
    users, size = environment.spec.num_users, size or environment.spec.group_size
    group, numbers, place, seen = groups_of(users, size), first_sessions(users, size), torch.zeros(users, dtype=torch.int64), {}
    for _ in range(steps):
        keys = torch.stack([group, numbers, place], dim=1).tolist()
        step = environment.step(torch.tensor([slate_of(*key[1:]) for key in keys]))
        values = [observation.user, *step.response.signals.values()]
        values += [value for value in (observation.candidates, observation.features, observation.context) if value is not None]
        finished = step.terminated | step.truncated
        seen |= {tuple(key): [*(value[n] for value in values), finished[n]] for n, key in enumerate(keys)}
        numbers, place = next_sessions(numbers, finished, size), torch.where(finished, 0, place + 1)
        observation = step.observation
    return seen


def alike(one, other):
    return all(torch.equal(a, b) for a, b in zip(one, other, strict=True))


def shown_to_all(session, step):
    return [(3 * step) % 20]


def shown_by_person(size):
    """The first two people's sessions are shown items of their own, all others the same in each session."""
    return lambda session, step: [((5 if session < 2 * size else 0) * session + 3 * step) % 20]


@pytest.mark.parametrize("candidates", [0, 8])
def test_sessions_of_one_person_begin_alike_and_draw_alike_whenever_they_take_place(make, kind, candidates):
    environment = make(kind, num_users=8, group_size=4, num_candidates=candidates, **BRIEF[kind])
    seen = sessions(environment, shown_by_person(4), 40)
    first = {key: seen[key[0], key[1] // 4 * 4, key[2]] for key in seen if (key[0], key[1] // 4 * 4, key[2]) in seen}
    repeated = [key for key in first if key[1] >= 8 and key[1] % 4]
    assert len(repeated) > 40
    assert all(alike(seen[key], first[key]) for key in repeated)
    # who was shown other items has another session, which still began with the same person
    assert not all(alike(seen[key], first[key]) for key in first if key[1] < 8) or kind == "interest_exploration"
    assert all(torch.equal(seen[key][0], first[key][0]) for key in first)
    others = [alike(seen[0, *key[1:]], seen[key]) for key in seen if key[0] == 1 and key[1] >= 8 and (0, *key[1:]) in seen]
    assert not all(others)


def test_every_person_of_a_group_has_as_many_sessions_as_the_group_is_large(make):
    environment = make("topic_world", num_users=10, group_size=4, **BRIEF["topic_world"])
    seen = sessions(environment, shown_by_person(4), 80)
    lengths = {}
    for group, session, step in seen:
        lengths[group, session] = max(step + 1, lengths.get((group, session), 0))
    assert len({length for (group, _), length in lengths.items() if group == 0}) > 2
    for group in range(3):
        taken = sorted(session for number, session in lengths if number == group)
        assert taken == list(range(len(taken)))


@given(st.integers(1, 5), st.integers(1, 12), st.integers(0, 2**31 - 1))
def test_sessions_are_taken_in_order_of_the_users(size, users, seed):
    finished = torch.rand(20, users, generator=torch.Generator().manual_seed(seed)) < 0.4
    sessions, last = first_sessions(users, size), {}
    for n in range(users):
        last[n // size] = max(last.get(n // size, 0), int(sessions[n]))
    expected = sessions.tolist()
    for now in finished:
        sessions = next_sessions(sessions, now, size)
        for n in now.nonzero().flatten().tolist():
            last[n // size] += 1
            expected[n] = last[n // size]
        assert sessions.tolist() == expected


def test_a_group_of_one_draws_the_generators_numbers(make, kind):
    environment = make(kind, group_size=1)
    environment.reset(0)
    before = environment.generator.get_state()
    environment.step(torch.zeros(16, 1, dtype=torch.int64))
    assert not torch.equal(before, environment.generator.get_state())
    assert "group" not in environment.state_dict()["state"]


def test_evaluations_meet_the_same_people_whatever_the_groups(make, kind):
    grouped, single = (make(kind, num_users=8, group_size=size, **BRIEF[kind]) for size in (4, 1))
    assert torch.equal(grouped.start_evaluation(3)[1], single.start_evaluation(3)[1])
    found, expected = (sessions(environment, shown_to_all, 12, "start_evaluation", size=1) for environment in (grouped, single))
    assert found.keys() == expected.keys()
    assert all(alike(found[key], expected[key]) for key in found)


def test_grouped_environments_conform(make, tiring, toy_world):
    check_environment(make(tiring, group_size=4, num_candidates=12, slate_size=3), toy_world)


def test_a_state_saved_in_groups_is_refused_in_other_groups(make):
    grouped, others, single = (make("topic_world", num_users=8, group_size=size) for size in (4, 2, 1))
    grouped.reset(0)
    saved = grouped.state_dict()
    with pytest.raises(ValueError, match=r"not in groups of 2; use the environment\.group_size it had"):
        others.load_state_dict(saved)
    with pytest.raises(ValueError, match="has group of shape None, the saved one \\[8\\]; use the options it had"):
        single.load_state_dict(saved)


def test_only_the_users_of_the_training_are_in_groups():
    small = ["encoder=tfidf", "embeddings.cache=null", "dataset.num_items=40", "dataset.num_users=30", "agent=random"]
    parts = assemble(validate(compose_config([*small, "environment.num_users=12", "environment.group_size=4"])))
    assert parts.training_environment().spec.group_size == 4
    assert parts.training_environment(3).spec.num_users == 4
    evaluated = (parts.environment(10, "train"), parts.environment(10, "evaluation"), parts.evaluation_environment())
    assert [environment.spec.group_size for environment in evaluated] == [1, 1, 1]


def numbers(users=4000, person=0, step=0, purpose=0, key=None):
    key = torch.randint(2**62, (users,), generator=torch.Generator().manual_seed(0)) if key is None else key
    return GroupNumbers(key, torch.full_like(key, person), torch.full_like(key, step), purpose)


def test_numbers_have_their_distributions(assert_mean):
    drawn = numbers()
    uniform, normal, below, candidates = drawn.uniforms(5), drawn.normals(5), drawn.below(7), drawn.candidates(9, 3)
    assert normal.isfinite().all()
    assert (uniform >= 0).all()
    assert (uniform < 1).all()
    for sample, mean, variance in ((uniform, 1 / 2, 1 / 12), (normal, 0.0, 1.0), (below.float(), 3.0, 4.0)):
        assert_mean(sample.flatten(), mean)
        assert_mean((sample.flatten() - mean) ** 2, variance)
    # every eighth of the line is as likely as it should be
    for sample in (uniform, torch.special.ndtr(normal)):
        shares = (8 * sample).long().flatten().bincount(minlength=8) / sample.numel()
        assert (shares - 1 / 8).abs().max() < 0.012
    assert below.unique().tolist() == list(range(7))
    assert (candidates.sort(dim=1).values.diff(dim=1) > 0).all()
    assert ((candidates[:, :, None] == torch.arange(9)).float().mean(dim=(0, 1)) - 1 / 9).abs().max() < 0.012


@pytest.mark.parametrize("change", [{"person": 1}, {"step": 1}, {"purpose": 1}, {"person": 1, "step": 1}], ids=str)
def test_numbers_of_other_people_steps_and_purposes_are_independent(change):
    one, other = numbers().uniforms(8).flatten(), numbers(**change).uniforms(8).flatten()
    correlation = torch.corrcoef(torch.stack([one, other]))[0, 1]
    # the standard error is 0.0056
    assert abs(correlation) < 0.025
    assert abs(torch.corrcoef(torch.stack([one[:-1], one[1:]]))[0, 1]) < 0.025


def test_neighbouring_keys_have_independent_numbers():
    drawn = numbers(key=torch.arange(4000)).uniforms(8)
    assert abs(torch.corrcoef(torch.stack([drawn[:-1].flatten(), drawn[1:].flatten()]))[0, 1]) < 0.025


def test_numbers_are_those_of_splitmix64():
    """From the algorithm of Steele et al. (2014) in whole numbers of Python."""
    mask = 2**64 - 1

    def mixed(z):
        z = ((z ^ (z >> 30)) * 0xBF58476D1CE4E5B9) & mask
        z = ((z ^ (z >> 27)) * 0x94D049BB133111EB) & mask
        return z ^ (z >> 31)

    golden, key, person, step, purpose = 0x9E3779B97F4A7C15, 123456789, 3, 5, 2
    state = mixed((mixed((mixed((key + golden) & mask) + golden * person) & mask) + golden * step + purpose) & mask)
    expected = [(mixed((state + golden * place) & mask) >> 40) / 2**24 for place in range(1, 7)]
    drawn = numbers(key=torch.tensor([key]), person=person, step=step, purpose=purpose)
    assert torch.cat([drawn.uniforms(4), drawn.uniforms(2)], dim=1).squeeze(0).tolist() == expected
