"""Texts that users of the synthetic dataset can say: the time of day, how they liked the last slate, and what they are in the mood for.

The intent is expressed in the words of the topic's banks, rarely by its name; sentiment and time of day are also expressed in many ways.
The texts are rows of `Data.contexts`, with intent, sentiment and time of day as attributes. An environment decides which text a user says.
"""

from __future__ import annotations

from collections.abc import Sequence
from itertools import product
from typing import NamedTuple

import polars as pl
import torch

from recframe.interfaces import Texts
from recframe_plugins.datasets.synthetic.text import initial_capital, with_article
from recframe_plugins.datasets.synthetic.vocabulary import TOPICS, Topic

SENTIMENT_PHRASES = {
    "positive": (
        "That was exactly my thing.",
        "What a find, I enjoyed every minute.",
        "Lovely choice, it made me smile.",
        "Spot on, you know me well.",
        "I could not put it down.",
        "That hit the mark, thank you.",
        "Wonderful, I was hooked at once.",
        "A treat from start to finish.",
        "I had such a good time with this.",
        "Bravo, more like that please.",
        "That has made my day.",
    ),
    "neutral": (
        "No strong feelings so far.",
        "I have no opinion yet.",
        "It is neither here nor there.",
        "Nothing much to report.",
        "Let us see what comes.",
        "I am still looking around.",
        "So far so so.",
        "I can take it or leave it.",
        "Could go either way.",
        "I do not mind.",
        "Just browsing for now.",
    ),
    "negative": (
        "That was a waste of my time.",
        "Not again, I have had enough of this.",
        "It left me cold.",
        "I nearly fell asleep.",
        "What a let-down.",
        "No thanks, that is not for me at all.",
        "Dreary stuff, I gave up halfway.",
        "This is getting on my nerves.",
        "I regret having opened that.",
        "Wrong for me in every way.",
        "Please stop showing me such things.",
    ),
}
"""Ways to say how one liked what one was just shown. The neutral ones also suit somebody who was shown nothing yet."""

TIME_PHRASES = {
    "morning": ("Over breakfast.", "On the early bus to work.", "Just woke up.", "First coffee of the day.", "Sunrise, still in bed."),
    "afternoon": (
        "Lunch break.",
        "A slow hour at my desk.",
        "In the park after lunch.",
        "Waiting for the school run.",
        "Tea time.",
    ),
    "evening": (
        "Friday evening, on the sofa.",
        "Dinner is done, feet up.",
        "On the train home after work.",
        "The children are in bed at last.",
        "Saturday night in.",
    ),
    "night": (
        "It is past midnight.",
        "Cannot sleep.",
        "The house is dark and silent.",
        "Another late shift is over.",
        "Lying awake under the blanket.",
    ),
}
"""Ways to say what time of day it is, and where one is."""

INTENTS = (
    "I am in the mood for {taste}.",
    "Right now I fancy something with {a_person}.",
    "Could we have {activity} next?",
    "How about {a_thing} or some {activity}?",
    "I keep thinking of {taste}.",
    "Take me to {a_place}, with {a_person} perhaps.",
    "Today it should be {taste}.",
    "Show me {a_person} who is {activity}.",
    "I would like {tag}, or {activity}.",
)
UTTERANCE_BANKS = ("taste", "person", "thing", "place", "activity", "tag")

# Drawn for each utterance: a phrase for each part, then a position in each bank.
UTTERANCE_CHOICES = (
    max(map(len, SENTIMENT_PHRASES.values())),
    max(map(len, TIME_PHRASES.values())),
    len(INTENTS),
    *(1 << 20,) * len(UTTERANCE_BANKS),
)
"""For every utterance, integers are drawn uniformly below each of these bounds."""


class Meaning(NamedTuple):
    """The meaning of an utterance: a row of `TOPICS`, a key of `SENTIMENT_PHRASES` and one of `TIME_PHRASES`."""

    topic: int
    sentiment: str
    time: str


def generate_utterances(count: int, num_topics: int, generator: torch.Generator) -> Texts:
    """`count` different texts for each topic, sentiment and time of day, with attributes `intent`, `sentiment` and `time_of_day`."""
    meanings = [Meaning(*meaning) for meaning in product(range(num_topics), SENTIMENT_PHRASES, TIME_PHRASES) for _ in range(count)]
    uniform = torch.rand(len(meanings), len(UTTERANCE_CHOICES), generator=generator, dtype=torch.float64)
    choices = (uniform * torch.tensor(UTTERANCE_CHOICES)).long().tolist()
    taken: set[str] = set()
    texts = [new_utterance(meaning, ways, taken) for meaning, ways in zip(meanings, choices, strict=True)]
    attributes = {
        "intent": [TOPICS[meaning.topic].name for meaning in meanings],
        "sentiment": [meaning.sentiment for meaning in meanings],
        "time_of_day": [meaning.time for meaning in meanings],
    }
    return Texts(texts, attributes=pl.DataFrame(attributes))


def new_utterance(meaning: Meaning, choices: Sequence[int], taken: set[str]) -> str:
    """An utterance that is not in `taken`, to which it is added; the wording changes until it is new."""
    sentiment, time, grammar, *places = choices
    text = write_utterance(meaning, sentiment, time, grammar, places)
    step = 0
    while text in taken:
        step += 1
        # the banks change first, then the grammars: all combinations are tried before one repeats
        shifted = [place + step for place in places]
        text = write_utterance(meaning, sentiment + step // 7, time + step // 77, grammar + step // 385, shifted)
    taken.add(text)
    return text


def write_utterance(meaning: Meaning, sentiment: int, time: int, grammar: int, places: Sequence[int]) -> str:
    """The text of a meaning, with the phrases numbered `sentiment`, `time` and `grammar`, and the entries `places` of each bank."""
    feelings, times = SENTIMENT_PHRASES[meaning.sentiment], TIME_PHRASES[meaning.time]
    words = dict(zip(UTTERANCE_BANKS, places, strict=True))
    intent = INTENTS[grammar % len(INTENTS)].format_map(_words(TOPICS[meaning.topic], words))
    return f"{times[time % len(times)]} {feelings[sentiment % len(feelings)]} {initial_capital(intent)}"


def _words(topic: Topic, places: dict[str, int]) -> dict[str, str]:
    banks = {
        "taste": topic.tastes,
        "person": topic.people,
        "thing": topic.things,
        "place": topic.places,
        "activity": topic.activities,
        "tag": topic.tags,
    }
    words = {name: bank[places[name] % len(bank)] for name, bank in banks.items()}
    return words | {f"a_{name}": with_article(word) for name, word in words.items()}
