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


def test_a_run_that_goes_on_has_its_number_of_threads_again(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("recframe.tracking.machine_record.processors", lambda: 4)
    caplog.set_level("INFO")
    MachineRecord(tmp_path, 3).write()
    calls, machine = [], MachineRecord(tmp_path, 1)
    with machine.threads_of_the_run(calls.append):
        assert calls == [3]
        assert machine.threads == 3
    assert calls == [3, 1]
    assert caplog.messages == ["number of threads: 3, as the run had; this process had 1"]


def test_a_machine_with_fewer_processors_is_a_warning(tmp_path, caplog, monkeypatch):
    monkeypatch.setattr("recframe.tracking.machine_record.processors", lambda: 2)
    MachineRecord(tmp_path, 3).write()
    with MachineRecord(tmp_path, 1).threads_of_the_run(lambda threads: pytest.fail("the number was set")):
        pass
    (message,) = caplog.messages
    assert message.startswith("the run had 3 threads, this process has 1")
