"""The records of a run: its folder, metrics.csv, its W&B run and result.json; and the files of weights.

Its names are imported when they are first used: who reads weights alone does not import what a run needs.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recframe.lazy_imports import lazy_names

if TYPE_CHECKING:
    from recframe.tracking.atomic import atomic_folder, atomic_write
    from recframe.tracking.claim import claim_folder
    from recframe.tracking.config_of_run import recorded_config
    from recframe.tracking.data_record import DataChanged, DataRecord
    from recframe.tracking.folder import RunFolder, RunFolderError
    from recframe.tracking.identity import RunIdentity, changed_libraries, read_identity, run_identity
    from recframe.tracking.machine_record import MachineRecord
    from recframe.tracking.people_file import read_people, write_people
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

_HOMES = {
    "DataChanged": "recframe.tracking.data_record",
    "DataRecord": "recframe.tracking.data_record",
    "MachineRecord": "recframe.tracking.machine_record",
    "RESULT_SCHEMA": "recframe.tracking.result",
    "ResultError": "recframe.tracking.result",
    "RunFolder": "recframe.tracking.folder",
    "RunFolderError": "recframe.tracking.folder",
    "RunIdentity": "recframe.tracking.identity",
    "atomic_folder": "recframe.tracking.atomic",
    "atomic_write": "recframe.tracking.atomic",
    "changed_libraries": "recframe.tracking.identity",
    "claim_folder": "recframe.tracking.claim",
    "read_identity": "recframe.tracking.identity",
    "read_people": "recframe.tracking.people_file",
    "read_result": "recframe.tracking.result",
    "recorded_config": "recframe.tracking.config_of_run",
    "run_identity": "recframe.tracking.identity",
    "versions": "recframe.tracking.result",
    "write_people": "recframe.tracking.people_file",
    "write_result": "recframe.tracking.result",
}
"""The modules of the lazy names."""

__getattr__ = lazy_names(__name__, _HOMES)
