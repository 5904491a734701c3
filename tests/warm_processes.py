"""A server that runs the command line in forked processes. The server has imported everything, which saves seconds for each run.

Each line of standard input is one request, in JSON: the `arguments`, the `cwd`, the `environment`, and the files for `stdout` and `stderr`.
The answer is a line with the exit status. As in subprocess, it is negative if a signal ended the process.
"""

import gc
import json
import os
import pkgutil
import signal
import sys
from importlib import import_module

# the imports of the composition, of a run, of its reports, and of the encoder tfidf
import hydra.main  # noqa: F401
import sklearn.decomposition
import sklearn.feature_extraction.text  # noqa: F401

import recframe.reports
import recframe.runner  # noqa: F401
import recframe_plugins
from recframe.cli.main import main
from recframe.config import find_mistakes
from recframe.plugin_loader import registry

LIMIT = 500
"""Time limit of a run in seconds."""


def become(request: dict) -> None:
    """Give this process the arguments, folder, environment and files of a new `python -m recframe.cli`."""
    signal.alarm(LIMIT)
    files = [(os.devnull, os.O_RDONLY), (request["stdout"], os.O_WRONLY | os.O_CREAT), (request["stderr"], os.O_WRONLY | os.O_CREAT)]
    for number, (path, flags) in enumerate(files):
        os.dup2(os.open(path, flags), number)
    os.chdir(request["cwd"])
    if any(request["environment"].get(name) != os.environ.get(name) for name in ("PYTHONPATH", "RECFRAME_PLUGINS")):
        registry.cache_clear()  # this process has other plugins
    os.environ.clear()
    os.environ.update(request["environment"])
    paths = request["environment"].get("PYTHONPATH")
    sys.path[:1] = [request["cwd"], *(paths.split(os.pathsep) if paths else [])]
    sys.argv[1:] = request["arguments"]


def serve() -> bool:
    """Fork for each request. Returns True in a process that shall run, False in the server when the input ends."""
    for line in sys.stdin:
        process = os.fork()
        if not process:
            become(json.loads(line))
            return True
        print(os.waitstatus_to_exitcode(os.waitpid(process, 0)[1]), flush=True)
    return False


for module in pkgutil.walk_packages(recframe_plugins.__path__, f"{recframe_plugins.__name__}."):
    if any(
        part in module.name for part in (".q_learning.", ".topic_world.", ".simulation.", ".rewards.", ".tfidf.", "registration", "config")
    ):
        import_module(module.name)
# the plugins of this environment are found, and what a composition needs once is made; in a folder without a ./conf
os.chdir("/")
find_mistakes(["debug=smoke"])
# the forked processes need not look through what is imported here
gc.collect()
gc.freeze()

if serve():
    sys.exit(main())
