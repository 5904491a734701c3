"""A served policy and people who answer it, without HTTP: what the rounds of this folder learn from."""

from __future__ import annotations

import numpy as np
import pytest

import recframe
from recframe.feedback import RecordedDecision, RecordedFeedback, ShownItem, StoredItem
from recframe.feedback.store import FeedbackStore
from recframe.serving.exploration import ExplorationConfig, Explorer
from recframe.serving.question import Question

ITEMS, NOW = 8, 1_760_000_000.0
WORDS = ("ants", "bees", "cats", "dogs", "eels", "foxes", "goats", "hens")


class People:
    """People who click one item with probability 0.8, one with 0.4, and others with 0.1."""

    def __init__(self, best: int, second: int) -> None:
        self.chances = np.full(ITEMS, 0.1)
        self.chances[[best, second]] = 0.8, 0.4

    def visit(self, policy, store: FeedbackStore, seed: int, people: int = 80, turns: int = 16, epsilon: float = 0.6, start: float = NOW):
        """Everybody is shown an item in each turn, in a session of their own; all is stored as a server stores it."""
        draw, explorer = np.random.default_rng(seed), Explorer(ExplorationConfig("epsilon", epsilon), seed)
        histories: list[list[tuple[str, dict[str, float]]]] = [[] for _ in range(people)]
        ids = policy.data.catalog.ids
        texts = zip(ids, policy.data.catalog.titles, policy.data.catalog.texts, strict=True)
        store.record_items([StoredItem(item, title, text, {}) for item, title, text in texts])
        store.record_signals(["click"])
        for turn in range(turns):
            answers = policy.recommend_many([Question(history=history, k=1) for history in histories], explorer=explorer)
            decisions, feedback = [], []
            for person, answer in enumerate(answers):
                name, at = f"{seed}-{turn}-{person}", start + 100 * turn + person
                (item,) = answer
                who = f"p{seed}-{person}"
                shown = [ShownItem(item.id, item.propensity, item.score)]
                read = list(histories[person])
                made = RecordedDecision(name, at, f"s{who}", who, "main", policy.version, shown, answer.explored, read)
                decisions.append(made)
                clicked = float(draw.random() < self.chances[ids.index(item.id)])
                if clicked:
                    feedback.append(RecordedFeedback(name, item.id, {"click": 1.0}, at + 5))
                histories[person].append((item.id, {"click": clicked}))
            store.record(decisions, feedback)

    def value(self, policy) -> float:
        """The chance of a click on what the policy puts first for somebody new."""
        return float(self.chances[policy.data.catalog.ids.index(policy.recommend(k=1)[0].id)])


@pytest.fixture(scope="session")
def artefact(tmp_path_factory):
    """The artefact of a policy that has learned that everybody clicks the first item."""
    folder = tmp_path_factory.mktemp("served")
    draw = np.random.default_rng(0)
    rows = ["user,item,timestamp,click,propensity"]
    for person in range(40):
        for turn in range(10):
            item = draw.integers(ITEMS)
            rows.append(f"u{person},{item},{1000 * person + turn},{int(draw.random() < (0.9 if item == 0 else 0.1))},{1 / ITEMS}")
    (folder / "log.csv").write_text("\n".join(rows) + "\n")
    (folder / "items.csv").write_text("id,title\n" + "".join(f"{item},{WORDS[item]}\n" for item in range(ITEMS)))
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(folder / "cache"))
        small = ["encoder=tfidf", "logger=[csv]", "evaluation.references=false", "evaluation.exclude_seen=false", "evaluation.k=[1]"]
        data = ["dataset=bandit_log", f"dataset.interactions={folder}/log.csv", f"dataset.items={folder}/items.csv"]
        run = ["experiment=next_item", "agent=dqn", "agent.gamma=0", "agent.learning_rate=0.01", "split.by=users", "split.test_share=0.2"]
        recframe.run([*run, *data, *small, "logged.batches=150", "logged.evaluate_every=150"], folder=folder / "run")
        recframe.export(folder / "run", folder / "policy")
        yield folder / "policy"


@pytest.fixture(scope="session")
def world_by_text(artefact, tmp_path_factory):
    """The artefact of a policy for the same items that reads them by their texts alone."""
    folder, data = tmp_path_factory.mktemp("by_text"), artefact.parent
    small = ["encoder=tfidf", "logger=[csv]", "evaluation.references=false", "evaluation.exclude_seen=false", "evaluation.k=[1]"]
    given = ["dataset=bandit_log", f"dataset.interactions={data}/log.csv", f"dataset.items={data}/items.csv"]
    run = ["experiment=next_item", "agent=dqn", "split.by=users", "split.test_share=0.2", "state_tracker.id_embeddings=false"]
    with pytest.MonkeyPatch.context() as patch:
        patch.setenv("RECFRAME_CACHE", str(folder / "cache"))
        recframe.run([*run, *given, *small, "logged.batches=5", "logged.evaluate_every=5"], folder=folder / "run")
        recframe.export(folder / "run", folder / "policy")
    return folder / "policy"


@pytest.fixture
def url(tmp_path):
    return f"sqlite:///{tmp_path}/feedback.db"
