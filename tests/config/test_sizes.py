"""Sizes and values that no machine or run can use are refused before anything is allocated."""

import pytest
from omegaconf import OmegaConf

from recframe import runner
from recframe.building.memory import require_memory
from recframe.components import Sizes
from recframe.config import ConfigError, Consent, chosen_components, compose_config, find_mistakes, validate
from recframe.config.checks import memory
from recframe.config.checks.memory import machine_memory
from recframe.testing.toy import toy_data
from recframe.tracking import claim_folder, recorded_config, run_identity

GIB = 2**30


@pytest.fixture(autouse=True)
def machine(monkeypatch):
    monkeypatch.setattr(memory, "machine_memory", lambda: 16 * GIB)


@pytest.mark.parametrize(
    ("overrides", "expected"),
    [
        (
            "agent.batch_size=100000000 agent.replay_capacity=100000000",
            "agent.batch_size=100000000 with state_tracker.history_length=20: at least 51 GiB for a batch, and this machine has 16",
        ),
        ("agent.replay_capacity=100000000000", "at least 50,664 GiB for the replay memory, and this machine has 16 GiB; lower one of"),
        ("state_tracker.history_length=1000000", "history_length=1000000: at least 1,118 GiB for the replay memory"),
        ("state_tracker.history_length=10000000 agent=random", "evaluation.num_users=512 with state_tracker.history_length=10000000"),
        (
            "trainer.chunk_steps=500000 agent=random trainer.env_steps=100000000",
            "trainer.chunk_steps=500000 with environment.num_users=128 and",
        ),
        (
            "trainer.chunk_steps=100000",
            "are 12,800,000 user-steps before anything is learned, far more than trainer.env_steps=400,000; lower",
        ),
        ("evaluation.periodic_users=1000000000", "evaluation.periodic_users=1000000000 with state_tracker.history_length=20"),
        ("evaluation.tuning_sessions=1000000000", "evaluation.tuning_sessions=1000000000 with"),
        (
            "environment.num_users=1000000000 agent=random trainer.env_steps=1000000000",
            "environment.num_users=1000000000 and state_tracker.history_length=20: at least",
        ),
        ("environment.slate_size=1000000000 agent=random", "and environment.slate_size=1000000000: at least 15,259 GiB for a chunk"),
        ("environment.num_candidates=1000000000", "and environment.num_candidates=1000000000: at least"),
        (
            "agent=td3 agent.hidden_sizes=[1000000,1000000]",
            "agent.hidden_sizes=[1000000,1000000]: at least 3,725 GiB for the weights between",
        ),
        ("state_tracker.item_dim=1000000000", "item_dim=1000000000: at least 3,725 GiB for the projected vectors of 1,000 items"),
        ("state_tracker=gru state_tracker.state_dim=1000000", "state_dim=1000000: at least 11,176 GiB for the weights between states"),
        ("state_tracker=attention state_tracker.layers=10000000", "layers=10000000, feed_forward_dim=64 and item_dim=64: at least 916 GiB"),
        ("state_tracker=attention state_tracker.feed_forward_dim=100000000000", "feed_forward_dim=100000000000 and item_dim=64: at least"),
        ("state_tracker=cnn state_tracker.horizontal_filters=1000000000000", "for the weights of the filters"),
        (
            "state_tracker=posterior state_tracker.factors=1000000000",
            "state_tracker.factors=1000000000: at least 3,725 GiB for the factors",
        ),
        (
            "dataset.num_items=3000000",
            "evaluation.references=true with evaluation.num_users=512: at least 17 GiB for what references expect these users to say to "
            "each of 3,000,000 items, and this machine has 16 GiB; lower one of these settings",
        ),
        ("dataset.num_items=1000000000", "dataset.num_items=1000000000: at least 93 GiB for their texts"),
        ("dataset.num_users=1000000000", "dataset.num_users=1000000000: at least 93 GiB for their texts"),
        ("dataset=synthetic_ratings environment=rating_matrix dataset.rank=100000000", "dataset.rank=100000000 with dataset.num_users=290"),
        ("encoder=random encoder.dim=1000000000", "encoder.dim=1000000000: at least 3,725 GiB for the vectors of 1,000 texts"),
        ("encoder@world_encoder=random world_encoder.dim=1000000000", "world_encoder.dim=1000000000: at least"),
        (
            "evaluation.num_users=50000000 evaluation.references=false agent.replay_capacity=20000000",
            "memory: this run needs at least 21 GiB, and this machine has 16 GiB: 11 GiB for the history of these users (evaluation."
            "num_users=50000000 with state_tracker.history_length=20), 10 GiB for the replay memory (agent.replay_capacity=20000000 with",
        ),
    ],
)
def test_a_size_that_cannot_fit_is_refused_with_what_needs_how_much(overrides, expected):
    assert any(expected in problem for problem in find_mistakes(overrides.split())), find_mistakes(overrides.split())


def test_usual_sizes_and_one_reward_of_weight_0_pass():
    assert find_mistakes(["reward=[click,rating]", "reward.rating.weight=0", "agent.batch_size=1024"]) == []
    assert find_mistakes(["experiment=cartpole"]) == []


def needs(*overrides, sizes=None):
    cfg = validate(compose_config(["encoder=random", *overrides]))
    return {need.what: need.size for need in memory._needs(OmegaConf.to_container(cfg, resolve=True), chosen_components(cfg), sizes)}


@pytest.mark.parametrize(
    ("overrides", "refused"),
    [
        ("agent=reinforce environment.num_users=64 trainer.env_steps=1000 trainer.chunk_steps=100", True),
        ("trainer.chunk_steps=25000", True),
        ("trainer.chunk_steps=6000", False),
        # a default chunk of 1,024 user-steps
        ("trainer.env_steps=110", False),
        ("trainer.env_steps=100", True),
        ("debug=smoke trainer.env_steps=64", False),
    ],
)
def test_a_chunk_may_be_twice_as_long_as_training_and_a_small_one_ten_times(overrides, refused):
    found = [line for line in find_mistakes(["agent=reinforce", *overrides.split()]) if line.startswith("trainer.chunk_steps=")]
    assert bool(found) == refused
    assert all("user-steps before anything is learned, far more than trainer.env_steps=" in line for line in found)


def test_an_agent_without_chunks_has_none_that_is_too_long():
    sizes = ["environment.num_users=1000", "trainer.env_steps=3000"]
    assert not find_mistakes(["agent=popular", *sizes])
    assert not find_mistakes(["agent=random", "environment.num_users=1000", "trainer.env_steps=10"])
    assert any("are 8,000 user-steps before anything" in line for line in find_mistakes(["agent=reinforce", *sizes]))


@pytest.mark.parametrize(
    ("overrides", "harm"),
    [
        ("", "the worst weights are kept"),
        ("trainer.final_weights=last", "lists of runs have the worst first"),
        ("trainer.final_weights=last trainer.patience=2", "the worst weights are kept"),
        ("agent=popular", "lists of runs have the worst first"),
    ],
)
def test_a_wrong_direction_is_refused_for_the_harm_that_it_does(overrides, harm):
    (problem,) = find_mistakes(["trainer.monitor=gini", *overrides.split()])
    assert problem == f"trainer.monitor=gini: lower is better; set trainer.monitor_mode=min, or {harm}"


def test_the_estimate_counts_every_tensor_of_the_history():
    sizes = ["state_tracker.history_length=10", "environment.num_users=4", "agent.replay_capacity=1000", "agent.batch_size=7"]
    found = needs(*sizes, "trainer.chunk_steps=3", "evaluation.num_users=5", "evaluation.periodic_users=6", "evaluation.tuning_sessions=4")
    # an item (8 bytes) and a response (4 bytes) of 10 interactions, before and after a step, and 64 bytes for the step
    step = 2 * 10 * (8 + 4) + 64
    assert (found["the replay memory"], found["a batch"], found["a chunk"]) == (1000 * step, 7 * step, 3 * 4 * step)
    # evaluations follow one another: the largest counts
    assert found["the history of these users"] == 6 * 120
    # 384 dimensions of 4 bytes
    assert found["the vectors of 1,000 texts"] == 1000 * 384 * 4


def test_references_hold_tables_of_users_and_items():
    def table(*overrides):
        found = needs("evaluation.num_users=30", "evaluation.tuning_sessions=40", *overrides, sizes=Sizes(items=50))
        return [size for what, size in found.items() if what.endswith("to say to each of 50 items")]

    # the expected click, rating and leaving; without the truth, the scores of a policy
    assert table() == [3 * 40 * 50 * 4]
    assert table("environment=rating_matrix", "dataset=synthetic_ratings") == [4 * 40 * 50 * 4]
    assert table("environment=language_users") == [40 * 50 * 4]
    assert table("evaluation.references=false") == table("experiment=next_item", f"dataset.interactions={__file__}") == []


def test_the_sizes_of_the_data_count_once_it_is_read():
    assert needs(sizes=Sizes(items=5, texts=7, users=2, history=1))["the vectors of 7 texts"] == 7 * 384 * 4


def test_a_run_that_nearly_fills_the_memory_is_warned_of_and_one_that_cannot_fit_ends_before_its_texts_are_encoded(monkeypatch, caplog):
    cfg = validate(compose_config(["encoder=random", "agent.replay_capacity=20000000"]))
    monkeypatch.setattr(memory, "machine_memory", lambda: 64 * GIB)
    require_memory(cfg, toy_data())
    assert caplog.text == ""
    monkeypatch.setattr(memory, "machine_memory", lambda: 16 * GIB)
    require_memory(cfg, toy_data())
    assert "memory: this run needs at least 10 GiB, and this machine has 16 GiB: 10 GiB for the replay memory" in caplog.text
    monkeypatch.setattr(memory, "machine_memory", lambda: 200_000)
    with pytest.raises(ConfigError, match=r"for the vectors of 10. texts|for the replay memory"):
        require_memory(cfg, toy_data())


@pytest.mark.parametrize("name", ["memory.max", "memory/memory.limit_in_bytes"])
def test_the_limit_of_a_container_counts_as_the_memory_of_the_machine(tmp_path, name):
    whole = machine_memory(tmp_path)
    (tmp_path / name).parent.mkdir(exist_ok=True)
    for limit, expected in (("1000000\n", 1_000_000), ("max\n", whole), ("9223372036854771712\n", whole)):
        (tmp_path / name).write_text(limit)
        assert machine_memory(tmp_path) == expected


def test_a_run_of_a_larger_machine_may_be_evaluated_here_but_not_trained(tmp_path):
    cfg = compose_config(["encoder=random"])
    cfg.agent.replay_capacity = 100_000_000
    # as `evaluate` does it
    assert validate(cfg).agent.replay_capacity == 100_000_000
    with pytest.raises(ConfigError, match="at least 51 GiB for the replay memory"):
        runner.run(cfg, tmp_path / "run")
    assert list(tmp_path.iterdir()) == []


def test_a_run_of_a_release_that_allowed_longer_chunks_may_be_evaluated_but_not_started(tmp_path):
    cfg = compose_config(["encoder=random", "agent=reinforce"])
    cfg.trainer.chunk_steps = 12_500  # four times trainer.env_steps
    (tmp_path / "run").mkdir()
    with claim_folder(tmp_path / "run", run_identity(validate(cfg))) as folder:
        folder.write_config(cfg, [])
        # as `evaluate` and `resume` do it
        assert recorded_config(folder, None, "", Consent()).trainer.chunk_steps == 12_500
    with pytest.raises(ConfigError, match=r"trainer\.chunk_steps=12500 .* far more than"):
        runner.run(cfg, tmp_path / "new")


def test_nothing_is_estimated_for_a_gpu(monkeypatch):
    monkeypatch.setattr("recframe.config.checks.machine.surely_without_cuda", lambda: False)
    assert find_mistakes(["device=cuda", "agent.replay_capacity=1000000000"]) == []
