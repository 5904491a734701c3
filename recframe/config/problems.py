"""The error for a wrong configuration, with all of its problems at once, and their words."""

from __future__ import annotations

import re
from collections.abc import Mapping, Sequence

from recframe.errors import UserError


class ConfigError(UserError, ValueError):
    """A config that cannot run. `problems` has one line for each problem."""

    def __init__(self, problems: Sequence[str]) -> None:
        self.problems = list(problems)
        super().__init__("\n".join(self.problems))

    @property
    def lines(self) -> list[str]:
        """One line for each mistake."""
        return self.problems


WORDS: Mapping[str, str] = {
    r"field '.*' is not Optional": "it may not be null",
    r".* does not support deletion": "a setting cannot be taken out; set it to another value, or leave it as it is",
    r"Invalid value assigned: \w+ is not a ListConfig, list or tuple\.": "it is a list; write {key}=[...], with brackets",
    r"Could not append to config\. An item is already at '(.*)'\.": r"\1: it is in the config already; leave out the '+'",
    r"KeyError raised while resolving interpolation: \"(.*)\"": r"\1",
    r"In '(.*)/(.*)': ConfigKeyError raised while composing config: Key '(.*)' not in '(.*)'": (
        r"\1=\2 does not go with what is chosen beside it: it sets '\3', which \4 does not have; choose what it was written for"
    ),
}
"""What OmegaConf and Hydra say, as a pattern, and what it means for the person who wrote the setting."""


def in_our_words(message: str, key: str) -> str:
    """The message without the names of OmegaConf's classes, if it is a known one. `key` is that of the setting."""
    for pattern, words in WORDS.items():
        if re.fullmatch(pattern, message):
            return re.sub(pattern, words.replace("{key}", key), message)
    return message
