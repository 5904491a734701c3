"""Mistakes in the YAML files that users write: each is named with its file and line."""

from itertools import pairwise

import pytest

from recframe.config import TRAIN, ConfigError, compose_config, find_mistakes
from recframe.config.compose.typed_text import text_as_typed
from recframe.plugin_loader import registry
from recframe.plugin_loader.config_folders import ConfigFolder


@pytest.mark.parametrize(
    ("content", "expected"),
    [
        (b"agent:\n  gamma: 0.5\n", ": add '# @package _global_' as its first line"),
        (b"agent:\n  gamma: 0.5\n# @package _global_\n", "it is in line 3, after the first setting"),
        (b"# @package _global_\nagent:\n  gama: 0.5\n", ", line 3: agent.gama: agent has no 'gama'. Did you mean 'agent.gamma'?"),
        (b"# @package _global_\nagent:\n  gamma: high\n", ", line 3: agent.gamma: Value 'high'"),
        (b"# @package _global_\nagent:\n  gamma: 7\n", ", line 3: agent.gamma: 7.0 is not allowed; it must be >= 0 and <= 1"),
        (b"# @package _global_\nagent:\n\tgamma: 0.5\n", "indent with spaces, not with tabs"),
        (b"# @package _global_\nname: mine\nseed 1\n", ", line 3: not YAML: could not find expected ':'"),
        (b"# @package _global_\ndefaults:\n  - agent: dqn\n", "relative to the file's folder; write 'override /agent: dqn'"),
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


def test_a_value_out_of_bounds_is_the_mistake_of_whoever_set_it_last(tmp_path):
    for name, text in {"first": "agent:\n  gamma: 7\n", "second": "defaults: [first]\nagent:\n  gamma: 8\n"}.items():
        (tmp_path / "experiment").mkdir(exist_ok=True)
        (tmp_path / "experiment" / f"{name}.yaml").write_text(f"# @package _global_\n{text}")
    refused = "is not allowed; it must be >= 0 and <= 1"
    (of_file,) = find_mistakes(["experiment=second"], config_dir=str(tmp_path))
    assert of_file == f"{tmp_path / 'experiment' / 'second.yaml'}, line 4: agent.gamma: 8.0 {refused}"
    (of_command,) = find_mistakes(["experiment=second", "agent.gamma=9"], config_dir=str(tmp_path))
    assert of_command == f"agent.gamma: 9.0 {refused}"
    assert find_mistakes(["experiment=second", "agent.gamma=0.9"], config_dir=str(tmp_path)) == []


@pytest.mark.filterwarnings("ignore:provider=hydra.searchpath")
@pytest.mark.parametrize(
    ("address", "reason"),
    [
        ("pkg://nowhere", "'pkg://nowhere', and no such package was found"),
        ("file:///no/such", "'file:///no/such'; a folder or pkg://package.module is right"),
        ("/no/such", "'/no/such', which is not a folder"),
    ],
)
def test_a_search_path_that_leads_nowhere_is_a_mistake(tmp_path, address, reason):
    assert find_mistakes([f"hydra.searchpath=['{address}']"]) == [f"hydra.searchpath names {reason}"]
    (tmp_path / "mine.yaml").write_text(f"defaults: [config, _self_]\nhydra:\n  searchpath: ['{address}']\n")
    (problem,) = find_mistakes([], config_dir=str(tmp_path), config_name="mine")
    # a package would be imported
    expected = "hydra.searchpath=pkg://nowhere would run code" if address.startswith("pkg") else f"hydra.searchpath names {reason}"
    assert expected in problem
    assert find_mistakes([f"hydra.searchpath=[{tmp_path}]"]) == []


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
        ("seed=0,1", "seed=0,1: several values; a run takes one; to run once with each, use a loop"),
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


GLOBAL = "# @package _global_\n"


@pytest.fixture
def own(tmp_path):
    """Write config files into a folder, and return the mistakes of a command line with it."""

    def mistakes(files, *overrides):
        for name, content in files.items():
            file = tmp_path / f"{name}.yaml"
            file.parent.mkdir(parents=True, exist_ok=True)
            file.write_text(content)
        return [problem.replace(f"{tmp_path}/", "") for problem in find_mistakes(list(overrides), config_dir=str(tmp_path))]

    return mistakes


def test_in_a_sweep_a_key_that_only_some_agents_have_is_named_with_file_line_and_agent(own):
    (problem,) = own({"experiment/mine": GLOBAL + "agent:\n  double: true\n"}, "experiment=mine", "agent=dqn,linucb")
    assert problem.startswith("experiment/mine.yaml, line 3: agent.double: agent has no 'double'")
    assert problem.endswith("(with agent=linucb)")


@pytest.mark.parametrize(
    ("files", "override", "expected"),
    [
        ({"experiment/a": GLOBAL + "defaults: [b]\n", "experiment/b": GLOBAL + "defaults: [a]\n"}, "experiment=a", "by way of"),
        (
            {"experiment/a": GLOBAL + "defaults: [b]\n", "experiment/b": GLOBAL + "agent:\n  gama: 1\n"},
            "experiment=a",
            "experiment/b.yaml, line 3: agent.gama",
        ),
        ({"experiment/a": GLOBAL + "defaults: [b]\n", "experiment/b": "seed: 1\n"}, "experiment=a", "experiment/b.yaml: add '# @package"),
        ({"agent/a": "defaults: [dqn]\ngama: 1\n"}, "agent=a", "agent/a.yaml, line 2: agent.gama"),
        ({"encoder/a": "defaults: [tfidf]\nfoo: 1\n"}, "encoder@world_encoder=a", "encoder/a.yaml, line 2: world_encoder.foo"),
        (
            {"logger/a": "# @package logger.wandb\ndefaults: [wandb]\nprojct: x\n"},
            "logger=[a]",
            "logger/a.yaml, line 3: logger.wandb.projct",
        ),
        (
            {"labels/a": "# @package labels.a\nprototypes: {yes: [x], no: [y]}\ntemprature: 1\n"},
            "labels=[a]",
            "labels/a.yaml, line 3: labels.a.temprature",
        ),
        (
            {"reward/a": "# @package reward.click\ndefaults: [click]\nwieght: 1\n"},
            "reward=[a]",
            "reward/a.yaml, line 3: reward.click.wieght",
        ),
        ({"experiment/a": GLOBAL + "agent: null\n"}, "experiment=a", "line 2: agent: a file chooses it in its defaults list, as"),
        ({"experiment/a": GLOBAL + "agent: linucb\n"}, "experiment=a", "as 'defaults: [override /agent: linucb]', not as a value"),
        ({"experiment/a": GLOBAL + "defaults:\n  - override /debug: smoke\n"}, "experiment=a", "line 3: debug cannot be overridden"),
        (
            {"experiment/a": GLOBAL + "defaults:\n  - override /agent: dqm\n"},
            "experiment=a",
            "line 3: there is no config 'agent/dqm'. Did you",
        ),
        ({"experiment/sub/a": GLOBAL + "sed: 1\n"}, "experiment=sub/a", "experiment/sub/a.yaml, line 2: sed: the config has no 'sed'"),
    ],
)
def test_a_mistake_in_any_file_behind_a_config_names_that_file(own, files, override, expected):
    (problem,) = own(files, override)
    assert expected in problem


def test_options_of_a_reward_that_the_command_line_leaves_out_are_named(own):
    rewards = {"experiment/a": GLOBAL + "defaults:\n  - override /reward: [click, rating]\nreward:\n  rating:\n    weight: 0.5\n"}
    assert own(rewards, "experiment=a") == []
    (problem,) = own(rewards, "experiment=a", "reward=[click]")
    assert "line 6: reward.rating.weight: reward=rating is not chosen; there is reward=[click]" in problem


def test_a_choice_in_a_folder_of_a_group_is_accepted(own):
    assert own({"experiment/sub/deep": GLOBAL + "defaults: [/debug/smoke]\nseed: 3\n"}, "experiment=sub/deep") == []


def test_a_file_that_cannot_be_read_hides_no_other_mistake_of_the_command_line(own):
    problems = own(
        {"experiment/a": "seed: 1\n"}, "experiment=a", "trainer.env_steps=-1", "sed=1", "encoder=tfdif", "agent=ppo", "agent.gamma=7"
    )
    assert len(problems) == 5
    # which agent the file would have chosen is not known, so its settings are not called unknown
    assert len(own({}, "experiment=a", "agent.epochs=3")) == 1


def test_a_plugins_own_experiment_gets_the_same_messages(tmp_path, monkeypatch):
    package = tmp_path / "strange_plugin" / "conf"
    (package / "experiment").mkdir(parents=True)
    for folder in (package.parent, package, package / "experiment"):
        (folder / "__init__.py").write_text("")
    (package / "experiment" / "theirs.yaml").write_text(GLOBAL + "name: 1e5\nagent:\n  gama: 0.5\n")
    monkeypatch.syspath_prepend(str(tmp_path))
    monkeypatch.setattr(registry(), "config_folders", [ConfigFolder("pkg://strange_plugin.conf", "strange", "strange-plugin")])
    (problem,) = find_mistakes(["experiment=theirs"])
    assert f"{package}/experiment/theirs.yaml, line 4: agent.gama: agent has no 'gama'" in problem


@pytest.mark.parametrize(
    "setting",
    [
        "hydra:\n  callbacks:\n    x:\n      _target_: os.getcwd\n",
        "hydra:\n  job_logging:\n    root:\n      class: os.getcwd\n",
        "hydra:\n  hydra_logging: {}\n",
        "hydra:\n  launcher:\n    _target_: os.getcwd\n",
        "hydra:\n  searchpath: ['pkg://evil.conf']\n",
        "hydra:\n  searchpath: ['${oc.env:HOME}']\n",
        "hydra:\n  job:\n    env_set: {LD_PRELOAD: /tmp/evil.so}\n",
        "hydra:\n  launcher:\n    nested: {_target_: os.getcwd}\n",
        "agent:\n  _target_: os.getcwd\n",
        "hydra:\n  sweeper:\n    params:\n      +hydra.callbacks.x._target_: os.getcwd\n",
        "hydra:\n  job:\n    env_set: {A: b}\n",
        "hydra:\n  sweeper:\n    params:\n      encoder.trust_remote_code: 'true'\n",
        "defaults:\n  - override /encoder: bert\nencoder:\n  trust_remote_code: true\n",
        "hydra:\n  launcher:\n    setup: [evil]\n",
        "hydra:\n  launcher:\n    additional_parameters: {wrap: evil}\n",
        "hydra:\n  launcher:\n    srun_args: [--prolog=evil]\n",
        "hydra:\n  launcher:\n    submitit_folder: /shared\n",
        "hydra:\n  launcher:\n    ray: {init: {runtime_env: {pip: [evil]}}}\n",
        "hydra:\n  launcher:\n    ray: {remote: {runtime_env: {worker_process_setup_hook: evil.f}}}\n",
        "hydra:\n  launcher:\n    ray: {init: {address: '10.0.0.1:6379'}}\n",
        "hydra:\n  launcher: ${environment.kwargs}\n",
        "hydra:\n  launcher:\n    ray: ${environment.kwargs}\n",
        "hydra: ${environment.kwargs}\n",
        "hydra:\n  sweeper:\n    custom_search_space: evil.f\n",
        "hydra:\n  sweeper:\n    params: {agent@hydra.callbacks.x: dqn}\n",
        "hydra:\n  sweeper:\n    params: {encoder.trust_remote_code: '[broken'}\n",
        "hydra:\n  job:\n    env_copy: [MY_KEY]\n",
    ],
)
def test_no_file_runs_code_but_the_command_line_may(own, setting):
    (problem,) = own({"experiment/evil": GLOBAL + setting}, "experiment=evil")
    assert "would run code, which no file may decide; to allow it, set it on the command line" in problem
    assert own({}, "hydra.callbacks.x._target_=os.getcwd", "encoder=bert", "encoder.trust_remote_code=true") == []


@pytest.mark.parametrize(
    ("header", "entry", "other"),
    [
        (GLOBAL, "override /hydra/job_logging: evil", "hydra/job_logging/evil"),
        (GLOBAL, "/labels/evil@hydra.callbacks", "labels/evil"),
        (GLOBAL, "/labels/evil@_global_.hydra.callbacks", "labels/evil"),
        ("# @package hydra\n", "/labels/evil@callbacks", "labels/evil"),
    ],
)
def test_no_file_puts_another_file_into_hydras_sections(own, header, entry, other):
    problems = own({"experiment/mine": f"{header}defaults:\n  - {entry}\n", other: "x:\n  class: os.getcwd\n"}, "experiment=mine")
    assert "puts a file into Hydra's sections, which could run code" in problems[0] or "would run code" in problems[0]


@pytest.mark.parametrize("entry", ["/{folder}/evil", f"{'/..' * 12}{{folder}}/evil", f"/hydra{'/..' * 12}{{folder}}/evil"])
def test_a_name_that_leads_out_of_the_folders_of_configs_is_that_of_a_file_of_somebodys(own, tmp_path, entry):
    evil = GLOBAL + "hydra:\n  callbacks:\n    x:\n      _target_: os.getcwd\n"
    files = {"evil": evil, "experiment/mine": GLOBAL + f"defaults: ['{entry.format(folder=tmp_path)}']\n"}
    problems = own(files, "experiment=mine")
    assert "hydra.callbacks would run code, which no file may decide" in problems[0] or "puts a file into Hydra's sections" in problems[0]


@pytest.mark.parametrize("address", ["postgresql://user@elsewhere/x", "journal:/home/me/.profile", "${oc.env:MY_KEY}"])
def test_no_file_chooses_a_database_elsewhere_or_any_file_for_a_search(own, address):
    setting = f"hydra:\n  sweeper:\n    storage: {address}\n"
    (problem,) = own({"experiment/mine": GLOBAL + setting}, "experiment=mine")
    assert "hydra.sweeper.storage names a database that may be another's, or any file, which no file may decide" in problem


def test_plain_settings_of_hydra_are_accepted_from_a_file(own):
    plain = "hydra:\n  run: {dir: a}\n  job: {name: b}\n  sweeper:\n    storage: sqlite:///x.db\n    params: {seed: '0,1'}\n"
    launcher = "  launcher:\n    partition: gpu\n    ray: {init: {address: auto, num_cpus: 2}, remote: {max_retries: 0}}\n"
    for content in (plain, f"{plain}{launcher}", "hydra:\n  launcher: {n_jobs: 2}\n"):
        # what the chosen launcher does not know is another matter
        problems = own({"experiment/mine": GLOBAL + content}, "experiment=mine")
        assert not [one for one in problems if "no file may decide" in one]
    assert own({"experiment/mine": GLOBAL + plain.replace("    storage: sqlite:///x.db\n", "")}, "experiment=mine") == []


def test_aliases_that_repeat_values_without_end_are_refused_at_once(own):
    lines = [f"{b}: &{b} [{','.join([f'*{a}'] * 10)}]" for a, b in pairwise("abcdefghijkl")]
    (problem,) = own({"experiment/bomb": GLOBAL + "a: &a [1]\n" + "\n".join(lines) + "\n"}, "experiment=bomb")
    assert problem.startswith("experiment/bomb.yaml: aliases (*name) repeat its values")
    (problem,) = own({"experiment/bomb": GLOBAL + "a: &a\n  b: *a\n"}, "experiment=bomb")
    assert "aliases" in problem
