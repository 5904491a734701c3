"""Loads a trained policy, from the folder of a run or from an artefact."""

from __future__ import annotations

from pathlib import Path
from typing import TYPE_CHECKING

from recframe.serving.artefact.manifest import MANIFEST
from recframe.serving.artefact.read import load_artefact
from recframe.serving.policy import LoadedPolicy

if TYPE_CHECKING:
    from recframe.runner.results import RunResult


def load_policy(
    source: str | Path | RunResult,
    *,
    other_data: bool = False,
    trust_remote_code: bool = False,
    other_config: bool = False,
    send_variable: str | None = None,
) -> LoadedPolicy:
    """A trained policy that recommends, on the CPU.

    Of a run, it is built again from the run's folder: its config, its data, which must be where the run found it, and its final weights. An
    artefact, which `recframe export` writes, has all that is needed. The plugins of the run must be installed for both.

    Parameters
    ----------
    source: the folder of a run, its result, or the folder of an artefact.   other_data: accept data that differs from the run's.
    trust_remote_code: run the code that comes with the policy's model, if its config asks for that.
    other_config: accept a config.yaml that was edited after the run was started.
    send_variable: send the values of environment variables, as the config says: `VARIABLE=ADDRESS`, or several with commas between.

    Raises
    ------
    recframe.errors.UserError: there is no such run or artefact, it has no trained weights, its data is another now or is damaged, or its
        actions are not items.
    """
    folder = Path(source).expanduser() if isinstance(source, (str, Path)) else source.folder
    if (folder / MANIFEST).is_file():
        return load_artefact(folder, trust_remote_code=trust_remote_code, send_variable=send_variable)
    # the parts of a run, and with them Lightning, are not needed for an artefact
    from recframe.serving.run_policy import policy_of_run

    accepted = {"other_data": other_data, "trust_remote_code": trust_remote_code, "other_config": other_config}
    return policy_of_run(folder, "load_policy", send_variable=send_variable, **accepted).policy
