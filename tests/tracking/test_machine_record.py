"""What a later process reads of the machine that a run was on."""

import json

import pytest

from recframe.tracking import MachineRecord


def test_the_number_of_threads_is_recorded_once(tmp_path):
    MachineRecord(tmp_path).write(1, 2)
    MachineRecord(tmp_path).write(8, 8)
    assert json.loads((tmp_path / "machine.json").read_text()) == {"threads": 1, "text_threads": 2}
    assert MachineRecord(tmp_path).read() == (1, 2)


def test_an_earlier_release_used_one_number_throughout(tmp_path):
    (tmp_path / "machine.json").write_text('{"threads": 4}')
    assert MachineRecord(tmp_path).read() == (4, 4)


@pytest.mark.parametrize("content", [None, "{", "[]", '{"threads": "two"}', '{"threads": 0}'])
def test_a_record_that_cannot_be_used_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / "machine.json").write_text(content)
    assert MachineRecord(tmp_path).read() is None
