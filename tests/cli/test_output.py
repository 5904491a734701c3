"""Output that cannot be written, and refusals of the operating system: what is finished stays, and the reason is one line."""

import ctypes
import json
import logging
import os
import re
import shutil
import subprocess
import sys
import tempfile
from pathlib import Path

import pytest

from recframe.config import find_mistakes
from recframe.console import STANDARD_OUTPUT, SafeStream, output_console
from recframe.runner.report import print_report
from recframe.runner.results import RunResult
from recframe.tracking.run_log import log_file
from tests.conftest import CommandLine

QUICK = ["debug=smoke", "encoder=tfidf", "state_tracker=mean", "agent=random", "evaluation.references=false", "logger=csv"]
PR_CAPBSET_DROP = 24
CAPABILITIES = {"CAP_DAC_OVERRIDE": 1, "CAP_DAC_READ_SEARCH": 2, "CAP_FOWNER": 3}

TOLD = """
    from recframe.hookspecs import hookimpl

    @hookimpl
    def recframe_run_finished(result):
        (result.folder / "told").write_text("yes")
"""
FAILING = """
    from recframe.hookspecs import hookimpl

    @hookimpl
    def recframe_run_finished(result):
        raise ValueError("the notification service is down")
"""
USELESS_WANDB = """
    import wandb

    class _Table:
        def __init__(self, *args, **kwargs):
            raise PermissionError(13, "Permission denied", "/nonexistent/.local/share/wandb")

    wandb.Table = _Table
    from recframe.hookspecs import hookimpl
"""


def as_other_user():
    """Take from a process of root what lets it ignore permissions, so that it meets them like everyone else."""
    if os.geteuid() == 0:
        for number in CAPABILITIES.values():
            ctypes.CDLL(None).prctl(PR_CAPBSET_DROP, number, 0, 0, 0)


def call(arguments, cwd, stdout=subprocess.PIPE, other_user=False, closed=False, **environment):
    """The command line in a process whose standard output is the given file."""
    command = [sys.executable, "-m", "recframe.cli", *arguments]
    if closed:
        command = ["sh", "-c", 'exec "$@" >&-', "sh", *command]
    variables = {**os.environ, **environment}
    return subprocess.run(
        [*command],
        cwd=cwd,
        env={name: value for name, value in variables.items() if value is not None},
        stdout=stdout,
        stderr=subprocess.PIPE,
        text=True,
        check=False,
        timeout=300,
        preexec_fn=as_other_user if other_user else None,
    )


@pytest.fixture(scope="module", autouse=True)
def _cache(shared_cache):
    with pytest.MonkeyPatch.context() as patches:
        patches.setenv("RECFRAME_CACHE", str(shared_cache))
        yield


@pytest.fixture(scope="module")
def finished(tmp_path_factory, shared_cache, warm_process):
    """A finished run."""
    folder = tmp_path_factory.mktemp("finished")
    CommandLine(folder, shared_cache, warm_process)("train", *QUICK, "hydra.run.dir=run", check=True)
    return folder / "run"


@pytest.fixture
def read_only(finished):
    """The finished run, which nobody may write to."""
    paths = [finished, *finished.rglob("*")]
    modes = {path: path.stat().st_mode for path in paths}
    for path in paths:
        path.chmod(0o555 if path.is_dir() else 0o444)
    yield finished
    for path, mode in modes.items():
        path.chmod(mode)


# ---- output


@pytest.mark.slow
@pytest.mark.parametrize("way", ["full disk", "closed pipe", "closed", "ascii"])
def test_a_finished_run_is_a_success_whatever_becomes_of_its_output(tmp_path, plugin_site, way):
    plugin_site.install("told_plugin", TOLD)
    reader, writer = os.pipe()
    os.close(reader)
    with open("/dev/full", "w") as full, os.fdopen(writer, "w") as pipe:
        stdout = {"full disk": full, "closed pipe": pipe}.get(way, subprocess.PIPE)
        arguments = ["train", *QUICK, "seed=0,1", "hydra.sweep.dir=sweep", "-m"]
        site = str(plugin_site.folder)
        done = call(arguments, tmp_path, stdout, closed=way == "closed", PYTHONIOENCODING="ascii", PYTHONPATH=site)
    assert done.returncode == 0, done.stderr
    assert "Traceback" not in done.stderr
    for job in ("0", "1"):
        folder = tmp_path / "sweep" / job
        assert json.loads((folder / "result.json").read_text())["status"] == "finished"
        assert (folder / "told").read_text() == "yes"
        log = (folder / "run.log").read_text()
        if way == "full disk":
            assert "the tables could not be printed ([Errno 28] No space left on device)" in log
        if way == "closed pipe":
            assert "the tables could not be printed ([Errno 32] Broken pipe)" in log
    if way == "full disk":
        assert done.stderr == "recframe: standard output cannot be written (No space left on device)\n"
    if way == "ascii":
        assert "; everything is in " in done.stdout
        assert done.stdout.isascii()


@pytest.mark.parametrize("command", [["plugins"], ["plugins", "--json"], ["plugins", "show", "agent", "dqn"], ["--version"]])
def test_a_command_that_only_prints_fails_on_a_full_disk_and_is_content_with_a_reader_that_stops(tmp_path, command):
    with open("/dev/full", "w") as full:
        done = call(command, tmp_path, full)
    assert (done.returncode, done.stderr) == (1, "recframe: standard output cannot be written (No space left on device)\n")
    reader, writer = os.pipe()
    os.close(reader)
    with os.fdopen(writer, "w") as pipe:
        done = call(command, tmp_path, pipe)
    assert (done.returncode, done.stderr) == (0, "")


class Ascii:
    """A console that knows only ASCII."""

    encoding = "ascii"

    def __init__(self):
        self.text = ""

    def write(self, text):
        self.text += text.encode("ascii").decode()
        return len(text)

    def flush(self):
        pass

    def isatty(self):
        return False


def test_letters_that_a_console_lacks_are_replaced(monkeypatch):
    console = Ascii()
    monkeypatch.setattr(sys, "stdout", console)
    output_console().print("Amélie \ud83c 千と千尋", highlight=False)
    assert console.text == "Am?lie ? ????\n"


def test_a_lost_stream_falls_silent_and_says_why_once(caplog):
    class Broken(Ascii):
        writes = 0

        def write(self, text):
            self.writes += 1
            raise BrokenPipeError(32, "Broken pipe")

    broken = Broken()
    stream = SafeStream(broken, STANDARD_OUTPUT)
    with caplog.at_level(logging.WARNING):
        print("one", file=stream)
        print("two", file=stream)
    assert broken.writes == 1
    assert [record.getMessage() for record in caplog.records] == [
        "standard output cannot be written (Broken pipe): nothing more is printed there"
    ]


def test_the_tables_of_a_run_from_python_cannot_fail(monkeypatch, tmp_path, caplog):
    class Full(Ascii):
        def write(self, text):
            raise OSError(28, "No space left on device")

    monkeypatch.setattr(sys, "stdout", Full())
    statistic = {"mean": 1.0, "low": 0.5, "high": 1.5, "n": 2}
    print_report(RunResult(tmp_path, 1.0, 10, 1.0, {"trained": {"return": statistic}}), [])
    assert any(f"they are in {tmp_path / 'report.md'}" in record.getMessage() for record in caplog.records)


@pytest.mark.slow
def test_a_hook_or_a_logger_that_fails_at_the_end_loses_nothing(tmp_path, plugin_site):
    plugin_site.install("a_failing_plugin", FAILING + USELESS_WANDB)
    plugin_site.install("told_plugin", TOLD)
    arguments = ["train", *QUICK[:-1], "logger=[csv,wandb]", "hydra.run.dir=run"]
    done = call(arguments, tmp_path, PYTHONPATH=str(plugin_site.folder))
    assert done.returncode == 0, done.stderr
    run = tmp_path / "run"
    assert json.loads((run / "result.json").read_text())["status"] == "finished"
    assert (run / "told").exists()
    log = (run / "run.log").read_text()
    assert "wandb: the table policies could not be recorded ([Errno 13] Permission denied" in log
    assert "the hook recframe_run_finished of plugin a_failing_plugin" in log
    assert "the notification service is down" in log


# ---- permissions


@pytest.mark.slow
def test_a_run_that_may_only_be_read_is_evaluated(read_only, tmp_path):
    done = call(["evaluate", str(read_only), "--json"], tmp_path, other_user=True)
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["policies"] == json.loads((read_only / "result.json").read_text())["policies"]


AS_NOBODY = """
import os, sys
import sklearn.decomposition, sklearn.feature_extraction.text  # which the encoder imports when there is something to encode
from recframe.cli.main import main

def evaluate():
    sys.argv = ["recframe", "evaluate", sys.argv[-1] if sys.argv[-1] != "--json" else sys.argv[-2], "--json"]
    try:
        main()
    except SystemExit as end:
        return end.code or 0

assert evaluate() == 0  # imports everything: the other user may not be able to read this user's libraries
print("as nobody")
os.setgroups([])
os.setgid(65534)
os.setuid(65534)
try:
    open(os.path.join(sys.argv[-2], "own"), "w")
except PermissionError:
    sys.exit(evaluate())
sys.exit("this user may write to the run")
"""


@pytest.mark.slow
@pytest.mark.skipif(not hasattr(os, "geteuid") or os.geteuid() != 0, reason="only root can become another user")
def test_another_user_evaluates_a_run_that_may_only_be_read(finished):
    # below pytest's own folder, which is private to this user, another user can read nothing
    with tempfile.TemporaryDirectory() as place:
        folder = Path(place)
        folder.chmod(0o755)
        shutil.copytree(finished, folder / "run")
        (folder / "run" / "run.lock").unlink(missing_ok=True)
        (folder / "cache").mkdir()
        (folder / "cache").chmod(0o777)
        command = [sys.executable, "-c", AS_NOBODY, str(folder / "run")]
        environment = {**os.environ, "RECFRAME_CACHE": str(folder / "cache")}
        done = subprocess.run(command, cwd=folder, env=environment, capture_output=True, text=True, check=False, timeout=300)
        before, _, after = done.stdout.partition("as nobody\n")
        assert done.returncode == 0, done.stderr
        assert json.loads(after) == json.loads(before)


@pytest.mark.parametrize("name", ["config.yaml", "checkpoints/final.safetensors"])
def test_a_file_that_may_not_be_read_is_not_called_missing(read_only, tmp_path, name):
    (read_only / name).chmod(0)
    done = call(["evaluate", str(read_only)], tmp_path, other_user=True)
    assert (done.returncode, done.stderr) == (
        2,
        f"recframe: {read_only / name}: cannot be read (Permission denied); ask its owner to make it readable\n",
    )


def test_a_folder_that_may_not_be_entered_is_not_called_missing(read_only, tmp_path):
    read_only.chmod(0o444)
    done = call(["evaluate", str(read_only)], tmp_path, other_user=True)
    assert (done.returncode, done.stderr) == (2, f"recframe: {read_only}: cannot be read (Permission denied)\n")


def test_all_files_of_a_run_have_the_permissions_of_the_umask(finished):
    umask = os.umask(0)
    os.umask(umask)
    # the lock is made by filelock, and only processes of this user need it
    files = [path for path in finished.rglob("*") if path.is_file() and path.name != "run.lock"]
    assert {path.suffix for path in files} >= {".safetensors", ".json"}
    assert {path.name: oct(path.stat().st_mode & 0o777) for path in files} == {path.name: oct(0o666 & ~umask) for path in files}


# ---- the machine's errors


LONG = "a" * 300


@pytest.mark.parametrize(
    ("arguments", "expected"),
    [
        (["train", *QUICK, f"hydra.run.dir={LONG}"], f"{LONG}' cannot be made (File name too long); choose another folder"),
        (["train", "dataset=movielens_format", f"dataset.path={LONG}"], f"{LONG}: File name too long"),
        (["train", *QUICK, f"embeddings.cache={LONG}"], f"{LONG}' cannot be made (File name too long); choose another folder"),
        (["train", f"resume={LONG}"], f"{LONG}: cannot be read (File name too long)"),
        (["evaluate", LONG], f"{LONG}: cannot be read (File name too long)"),
        (["report", LONG], f"{LONG}: File name too long"),
        (["pretrain", f"pretrain.folder={LONG}"], "File name too long"),
    ],
)
def test_a_path_that_is_too_long_is_refused_in_one_line(tmp_path, arguments, expected):
    done = call(arguments, tmp_path)
    assert done.returncode in (1, 2)
    assert expected in done.stderr
    assert len(done.stderr.splitlines()) == 1


def test_a_default_folder_that_cannot_be_made_is_refused_in_one_line(tmp_path):
    here = tmp_path / "here"
    here.mkdir(mode=0o555)
    done = call(["train", *QUICK], here, other_user=True, RECFRAME_CACHE=str(tmp_path))
    assert done.returncode == 2
    assert re.fullmatch(
        r"recframe: .*runs.*: cannot be created \(Permission denied\); choose another folder with hydra.run.dir=\n", done.stderr
    )


def test_a_user_without_a_home_is_told_what_to_set(tmp_path):
    no_entry = "import pwd\ndef unknown(uid):\n    raise KeyError(uid)\npwd.getpwuid = unknown\n"
    (tmp_path / "sitecustomize.py").write_text(no_entry)
    done = call(["train", *QUICK], tmp_path, PYTHONPATH=str(tmp_path), HOME=None, RECFRAME_CACHE=None)
    assert (done.returncode, len(done.stderr.splitlines())) == (2, 1)
    assert "set HOME, or set embeddings.cache" in done.stderr


@pytest.mark.parametrize(
    ("key", "largest"),
    [
        ("seed", 2**63 - 1),
        ("evaluation.seed", 2**63 - 1),
        ("cold_items.seed", 2**63 - 1),
        ("dataset.seed", 2**63 - 1),
        ("environment.world_seed", 2**63 - 1),
        ("encoder.seed", 2**32 - 1),
    ],
)
def test_a_seed_that_no_generator_takes_is_refused_before_the_run(key, largest):
    assert find_mistakes([*QUICK, f"{key}={largest}"]) == []
    (problem,) = find_mistakes([*QUICK, f"{key}={largest + 1}"])
    assert f"{key}: {largest + 1} is not allowed" in problem


@pytest.mark.slow
def test_the_largest_seeds_run(warm_recframe, tmp_path):
    seeds = [f"{key}={2**63 - 1}" for key in ("seed", "evaluation.seed", "cold_items.seed", "dataset.seed", "environment.world_seed")]
    arguments = [*QUICK, *seeds, f"encoder.seed={2**32 - 1}", "cold_items.share=0.2", "hydra.run.dir=run"]
    warm_recframe("train", *arguments, check=True)
    assert json.loads((tmp_path / "run" / "result.json").read_text())["seed"] == 2**63 - 1


def test_a_log_on_a_full_disk_does_not_end_the_run(capsys):
    if not Path("/dev/full").exists():
        pytest.skip("/dev/full was not found")
    with log_file(Path("/dev/full")):
        logging.getLogger("recframe").error("one")
        logging.getLogger("recframe").error("two")
    assert capsys.readouterr().err.count("recframe: /dev/full: cannot be written (No space left on device)\n") == 1
