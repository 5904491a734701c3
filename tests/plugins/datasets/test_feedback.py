"""The dataset feedback: the same data as the exported log, up to a moment, and refusals in one line."""

from __future__ import annotations

from datetime import UTC, datetime, timedelta

import numpy as np
import pytest
import torch

from recframe.building.fingerprints import data_content
from recframe.components.options import MOMENT_MARGIN
from recframe.config import ConfigError, compose_config, validate
from recframe.feedback import RecordedDecision, RecordedFeedback, ShownItem, StoredItem
from recframe.feedback.export import export_log
from recframe.feedback.opened import open_existing
from recframe.feedback.store import FeedbackStore
from recframe.interfaces import NO_LIST, PAD, DataError
from recframe_plugins.datasets.bandit_log.bandit_log import BanditLog
from recframe_plugins.datasets.bandit_log.config import BanditLogConfig
from recframe_plugins.datasets.feedback.config import FeedbackDatasetConfig
from recframe_plugins.datasets.feedback.feedback import FeedbackDataset

NOW = 1_760_000_000.25
FILMS = 6


def items():
    return [
        StoredItem(f"f{film}", f"Film {film}", f"film {film}, a drama", {"title": f"Film {film}", "year": 1990 + film})
        for film in range(FILMS)
    ]


def write(url, visits=40, first=0, profiles=False):
    """Slates of two for five people; every third of them is clicked."""
    draw = np.random.default_rng(first)
    with FeedbackStore.open(url) as store:
        store.record_items(items())
        store.record_signals(["click", "rating"])
        for visit in range(first, first + visits):
            person = f"p{visit % 5}"
            slate = [ShownItem(f"f{film}", float(draw.uniform(0.1, 1))) for film in draw.permutation(FILMS)[:2]]
            told = f"likes {visit}" if profiles and visit % 2 else None
            asked = {"history": [("f1", {"click": 1.0})], "profile": told}
            store.record_decision(
                RecordedDecision(f"r{visit:04}", NOW + 10 * visit, f"s{visit // 10}", person, "main", "v1", slate, **asked)
            )
            if visit % 3 == 0:
                store.record_feedback(RecordedFeedback(f"r{visit:04}", slate[1].item, {"click": 1.0, "rating": 4.0}, NOW + 10 * visit + 3))
    return url


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/feedback.db"


def load(url, **options):
    return FeedbackDataset(FeedbackDatasetConfig(url=url, **options)).load()


def test_the_data_is_that_of_the_exported_file(url, tmp_path):
    write(url)
    with open_existing(url) as store:
        export_log(store, tmp_path / "log.parquet")
    (tmp_path / "items.csv").write_text("id,title,year\n" + "".join(f"f{film},Film {film},{1990 + film}\n" for film in range(FILMS)))
    ours = load(url)
    feedback = {"click": "click", "rating": "rating"}
    config = BanditLogConfig(interactions=str(tmp_path / "log.parquet"), items=str(tmp_path / "items.csv"), feedback=feedback)
    theirs = BanditLog(config).load()
    assert ours.interactions.frame.equals(theirs.interactions.frame)
    assert ours.interactions.feedback == theirs.interactions.feedback == ("click", "rating")
    assert ours.users.ids == theirs.users.ids
    assert ours.catalog.ids == theirs.catalog.ids
    assert ours.catalog.attributes.equals(theirs.catalog.attributes)
    assert torch.equal(ours.catalog.popularity, theirs.catalog.popularity)
    assert ours.catalog.texts[2] == "film 2, a drama"
    assert ours.interactions.frame["position"].to_list() == [0, 1] * 40
    assert all(torch.equal(getattr(ours.interactions.choices, name), value) for name, value in vars(theirs.interactions.choices).items())
    assert ours.interactions.frame["click"].sum() == 14


def lists_of(data, numbers) -> list[list[str]]:
    """The ids in lists, by their numbers."""
    found = data.interactions.choices.items_of(torch.as_tensor(numbers))
    return [sorted(data.catalog.ids[item] for item in row if item != PAD) for row in found.tolist()]


def test_what_could_be_shown_is_read_and_what_is_not_known_is_counted(url, tmp_path, caplog):
    write(url, visits=2)
    shown = [ShownItem("f1", 0.5), ShownItem("f2", 0.5)]
    asked = {
        "ra": {"k": 2, "candidates": ["f2", "f1", "gone"], "exclude": []},
        "rb": {"k": 2, "exclude": ["f5"]},
        "rc": {"k": 2, "at_most": {"year": 1}},
        "rd": {"k": 2, "must_include": ["f1"]},
    }
    with FeedbackStore.open(url) as store:
        for number, (name, more) in enumerate(asked.items()):
            store.record_decision(RecordedDecision(name, NOW + 900 + number, "s", "p0", "main", "v1", shown, **more))
    data = load(url)
    choices = data.interactions.choices
    assert choices.above.tolist() == [0, 1] * 6
    assert choices.candidates.tolist() == [NO_LIST] * 4 + [int(choices.candidates[4])] * 2 + [NO_LIST] * 6
    assert lists_of(data, choices.candidates[4:5]) == [["f1", "f2"]]
    assert lists_of(data, choices.excluded[[4, 6]]) == [[], ["f5"]]
    assert choices.excluded[8:].tolist() == [NO_LIST] * 4
    assert choices.unknown.tolist() == [False] * 8 + [True] * 4
    assert choices.listed.tolist() == [False] * 4 + [True] * 4 + [False] * 4
    assert "2 of 6 recommendations were asked for with rules (must_include, at_most)" in caplog.text
    assert "2 of 6 recommendations do not say what was asked for" in caplog.text
    # old lists are removed from the store: what it had is then not known
    with FeedbackStore.open(url) as store:
        export_log(store, tmp_path / "log.csv")
        store.remove_lists(NOW + 901)
    later = load(url)
    assert later.interactions.choices.unknown.tolist() == [False] * 4 + [True] * 2 + [False] * 2 + [True] * 4
    assert "1 of 6 recommendations had candidates or exclusions that are no longer there" in caplog.text
    # the exported file has them beside it
    exported = BanditLog(BanditLogConfig(interactions=str(tmp_path / "log.csv"), feedback={"click": "click"})).load()
    assert exported.interactions.choices.unknown.tolist() == choices.unknown.tolist()
    assert lists_of(exported, exported.interactions.choices.candidates[4:5]) == [["f1", "f2"]]
    # one that was cut off is broken
    lists = (tmp_path / "log.lists.csv").read_text()
    (tmp_path / "log.lists.csv").write_text(lists.rstrip()[:-3] + '"')
    with pytest.raises(DataError, match=r"log\.lists\.csv: 'items' is no JSON list of ids in some row; export the log again"):
        BanditLog(BanditLogConfig(interactions=str(tmp_path / "log.csv"), feedback={"click": "click"})).load()
    (tmp_path / "log.lists.csv").unlink()
    alone = BanditLog(BanditLogConfig(interactions=str(tmp_path / "log.csv"), feedback={"click": "click"})).load()
    assert alone.interactions.choices.unknown.tolist() == [False] * 4 + [True] * 8


def test_what_comes_after_the_moment_is_not_read(url):
    write(url)
    until = datetime.fromtimestamp(NOW + 10 * 30 + 1, UTC).isoformat()
    before = load(url, until=until)
    # of the last visit, the feedback came after the moment
    assert len(before.interactions) == 62
    assert before.interactions.frame["click"].sum() == 10
    write(url, first=40)
    assert data_content(load(url, until=until)) == data_content(before)
    assert len(load(url).interactions) == 160


def test_a_run_names_the_moment_and_the_file(url, tmp_path, monkeypatch):
    write(url)
    monkeypatch.chdir(tmp_path)
    given = ["experiment=next_item", "agent=dqn", "dataset=feedback", "dataset.url=sqlite:///feedback.db"]
    composed = compose_config(given)
    before = datetime.now(UTC)
    cfg = validate(composed)
    moment = datetime.fromisoformat(cfg.dataset.until) + timedelta(seconds=MOMENT_MARGIN)
    assert cfg.dataset.url == url
    assert before <= moment <= datetime.now(UTC)
    assert validate(cfg).dataset.until == cfg.dataset.until


def test_the_last_profile_of_each_person_is_read_where_there_are_any(url):
    write(url)
    assert load(url).users.profiles is None
    assert load(url, profiles=True).users.profiles.texts == [""] * 5
    write(url, first=40, profiles=True)
    profiles = dict(zip(load(url).users.ids, load(url).users.profiles.texts, strict=True))
    assert profiles == {"p0": "likes 75", "p1": "likes 71", "p2": "likes 77", "p3": "likes 73", "p4": "likes 79"}


def test_signals_are_in_the_order_that_a_policy_reads_them_in(url):
    write(url)
    data = load(url, signals=["rating", "click", "dwell"])
    assert data.interactions.feedback == ("rating", "click", "dwell")
    assert data.interactions.frame["dwell"].sum() == 0


def refusal(url, **options):
    with pytest.raises(DataError) as error:
        load(url, **options)
    (line,) = str(error.value).splitlines()
    return line


def test_stores_that_say_nothing_are_refused_in_one_line(url):
    FeedbackStore.open(url).close()
    assert refusal(url).endswith("the store has no recommendation yet")
    with FeedbackStore.open(url) as store:
        store.record_items(items())
        store.record_decision(RecordedDecision("r", NOW, "s", "p", "main", "v1", [ShownItem("f1")]))
    assert refusal(url).endswith("the store has 1 shown items, and no feedback about any of them yet")
    with FeedbackStore.open(url) as store:
        store.record_feedback(RecordedFeedback("r", "f1", {"click": 1.0}, NOW))
        store.record_items(items()[2:])
    assert "such as 'f1', are not among the 4 of its catalogue: policies with unlike catalogues wrote to it (main v1)" in refusal(url)


def test_a_password_is_not_in_messages():
    from recframe_plugins.datasets.feedback.name import file_like

    assert "secret" not in str(file_like("postgresql://me:secret@host/name"))
    assert str(file_like("sqlite:////tmp/x.db")) == "/tmp/x.db"


@pytest.mark.parametrize(
    "address",
    [
        "postgresql://me:secret@host/name",
        "postgresql://me:se/secret@host:5432/name",
        "postgresql+psycopg://:secret@host/name",
        "postgresql://me@host/name?sslmode=require&password=secret",
    ],
)
def test_an_address_with_a_password_is_refused_without_repeating_it(address):
    with pytest.raises(ConfigError) as refused:
        validate(compose_config(["experiment=next_item", "agent=dqn", "dataset=feedback", f"dataset.url='{address}'"]))
    assert "secret" not in str(refused.value)
    (line,) = [line for line in str(refused.value).splitlines() if "dataset.url" in line]
    assert "PGPASSWORD" in line
    assert "~/.pgpass" in line


@pytest.mark.parametrize("address", ["postgresql://me@host:5432/name", "postgresql://host/name?user=me", "sqlite:////tmp/a:b@c.db"])
def test_an_address_without_a_password_is_taken(address):
    assert list(FeedbackDatasetConfig(url=address).contradictions()) == []
