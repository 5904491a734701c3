"""Hyperband ends runs that do worse, with the study in a journal; the page of a search is in its folder."""

import json

import pytest

pytest.importorskip("optuna", reason="the extra recframe[optuna] is not installed")

SEARCH = ["train", "-m", "hydra/sweeper=optuna", "hydra.sweep.dir=sweep", "hydra.sweeper.sampler=grid", "hydra.sweeper.pruner=hyperband"]
SMALL = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.references=false", "dataset.num_items=40", "dataset.num_users=30"]
SMALL += ["agent.learning_starts=64", "trainer.env_steps=512", "trainer.evaluate_every=256", "evaluation.periodic_users=8"]


@pytest.mark.slow
def test_hyperband_ends_a_run_whose_study_is_in_a_journal_and_the_page_is_in_the_folder(warm_recframe, tmp_path):
    # The first run says how many evaluations there are. With two, there are two brackets, in the first of which runs may end after one;
    # the name decides on the brackets, and with this one all are in the first. The return is a multiple of the weight, so that the last
    # run is worse than the second at every evaluation.
    settings = ["reward.click.weight=1,0.9,0.001", "hydra.sweeper.study_name=study3", f"hydra.sweeper.storage=journal:{tmp_path}/study.log"]
    done = warm_recframe(*SEARCH, *SMALL, *settings, check=True)
    assert "3 trials: 2 finished, 1 pruned" in done.stdout
    folder = tmp_path / "sweep"
    trials = json.loads((folder / "study.json").read_text())["trials"]
    assert trials[2]["reason"].startswith("hyperband ended it after evaluation 1, with return")
    assert json.loads((folder / "2" / "pruned.json").read_text())["reason"] == trials[2]["reason"]
    assert (tmp_path / "study.log").stat().st_size > 0
    assert not (folder / "study.db").exists()
    assert "vegaEmbed" in (folder / "report.html").read_text()
