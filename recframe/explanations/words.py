"""What the words of a text did: integrated gradients through the encoder, or the text encoded again without each of them."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Literal

import torch
from torch import Tensor

from recframe.errors import UserError
from recframe.explanations.explanation import WordEffect, WordEffects
from recframe.explanations.integrated_gradients import token_effects
from recframe.explanations.text_standings import TextStanding
from recframe.explanations.word_places import WordPlace, words_of
from recframe.interfaces import Role
from recframe.serving.new_texts import NewTexts

Of = Literal["profile", "context", "item"]
METHODS = ("auto", "leave_one_out", "none")
NO_CAPTUM = "integrated gradients need captum: pip install 'recframe[explain]'; each word was left out instead"
ENCODED = 16
"""Texts that are encoded at once."""
CHANGED = 1e-2
"""The part of a vector's length by which an encoder's vector may differ from that which the policy has."""


def explained_words(of: Of, text: str, texts: NewTexts, standing: TextStanding, columns: Sequence[int], method: str) -> list[WordEffects]:
    """What the words of a text did for the items in these columns of `standing`; one entry each."""
    places = words_of(text)
    if not places:
        return [WordEffects(of, text, note="it has no words")] * len(columns)
    if texts.refused:
        return [WordEffects(of, text, note=texts.refused.partition(";")[0])] * len(columns)
    role: Role = "user" if of == "profile" else of
    note = ""
    try:
        if method == "auto" and (reading := texts.encoder.token_reading(text, role)) is not None:
            found = [token_effects(reading, texts.reduction, standing, column) for column in columns]
            if all(one is not None for one in found):
                return [_by_tokens(of, text, places, reading.spans, *one) for one in found if one is not None]
    except ImportError:
        note = NO_CAPTUM
    except UserError as error:
        return [WordEffects(of, text, note=str(error))] * len(columns)
    try:
        return _by_leaving_out(of, text, places, texts, standing, columns, note)
    except UserError as error:
        return [WordEffects(of, text, note=str(error))] * len(columns)


def _by_leaving_out(
    of: Of, text: str, places: list[WordPlace], texts: NewTexts, standing: TextStanding, columns: Sequence[int], note: str
) -> list[WordEffects]:
    without = [text[: place.start] + text[place.end :] for place in places]
    with torch.no_grad():
        standings = standing(_encoded(texts, [text, "", *without], "user" if of == "profile" else of))
    effects = standings[0] - standings[2:]
    total = standings[0] - standings[1]
    found = []
    for column in columns:
        words = _words(places, effects[:, column].tolist())
        together = float(total[column] - effects[:, column].sum())
        found.append(WordEffects(of, text, "leave_one_out", words, float(total[column]), residual=together, note=note))
    return found


def _encoded(texts: NewTexts, several: Sequence[str], role: Role) -> Tensor:
    """The vectors of texts, encoded in parts, between which others can have theirs encoded."""
    return torch.cat([texts.encoded([*several[first : first + ENCODED]], role) for first in range(0, len(several), ENCODED)])


def _by_tokens(
    of: Of, text: str, places: list[WordPlace], spans: Sequence[tuple[int, int] | None], effects: Tensor, total: float
) -> WordEffects:
    """The effects `[L]` of tokens, summed in the words that they begin in or overlap."""
    sums, other = [0.0] * len(places), 0.0
    for span, effect in zip(spans, effects.tolist(), strict=True):
        word = next((number for number, one in enumerate(places) if span and span[0] < one.end and span[1] > one.start), None)
        if word is None:
            other += effect
        else:
            sums[word] += effect
    return WordEffects(of, text, "integrated_gradients", _words(places, sums), total, other, total - float(effects.sum()))


def _words(places: Sequence[WordPlace], effects: Sequence[float]) -> tuple[WordEffect, ...]:
    return tuple(WordEffect(*place, effect) for place, effect in zip(places, effects, strict=True))


def reproduces(texts: NewTexts, text: str, role: Role, known: Tensor) -> bool:
    """Whether the encoder gives a text of the data the vector `[D]` that the data has."""
    again = texts.encoded([text], role)[0]
    return bool((again - known).norm() <= CHANGED * known.norm().clamp(min=CHANGED))
