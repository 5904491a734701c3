"""A later process with another number of threads is warned in words."""

import json

import pytest

from recframe.tracking import MachineRecord


def test_the_number_of_threads_is_recorded_once(tmp_path):
    MachineRecord(tmp_path, 2).write()
    MachineRecord(tmp_path, 8).write()
    assert json.loads((tmp_path / "machine.json").read_text()) == {"threads": 2}


def test_another_number_of_threads_is_a_warning_with_the_remedy(tmp_path, caplog):
    MachineRecord(tmp_path, 2).write()
    MachineRecord(tmp_path, 2).compare()
    assert caplog.messages == []
    MachineRecord(tmp_path, 8).compare()
    (message,) = caplog.messages
    for words in ("the run had 2 threads, this process has 8", "as much as with another seed", "OMP_NUM_THREADS=2"):
        assert words in message


@pytest.mark.parametrize("content", [None, "{", "[]", '{"threads": "two"}'])
def test_a_run_without_a_usable_record_is_not_compared(tmp_path, caplog, content):
    if content is not None:
        (tmp_path / "machine.json").write_text(content)
    MachineRecord(tmp_path, 8).compare()
    assert caplog.messages == []
