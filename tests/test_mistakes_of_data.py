"""Mistakes that only the data can show: the run's folder says why it failed, and is free for the same command with a right value."""

import pytest

from recframe.tracking.failure import read_failure

QUICK = ["train", "debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.references=false", "agent=popular", "hydra.run.dir=run"]
SMALL = ["dataset.num_items=40", "dataset.num_users=30", "evaluation.bootstrap_samples=100"]


@pytest.mark.slow
def test_a_value_that_is_wrong_for_the_data_leaves_the_folder_to_the_next_run(warm_recframe, tmp_path):
    wrong = {"environment.num_candidates": "5000", "embeddings.dim": "5000", "environment.slate_size": "41"}
    for key, value in wrong.items():
        done = warm_recframe(*QUICK, *SMALL, f"{key}={value}")
        assert done.returncode != 0, key
        # one line, which is in the folder, too
        (line,) = [line for line in done.stderr.splitlines() if line.startswith("recframe: ")]
        assert key.rpartition(".")[2] in line
        assert read_failure(tmp_path / "run") in line
    right = warm_recframe(*QUICK, *SMALL, "environment.num_candidates=20", "embeddings.dim=5", check=True)
    assert "another run" not in right.stdout + right.stderr
    assert read_failure(tmp_path / "run") is None
    assert (tmp_path / "run" / "result.json").is_file()
    assert "num_candidates: 20" in (tmp_path / "run" / "config.yaml").read_text()
