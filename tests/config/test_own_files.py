"""Mistakes in the YAML files that users write: each is named with its file and line."""

import pytest

from recframe.config import TRAIN, ConfigError, compose_config, find_mistakes
from recframe.config.compose.typed_text import text_as_typed


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"agent:\n  gamma: 0.5\n", ": add '# @package _global_' as its first line"),
        (b"agent:\n  gamma: 0.5\n# @package _global_\n", "it is in line 3, after the first setting"),
        (b"# @package _global_\nagent:\n  gama: 0.5\n", ", line 3: agent.gama: agent has no 'gama'. Did you mean 'agent.gamma'?"),
        (b"# @package _global_\nagent:\n  gamma: high\n", ", line 3: agent.gamma: Value 'high'"),
        (b"# @package _global_\nagent:\n\tgamma: 0.5\n", "indent with spaces, not with tabs"),
        (b"# @package _global_\nname: caf\xe9\n", ", line 2: not UTF-8: byte 0xe9; save the file as UTF-8"),
        (b"\xef\xbb\xbf# @package _global_\nseed: 1\n", "begins with a byte order mark"),
        (b"# @package _global_\ndefaults: [mine]\nseed: 1\n", "its defaults list names the file itself"),
    ],
)
def test_a_mistake_in_an_experiment_names_the_file(tmp_path, content, expected):
    mine = tmp_path / "experiment" / "mine.yaml"
    mine.parent.mkdir()
    mine.write_bytes(content)
    (problem,) = find_mistakes(["experiment=mine"], config_dir=str(tmp_path))
    assert problem.startswith(str(mine))
    assert expected in problem


def test_an_experiment_may_set_what_the_command_lines_agent_has(tmp_path):
    mine = tmp_path / "experiment" / "mine.yaml"
    mine.parent.mkdir()
    mine.write_text("# @package _global_\nagent:\n  epochs: 3\n")
    assert find_mistakes(["experiment=mine", "agent=ppo"], config_dir=str(tmp_path)) == []


def test_a_wrong_key_elsewhere_does_not_make_the_chosen_agents_keys_unknown(tmp_path):
    mine = tmp_path / "experiment" / "mine.yaml"
    mine.parent.mkdir()
    mine.write_text("# @package _global_\nagent:\n  epochs: 3\ntrainer:\n  env_stps: 10\n")
    for agents in (["agent=ppo"], ["agent=ppo,actor_critic"]):
        problems = find_mistakes(["experiment=mine", *agents], config_dir=str(tmp_path))
        assert all("line 5: trainer.env_stps" in problem for problem in problems), problems
        assert problems


@pytest.mark.parametrize("text", ["2024_01", "1e5", "007", "true", "on", "nan"])
def test_names_and_paths_are_text_as_typed(text):
    cfg = compose_config([f"name={text}", f"logger.wandb.project={text}"])
    assert (cfg.name, cfg.logger.wandb.project) == (text, text)


def test_numbers_stay_numbers_and_null_stays_null():
    cfg = compose_config(["agent.gamma=1e-1", "seed=1_0", "name=null"])
    assert (cfg.agent.gamma, cfg.seed, cfg.name) == (0.1, 10, None)


@pytest.mark.parametrize(
    ("override", "expected"),
    [
        ("seed=0,1", "seed=0,1: several values; to run once with each, add -m"),
        ("agent.gamma=0,5", "with a decimal point: agent.gamma=0.5"),
        ("name=a,b", "as one text, quote it: 'name=\"a,b\"'"),
        ("agent=DQN", "Did you mean 'dqn'?"),
        ("agent=[dqn,ppo]", "one choice is made here, not a list; to run once with each, use -m agent=dqn,ppo"),
    ],
)
def test_several_values_and_wrong_choices_say_what_was_meant(override, expected):
    with pytest.raises(ConfigError) as caught:
        compose_config([override])
    (problem,) = caught.value.problems
    assert expected in problem


def test_a_sweep_keeps_each_text_as_typed():
    assert text_as_typed(["-m", "name=1e5,2e5", "seed=0,1"], TRAIN) == ["-m", "name='1e5','2e5'", "seed=0,1"]
