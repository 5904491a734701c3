"""Processes in which foreign plugins are loaded: what they print, import and end does not reach the command that checks them."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from collections.abc import Sequence
from pathlib import Path

BOOT = """
import json, runpy, sys
sys.path[:] = json.loads(sys.argv.pop(1))
runpy.run_module(sys.argv.pop(1), run_name="__main__", alter_sys=True)
"""
"""Runs a module with the import path of the process that started it."""

LIMIT = 1800
"""Seconds that a check may take."""


def fresh_process(module: str, arguments: Sequence[str], paths: Sequence[Path] = ()) -> subprocess.CompletedProcess[str]:
    """Run a module in a new interpreter with this process's import path after `paths`, and with every installed plugin.

    A process that does not end within `LIMIT` seconds is killed, and has the exit status -9.
    """
    variables = {name: value for name, value in os.environ.items() if name != "RECFRAME_PLUGINS"}
    found = json.dumps([*map(str, paths), *sys.path])
    command = [sys.executable, "-c", BOOT, found, module, *arguments]
    try:
        return subprocess.run(command, env=variables, capture_output=True, text=True, check=False, timeout=LIMIT)  # noqa: S603
    except subprocess.TimeoutExpired:
        return subprocess.CompletedProcess(command, -9, "", f"it did not end within {LIMIT} seconds")


def last_words(done: subprocess.CompletedProcess[str]) -> str:
    """The exit status of a process, and the last line that it printed to standard error, which may be the error that ended it."""
    line = next((line.strip() for line in reversed(done.stderr.splitlines()) if line.strip()), "")
    return f"exit status {done.returncode}{', ' if line else ''}{line}"
