"""WordEffects of texts: left out one by one, and by integrated gradients, whose effects sum to the difference that the text makes."""

from __future__ import annotations

import sys

import pytest
import torch

import recframe
from recframe.explanations import explain, integrated_gradients
from recframe.explanations.word_places import WORDS, words_of
from recframe.interfaces import ItemProjection, tables_of
from recframe.serving.question import Question
from tests.tiny_models import tiny_model

PROFILE = "A reader of long books about war, and of the sea."
ASKED = Question(["item-3", "item-9"], profile=PROFILE, context="Something short, please.", k=3)


@pytest.fixture(scope="module")
def texts_of_world(world):
    return [*world.data.catalog.texts, *world.data.users.profiles.texts, PROFILE, ASKED.context]


@pytest.fixture(scope="module")
def differentiable(run_in_world, texts_of_world, tmp_path_factory):
    """A policy that reads with a language model of a few thousand weights, whose vectors are whitened."""
    model = tiny_model(tmp_path_factory.mktemp("model") / "bert", texts_of_world)
    settings = ["encoder=bert", f"encoder.model={model}", "embeddings.whiten=true", "embeddings.dim=8"]
    return recframe.load_policy(run_in_world(*settings, "agent.learning_starts=32"))


def of(about, text):
    return next(words for words in about.words if words.of == text)


def test_words_and_their_places():
    text = "(Don't) read “Action|Drama”, 1999-2001 - 映画 की"
    found = words_of(text)
    assert [word.word for word in found] == ["Don't", "read", "Action", "Drama", "1999-2001", "映", "画", "की"]
    assert all(text[word.start : word.end] == word.word for word in found)
    many = words_of("word " * (WORDS + 5))
    assert len(many) == WORDS + 1
    assert many[-1].word == "word word word word word"


def test_words_of_a_profile_are_left_out_exactly(world):
    words = of(explain(world, ASKED), "profile")
    item = explain(world, ASKED).id
    assert (words.method, [word.word for word in words.words][:3]) == ("leave_one_out", ["A", "reader", "of"])
    whole = explain(world, ASKED, item, words="none").lead
    for word in words.words:
        without = Question(**{**vars(ASKED), "profile": PROFILE[: word.start] + PROFILE[word.end :]})
        assert word.effect == pytest.approx(whole - explain(world, without, item, words="none").lead, abs=1e-5)
    assert sum(word.effect for word in words.words) + words.residual == pytest.approx(words.total, abs=1e-5)


def test_copies_of_an_item_tell_the_same_as_the_item_read_again(world):
    about = explain(world, ASKED)
    words = of(about, "item")
    known, row = world.data.catalog.text_vectors, world.data.catalog.ids.index(about.id)
    (table,) = tables_of(world.agent, known)
    for word in words.words[:4]:
        changed = known.clone()
        changed[row] = world.new_texts.encoded([words.text[: word.start] + words.text[word.end :]], "item")[0]
        table.replace(changed)
        world.agent.prepare_to_act()
        try:
            lead = explain(world, ASKED, about.id, words="none").lead
        finally:
            table.replace(known)
            world.agent.prepare_to_act()
        assert word.effect == pytest.approx(about.lead - lead, abs=1e-3)


def test_learned_vectors_of_items_go_with_their_copies(run_in_world):
    policy = recframe.load_policy(run_in_world("encoder=tfidf", "agent.learning_starts=32", "state_tracker.id_embeddings=true"))
    learned = [module.embedding for module in policy.agent.modules() if isinstance(module, ItemProjection)]
    with torch.no_grad():
        for one in learned:
            one.normal_(generator=torch.Generator().manual_seed(0))
    policy.agent.prepare_to_act()
    words = of(explain(policy, ASKED), "item")
    assert words.method == "leave_one_out"
    assert any(word.effect for word in words.words)
    kept = [module.embedding for module in policy.agent.modules() if isinstance(module, ItemProjection)]
    assert all(one is other for one, other in zip(kept, learned, strict=True))


def test_an_item_of_the_history_is_read_again_only_if_asked_for(world):
    question = Question(["item-3", "item-9"], exclude=[])
    about = explain(world, question, "item-3")
    assert "words='leave_one_out' does" in of(about, "item").note
    asked = of(explain(world, question, "item-3", words="leave_one_out"), "item")
    assert any(word.effect for word in asked.words)
    again = explain(world, question, "item-3", words="none")
    assert again.lead == pytest.approx(about.lead, abs=1e-6)


def test_integrated_gradients_sum_to_the_difference_that_the_text_makes(differentiable, monkeypatch):
    # random weights make a rough path, which needs more points than a trained model's
    monkeypatch.setattr(integrated_gradients, "STEPS", (500,))
    about = explain(differentiable, ASKED)
    for text in ("profile", "context", "item"):
        words = of(about, text)
        assert words.method == "integrated_gradients"
        assert sum(word.effect for word in words.words) + words.other + words.residual == pytest.approx(words.total, abs=1e-5)
        largest = max(abs(word.effect) for word in words.words)
        assert abs(words.residual) <= 0.1 * max(abs(words.total), largest), text
        assert largest > 0


def test_without_captum_each_word_is_left_out_and_a_line_says_what_to_install(differentiable, monkeypatch):
    monkeypatch.setitem(sys.modules, "captum.attr", None)
    words = of(explain(differentiable, ASKED), "profile")
    assert words.method == "leave_one_out"
    assert "pip install 'recframe[explain]'" in words.note
    assert any(word.effect for word in words.words)


def test_texts_that_cannot_be_read_again_are_said_to_be(run_in_world):
    policy = recframe.load_policy(run_in_world("encoder=tfidf", "embeddings.shuffle=true", "agent.learning_starts=32"))
    about = explain(policy, Question(["item-3"]))
    words = of(about, "item")
    assert words.method == ""
    assert words.note.startswith("the run's text vectors were shuffled (embeddings.shuffle)")
    assert about.history[0].effect != 0


def test_an_artefact_has_no_profiles_to_tell_words_of(run_in_world, tmp_path):
    recframe.export(run_in_world("encoder=tfidf", "agent.learning_starts=32"), tmp_path / "policy")
    policy = recframe.load_policy(tmp_path / "policy")
    about = explain(policy, history=["item-3"], user="user-3")
    assert of(about, "profile").note == "its text is not in the artefact, only its vector"
    assert [part.part for part in about.person] == ["user"]
