"""A sweep on a Ray cluster of two nodes, which are processes of this machine and share its folders. They were started elsewhere."""

import os
import signal
import subprocess
import sys
import time
from importlib.util import find_spec
from pathlib import Path

import pytest

from tests.sweeps.processes import LIMIT, processes_in, wait_until

pytestmark = [
    pytest.mark.evidence,
    pytest.mark.skipif(find_spec("ray") is None, reason="Ray is not installed: pip install 'recframe[ray]'"),
    pytest.mark.skipif(not Path("/proc/self/cwd").exists(), reason="processes are looked for in /proc"),
]


@pytest.fixture(scope="module")
def cluster():
    """The address of a cluster of two nodes with a processor each."""
    with pytest.MonkeyPatch.context() as patches:
        patches.setenv("RAY_AUTH_MODE", "token")
        patches.setenv("RAY_AUTH_TOKEN", "c" * 64)
        patches.delenv("OMP_NUM_THREADS", raising=False)
        patches.chdir("/")
        from ray.cluster_utils import Cluster

        nodes = Cluster()
        for _ in range(2):
            nodes.add_node(num_cpus=1, object_store_memory=100_000_000, include_dashboard=False)
        yield nodes.address
        nodes.shutdown()


def sweep(cluster: str, folder: Path, *settings: str):
    """Start a sweep of three jobs, with files for what it prints."""
    launcher = ["hydra/launcher=ray", f"hydra.launcher.ray.init.address={cluster}", "hydra.sweep.dir=sweep"]
    command = [sys.executable, "-m", "recframe.cli", "train", "-m", "debug=smoke", "encoder=tfidf", "logger=[csv]", "seed=0,1,2"]
    variables = {**os.environ, "RECFRAME_CACHE": "cache"}
    files = {"stdout": (folder / "out.txt").open("w"), "stderr": (folder / "err.txt").open("w")}
    return subprocess.Popen([*command, *launcher, *settings], cwd=folder, env=variables, start_new_session=True, **files)


def test_both_nodes_run_jobs_which_share_folders_and_cache(cluster, tmp_path):
    with sweep(cluster, tmp_path) as running:
        assert running.wait(LIMIT) == 0, (tmp_path / "err.txt").read_text()
    printed = (tmp_path / "out.txt").read_text()
    assert "Ray: processors: 2, machines: 2" in printed
    assert all((tmp_path / "sweep" / job / "result.json").is_file() for job in "012")
    assert (tmp_path / "cache" / "embeddings").is_dir()
    # each text is encoded by one of the jobs, and read by the others
    assert printed.count("encoding 1000 texts") == 1


LONG = ["trainer.env_steps=10000000", "trainer.evaluate_every=5000000"]


@pytest.mark.parametrize("number", [signal.SIGTERM, signal.SIGINT, signal.SIGHUP, signal.SIGKILL])
def test_a_signal_reaches_the_jobs_of_all_nodes(cluster, tmp_path, number):
    with sweep(cluster, tmp_path, *LONG) as running:
        try:
            training = [tmp_path / "sweep" / job / "metrics.csv" for job in "01"]
            wait_until(lambda: all(path.exists() or running.poll() is not None for path in training), "training of two jobs")
            assert running.poll() is None, (tmp_path / "err.txt").read_text()
            parents = {parent for process, parent in processes_in(tmp_path).items() if process != running.pid}
            os.killpg(running.pid, number)
            sent = time.monotonic()
            code = running.wait(LIMIT)
            wait_until(lambda: not processes_in(tmp_path), "the end of all jobs")
            print(f"{signal.Signals(number).name}: all jobs had ended after {time.monotonic() - sent:.1f} s")
        finally:
            for process in processes_in(tmp_path):
                os.kill(process, signal.SIGKILL)
    assert len(parents) == 2  # a node each
    if number == signal.SIGKILL:
        assert code == -signal.SIGKILL
        return
    assert code == 128 + number
    told = (tmp_path / "err.txt").read_text()
    assert f"the sweep in sweep was stopped by {signal.Signals(number).name}: 2 stopped, 1 not started" in told
    assert all((tmp_path / "sweep" / job / "checkpoints" / "last.ckpt").is_file() for job in "01")
    assert not list(tmp_path.glob("sweep/*/result.json"))
    assert not list(tmp_path.glob("sweep/.recframe*"))
