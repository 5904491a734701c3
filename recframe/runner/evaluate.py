"""Evaluation of a finished run's trained weights, again or on other users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recframe.building.parts import assemble
from recframe.config import validate
from recframe.runner.final_evaluation import final_evaluation, result_entries
from recframe.tracking import RunFolder
from recframe.training import BEST, FINAL, load_weights, read_tuned


def evaluate(folder: str | Path, seed: int | None = None, num_users: int | None = None) -> dict[str, Any]:
    """Evaluate a run's trained weights again. The files of the run stay as they are.

    Parameters
    ----------
    seed, num_users: of the evaluation; by default the run's.

    Returns
    -------
    `policies`, and `cold_items` if the run held any back, as in result.json.
    """
    with RunFolder.open_to_read(folder) as claimed:
        cfg = validate(claimed.read_config())
        cfg.evaluation.seed = cfg.evaluation.seed if seed is None else seed
        cfg.evaluation.num_users = cfg.evaluation.num_users if num_users is None else num_users
        cfg = validate(cfg)
        parts = assemble(cfg)
        training_users = parts.environment(cfg.environment.num_users, "train")
        agent = parts.agent(training_users)
        final = claimed.checkpoints / FINAL
        weights = final if final.is_file() else claimed.checkpoints / BEST
        load_weights(agent, weights)
        if (encoder := parts.tunable_encoder()) is not None:
            read_tuned(agent, parts.reading, encoder, weights, parts.store, parts.reduction)
        measured = final_evaluation(parts, agent)
        return result_entries(parts, measured.policies, measured.cold)
