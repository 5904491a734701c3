"""Options for the prompt of each kind of text. Imports no torch."""

from dataclasses import dataclass
from typing import TYPE_CHECKING

from recframe.components import option

if TYPE_CHECKING:
    from recframe.interfaces import Role


@dataclass
class PromptConfig:
    """Prompts for models that are trained with one for each kind of text."""

    item_prompt: str = option("", "put before every item's text, for models trained with prompts (such as 'passage: ')")
    user_prompt: str = option("", "put before every user's profile (such as 'query: ')")
    context_prompt: str = option("", "put before every visit's context")

    @property
    def prompts(self) -> "dict[Role, str]":
        """The prompt of each role."""
        return {"item": self.item_prompt, "user": self.user_prompt, "context": self.context_prompt}
