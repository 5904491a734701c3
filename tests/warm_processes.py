"""Runs the command line in processes forked from this one, which has imported already what every run imports: seconds saved a run.

Each line of standard input asks for one: JSON of its `arguments`, `cwd` and `environment`, and of the files that `stdout` and `stderr` go
to. The line that answers is its exit status, a signal's negative, as subprocess has it.
"""

import json
import os
import signal
import sys

# a run's imports, and tfidf's: the command line itself comes with them
import sklearn.decomposition
import sklearn.feature_extraction.text  # noqa: F401

import recframe.runner  # noqa: F401
from recframe.cli.main import main

LIMIT = 300
"""Seconds after which a run is ended."""


def become(request: dict) -> None:
    """Make this process what a fresh `python -m recframe.cli` would be."""
    signal.alarm(LIMIT)
    files = [(os.devnull, os.O_RDONLY), (request["stdout"], os.O_WRONLY | os.O_CREAT), (request["stderr"], os.O_WRONLY | os.O_CREAT)]
    for number, (path, flags) in enumerate(files):
        os.dup2(os.open(path, flags), number)
    os.chdir(request["cwd"])
    os.environ.clear()
    os.environ.update(request["environment"])
    paths = request["environment"].get("PYTHONPATH")
    sys.path[:1] = [request["cwd"], *(paths.split(os.pathsep) if paths else [])]
    sys.argv[1:] = request["arguments"]


def serve() -> bool:
    """Fork once a request. True in a process that is to run, False when nobody asks any more."""
    for line in sys.stdin:
        process = os.fork()
        if not process:
            become(json.loads(line))
            return True
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
    return False


if serve():
    sys.exit(main())
