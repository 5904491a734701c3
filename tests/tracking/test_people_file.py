"""people.npz keeps each person's sums, and a missing or damaged one is None."""

import numpy as np
import pytest

from recframe.tracking import read_people, write_people

SUMS = (("return", "click_rate"), np.array([[1.5, 2.0], [0.0, 3.0]]), np.array([[1.0, 10.0], [2.0, 5.0]]))


def test_what_was_written_is_read(tmp_path):
    write_people(tmp_path, np.array([3, 8]), {"policies": {"trained": SUMS, "a/b": SUMS}, "cold_items": {"trained": SUMS}})
    people = read_people(tmp_path)
    assert people.ids.tolist() == [3, 8]
    assert {table: set(policies) for table, policies in people.tables.items()} == {
        "policies": {"trained", "a/b"},
        "cold_items": {"trained"},
    }
    assert people.tables["policies"]["a/b"]["click_rate"].tolist() == [[2.0, 10.0], [3.0, 5.0]]


def test_a_table_may_be_about_other_people(tmp_path):
    one = (("ndcg@10",), np.array([[0.5]]), np.array([[1.0]]))
    tables = {"policies": {"trained": SUMS}, "ranking": {"trained": one}}
    write_people(tmp_path, np.array([3, 8]), tables, {"ranking": np.array([7])})
    people = read_people(tmp_path)
    assert (people.of("policies").tolist(), people.of("ranking").tolist()) == ([3, 8], [7])
    assert set(people.tables) == {"policies", "ranking"}


def test_no_object_is_unpickled(tmp_path):
    write_people(tmp_path, np.array([3, 8]), {"policies": {"trained": SUMS}})
    with np.load(tmp_path / "people.npz", allow_pickle=False) as arrays:
        assert all(arrays[name].dtype.kind in "iufU" for name in arrays.files)


@pytest.mark.parametrize("content", [None, b"", b"PK no archive", b"\x93NUMPY"])
def test_a_missing_or_damaged_file_is_none(tmp_path, content):
    if content is not None:
        (tmp_path / "people.npz").write_bytes(content)
    assert read_people(tmp_path) is None


@pytest.mark.parametrize(
    ("ids", "own"),
    [([3, 8, 9], {}), ([3, 3], {}), ([0.5, 1.5], {}), ([[3, 8]], {}), ([3, 8], {"policies": np.array([1])})],
    ids=["one too many", "twice", "fractions", "a table", "others"],
)
def test_sums_that_are_not_those_of_the_people_are_damaged(tmp_path, caplog, ids, own):
    write_people(tmp_path, np.array(ids), {"policies": {"trained": SUMS}}, own)
    assert read_people(tmp_path) is None
    assert "cannot be read (" in caplog.text


def test_nobody_is_told_to_load_objects(tmp_path, caplog):
    (tmp_path / "people.npz").write_bytes(b"no archive at all")
    assert read_people(tmp_path) is None
    assert "it is no archive of arrays" in caplog.text
    assert "pickle" not in caplog.text
