"""A sentence about what a person has liked, beside what another tracker knows."""

import copy
from dataclasses import replace

import pytest
import torch

from recframe.components import contradictions
from recframe.errors import UserError
from recframe.interfaces import PAD, Observation
from recframe.item_agents import QNetwork
from recframe.llm import BudgetExhausted, Chat, ChatBackend, ChatConfig, Completion
from recframe.testing import toy_data, toy_observation, toy_spec
from recframe_plugins.state_trackers.config import PosteriorConfig
from recframe_plugins.state_trackers.posterior import PosteriorTracker
from recframe_plugins.state_trackers.summaries.config import SummariesConfig
from recframe_plugins.state_trackers.summaries.places import summarized
from recframe_plugins.state_trackers.summaries.tracker import SummariesTracker

DATA = toy_data()
SPEC = toy_spec(DATA, num_users=8, history_length=7)


class Model(ChatBackend):
    """Says which titles it was told of with a click, and counts the questions; of what is not liked it says nothing."""

    def __init__(self):
        self.questions = []

    @property
    def identity(self):
        return {"model": "scripted"}

    def complete(self, requests, budget):
        for number, request in enumerate(requests):
            if not budget.reserve(request):
                raise budget.exhausted(request)
            question = request.messages[-1].text
            self.questions.append(question)
            liked = [line[2:].partition(" (")[0] for line in question.splitlines() if "click 1" in line]
            completion = Completion(f"They like\n {', '.join(liked)}. " if liked else " ", 10, 10, False, ())
            budget.settle(request, completion)
            yield number, completion


class Encoder:
    """The letters of a text, counted; keeps the texts."""

    def __init__(self):
        self.texts = []

    def __call__(self, texts):
        self.texts += texts
        rows = [[float(text.lower().count(chr(97 + letter))) for letter in range(16)] for text in texts]
        return torch.tensor(rows)


def tracker(encode=None, model=None, spec=SPEC, inner=None, **options):
    llm = options.pop("llm", ChatConfig(replay="off"))
    config = SummariesConfig(**{"history_length": spec.history_length, "every": 3, "llm": llm, **options})
    config.inner = {} if inner is None else {"one": inner}
    torch.manual_seed(0)
    made = SummariesTracker(config, spec, DATA, Chat(llm, "state_tracker.llm", backend=model or Model()))
    if encode is not None:
        made.use_encoder(encode)
    return made


def history_of(*items, size=7, clicks=None):
    """One user who was shown these items."""
    shown = [PAD] * (size - len(items)) + list(items)
    clicks = [1.0] * len(items) if clicks is None else clicks
    feedback = [[0.0, 0.0]] * (size - len(items)) + [[click, 3.0] for click in clicks]
    return Observation(
        user=torch.zeros(1, dtype=torch.int64),
        history_items=torch.tensor([shown]),
        history_feedback=torch.tensor([feedback]),
        batch_size=[1],
    )


def about(observation, every=3, length=5):
    return [item for item in summarized(observation, every, length, 7).items[0].tolist() if item != PAD]


def test_a_sentence_goes_up_to_every_third_item():
    seen = [about(history_of(*range(1, 1 + count))) for count in range(7)]
    assert seen == [[], [], [], [1, 2, 3], [1, 2, 3], [1, 2, 3], [2, 3, 4, 5, 6]]


def test_in_a_longer_session_it_is_at_most_every_items_old_and_stays_the_same_meanwhile():
    items = torch.randint(40, (400,), generator=torch.Generator().manual_seed(1)).tolist()
    sentences = []
    for end in range(7, 401):
        observation = history_of(*items[end - 7 : end])
        sentence = about(observation)
        place = next(place for place in range(end, end - 4, -1) if items[place - 5 : place] == sentence)
        assert end - place < 3
        sentences.append(place)
    assert sentences == sorted(sentences)
    # two in four places, as by winnowing
    assert 0.4 < len(set(sentences)) / len(sentences) < 0.6


def test_padding_changes_nothing():
    for count in range(8):
        items = range(1, 1 + count)
        assert about(history_of(*items)) == about(history_of(*items, size=9))


def test_different_histories_have_different_keys():
    observation = toy_observation(replace(SPEC, num_users=4_000), DATA, torch.Generator().manual_seed(3))
    found = summarized(observation, 1, 7, 7)
    rows = torch.cat([found.items.float(), found.feedback.flatten(1)], dim=1)
    assert len(found.keys.unique()) == len(rows.unique(dim=0))


def test_minus_zero_is_zero_in_keys_and_words():
    made = tracker()
    keys, questions = [], []
    for zero in (0.0, -0.0):
        found = summarized(history_of(4, 9, 2, clicks=[1.0, zero, 1.0]), 3, 5, 7)
        keys.append(found.keys)
        questions.append(made.sentences.question(found.items[0].tolist(), found.feedback[0].tolist()))
    assert torch.equal(*keys)
    assert questions[0] == questions[1]


def test_the_model_reads_titles_and_feedback_and_the_encoder_reads_its_sentence():
    model, encode = Model(), Encoder()
    made = tracker(encode, model)
    observation = history_of(4, 9, 2, clicks=[1.0, 0.0, 1.0])
    state = made(observation, made.project_items())
    titles = DATA.catalog.titles
    assert model.questions == [
        "What a person was shown, the oldest first, and what they did with it:\n"
        f"- {titles[4]} (click 1, rating 3)\n- {titles[9]} (click 0, rating 3)\n- {titles[2]} (click 1, rating 3)\n"
        'What does this person like, and what not? Answer with one short sentence that begins with "This person likes".'
    ]
    sentence = f"They like {titles[4]}, {titles[2]}."
    assert encode.texts == [sentence]
    vector = encode([sentence])
    normal = (vector - vector.mean()) / (vector.var(correction=0) + 1e-5).sqrt()
    expected = (normal @ made.reading.weight.T + made.reading.bias).clamp(min=0)
    inner = made.inner(observation, made.project_items())
    torch.testing.assert_close(state, torch.cat([inner, expected], dim=1))


def test_every_history_is_asked_about_once_and_copies_share_the_answers():
    model, encode = Model(), Encoder()
    made = tracker(encode, model)
    twin, items = copy.deepcopy(made), made.project_items()
    first, second = history_of(4, 9, 2), history_of(5, 6, 7)
    both = torch.cat([first, second, first])
    states = made(both, items)
    assert len(model.questions) == 2
    torch.testing.assert_close(states[0], states[2])
    torch.testing.assert_close(twin(both, items), states)
    made(history_of(4, 9, 2, 1), items)  # not yet a new sentence
    assert len(model.questions) == 2
    # one at a time or together, in any order
    torch.testing.assert_close(made(torch.cat([second, first]), items), states[[1, 0]])


def test_people_without_a_sentence_have_zeros(caplog):
    made = tracker(Encoder())
    items, size = made.project_items(), made.inner.state_dim
    short, disliked = history_of(4, 9), history_of(4, 9, 2, clicks=[0.0, 0.0, 0.0])
    assert (made(torch.cat([short, disliked]), items)[:, size:] == 0).all()
    assert "1 of 1 answers of the language model could not be used" in caplog.text
    assert (made(history_of(4, 9, 2), items)[:, size:] != 0).any()


def test_without_an_encoder_nobody_is_asked():
    model = Model()
    made = tracker(model=model)
    observation = toy_observation(SPEC, DATA, torch.Generator().manual_seed(0))
    state = made(observation, made.project_items())
    assert state.shape == (8, made.state_dim)
    assert model.questions == []


def test_the_inner_tracker_gives_items_dropout_and_the_start_of_queries():
    inner = PosteriorTracker(PosteriorConfig(history_length=7, state_dim=12, random_steps=100), SPEC, DATA)
    made = tracker(Encoder(), inner=inner, sentence_dim=5)
    assert (made.state_dim, made.item_dim, made.random_steps) == (inner.state_dim + 5, inner.item_dim, 100)
    assert made.project_items() is not None
    torch.testing.assert_close(made.project_items(torch.tensor([3])), inner.project_items(torch.tensor([3])))
    torch.manual_seed(1)
    size = inner.state_dim
    query = torch.nn.Linear(size + 5, inner.item_dim)
    alone = torch.nn.Linear(size, inner.item_dim)
    with torch.no_grad():
        alone.weight.copy_(query.weight[:, :size])
        alone.bias.copy_(query.bias)
    inner.start_query(alone, 2.0)
    made.start_query(query, 2.0)
    # nothing random is added to what is known
    torch.testing.assert_close(query.weight, torch.cat([alone.weight, torch.zeros(inner.item_dim, 5)], dim=1))
    torch.testing.assert_close(query.bias, alone.bias)
    assert QNetwork(made, SPEC.device)(toy_observation(SPEC, DATA, torch.Generator()), made.project_items())


def test_a_sentence_starts_at_zero_only_where_the_inner_tracker_knows_something():
    inner = PosteriorTracker(PosteriorConfig(history_length=7, state_dim=12, random_steps=0), SPEC, DATA)
    made, plain = tracker(inner=inner, sentence_dim=5), tracker(sentence_dim=5)
    query, other = torch.nn.Linear(made.state_dim, made.item_dim), torch.nn.Linear(plain.state_dim, plain.item_dim)
    before, unchanged = query.weight.clone(), other.weight.clone()
    made.start_query(query, 2.0)
    plain.start_query(other, 2.0)
    # without a fit, texts keep their random weights
    torch.testing.assert_close(query.weight[: inner.text_dim], before[: inner.text_dim])
    assert (query.weight[inner.text_dim :, -5:] == 0).all()
    torch.testing.assert_close(other.weight, unchanged)


def test_an_inner_tracker_that_writes_texts_reads_them_with_the_runs_encoder():
    encode, inner = Encoder(), tracker()
    tracker(encode, inner=inner)
    assert inner.sentences.encode is encode


def test_the_sentence_layer_learns():
    made = tracker(Encoder())
    made(history_of(4, 9, 2), made.project_items()).square().sum().backward()
    assert made.reading.weight.grad.abs().sum() > 0


def test_a_budget_ends_in_a_line():
    made = tracker(Encoder(), llm=ChatConfig(replay="off", max_calls=1))
    items = made.project_items()
    made(history_of(4, 9, 2), items)
    with pytest.raises(BudgetExhausted, match=r"state_tracker\.llm\.max_calls=1: the next call of the model would exceed it"):
        made(history_of(5, 6, 7), items)


def test_items_under_other_numbers_are_refused():
    made = tracker(Encoder())
    with pytest.raises(UserError, match="this agent gives the items of histories numbers of their own"):
        made(history_of(4, 9, 2), made.project_items(torch.arange(12)))


def test_an_encoder_that_reads_no_texts_is_refused():
    silent = DATA._replace(catalog=replace(DATA.catalog, text_vectors=torch.zeros(40, 0)))
    with pytest.raises(ValueError, match="needs an encoder that reads texts"):
        SummariesTracker(SummariesConfig(history_length=7), SPEC, silent)


@pytest.mark.parametrize(
    ("options", "line"),
    [
        ({"every": 21}, "state_tracker.every=21 is more than state_tracker.history_length=20"),
        ({"items": 17}, "state_tracker.items=17: a sentence about that many items is 5 items old before it is written anew"),
        ({"question": " "}, "state_tracker.question is empty"),
        ({"inner": {"a": {"history_length": 9}}}, "state_tracker.inner.a.history_length=9 is not state_tracker.history_length=20"),
        ({"inner": {"a": {"name": "gru"}, "b": {"name": "gru"}}}, "state_tracker.inner has several trackers (a, b); keep one"),
        ({"inner": {"a": {"name": "summaries"}}}, "state_tracker.inner.a=summaries: one sentence is enough"),
        ({"llm": ChatConfig(max_cost=1.0)}, "state_tracker.llm.max_cost=1.0 limits nothing without prices"),
    ],
)
def test_settings_that_contradict_each_other_have_a_line(options, line):
    assert any(one.startswith(line) for one in contradictions(SummariesConfig(**options)))
