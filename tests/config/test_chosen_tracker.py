"""An environment names the state tracker that suits it. Whoever chooses one has it: the command line, an agent's preset, an experiment."""

import pytest
from hydra import compose

from recframe.config import TRAIN
from recframe.config.compose.initialize import initialized

RATINGS = ["dataset=synthetic_ratings", "environment=rating_matrix"]
EXPERIMENT = "# @package _global_\ndefaults:\n  - override /environment: rating_matrix\n"


def tracker(overrides, config_dir=None):
    """The state tracker of a config, composed without looking for mistakes: the data of some are not at hand."""
    with initialized(config_dir):
        return compose(TRAIN.config_name, overrides=overrides).state_tracker.name


@pytest.mark.parametrize(
    ("overrides", "chosen"),
    [
        ([], "mean"),
        (RATINGS, "posterior"),
        ([*RATINGS, "agent=ppo"], "posterior"),
        ([*RATINGS, "state_tracker=mean"], "mean"),
        (["state_tracker=gru", *RATINGS], "gru"),
        ([*RATINGS, "agent=sasrec"], "attention"),
        (["experiment=rating_matrix"], "posterior"),
        (["experiment=easyrl4rec"], "mean"),
        (["experiment=texts"], "posterior"),
    ],
)
def test_a_choice_has_the_last_word_over_what_suits_the_environment(overrides, chosen):
    assert tracker(overrides) == chosen


@pytest.mark.parametrize(("more", "chosen"), [("", "posterior"), ("  - override /state_tracker: cnn\n", "cnn")])
def test_an_experiment_file_that_chooses_the_environment(tmp_path, more, chosen):
    (tmp_path / "experiment").mkdir()
    (tmp_path / "experiment" / "mine.yaml").write_text(EXPERIMENT + more)
    assert tracker(["experiment=mine"], config_dir=str(tmp_path)) == chosen


@pytest.mark.filterwarnings("ignore:(?s).*automatic_schema_matching")
def test_a_file_of_the_environments_name_keeps_its_tracker(tmp_path):
    (tmp_path / "environment").mkdir()
    (tmp_path / "environment" / "rating_matrix.yaml").write_text("name: rating_matrix\nmax_steps: 7\n")
    assert tracker(RATINGS, config_dir=str(tmp_path)) == "posterior"
