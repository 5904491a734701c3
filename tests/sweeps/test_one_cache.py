"""Sweeps that share one cache give the results that one with a cache of its own does, also without a home."""

import os
import subprocess
import sys
from pathlib import Path

import pytest

from tests.sweeps.killed_sweeps import LIMIT, SMALL, KilledSweep

FITTED = ["environment=preference_model", "agent=popular,random", "evaluation.references=true"]
FITTED += ["evaluation.num_users=8", "evaluation.periodic_users=8", "evaluation.tuning_sessions=8", "evaluation.bootstrap_samples=100"]
"""Sweeps whose jobs fit a user model and evaluate references, which the cache keeps."""


@pytest.fixture
def ratings(tmp_path):
    """A folder with a few ratings."""
    folder = tmp_path / "ratings"
    folder.mkdir()
    (folder / "movies.dat").write_text("".join(f"{item}::Film number {item} (19{50 + item % 50})::Drama\n" for item in range(40)))
    rows = [f"{user}::{(user * 7 + k * 3) % 40}::{1 + (user * k) % 10}::{1_000_000 + k}\n" for user in range(60) for k in range(8)]
    (folder / "ratings.dat").write_text("".join(rows))
    return ["dataset=movielens_format", f"dataset.path={folder}"]


def started(folder: Path, dataset: list[str], cache: Path, home: Path) -> subprocess.Popen:
    folder.mkdir()
    own = {name: value for name, value in os.environ.items() if not name.startswith(("RECFRAME_", "WANDB_", "HYDRA_", "XDG_"))}
    command = [sys.executable, "-m", "recframe.cli", "train", "-m", *SMALL, *FITTED, *dataset, "hydra.sweep.dir=sweep"]
    variables = {**own, "RECFRAME_CACHE": str(cache), "HOME": str(home)}
    with (folder / "output.txt").open("w") as file:
        return subprocess.Popen(command, cwd=folder, env=variables, stdout=file, stderr=file)


@pytest.mark.slow
def test_two_sweeps_on_one_cache_have_the_results_of_one_with_its_own_and_no_home(ratings, tmp_path, warm_recframe):
    # a home under a file cannot be made, not even by root
    (tmp_path / "file").touch()
    shared = {name: started(tmp_path / name, ratings, tmp_path / "cache", tmp_path / "home") for name in ("one", "other")}
    (tmp_path / "alone").mkdir()
    own = {"RECFRAME_CACHE": str(tmp_path / "own_cache"), "HOME": str(tmp_path / "file" / "home")}
    words = ["-m", *SMALL, *FITTED, *ratings, "hydra.sweep.dir=sweep"]
    warm_recframe("train", *words, cwd=tmp_path / "alone", check=True, **own)
    for name, process in shared.items():
        assert process.wait(LIMIT) == 0, (tmp_path / name / "output.txt").read_text()
    one, other, without = (KilledSweep(tmp_path / name, []) for name in ("one", "other", "alone"))
    assert len(one.objectives()) == 2
    assert one.objectives() == other.objectives() == without.objectives()
    for sweep in (one, other, without):
        sweep.check_files()
    assert not [path for path in (tmp_path / "cache").rglob("*") if ".tmp" in path.name]
    told = [(tmp_path / name / "output.txt").read_text() for name in ("one", "other")]
    fits = sum(text.count("from the cache") + text.count("another process has just computed it") for text in told)
    assert fits > 0
