"""Evaluation of a finished run's trained weights, again or on other users."""

from __future__ import annotations

from pathlib import Path
from typing import Any

from recframe.attribution import as_messages
from recframe.building.device import choose_device
from recframe.config import Consent, validate
from recframe.runner.final_evaluation import final_evaluation, result_entries
from recframe.runner.threads import RunThreads
from recframe.runner.trained import trained_agent
from recframe.tracking import RunFolder, recorded_config
from recframe.tracking.provenance import report_changes


def evaluate(
    folder: str | Path,
    seed: int | None = None,
    num_users: int | None = None,
    device: str | None = None,
    other_data: bool = False,
    trust_remote_code: bool = False,
    other_config: bool = False,
    send_variable: str | None = None,
) -> dict[str, Any]:
    """Evaluate a run's trained weights again. The files of the run stay as they are.

    Parameters
    ----------
    seed, num_users: of the evaluation; by default the run's.     device: by default the run's.
    other_data: accept data that differs from the run's.
    trust_remote_code: run the code that comes with the run's model, if its config asks for that.
    other_config: accept a config.yaml that was edited after the run was started.
    send_variable: send the values of environment variables, as the config says: `VARIABLE=ADDRESS`, or several with commas between.

    Raises
    ------
    DataChanged: if the data is not that of the run, and `other_data` is false.
    ComponentFailure: if a component fails; its cause has the traceback.

    Returns
    -------
    `evaluation`, `policies`, `caveats` if there are any, and `cold_items` if the run held any back, as in result.json.
    """
    # the run's files stay as they are, so that no log can hold the traceback
    with as_messages(), RunFolder.open_to_read(folder) as claimed:
        use_cpu = f"recframe evaluate {folder} --device cpu"
        edits = None if other_config else f"accept it: recframe evaluate {folder} --other-config"
        cfg = recorded_config(claimed, device, use_cpu, Consent(trust_remote_code, send_variable), edits)
        report_changes(claimed.path)
        cfg.evaluation.seed = cfg.evaluation.seed if seed is None else seed
        cfg.evaluation.num_users = cfg.evaluation.num_users if num_users is None else num_users
        cfg = validate(cfg)
        choose_device(cfg.device, use_cpu)
        with RunThreads(cfg, claimed.path) as threads:
            agent, parts, training_users, _ = trained_agent(claimed.path, cfg, other_data, f"recframe evaluate {folder} --other-data")
            threads.start_training(len(parts.data.catalog), record=False)
            return result_entries(parts, final_evaluation(parts, agent), training_users.caveats() + parts.rewards.caveats())
