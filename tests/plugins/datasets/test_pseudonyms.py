"""Pseudonyms at the door: keyed hashes in the place of the ids of users, in every dataset of real logs."""

import hashlib
import hmac
import logging
from pathlib import Path

import pytest

from recframe.components import contradictions
from recframe.interfaces import Data, DataError
from recframe_plugins.datasets.bandit_log.bandit_log import BanditLog
from recframe_plugins.datasets.bandit_log.config import BanditLogConfig
from recframe_plugins.datasets.movielens.config import MovieLensFormatConfig
from recframe_plugins.datasets.movielens.movielens_format import MovieLensFormat
from recframe_plugins.datasets.recbole_atomic.config import RecboleAtomicConfig
from recframe_plugins.datasets.recbole_atomic.recbole_atomic import RecboleAtomic
from recframe_plugins.datasets.sequences.config import SequencesConfig
from recframe_plugins.datasets.sequences.sequences import SequenceLines
from recframe_plugins.datasets.table.config import TableConfig
from recframe_plugins.datasets.table.table import Table

KEY = "a key of thirty-two random bytes"
VARIABLE = "TEST_PSEUDONYM_KEY"
PEOPLE = ["anna.smith", "bob.jones"]


def expected(person: str, key: str = KEY) -> str:
    """HMAC-SHA256 by its definition (RFC 2104), the first 128 bits: H((K xor opad) || H((K xor ipad) || text))."""
    padded = key.encode().ljust(64, b"\0")
    inner = hashlib.sha256(bytes(byte ^ 0x36 for byte in padded) + person.encode()).digest()
    return hashlib.sha256(bytes(byte ^ 0x5C for byte in padded) + inner).hexdigest()[:32]


def loaders(folder: Path) -> dict[str, object]:
    """A loader for each dataset of a log of the two people, with an option for further settings."""
    a, b = PEOPLE
    files = {
        "log.csv": f"user_id,item_id,rating,timestamp\n{a},1,4,978300760\n{b},2,5,978300761\n",
        "users.csv": f"user_id,age\n{a},30\n{b},40\n",
        "log.txt": f"{a} 1 2\n{b} 2\n",
        "bandit.csv": f"user_id,item_id,click,propensity\n{a},1,0,0.5\n{b},2,1,0.5\n",
        "x.inter": f"user_id:token\titem_id:token\n{a}\t1\n{b}\t2\n",
        "movies.csv": "movieId,title,genres\n1,A,\n2,B,\n",
        "ratings.csv": f"userId,movieId,rating,timestamp\n{a},1,4,978300760\n{b},2,5,978300761\n",
    }
    for name, content in files.items():
        (folder / name).write_text(content)
    file = lambda name: str(folder / name)  # noqa: E731
    return {
        "table": lambda **more: Table(TableConfig(interactions=file("log.csv"), users=file("users.csv"), **more)),
        "sequences": lambda **more: SequenceLines(SequencesConfig(interactions=file("log.txt"), **more)),
        "bandit_log": lambda **more: BanditLog(BanditLogConfig(interactions=file("bandit.csv"), **more)),
        "recbole_atomic": lambda **more: RecboleAtomic(RecboleAtomicConfig(path=str(folder), **more)),
        "movielens_format": lambda **more: MovieLensFormat(MovieLensFormatConfig(path=str(folder), **more)),
    }


DATASETS = ["table", "sequences", "bandit_log", "recbole_atomic", "movielens_format"]


@pytest.fixture
def key(monkeypatch):
    monkeypatch.setenv(VARIABLE, KEY)
    return {"pseudonymise": True, "pseudonym_key_variable": VARIABLE}


def everything(data: Data, text: str) -> str:
    """All that a dataset gives, and what was logged, as text."""
    return f"{data} {data.users} {data.users.attributes} {data.interactions.frame} {data.catalog} {text}"


@pytest.mark.parametrize("name", DATASETS)
def test_ids_are_replaced_and_nothing_else_changes(tmp_path, key, caplog, name):
    caplog.set_level(logging.DEBUG)
    make = loaders(tmp_path)[name]
    data, plain = make(**key).load(), make().load()
    assert data.users.ids == [expected(person) for person in PEOPLE]
    assert plain.users.ids == PEOPLE
    assert data.interactions.frame.equals(plain.interactions.frame)
    assert data.catalog.ids == plain.catalog.ids
    said = everything(data, caplog.text)
    assert not any(secret in said for secret in (*PEOPLE, KEY))


def test_the_same_key_gives_the_same_pseudonyms_from_a_file_and_in_another_run(tmp_path, key):
    file = tmp_path / "key"
    file.write_text(f"{KEY}\n")
    make = loaders(tmp_path)["table"]
    from_file = {"pseudonymise": True, "pseudonym_key_file": str(file)}
    assert make(**from_file).load().users.ids == make(**key).load().users.ids
    file.write_text("another key of thirty-two bytes.")
    assert not set(make(**from_file).load().users.ids) & set(make(**key).load().users.ids)


def test_hmac_of_the_standard_library_is_what_is_used():
    assert hmac.digest(KEY.encode(), b"anna.smith", "sha256").hex()[:32] == expected("anna.smith")


@pytest.mark.parametrize("name", DATASETS)
def test_messages_about_malformed_rows_show_no_ids(tmp_path, key, name):
    make = loaders(tmp_path)[name]
    for file, more in (("log.csv", "anna.smith,1\n"), ("users.csv", "anna.smith,3\n"), ("log.txt", "anna.smith 3\n")):
        (tmp_path / file).write_text((tmp_path / file).read_text() + more)
    for file, more in (("bandit.csv", "anna.smith,1\n"), ("x.inter", "anna.smith\n"), ("ratings.csv", "anna.smith,1\n")):
        (tmp_path / file).write_text((tmp_path / file).read_text() + more)
    with pytest.raises(DataError) as caught:
        make(**key).load()
    message = str(caught.value)
    assert ":3" in message or ":4" in message
    assert "anna" not in message
    with pytest.raises(DataError, match="anna"):
        make().load()


def test_a_short_or_missing_key_is_refused_without_showing_it(tmp_path, monkeypatch):
    make = loaders(tmp_path)["table"]
    monkeypatch.setenv(VARIABLE, "fifteen bytes..")
    with pytest.raises(DataError, match="the key has 15 byte\\(s\\), expected at least 16") as caught:
        make(pseudonymise=True, pseudonym_key_variable=VARIABLE).load()
    assert "fifteen" not in str(caught.value)
    monkeypatch.delenv(VARIABLE)
    with pytest.raises(DataError, match="no environment variable of the given name is set"):
        make(pseudonymise=True, pseudonym_key_variable=VARIABLE).load()
    (tmp_path / "empty").write_text("\n")
    with pytest.raises(DataError, match="the key has 0 byte"):
        make(pseudonymise=True, pseudonym_key_file=str(tmp_path / "empty")).load()


@pytest.mark.parametrize(
    ("settings", "problem"),
    [
        ({"pseudonymise": True}, "but neither is given"),
        ({"pseudonymise": True, "pseudonym_key_variable": "A", "pseudonym_key_file": "b"}, "but both are given"),
        ({"pseudonym_key_file": "b"}, "dataset.pseudonymise is false, so ids would be kept"),
    ],
)
@pytest.mark.parametrize("config", [TableConfig, MovieLensFormatConfig, SequencesConfig, BanditLogConfig, RecboleAtomicConfig])
def test_settings_that_contradict_each_other_are_reported(config, settings, problem):
    assert any(problem in line for line in contradictions(config(**settings)))
