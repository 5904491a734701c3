"""The progress bar and the progress line: what they show of a fit, with and without training metrics."""

import io

from rich.console import Console

from recframe.tracking.counter import BATCHES, ENV_STEPS, STEPS, count_in_words
from recframe.training.progress import ProgressBar, evaluation_text, training_text

LATEST = {"train/env_steps_per_second": 1234.0, "train/return": 2.0, "loss/critic": 0.123456, "gradient_norm/critic": 1.0}


def test_the_evaluation_line_has_no_parentheses_before_the_first_training_metrics():
    assert evaluation_text(64, "env_steps", {"eval/return": 1.25, "eval/unknown": 3.0}) == "64 env steps: return 1.25"


def test_the_evaluation_line_ends_in_the_latest_training_metrics():
    line = evaluation_text(12_800, "env_steps", LATEST | {"eval/return": 1.25, "eval/coverage": 0.5})
    assert line == "12,800 env steps: return 1.25, coverage 0.5 (1,234 env steps/s, train return 2.00, loss critic 0.123)"


def test_one_batch_is_a_batch():
    assert evaluation_text(1, "batches", {"eval/ndcg@10": 0.5}) == "1 batch: ndcg@10 0.5"
    assert [count_in_words(1, unit) for unit in (BATCHES, ENV_STEPS, STEPS)] == ["1 batch", "1 env step", "1 step"]


def test_the_training_text_is_empty_without_training_metrics():
    assert training_text({"eval/return": 1.0}) == ""


def test_the_bar_shows_the_steps_and_the_text_in_a_terminal_only():
    shown = {}
    for terminal in (True, False):
        output = io.StringIO()
        bar = ProgressBar(100, lambda: (120, "loss 0.5"), show=True, console=Console(file=output, force_terminal=terminal, width=100))
        bar.on_train_start(None, None)
        bar.on_train_batch_end(None, None, None, None, 0)
        bar.on_train_end(None, None)
        shown[terminal] = output.getvalue()
    assert "100/100" in shown[True]
    assert "loss 0.5" in shown[True]
    assert shown[False] == ""
