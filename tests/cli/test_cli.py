"""The command line: fast start, light imports, and messages in place of tracebacks for mistakes of the user."""

import json
import re
import subprocess
import sys

import pytest
import typer
from hydra.core.config_store import ConfigStore

from recframe.cli import train
from recframe.cli.error_messages import user_errors_as_messages
from recframe.cli.hydra_app import run_app
from recframe.components import options_of
from recframe.config import TRAIN
from recframe.config.schema.pretraining import PretrainConfig
from recframe.errors import Stop
from recframe.plugin_loader import registry

PLUGIN = """
    from dataclasses import dataclass
    from pathlib import Path
    from recframe.components import Component, option
    from recframe.hookspecs import hookimpl

    @dataclass
    class Config:
        '''A third party's reward.'''
        bonus: float = option(1.0, "what every shown item earns", ge=0)

    @hookimpl
    def recframe_register_components(register):
        register(Component("reward", "bonus", Config, "bonus_reward:Bonus", provides={"itemwise"}))

    @hookimpl
    def recframe_config_paths():
        return [Path(__file__).parent / "bonus_conf"]

    @hookimpl
    def recframe_register_commands(app):
        @app.command()
        def greet():
            print("hello from a plugin")
"""
REWARD = """
    import torch
    from recframe.interfaces import Reward

    class Bonus(Reward):
        def __init__(self, config):
            self.bonus = config.bonus

        def __call__(self, transition, catalog):
            return torch.full_like(transition.item_reward, self.bonus)
"""
PRESET = """
    # @package _global_
    defaults:
      - override /reward: [click, bonus]
    reward:
      bonus:
        weight: 0.5
"""


@pytest.fixture
def bonus_plugin(plugin_site):
    files = {"bonus_reward.py": REWARD, "bonus_conf/experiment/with_bonus.yaml": PRESET}
    plugin_site.install("bonus_plugin", PLUGIN, version="0.3", files=files)
    return plugin_site.folder


def test_version_and_help(recframe):
    assert re.fullmatch(r"recframe \d+\.\d+\.\d+\n", recframe("--version", check=True).stdout)
    assert "train" in recframe("--help", check=True).stdout
    help_text = recframe("train", "--help", check=True).stdout
    assert "recframe train -m seed=0,1,2" in help_text
    assert "agent: actor_critic, " in help_text
    assert "\nlogger: csv, mlflow, tensorboard, wandb\n" in help_text
    assert "hydra/" not in help_text


def test_the_help_lists_each_config_group_once_and_copies_no_schema(monkeypatch, capsys):
    listed, original = [], ConfigStore.list

    def counted(store, path):
        listed.append(path)
        return original(store, path)

    def refused(*_):
        raise AssertionError("the ConfigStore was copied")

    monkeypatch.setattr(ConfigStore, "list", counted)
    monkeypatch.setattr(ConfigStore, "__deepcopy__", refused, raising=False)
    run_app(TRAIN, ["--help"], train.train_job, train.show_train_help)
    assert "agent" in listed
    assert len(listed) == len(set(listed))
    assert "agent: actor_critic, " in capsys.readouterr().out


def test_the_help_has_the_choices_of_the_users_own_folder(warm_recframe, tmp_path):
    mine = tmp_path / "mine" / "experiment" / "own.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("# @package _global_\n")
    assert ", own, " in warm_recframe("train", "--help", "--config-dir", "mine", check=True).stdout


def test_plugins_are_listed_with_origin_and_failures(warm_recframe, bonus_plugin, plugin_site):
    plugin_site.install("broken_plugin", "import nothing_of_the_kind")
    listed = json.loads(warm_recframe("plugins", "--json", site=bonus_plugin, check=True).stdout)
    bonus = next(component for component in listed["components"] if component["name"] == "bonus")
    assert bonus == {
        "kind": "reward",
        "name": "bonus",
        "distribution": "bonus_plugin",
        "version": "0.3",
        "description": "A third party's reward.",
    }
    origin = {"plugin": "bonus_plugin", "distribution": "bonus_plugin"}
    assert {"group": "experiment", "name": "with_bonus", **origin} in listed["configs"]
    assert {"group": "agent", "name": "ppo", "plugin": "recframe", "distribution": "recframe"} in listed["configs"]
    (failure,) = listed["failures"]
    assert failure["distribution"] == "broken_plugin"
    assert "nothing_of_the_kind" in failure["cause"]
    shown = warm_recframe("plugins", site=bonus_plugin, check=True)
    assert re.search(r"^experiment +bonus_plugin +with_bonus *$", shown.stdout, re.MULTILINE)
    assert shown.stderr.startswith("warning: plugin 'broken_plugin' of broken_plugin ")


def test_a_component_is_shown_with_every_setting(warm_recframe):
    gamma = next(option for option in options_of(registry().get("agent", "dqn").config) if option.name == "gamma")
    shown = warm_recframe("plugins", "show", "agent", "dqn", check=True).stdout
    assert re.search(rf"agent\.gamma +float +{gamma.default} +{gamma.help}", shown)
    as_json = json.loads(warm_recframe("plugins", "show", "agent", "dqn", "--json", check=True).stdout)
    assert {"name", "type", "default", "meaning", "allowed"} == set(as_json["options"][0])
    wrong = warm_recframe("plugins", "show", "agent", "dqm")
    assert wrong.returncode == 2
    assert "Did you mean 'dqn'" in wrong.stderr


def test_a_logger_is_shown_with_every_setting(warm_recframe):
    shown = warm_recframe("plugins", "show", "logger", "wandb", check=True).stdout
    assert shown.startswith("logger=[wandb]: Weights & Biases.\n")
    assert re.search(r"logger\.wandb\.mode +str +offline +offline: write only to the run's folder", shown)
    as_json = json.loads(warm_recframe("plugins", "show", "logger", "mlflow", "--json", check=True).stdout)
    assert [option["name"] for option in as_json["options"]] == ["tracking_uri", "experiment", "tags"]
    wrong = warm_recframe("plugins", "show", "logger", "tensorbord")
    assert wrong.returncode == 2
    assert "no logger is called 'tensorbord'. Did you mean 'tensorboard'?" in wrong.stderr


def test_the_component_config_folder_and_command_of_a_third_party_plugin_work(warm_recframe, bonus_plugin):
    shown = warm_recframe("train", "experiment=with_bonus", "reward.bonus.bonus=2", "--cfg", "job", site=bonus_plugin, check=True).stdout
    assert re.search(r"bonus: 2\.0\n +name: bonus\n +weight: 0\.5", shown)
    assert warm_recframe("greet", site=bonus_plugin, check=True).stdout == "hello from a plugin\n"
    refused = warm_recframe("train", "reward=[bonus]", "reward.bonus.bonus=-1", site=bonus_plugin)
    assert "reward.bonus.bonus: -1.0 is not allowed; it must be >= 0" in refused.stderr
    narrowed = warm_recframe("train", "reward=[bonus]", site=bonus_plugin, RECFRAME_PLUGINS="")
    assert "reward=bonus: reward has no choice 'bonus'" in narrowed.stderr
    assert "Note: RECFRAME_PLUGINS leaves out bonus_plugin" in narrowed.stderr


def test_a_broken_plugin_is_named_when_a_run_needs_a_missing_component(warm_recframe, plugin_site):
    plugin_site.install("broken_plugin", "import nothing_of_the_kind")
    refused = warm_recframe("train", "agent=sage", site=plugin_site.folder)
    assert "nothing_of_the_kind" in refused.stderr
    assert warm_recframe("train", "--cfg", "job", site=plugin_site.folder).returncode == 0


def test_the_users_own_conf_folder_is_on_the_search_path(warm_recframe, tmp_path):
    mine = tmp_path / "conf" / "experiment" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("# @package _global_\nagent:\n  gamma: 0.123\n")
    assert "gamma: 0.123" in warm_recframe("train", "experiment=mine", "--cfg", "job", check=True).stdout
    elsewhere = tmp_path / "elsewhere"
    (tmp_path / "conf").rename(elsewhere)
    assert "gamma: 0.123" in warm_recframe("train", "experiment=mine", "--config-dir", str(elsewhere), "--cfg", "job", check=True).stdout
    assert "experiment has no choice 'mine'" in warm_recframe("train", "experiment=mine").stderr


def test_a_mistake_in_a_users_experiment_names_the_key(warm_recframe, tmp_path):
    mine = tmp_path / "conf" / "experiment" / "mine.yaml"
    mine.parent.mkdir(parents=True)
    mine.write_text("# @package _global_\nagent:\n  gama: 0.123\n")
    refused = warm_recframe("train", "experiment=mine")
    assert refused.returncode == 2
    assert "gama" in refused.stderr
    assert "Traceback" not in refused.stderr


MISTAKES = [
    ["agent=dqm"],
    ["agent.gama=0.9"],
    ["agent.gamma=high"],
    ["agent.gamma=7"],
    ["environment.slate_size=5"],
    ["environment=preference_model"],
    ["dataset=movielens_format", "environment=preference_model"],
    ["reward=[]"],
    ["experiment=nothing_like_it"],
    ["resume=nowhere"],
    ["foo"],
    ["--config-dir", "nowhere"],
    ["--no-such-option"],
    ["--config-path", "conf"],
    ["--config-name", "nothing"],
    ["-m", "--cfg", "job"],
    ["--resolve"],
    ["--cfg", "jib"],
    ["-sc", "install=csh"],
    ["-m", "agent.gamma=0.9,2"],
    ["-m", "agent=dqn,vanilla_dqn", "state_tracker=mean,gru", "seed=0,1,2", "trainer.monitor=x"],
]


@pytest.mark.parametrize("arguments", MISTAKES, ids=" ".join)
def test_a_mistake_gives_one_readable_message(warm_recframe, arguments):
    refused = warm_recframe("train", *arguments)
    assert refused.returncode == 2
    assert refused.stdout == ""
    assert refused.stderr.startswith("recframe: ")
    assert "Traceback" not in refused.stderr
    assert len(refused.stderr.splitlines()) == 1


def test_mistakes_of_a_pretraining_are_found_before_a_folder_is_made(warm_recframe, tmp_path):
    refused = warm_recframe("pretrain", "encoder=tfidf", "pretrain.steps=0", "pretrain.folder=here")
    assert refused.returncode == 2
    assert refused.stderr.splitlines()[0] == "recframe: 2 mistakes"
    assert len(refused.stderr.splitlines()) == 3
    assert "see recframe pretrain --help" in warm_recframe("pretrain", "--no-such-option").stderr
    assert list(tmp_path.iterdir()) == []


def test_a_pretraining_that_fails_leaves_no_folder(warm_recframe, tmp_path):
    refused = warm_recframe("pretrain", "encoder=gpt", "encoder.model=nowhere", "pretrain.folder=models/mine", "dataset.num_items=20")
    assert refused.returncode == 2
    assert refused.stderr.startswith("recframe: encoder.model=nowhere: there is no such folder")
    assert len(refused.stderr.splitlines()) == 1
    assert list((tmp_path / "models").iterdir()) == []


def test_the_help_of_pretrain_has_every_setting(warm_recframe):
    shown = warm_recframe("pretrain", "--help", check=True).stdout
    for setting in (*(f"pretrain.{o.name} " for o in options_of(PretrainConfig) if o.name != "new"), "pretrain.new.layers "):
        assert setting in shown


def test_several_mistakes_are_printed_as_a_list(warm_recframe):
    refused = warm_recframe("train", "agent=dqm", "seed=-1", "trainer.env_stps=3")
    assert refused.stderr.splitlines()[0] == "recframe: 3 mistakes"
    assert len(refused.stderr.splitlines()) == 4


@pytest.mark.parametrize(
    "arguments",
    [
        ["--help"],
        ["plugins"],
        ["train", "--help"],
        ["train", "--cfg", "job"],
        ["train", "agent=dqm"],
        ["plugins", "show", "agent", "dqn"],
        ["pretrain", "--help"],
        ["pretrain", "encoder=tfidf"],
    ],
    ids=" ".join,
)
def test_nothing_heavy_is_imported_before_a_run(recframe, tmp_path, arguments):
    probe = (
        "import sys, atexit\n"
        "heavy = ('torch', 'pytorch_lightning', 'transformers', 'sentence_transformers', 'wandb', 'sklearn', 'tensordict', 'polars')\n"
        "atexit.register(lambda: open('imported.txt', 'w').write(' '.join(name for name in heavy if name in sys.modules)))\n"
    )
    (tmp_path / "site").mkdir(exist_ok=True)
    (tmp_path / "site" / "sitecustomize.py").write_text(probe)
    recframe(*arguments, site=tmp_path / "site")
    assert (tmp_path / "imported.txt").read_text() == ""


@pytest.mark.parametrize("shell", ["bash", "zsh", "fish"])
@pytest.mark.parametrize(
    ("line", "expected"),
    [
        ("recframe tr", "train"),
        ("recframe train agent=d", "agent=dqn"),
        ("recframe train agent.gam", "agent.gamma="),
        ("recframe pretrain pretrain.ep", "pretrain.epochs="),
    ],
)
def test_the_shell_completes(warm_recframe, shell, line, expected):
    variables = {"COMP_LINE": line, "COMP_POINT": str(len(line)), "COMP_CWORD": str(len(line.split()) - 1)}
    assert expected in warm_recframe("-sc", f"query={shell}", **variables).stdout.split()


def test_completion_is_installed_for_the_program(recframe):
    assert recframe("train", "-sc", "install=bash", check=True).stdout.endswith("-F hydra_bash_completion recframe\n")
    assert "complete -c recframe -x" in recframe("train", "-sc", "install=fish", check=True).stdout


def test_another_primary_config_is_checked_and_shown(warm_recframe, tmp_path):
    (tmp_path / "conf").mkdir()
    (tmp_path / "conf" / "mine.yaml").write_text("defaults: [config, _self_]\nagent:\n  gamma: 0.123\n")
    assert "gamma: 0.123" in warm_recframe("train", "--config-name", "mine", "--cfg", "job", check=True).stdout
    assert "agent.gama" in warm_recframe("train", "--config-name", "mine", "agent.gama=1").stderr


def test_optional_groups_can_be_null(warm_recframe):
    shown = warm_recframe("train", "experiment=null", "logger=null", "--cfg", "job", check=True).stdout
    assert "logger: {}" in shown


COMMANDS = """
    from recframe.hookspecs import hookimpl

    @hookimpl
    def recframe_register_commands(app):
        @app.command()
        def halfway():
            print("there")
"""


@pytest.mark.parametrize(
    "rest", ["        1 / 0\n", "        @app.command()\n        def odd(what: int | str): pass\n"], ids=["raises", "cannot be a command"]
)
def test_a_plugin_whose_commands_fail_does_not_stop_the_others(warm_recframe, bonus_plugin, plugin_site, rest):
    plugin_site.install("a_broken_one", COMMANDS + rest)
    assert warm_recframe("greet", site=bonus_plugin, check=True).stdout == "hello from a plugin\n"
    assert warm_recframe("halfway", site=bonus_plugin).returncode == 2
    listed = warm_recframe("plugins", site=bonus_plugin, check=True)
    assert "every command of plugin 'a_broken_one' of a_broken_one " in listed.stderr
    assert "bonus" in listed.stdout


def test_a_stop_ends_with_its_message_and_exit_code(capsys):
    with pytest.raises(typer.Exit) as ended, user_errors_as_messages():
        raise Stop("stopped; continue with recframe train resume=x", 143)
    assert ended.value.exit_code == 143
    assert capsys.readouterr().err == "recframe: stopped; continue with recframe train resume=x\n"


@pytest.mark.parametrize("module", ["recframe", "recframe.cli"])
def test_the_module_can_be_run_with_python(module):
    ran = subprocess.run([sys.executable, "-m", module, "--version"], capture_output=True, text=True, check=False)
    assert (ran.returncode, ran.stdout.split()[:1]) == (0, ["recframe"])


def test_a_mistake_in_the_data_gives_one_line(warm_recframe, tmp_path):
    ratings = tmp_path / "ratings"
    ratings.mkdir()
    (ratings / "movies.dat").write_text("1::One (1999)::Drama\n2::Two (2000)::Drama\n")
    (ratings / "ratings.dat").write_text("1::1::5::100\n1::2::five::100\n")
    refused = warm_recframe("train", "experiment=movietweetings", f"dataset.path={ratings}", "logger=[csv]", "dataset.min_user_ratings=0")
    assert refused.returncode == 2
    assert "Traceback" not in refused.stderr
    assert refused.stderr.startswith("recframe: ")
    assert "ratings.dat:2" in refused.stderr


CLAIMS = """
    from dataclasses import dataclass
    from recframe.components import Component
    from recframe.hookspecs import hookimpl

    @dataclass
    class ClickConfig:
        '''Another click.'''

    @hookimpl
    def recframe_register_components(register):
        register(Component("reward", "click", ClickConfig, "nowhere:Click"))

    @hookimpl
    def recframe_register_commands(app):
        @app.callback()
        def options(verbose: bool = False):
            pass

        @app.command()
        def train():
            print("not the training")

        @app.command("greet")
        def another_greet():
            print("not the first greeting")

        @app.command()
        def free():
            print("free")
"""


def test_built_in_names_are_kept_and_claims_on_them_are_reported(warm_recframe, bonus_plugin, plugin_site):
    plugin_site.install("claims", CLAIMS)
    assert warm_recframe("--version", site=bonus_plugin, check=True).stdout.startswith("recframe ")
    shown = warm_recframe("train", "--help", site=bonus_plugin, check=True)
    assert "recframe train -m seed=0,1,2" in shown.stdout
    assert "the command 'train' of plugin 'claims' of claims was left out: 'train' is a command of recframe, which keeps it" in shown.stderr
    assert warm_recframe("greet", site=bonus_plugin, check=True).stdout == "hello from a plugin\n"
    assert warm_recframe("free", site=bonus_plugin, check=True).stdout == "free\n"
    left_out = warm_recframe("plugins", site=bonus_plugin, check=True).stderr
    assert warm_recframe("plugins", "--strict", site=bonus_plugin).returncode == 1
    assert warm_recframe("plugins", "--json", "--strict", site=bonus_plugin).returncode == 1
    for part in (
        "reward 'click' of plugin 'claims'",
        "the callback of plugin 'claims'",
        "the command 'train' of plugin 'claims'",
        "the command 'greet' of plugin 'claims' of claims was left out: 'greet' is a command of bonus_plugin (plugin 'bonus_plugin')",
    ):
        assert part in left_out


@pytest.mark.slow
def test_a_run_says_that_a_claim_on_one_of_its_components_was_left_out(warm_recframe, plugin_site, tmp_path):
    plugin_site.install("claims", CLAIMS)
    quick = ["debug=smoke", "encoder=tfidf", "agent=random", "evaluation.references=false", "logger=[csv]", "hydra.run.dir=run"]
    warm_recframe("train", *quick, site=plugin_site.folder, check=True)
    assert "reward=click is the built-in one: reward 'click' of plugin 'claims'" in (tmp_path / "run" / "run.log").read_text()


def test_the_choice_of_a_config_whose_name_a_plugin_claimed_is_answered_with_a_warning(warm_recframe, plugin_site):
    folder = """
        from pathlib import Path
        from recframe.hookspecs import hookimpl

        @hookimpl
        def recframe_config_paths():
            return [Path(__file__).parent / "claimed"]
    """
    plugin_site.install("claims", folder, files={"claimed/experiment/cartpole.yaml": "# @package _global_\nseed: 9\n"})
    shown = warm_recframe("train", "experiment=cartpole", "--cfg", "job", site=plugin_site.folder, check=True)
    assert "gymnasium" in shown.stdout
    assert "seed: 9" not in shown.stdout
    assert "its file experiment/cartpole.yaml has the name of a config of recframe, which keeps it" in shown.stderr


def test_an_error_in_a_plugin_is_one_line_and_its_traceback_is_in_the_log(warm_recframe, bonus_plugin, tmp_path):
    (bonus_plugin / "bonus_reward.py").write_text("class Bonus:\n    def __init__(self, config):\n        1 / 0\n")
    failed = warm_recframe("train", "reward=[bonus]", "encoder=tfidf", "debug=smoke", "hydra.run.dir=run", site=bonus_plugin)
    assert failed.returncode == 1
    assert failed.stderr.startswith("recframe: reward=bonus of plugin 'bonus_plugin' (bonus_plugin 0.3) failed: ZeroDivisionError")
    assert (tmp_path / "run" / "run.log").read_text().count("Traceback (most recent call last)") == 1
