"""One kind of access to a language model that answers prompts: behind an endpoint, or loaded here.

Answers are kept on disk and can be replayed, calls are counted against a budget, and structured answers are checked. Importing this
package imports neither torch nor an HTTP client, so that configs may.
"""

from recframe.llm.backend import ChatBackend
from recframe.llm.budget import Budget, BudgetExhausted, Usage
from recframe.llm.chat import Chat
from recframe.llm.config import ChatConfig
from recframe.llm.messages import Answer, Completion, Message, Prompt, Request
from recframe.llm.schema import Schema

__all__ = [
    "Answer",
    "Budget",
    "BudgetExhausted",
    "Chat",
    "ChatBackend",
    "ChatConfig",
    "Completion",
    "Message",
    "Prompt",
    "Request",
    "Schema",
    "Usage",
]
