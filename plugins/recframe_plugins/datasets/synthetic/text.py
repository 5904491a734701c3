"""Writes titles, descriptions, tags and profiles of the synthetic dataset from latent topics."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from itertools import count
from string import Formatter

from recframe_plugins.datasets.synthetic.vocabulary import TOPICS

__all__ = ["ITEM_CHOICES", "PROFILE_CHOICES", "TitleRegister", "write_item", "write_profile"]

BANKS = {"person": "people", "thing": "things", "adjective": "adjectives", "place": "places", "activity": "activities", "tag": "tags"}

# Every grammar uses a bank at most once, so an item (title, subtitle and three sentences) never uses more
# entries of a bank than the smallest bank has, and no word is repeated.
TITLES = (
    "The {adjective} {person}",
    "The {adjective} {thing}",
    "{A_thing} for the {person}",
    "The {thing} and the {person}",
    "Beyond the {adjective} {place}",
    "{activity} at the {place}",
    "The {person} of the {place}",
    "What the {person} Knew about the {thing}",
    "{A_adjective} Night at the {place}",
    "The Last {thing} of the {place}",
    "{activity} with {a_person}",
    "Farewell to the {adjective} {place}",
    "Every {person} Needs {a_thing}",
)
SUBTITLES = (
    "A Tale of the {place}",
    "The Story of {a_person}",
    "Notes on the {adjective} {thing}",
    "{A_adjective} Memoir",
    "Letters from the {place}",
    "Adventures in {activity}",
    "The Book of the {thing}",
)
EDITIONS = ("Illustrated Edition", "Revised Edition", "Expanded Edition", "Anniversary Edition", "The Sequel", "The Director's Cut")
OPENINGS = (
    "{A_adjective} {person} spends a year {activity}.",
    "It begins at the {place}, where {a_person} is {activity}.",
    "{A_person} inherits {a_adjective} {thing} and a heavy debt.",
    "{Activity}, {a_person} comes upon {a_thing} that changes everything.",
    "Nobody at the {place} trusts the {adjective} {person}.",
    "For the {adjective} {person}, {activity} was only the start.",
)
MIDDLES = (
    "Soon {a_person}, {a_thing} and the {place} are bound together.",
    "Step by step it turns to {activity}, {a_thing} and {a_person}.",
    "Only {a_person} at the {place} knows what the {adjective} {thing} means.",
    "Along the way come {a_adjective} {thing}, {a_person} and lessons in {activity}.",
    "At the {place}, {a_adjective} {person} watches over {a_thing}.",
    "Then {a_thing} goes missing from the {place}, and {a_person} takes the blame.",
)
CLOSINGS = (
    "An intimate look at {activity} and the {adjective} {thing}.",
    "It ends with {a_person} {activity} at the {place}.",
    "Full of {adjective} detail about the {thing} and about {activity}.",
    "Half memoir, half manual for {activity}, with {a_adjective} {place} at its heart.",
    "By the end, {a_adjective} {person} is {activity}.",
)
FAVOURITES = (
    "I love {} and can never resist {}",
    "Give me {} or {} and I am happy",
    "I keep coming back to {}, and I rarely say no to {}",
    "My free evenings go to {} and to {}",
    "I am happiest with {} or {}",
)
STRONG_TASTES = ("; I also enjoy {}", "; nearly as much, I like {}", "; another passion of mine is {}")
WEAK_TASTES = ("; now and then I am in the mood for {}", "; once in a while I like {}", "; I have a small soft spot for {}")
DISLIKES = (
    " I have no patience for {}.",
    " Please spare me {}.",
    " I would rather skip {}.",
    " I get bored by {}.",
    " I stay away from {}.",
)

# Drawn for each item: a grammar for each part, then an offset and a stride for each bank.
ITEM_CHOICES = (len(TITLES), len(SUBTITLES), len(OPENINGS), len(MIDDLES), len(CLOSINGS), *(1 << 20,) * (2 * len(BANKS)))
"""For every item, integers are drawn uniformly below each of these bounds, `[M, len(ITEM_CHOICES)]`."""
PROFILE_CHOICES = (len(FAVOURITES), len(STRONG_TASTES), len(WEAK_TASTES), len(DISLIKES), 1 << 20, 1 << 20)
"""The same for every user, `[P, len(PROFILE_CHOICES)]`."""

SMALL_WORDS = frozenset(("a", "an", "and", "at", "for", "from", "in", "into", "of", "on", "out", "the", "to", "with"))


def with_article(phrase: str) -> str:
    """`phrase` after "a" or "an"; the vocabulary has no word whose first letter does not match its sound."""
    return f"{'an' if phrase[0].lower() in 'aeiou' else 'a'} {phrase}"


def titled(phrase: str) -> str:
    """`phrase` as in the middle of a title: every word is capitalised except small words."""
    return " ".join(word if word in SMALL_WORDS else initial_capital(word) for word in phrase.split(" "))


def initial_capital(phrase: str) -> str:
    """`phrase` with its first letter in upper case and the others unchanged."""
    return phrase[0].upper() + phrase[1:]


Forms = Mapping[str, tuple[str, ...]]


def forms_of(banks: Mapping[str, tuple[str, ...]]) -> Forms:
    """The entries of each bank in every form that a grammar can use: `{thing}`, `{a_thing}`, `{Thing}`, `{A_thing}`."""
    forms = {}
    for slot, entries in banks.items():
        forms[slot], forms[f"a_{slot}"] = entries, tuple(map(with_article, entries))
        forms[slot.capitalize()] = tuple(map(initial_capital, entries))
        forms[f"A_{slot}"] = tuple(map(initial_capital, forms[f"a_{slot}"]))
    return forms


TOPIC_BANKS = [{slot: getattr(topic, bank) for slot, bank in BANKS.items()} for topic in TOPICS]
PROSE = [forms_of(banks) for banks in TOPIC_BANKS]
HEADLINES = [forms_of({slot: tuple(map(titled, entries)) for slot, entries in banks.items()}) for banks in TOPIC_BANKS]
SLOT_NUMBERS = {form: number for number, slot in enumerate(BANKS) for form in (slot, f"a_{slot}", slot.capitalize(), f"A_{slot}")}

# A parsed grammar: literal, form, literal, form, ..., and the text after the last form.
Grammar = list[tuple[str, str | None]]


def parsed(grammars: Sequence[str]) -> list[Grammar]:
    """Each grammar as pairs (literal, the form after it)."""
    return [[(literal, form) for literal, form, _, _ in Formatter().parse(grammar)] for grammar in grammars]


PARSED_TITLES, PARSED_SUBTITLES = parsed(TITLES), parsed(SUBTITLES)
PARSED_SENTENCES = (parsed(OPENINGS), parsed(MIDDLES), parsed(CLOSINGS))


class Words:
    """Selects the words of one item: each use of a bank steps to an entry that the item has not used yet."""

    def __init__(self, offsets_and_strides: Sequence[int]) -> None:
        self.offsets = list(offsets_and_strides[: len(BANKS)])
        self.strides = offsets_and_strides[len(BANKS) :]

    def fill(self, grammar: Grammar, topics: Sequence[int], forms: Sequence[Forms]) -> str:
        """The text of the grammar; its slots use `topics` in turn, starting over after the last."""
        parts: list[str] = []
        for slot, (literal, form) in enumerate(grammar):
            parts.append(literal)
            if form is not None:
                parts.append(self.next(form, forms[topics[slot % len(topics)]][form]))
        return "".join(parts)

    def next(self, form: str, entries: tuple[str, ...]) -> str:
        """The next entry of a bank."""
        bank, size = SLOT_NUMBERS[form], len(entries)
        entry = entries[self.offsets[bank] % size]
        # the size of the bank is prime, so any stride that is not a multiple of it visits every entry before repeating one
        self.offsets[bank] += 1 + self.strides[bank] % (size - 1)
        return entry


class TitleRegister:
    """Keeps titles unique: a title that is already taken gets its subtitle, then an edition, and finally a volume number."""

    def __init__(self) -> None:
        self.taken: set[str] = set()

    def claim(self, title: str, words: Words, subtitle: Grammar, topics: Sequence[int]) -> str:
        """`title`, extended until it is new."""
        if title in self.taken:
            longer = f"{title}: {words.fill(subtitle, topics, HEADLINES)}"
            candidates = (longer, *(f"{longer}, {edition}" for edition in EDITIONS))
            free = (candidate for candidate in candidates if candidate not in self.taken)
            title = next(free, None) or next(name for n in count(2) if (name := f"{longer}, Volume {n}") not in self.taken)
        self.taken.add(title)
        return title


def shared_out(grammars: Sequence[Grammar], topics: Sequence[int], weights: Sequence[float]) -> list[list[int]]:
    """A topic for every slot of the sentences, in proportion to the weights (systematic sampling), the heaviest topic first."""
    sizes = [len(grammar) for grammar in grammars]
    slots = sum(sizes)
    spoken: list[int] = []
    reached, topic = weights[0], 0
    for slot in range(slots):
        while (slot + 0.5) / slots > reached and topic + 1 < len(topics):
            topic += 1
            reached += weights[topic]
        spoken.append(topics[topic])
    starts = [sum(sizes[:i]) for i in range(len(sizes))]
    return [spoken[start : start + size] for start, size in zip(starts, sizes, strict=True)]


def write_item(
    choices: Sequence[int], topics: Sequence[int], weights: Sequence[float], register: TitleRegister
) -> tuple[str, str, list[str]]:
    """Title, description and tags of one item.

    Parameters
    ----------
    choices: integers below `ITEM_CHOICES`.
    topics, weights: rows of `TOPICS`, heaviest first, and the weight of each; the weights sum to 1.
    register: the titles used so far.
    """
    words = Words(choices[5:])
    title = words.fill(PARSED_TITLES[choices[0]], topics, HEADLINES)
    sentences = [grammars[choice] for grammars, choice in zip(PARSED_SENTENCES, choices[2:5], strict=True)]
    spoken = shared_out(sentences, topics, weights)
    description = " ".join(words.fill(sentence, slots, PROSE) for sentence, slots in zip(sentences, spoken, strict=True))
    tags = [
        words.next("tag", PROSE[topic]["tag"]) for topic, weight in zip(topics, weights, strict=True) for _ in range(1 + round(3 * weight))
    ]
    return register.claim(title, words, PARSED_SUBTITLES[choices[1]], topics), description, tags


def write_profile(choices: Sequence[int], topics: Sequence[int], weights: Sequence[float], disliked: int) -> str:
    """The profile of one user: two phrases on the strongest taste, one on each other taste, one on a topic that the user avoids.

    Parameters
    ----------
    choices: integers below `PROFILE_CHOICES`.
    topics, weights: rows of `TOPICS`, strongest first, and the strength of each taste.
    disliked: a row of `TOPICS` that is not among the tastes.
    """
    opening, strong, weak, dislike, offset, stride = choices

    def phrase(topic: int, step: int = 0) -> str:
        tastes = TOPICS[topic].tastes
        return tastes[(offset + step * (1 + stride % (len(tastes) - 1))) % len(tastes)]

    text = FAVOURITES[opening].format(phrase(topics[0]), phrase(topics[0], step=1))
    for place, (topic, weight) in enumerate(zip(topics[1:], weights[1:], strict=True)):
        grammars, choice = (STRONG_TASTES, strong) if weight >= 0.3 else (WEAK_TASTES, weak)
        text += grammars[(choice + place) % len(grammars)].format(phrase(topic))
    return f"{text}.{DISLIKES[dislike].format(phrase(disliked))}"
