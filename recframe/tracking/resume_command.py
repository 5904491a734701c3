"""The command that goes on with a sweep, from its sweep.json."""

from __future__ import annotations

import json
import shlex
from pathlib import Path

from recframe.config.addresses import PASSWORDS

SWEEP_NAME = "sweep.json"


def resume_command(folder: Path) -> str:
    """The command that runs what is missing in a sweep, with what no file may decide for it. Passwords are left out."""
    options, overrides = _to_repeat(folder)
    # no setting is read behind an option
    return shlex.join(["recframe", "train", "-m", *options, f"sweep.resume={folder}", *overrides])


def launch_options(folder: Path) -> list[str]:
    """The options `--config-dir` and `--config-name` that a sweep was started with, from its sweep.json; none if it cannot be read."""
    try:
        content = json.loads((folder / SWEEP_NAME).read_text(encoding="utf-8"))
        given = {f"--{name.replace('_', '-')}": content.get(name) for name in ("config_dir", "config_name")}
    except (OSError, ValueError, AttributeError, RecursionError):
        return []
    return [part for option, value in given.items() if value is not None for part in (option, str(value))]


def _to_repeat(folder: Path) -> tuple[list[str], list[str]]:
    """The options and overrides that sweep.json has and may not decide, as it may be somebody else's; none if it cannot be read."""
    try:
        content = json.loads((folder / SWEEP_NAME).read_text(encoding="utf-8"))
        config_dir, command = content.get("config_dir"), [str(text) for text in content["command"]]
    except (OSError, ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return [], []
    from recframe.config.compose.trust import is_untrusted

    options = [] if config_dir is None else ["--config-dir", str(config_dir)]
    return options, [PASSWORDS.sub("***", text) for text in command if is_untrusted(text)]
