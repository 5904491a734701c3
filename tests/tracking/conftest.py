"""A reader of W&B's offline files: protobuf records in LevelDB's log format (7-byte record headers, 32 KiB blocks)."""

from __future__ import annotations

import json
import struct
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
import wandb
from wandb.proto.wandb_internal_pb2 import Record

BLOCK = 32768
HEADER = struct.Struct("<IHB")  # checksum, length, type
FULL, FIRST, MIDDLE, LAST = 1, 2, 3, 4
FILE_HEADER = 7


@dataclass
class OfflineRun:
    """The records of one offline run."""

    folder: Path
    id: str = ""
    project: str = ""
    entity: str = ""
    group: str = ""
    job_type: str = ""
    name: str = ""
    tags: tuple[str, ...] = ()
    config: dict[str, Any] = field(default_factory=dict)
    history: list[dict[str, Any]] = field(default_factory=list)
    summary: dict[str, Any] = field(default_factory=dict)
    step_metrics: dict[str, str] = field(default_factory=dict)
    exit_code: int | None = None

    def table(self, name: str) -> dict[str, Any]:
        """The rows of a logged table."""
        (entry,) = [row[name] for row in self.history if name in row]
        return json.loads((self.folder / "files" / entry["path"]).read_text())


@pytest.fixture
def read_offline_runs():
    """A function that returns all offline runs in a run's folder, oldest first."""

    def read(folder: Path) -> list[OfflineRun]:
        wandb.teardown()  # W&B's service writes the last records after `finish` has returned
        return [_read(path) for path in sorted(folder.glob("wandb/offline-run-*/*.wandb"), key=lambda path: path.stat().st_mtime_ns)]

    return read


def _read(path: Path) -> OfflineRun:
    run = OfflineRun(path.parent)
    for data in _records(path.read_bytes()):
        record = Record.FromString(data)
        match record.WhichOneof("record_type"):
            case "run":
                r = record.run
                run.id, run.project, run.entity, run.group = r.run_id, r.project, r.entity, r.run_group
                run.job_type, run.name, run.tags = r.job_type, r.display_name, tuple(r.tags)
                _update(run.config, r.config.update)
            case "config":
                _update(run.config, record.config.update)
            case "history":
                row: dict[str, Any] = {}
                _update(row, record.history.item)
                run.history.append(row)
            case "summary":
                _update(run.summary, record.summary.update)
            case "metric":
                run.step_metrics[record.metric.glob_name or record.metric.name] = record.metric.step_metric
            case "exit":
                run.exit_code = record.exit.exit_code
    return run


def _update(values: dict[str, Any], items: Any) -> None:
    for item in items:
        *parents, key = list(item.nested_key) or [item.key]
        inner = values
        for parent in parents:
            inner = inner.setdefault(parent, {})
        inner[key] = json.loads(item.value_json)


def _records(data: bytes) -> list[bytes]:
    found, part, at = [], b"", FILE_HEADER
    while at < len(data):
        left = BLOCK - at % BLOCK
        if left < HEADER.size:
            at += left
            continue
        _, length, kind = HEADER.unpack_from(data, at)
        at += HEADER.size
        part = part + data[at : at + length] if kind in (MIDDLE, LAST) else data[at : at + length]
        at += length
        if kind in (FULL, LAST):
            found.append(part)
    return found
