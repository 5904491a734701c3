"""The dataset sequences: separators, places as times, items of a table."""

import gzip
from pathlib import Path

import pytest

from recframe.interfaces import Data
from recframe.testing import check_component
from recframe_plugins.datasets import registration
from recframe_plugins.datasets.sequences.config import SequencesConfig
from recframe_plugins.datasets.sequences.sequences import SequenceLines

ROWS = [(0, 0, 0), (1, 1, 0), (0, 1, 1), (0, 2, 2)]


def load(path: Path, **options) -> Data:
    return SequenceLines(SequencesConfig(interactions=str(path), **options)).load()


@pytest.mark.parametrize(
    "content",
    [
        "u1 a b c\nu2 b\n",
        "u1\ta\tb\tc\nu2\tb\n",
        "u1,a,b,c\nu2,b\n",
        "u1, a, b, c\nu2, b\n",
        "u1\ta,b,c\nu2\tb\n",
        "u1\ta b c\nu2\tb\n",
        "u1: a b c\nu2: b\n",
        "u1;a;b;c\r\n\r\nu2;b\r\n",
        "u1  a   b  c\nu2  b\n",
    ],
)
def test_items_of_a_line_are_a_users_in_order(tmp_path, content):
    path = tmp_path / "log.txt"
    path.write_bytes(content.encode())
    data = load(path)
    assert (data.users.ids, data.catalog.ids) == (["u1", "u2"], ["a", "b", "c"])
    assert data.interactions.frame.select("user", "item", "timestamp").rows() == ROWS
    assert data.interactions.feedback == ()
    assert data.catalog.popularity.tolist() == [1, 2, 1]


def test_a_separator_that_is_given_is_used(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("u,1|a,b|c\nv|c\n")
    data = load(path, separator="|")
    assert (data.users.ids, data.catalog.ids) == (["u,1", "v"], ["a,b", "c"])


def test_a_compressed_file_and_a_table_of_items_are_read(tmp_path):
    path, items = tmp_path / "log.gz", tmp_path / "items.csv"
    path.write_bytes(gzip.compress(b"u1 a b c\nu2 b\n"))
    items.write_text("item_id,title\nb,Bambi\na,Alien\nc,Casablanca\n")
    data = load(path, items=str(items), text_template="A film: {title}")
    assert data.catalog.texts == ["A film: Bambi", "A film: Alien", "A film: Casablanca"]
    assert data.interactions.frame["item"].to_list() == [1, 0, 0, 2]


def test_malformed_lines_can_be_left_out(tmp_path):
    path = tmp_path / "log.txt"
    path.write_text("u1 a b c\nu1 c\nu2 b\n")
    assert load(path, malformed="skip").interactions.frame.select("user", "item", "timestamp").rows() == ROWS


def test_the_component_conforms(tmp_path):
    registered = []
    registration.recframe_register_components(registered.append)
    path = tmp_path / "log.txt"
    path.write_text("u1 a b c\nu2 b\n")
    check_component(next(one for one in registered if one.name == "sequences"), SequencesConfig(interactions=str(path)))
