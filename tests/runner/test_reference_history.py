"""References that read more of a session than the agent: the same people and rewards, and what more responses tell of a taste."""

import pytest
import torch
from omegaconf import OmegaConf

from recframe.building.parts import assemble
from recframe.config import chosen_components, compose_config, find_mistakes, validate
from recframe.config.checks import memory
from recframe.experience import RewardSum
from recframe.interfaces import PAD, Reward
from recframe.runner.final_evaluation import result_entries, simulated_evaluation
from recframe.runner.reference_results import reference_results
from recframe.testing.toy import toy_data, toy_spec, toy_transition

# people say much in twenty turns, of which the agent reads the last two
WORLD = [
    "dataset=synthetic_ratings",
    "dataset.num_users=200",
    "dataset.num_items=150",
    "dataset.noise=0.3",
    "dataset.taste_spread=1.0",
    "dataset.evaluation_share=0.5",
    "environment=rating_matrix",
    "environment.protocol=no_repetition",
]
WORLD += [
    "environment.quit_count=0",
    "environment.click_threshold=4.5",
    "encoder=random",
    "encoder.dim=8",
    "state_tracker=mean",
    "state_tracker.history_length=2",
    "agent=random",
]
WORLD += ["evaluation.tuning_sessions=100", "evaluation.num_users=100", "evaluation.bootstrap_samples=100", "evaluation.sample_users=0"]
# a reward that reads histories: it must not see more of them because a reference does
WORLD += ["reward=[click,diversity]", "logger=[]"]


def evaluated(*overrides):
    """The entries of result.json of a run that has not been trained."""
    parts = assemble(compose_config([*WORLD, "reuse=false", *overrides]))
    agent = parts.agent(parts.environment(2, "train"))
    return result_entries(parts, simulated_evaluation(parts, agent), ())


@pytest.fixture(scope="module")
def as_the_agent():
    return evaluated()


@pytest.fixture(scope="module")
def longer():
    return evaluated("evaluation.reference_history_length=20")


def test_as_many_items_as_the_agent_reads_change_nothing(as_the_agent):
    same = evaluated("evaluation.reference_history_length=2")
    assert same["policies"] == as_the_agent["policies"]
    assert (as_the_agent["evaluation"]["history_length"], "reference_history_length" in as_the_agent["evaluation"]) == (2, False)


def test_a_reference_that_reads_more_of_a_session_knows_more_of_a_taste(as_the_agent, longer):
    assert (longer["evaluation"]["history_length"], longer["evaluation"]["reference_history_length"]) == (2, 20)
    before, after = (entries["policies"]["posterior_greedy"]["reward/click"] for entries in (as_the_agent, longer))
    assert after["low"] > before["high"]


def test_the_agent_and_what_reads_no_history_stay_as_they_were(as_the_agent, longer):
    # their rewards, too, of which one reads histories
    for policy in ("trained", "random", "oracle"):
        assert longer["policies"][policy] == as_the_agent["policies"][policy]


def test_shared_results_are_those_of_the_same_length(tmp_path):
    def found(length):
        few = ["dataset.num_users=40", "dataset.num_items=30", "evaluation.tuning_sessions=8", "evaluation.num_users=8"]
        own = [f"evaluation.reference_history_length={length}", f"embeddings.cache={tmp_path}"]
        return reference_results(assemble(compose_config([*WORLD, *few, *own]))).main.policies

    first = found("null")
    assert found(20) != first
    assert found("null") == first


def test_cold_items_are_evaluated_with_the_same_history():
    few = ["dataset.num_users=40", "dataset.num_items=60", "evaluation.tuning_sessions=8", "evaluation.num_users=8"]
    lengths = {}
    parts = assemble(compose_config([*WORLD, *few, "cold_items.share=0.5", "evaluation.reference_history_length=9"])).for_references()
    for where in (parts.evaluation_environment(), parts.environment(4, "train"), parts.cold_items.alone_in(parts.evaluation_environment())):
        lengths[type(where).__name__] = where.spec.history_length
        assert where.reset(0).history_items.shape[1] == 9
    assert set(lengths.values()) == {9}
    assert parts.cfg.state_tracker.history_length == 2


class Length(Reward):
    """How many items of the history a term is shown."""

    def __call__(self, transition, catalog):
        seen = (transition.observation.history_items != PAD).sum(dim=1) + 100.0 * transition.next_observation.history_feedback.shape[1]
        return seen[:, None].expand_as(transition.slate).float()


def test_terms_read_the_last_items_of_longer_histories():
    data = toy_data()
    transition = toy_transition(toy_spec(data, history_length=7), data, torch.Generator().manual_seed(0), users=8)
    rewards = RewardSum({"length": (Length(), 1.0)}, data.catalog, frozenset())
    before = (transition.observation.history_items != PAD).sum(dim=1)
    assert rewards(transition).terms["length"].tolist() == (before + 700.0).tolist()
    for length in (3, 7, 20):
        expected = before.clamp(max=length) + 100.0 * min(length, 7)
        assert rewards.looking_back(length)(transition).terms["length"].tolist() == expected.tolist()
        (rest,) = [part for part in map(rewards.looking_back(length).reading_response, (True, False)) if part is not None]
        assert rest(transition).terms["length"].tolist() == expected.tolist()
    assert transition.observation.history_items.shape[1] == 7


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        ("evaluation.reference_history_length=0", "evaluation.reference_history_length: 0 is not allowed; it must be >= 1"),
        (
            "evaluation.reference_history_length=19",
            "evaluation.reference_history_length=19 is less than state_tracker.history_length=20, what the agent reads of a session: its "
            "opponents would know less than it does; set it to 20 or more, or to null",
        ),
        (
            "evaluation.reference_history_length=19 evaluation.references=false",
            "evaluation.reference_history_length=19 has no meaning with evaluation.references=false, which evaluates none; set it to null",
        ),
        (
            f"experiment=next_item dataset.interactions={__file__} evaluation.reference_history_length=50",
            "evaluation.reference_history_length=50 is about simulated sessions, and environment=none has none; set it to null",
        ),
        ("evaluation.reference_history_length=20", None),
        ("evaluation.reference_history_length=300", None),
    ],
)
def test_a_length_that_would_weaken_an_opponent_or_do_nothing_is_refused(overrides, expected):
    assert find_mistakes(overrides.split()) == ([] if expected is None else [expected])


def test_longer_histories_count_in_the_memory_of_a_run(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: 2**34)
    (line,) = find_mistakes(["evaluation.reference_history_length=10000000"])
    expected = "evaluation.reference_history_length=10000000 with evaluation.num_users=512: at least 57 GiB for the history of these users"
    assert line.startswith(expected)
    cfg = validate(compose_config(["evaluation.reference_history_length=100", "evaluation.tuning_sessions=600"]))
    needs = memory._needs(OmegaConf.to_container(cfg, resolve=True), chosen_components(cfg), None)
    assert [need.size for need in needs if need.what.endswith("that references read")] == [600 * 100 * 12]


@pytest.mark.slow
def test_a_run_says_below_its_table_how_far_references_look_back(warm_recframe, tmp_path):
    few = ["dataset.num_users=40", "dataset.num_items=30", "evaluation.tuning_sessions=8", "trainer.env_steps=256", "hydra.run.dir=run"]
    few += ["evaluation.num_users=8", "evaluation.periodic_users=8", "trainer.evaluate_every=256"]
    done = warm_recframe("train", *WORLD, *few, "evaluation.reference_history_length=20", check=True)
    said = "reference policies read the last 20 items of a session, others the last 2"
    assert said in " ".join(done.stdout.split())
    assert said in (tmp_path / "run" / "report.md").read_text()
