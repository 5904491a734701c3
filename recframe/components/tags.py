"""Tags: what components provide to each other and require of each other, also where that depends on their settings."""

from __future__ import annotations

from collections.abc import Collection, Mapping, Sequence
from difflib import get_close_matches
from string import Formatter
from typing import Any

from recframe.deprecations import Renamed, warn_renamed

# The tags that built-in components and the core use, and how an error message describes each. Plugins may define their own.
# `Component.requires` may also list alternatives ("actions:items|actions:continuous": either satisfies it).
# A prefix that ends in ":" stands for a family of tags.
TAGS: Mapping[str, str] = {
    "interactions": "logged interactions of users with items",
    "rating_matrix": "a rating of every item by every user",
    "catalog": "items of the environment's own, in place of the dataset's",
    "features": "observations with raw numbers",
    "users": "users with text profiles",
    "utterances": "texts that users may say, each with its intent and sentiment",
    "context": "observations with a text of what the user says",
    "says": "a text of what the user says in each step",
    "label:": "a label of that name",
    "attribute:": "a catalogue attribute of that name",
    "attribute:*": "whatever attributes the dataset's files have",
    "signal:": "a response signal of that name",
    "signal:*": "whatever signals the log has",
    "no_simulator": "no simulated users",
    "asks_model": "answers of a language model, each of which may cost money",
    "actions:items": "actions that are item numbers",
    "actions:continuous": "actions that are real vectors",
    "slates": "slates of more than one item",
    "experience:replay": "transitions sampled from a replay memory",
    "experience:rollout": "fresh on-policy rollouts",
    "experience:sequences": "whole sequences of a log",
    "experience:log": "a whole log",
    "stage:logged": "a stage that learns from a log",
    "stage:simulated": "a stage that learns in a simulator",
    "prior": "scores of items to which a prior over candidates is added",
    "ranks": "an agent that ranks items for an evaluation on logs",
    "bidirectional": "a state tracker that reads in both directions",
    "no_texts": "vectors of length 0, because no text is read",
    "pretraining": "a language model that `recframe pretrain` can train",
    "divides_users": "users that can be divided over several processes",
    "questions": "questions that users answer",
    "clicks_alone": "an agent that learns from clicks alone, which a question does not have",
    "compares_users": "a reward that compares all users with each other",
    "own_item_numbers": "an agent that gives the items of histories numbers of their own before the state tracker reads them",
    "truth": "the true expected response to every item (for the oracle)",
    "groups": "several sessions of one person, which begin alike",
}

CLOSE = 0.85
"""How similar an unknown tag is to a known one at least, from 0 to 1, to be taken for a spelling mistake: about one letter of seven."""


RENAMED_TAGS: Mapping[str, Renamed] = {}
"""Old names of tags, which plugins may still use."""


def with_new_names(tags: Collection[str], user: str) -> frozenset[str]:
    """The tags with old names replaced; `user` is whom the warning names."""
    return frozenset(_with_new_names(tag, user) for tag in tags) if RENAMED_TAGS else frozenset(tags)


def _with_new_names(tag: str, user: str) -> str:
    names, mark, setting = tag.partition("?")
    alternatives = names.split("|")
    for old in RENAMED_TAGS.keys() & set(alternatives):
        warn_renamed(f"the tag {old!r}", Renamed(repr(RENAMED_TAGS[old].new), RENAMED_TAGS[old].until), user)
    return "|".join(RENAMED_TAGS[name].new if name in RENAMED_TAGS else name for name in alternatives) + mark + setting


def active_tags(tags: Collection[str], settings: Mapping[str, Any]) -> list[str]:
    """The tags that apply under a component's settings.

    `"tag?setting"` applies if the setting is true, a number other than 0, or a list that is not empty; `"tag?setting=value"` if it has this
    value, or is a list that holds it, `"tag?setting!=value"` if not, and `"tag?setting>number"` if it is a larger number. `&` joins
    conditions that must all hold.
    """
    split = [tag.partition("?") for tag in tags]
    return [tag for tag, _, condition in split if not condition or holds(condition, settings)]


def holds(condition: str, settings: Mapping[str, Any]) -> bool:
    """Whether the part of a tag after its question mark holds."""
    return all(_holds_alone(part, settings) for part in condition.split("&"))


def _holds_alone(condition: str, settings: Mapping[str, Any]) -> bool:
    name, sign, bound = condition_parts(condition)
    setting = settings.get(name)
    if sign == ">":
        return isinstance(setting, (int, float)) and setting > float(bound)
    if not sign:
        return bool(setting)
    listed = setting if isinstance(setting, Sequence) and not isinstance(setting, str) else [setting]
    return (bound in map(str, listed)) == (sign == "=")


def condition_parts(condition: str) -> tuple[str, str, str]:
    """The setting that a condition is about, the first of those joined, `=`, `!=`, `>` or nothing, and what it is compared with."""
    condition = condition.partition("&")[0]
    sign = next((sign for sign in ("!=", "=", ">") if sign in condition), "")
    name, _, bound = condition.partition(sign) if sign else (condition, "", "")
    return name, sign, bound


def filled_in(tags: Collection[str], settings: Mapping[str, Any]) -> set[str]:
    """The tags with `{setting}` replaced by the setting's value; a tag whose setting is null is left out."""
    return {tag.format_map(settings) for tag in tags if all(settings.get(name) is not None for name in _placeholders(tag))}


def misspelt(tag: str) -> str | None:
    """The known tag that an unknown one is almost the same as, or None: a plugin may have tags of its own."""
    family, colon, name = tag.partition(":")
    if tag in TAGS or f"{family}:" in TAGS:
        return None
    whole = get_close_matches(tag, [known for known in TAGS if not known.endswith((":", ":*"))], n=1, cutoff=CLOSE)
    families = get_close_matches(f"{family}:", [known for known in TAGS if known.endswith(":")], n=1, cutoff=CLOSE) if colon else []
    return next(iter([*whole, *(f"{close}{name}" for close in families)]), None)


def settings_of(tags: Collection[str]) -> set[str]:
    """The settings that the tags depend on."""
    conditions = [condition for tag in tags for condition in tag.partition("?")[2].split("&")]
    return {name for tag in tags for name in _placeholders(tag)} | {name for name, _, _ in map(condition_parts, conditions) if name}


def _placeholders(tag: str) -> list[str]:
    """The names in `{}` of a tag."""
    return [name for _, name, _, _ in Formatter().parse(tag) if name]
