"""Items that are added to a policy by their texts: ranked, met and ruled like others, by policies that read items by their texts."""

from __future__ import annotations

import json
import threading

import pytest

import recframe
from recframe.errors import UserError
from tests.serving.conftest import FILMS

BY_TEXT = "state_tracker.id_embeddings=false"


@pytest.fixture(scope="module")
def trained(folder):
    """Other policies of the same log, by agent and further settings."""

    def train(name, *settings):
        small = ["debug=smoke", "encoder=tfidf", "logger=[csv]", "evaluation.k=[5]", "evaluation.references=false", "logged.batches=2"]
        log = ["experiment=next_item", "dataset=movielens_format", f"dataset.path={folder.parent}", f"agent={name}", *small, *settings]
        run = folder.parent / "-".join([name, *settings]).replace("/", "_")
        recframe.run(log, folder=run)
        return recframe.load_policy(run)

    return train


@pytest.fixture(scope="module")
def artefact(by_text):
    return by_text


@pytest.fixture
def policy(artefact):
    return recframe.load_policy(artefact)


def twin_of(policy, item):
    """An entry for a new item with the text of a known one."""
    catalog = policy.data.catalog
    return {"id": f"twin of {item}", "text": catalog.texts[catalog.ids.index(item)], "title": "Twin", "genres": ["Drama", "New"]}


def scores(policy, *history, candidates=None):
    return {item.id: item.score for item in policy.recommend(history, k=1_000, candidates=candidates, exclude=[])}


def require_twin(policy, item):
    """A new item with the text of `item` stands where that stands, and nothing else has changed."""
    histories = [(), (item,), ("1", "4"), (("2", {"rating": 5.0}), "7")]
    before = [scores(policy, *history) for history in histories]
    new = twin_of(policy, item)
    assert policy.add_items([new]) == [new["id"]]
    for history, known in zip(histories, before, strict=True):
        after = scores(policy, *history)
        twin = after.pop(new["id"])
        assert after == pytest.approx(known, rel=1e-4, abs=1e-6)
        if item not in history:
            assert twin == pytest.approx(known[item], rel=1e-4, abs=1e-6)
    return new["id"]


def test_an_item_with_the_text_of_a_known_one_is_scored_like_it(policy):
    new = require_twin(policy, "3")
    # it can be met, asked for and limited like others
    as_new, as_known = scores(policy, "1", new), scores(policy, "1", "3")
    assert {item: as_new[item] for item in ("5", "8")} == pytest.approx({item: as_known[item] for item in ("5", "8")}, rel=1e-4)
    assert policy.recommend(["1"], k=5, candidates=[new]).ids == [new]
    assert new not in policy.recommend(["1"], k=FILMS, exclude=[new]).ids
    assert new in policy.recommend(["1"], k=3, must_include=[new]).ids
    assert policy.recommend(["1"], k=5, at_most={"genres": 1}, must_include=[new]).ids == [new]
    assert policy.recommend(["1"], k=5, candidates=[new])[0].title == "Twin"


def test_items_are_added_to_what_was_added(policy):
    assert policy.add_items([{"id": "a", "title": "Of whales"}, {"id": "b", "title": "Of ships"}]) == ["a", "b"]
    assert policy.add_items([{"id": "c", "title": "Of whales", "genres": None}]) == ["c"]
    found = scores(policy, "1")
    assert len(found) == FILMS + 3
    assert found["a"] == pytest.approx(found["c"])
    assert policy.data.catalog.texts[-3:] == ["Of whales", "Of ships", "Of whales"]


def test_the_version_is_that_of_the_items_whatever_the_order_they_came_in(artefact):
    one, other, third = (recframe.load_policy(artefact) for _ in range(3))
    whales, ships = {"id": "w", "text": "Of whales", "title": "Whales"}, {"id": "s", "text": "Of ships", "genres": ["Sea"]}
    base = one.version
    before = one.recommend(k=2)
    one.add_items([whales])
    with_whales = one.version
    one.add_items([whales])
    assert one.version == with_whales
    assert with_whales.startswith(f"{base}+")
    one.add_items([ships])
    other.add_items([ships, whales])
    third.add_items([{**whales, "title": "Other"}, ships])
    assert one.version == other.version == one.copy().version
    assert len({base, with_whales, one.version, third.version}) == 4
    assert {policy.base_version for policy in (one, other, third)} == {base}
    assert (before.version, one.recommend(k=2).version) == (base, one.version)


def test_what_is_there_already_is_left_out_and_never_changed(policy):
    known = policy.data.catalog
    assert policy.add_items(
        [{"id": "3", "text": known.texts[3]}, {"id": "new", "text": "Of whales"}, {"id": "new", "text": "Of whales"}]
    ) == ["new"]
    assert policy.add_items([{"id": "new", "text": "Of whales"}]) == []
    assert policy.add_items([]) == []
    with pytest.raises(UserError, match=r"item 1: item '3' is there already, with another text; an item cannot be changed"):
        policy.add_items([{"id": "3", "text": "Another"}])


@pytest.mark.parametrize(
    ("entry", "message"),
    [
        ("17", r"an item is an object such as \{'id': '17', 'text': 'Of whales.'\}, not str"),
        ({"text": "Of whales"}, "id: None is not allowed; it must be a text or a whole number"),
        ({"id": True, "text": "Of whales"}, "id: True is not allowed"),
        ({"id": "new"}, "item 'new' needs a text, or a title to be read in its place"),
        ({"id": "new", "text": " "}, "item 'new' needs a text"),
        ({"id": "new", "text": "Of whales", "genre": "Drama"}, "the items have no attribute 'genre'; did you mean 'genres'?"),
        ({"id": "new", "text": "Of whales", "genres": 3}, "genres: 3 is not allowed; the items have values of the type List"),
        ({"id": "new", "text": "Of whales", "title": 3}, "title: 3 is not allowed; the items have values of the type String there"),
    ],
)
def test_all_wrong_items_are_told_and_none_is_added(policy, entry, message):
    with pytest.raises(UserError, match=f"item 2: {message}") as caught:
        policy.add_items([{"id": "good", "text": "Of ships"}, entry, {"id": ""}])
    assert len(caught.value.lines) == 2
    assert len(scores(policy)) == FILMS


def test_it_is_asked_meanwhile(policy):
    done, wrong = threading.Event(), []

    def ask():
        while not done.is_set():
            try:
                number = len(scores(policy, "1", "2"))
                assert FILMS <= number <= FILMS + 5
            except BaseException as error:
                wrong.append(error)
                raise

    threads = [threading.Thread(target=ask) for _ in range(2)]
    for thread in threads:
        thread.start()
    for number in range(5):
        policy.add_items([{"id": f"new-{number}", "text": f"The sequel, {number}"}])
    done.set()
    for thread in threads:
        thread.join()
    assert not wrong
    assert len(scores(policy)) == FILMS + 5


def test_a_recommender_of_logs_by_content_takes_new_items(trained):
    require_twin(trained("content_cosine"), "3")


def test_a_policy_that_has_learned_about_each_item_refuses(folder, trained):
    for policy, what in ((recframe.load_policy(folder), "embedding"), (trained("item_knn"), "popularity")):
        before = scores(policy, "1")
        with pytest.raises(
            UserError, match=rf"{policy.name} has learned something about each item \(.*{what}\), and nothing about new ones"
        ):
            policy.add_items([{"id": "new", "text": "Of whales"}])
        assert scores(policy, "1") == before


@pytest.mark.parametrize(
    "settings",
    [["agent=thompson"], ["agent=actor_critic", "state_tracker=posterior", "state_tracker.random_steps=400"]],
    ids=["bandit", "posterior"],
)
def test_what_learned_from_texts_takes_new_items_and_knows_the_others_as_before(tmp_path, monkeypatch, settings):
    monkeypatch.setenv("RECFRAME_CACHE", str(tmp_path))
    small = ["dataset.num_items=20", "dataset.num_users=20", "environment.num_users=8", "trainer.env_steps=32", "debug=smoke"]
    fast = ["encoder=tfidf", "logger=[csv]", "evaluation.references=false", "evaluation.num_users=4", *settings]
    policy = recframe.load_policy(recframe.run([*small, *fast], folder=tmp_path / "run"))
    before = scores(policy, "item-1")
    policy.add_items([{"id": "new", "text": "Of whales."}])
    after = scores(policy, "item-1")
    assert after.pop("new") is not None
    assert after == pytest.approx(before, rel=1e-4, abs=1e-6)


def test_items_of_a_file_on_the_command_line(warm_recframe, artefact, policy, tmp_path):
    lines = [twin_of(policy, "3"), {"id": "b", "title": "Of ships"}]
    (tmp_path / "items.jsonl").write_text("".join(json.dumps(line) + "\n\n" for line in lines))
    policy.add_items(lines)
    asked = warm_recframe("recommend", str(artefact), "--history", "b", "--add-items", "items.jsonl", "-k", "21")
    assert asked.returncode == 0, asked.stderr
    assert "twin of 3  Twin" in asked.stdout
    assert [line.split("  ")[1] for line in asked.stdout.splitlines()] == policy.recommend(["b"], k=21).ids
    (tmp_path / "wrong.jsonl").write_text('{"id": "a", "text": "Of whales"}\n[1]\n{"id": "b"}\n')
    wrong = warm_recframe("recommend", str(artefact), "--add-items", "wrong.jsonl")
    assert wrong.returncode == 2
    assert "  - wrong.jsonl:2: an item is an object such as" in wrong.stderr
    assert "  - wrong.jsonl:3: item 'b' needs a text, or a title to be read in its place" in wrong.stderr
    (tmp_path / "broken.jsonl").write_text('{"id": "a", "text"\n')
    broken = warm_recframe("recommend", str(artefact), "--add-items", "broken.jsonl")
    assert broken.stderr.startswith("recframe: broken.jsonl:1: not JSON")
    missing = warm_recframe("recommend", str(artefact), "--add-items", "none.jsonl")
    assert missing.stderr.strip() == "recframe: --add-items: none.jsonl: cannot be read (No such file or directory)"
