"""The records of a run: its folder, metrics.csv, its W&B run and result.json.

This package imports nothing heavy; the two Lightning loggers are in `recframe.tracking.metrics_csv` and `recframe.tracking.wandb_run`.
"""

from recframe.tracking.atomic import atomic_folder, atomic_write
from recframe.tracking.claim import claim_folder
from recframe.tracking.data_record import DataChanged, DataRecord
from recframe.tracking.folder import RunFolder, RunFolderError
from recframe.tracking.identity import RunIdentity, changed_libraries, read_identity, run_identity
from recframe.tracking.machine_record import MachineRecord
from recframe.tracking.people_file import read_people, write_people
from recframe.tracking.recorded_config import recorded_config
from recframe.tracking.result import RESULT_SCHEMA, ResultError, read_result, versions, write_result

__all__ = [
    "RESULT_SCHEMA",
    "DataChanged",
    "DataRecord",
    "MachineRecord",
    "ResultError",
    "RunFolder",
    "RunFolderError",
    "RunIdentity",
    "atomic_folder",
    "atomic_write",
    "changed_libraries",
    "claim_folder",
    "read_identity",
    "read_people",
    "read_result",
    "recorded_config",
    "run_identity",
    "versions",
    "write_people",
    "write_result",
]
