"""Each documented command is run by a test, or listed with the reason why it is not; what can be looked at without running it is."""

import pytest

from recframe.cli.main import HYDRA_COMMANDS
from recframe.public_data import find_set
from recframe.server.settings import read_settings
from tests.documented_commands.collected import documented, run_elsewhere
from tests.documented_commands.not_run import DOWNLOAD, NOT_RUN, SERVER, reason
from tests.documented_commands.training import is_started

COMMANDS = {" ".join(command.words): command for command in documented()}


def test_the_commands_are_found():
    assert len(COMMANDS) > 250
    assert {"report multirun/...", "train", "data list", "wandb-sync runs --dry-run"} <= set(COMMANDS)


def test_what_is_not_run_is_documented():
    assert [line for line in NOT_RUN if line not in COMMANDS] == []


@pytest.mark.parametrize("line", NOT_RUN)
def test_what_is_not_run_is_run_nowhere(line):
    assert not run_elsewhere(COMMANDS[line])


def test_every_command_that_trains_is_started_by_one_test():
    """All others that are not listed are run by test_commands.py."""
    trains = [one for one in COMMANDS.values() if one.words[0] in HYDRA_COMMANDS]
    for one in trains:
        assert run_elsewhere(one) + is_started(one) + (reason(one.words) is not None) == 1, one.line


@pytest.mark.parametrize("line", [line for line, why in NOT_RUN.items() if why == SERVER])
def test_the_settings_of_a_server_are_read(line, tmp_path):
    _, folder, *settings = COMMANDS[line].words
    for name in ("FOLDER", "FOLDER_B", "policy"):
        (tmp_path / name).mkdir()
    config = read_settings([text.replace("=FOLDER_B", f"={tmp_path}/FOLDER_B") for text in settings], tmp_path / folder)
    assert config.port == (8080 if "port=8080" in settings else 8000)


@pytest.mark.parametrize("line", [line for line, why in NOT_RUN.items() if why == DOWNLOAD])
def test_the_sets_that_are_downloaded_are_known(line):
    _, _, name, *options = COMMANDS[line].words
    part = options[options.index("--part") + 1] if "--part" in options else None
    assert find_set(name, part).name == name
