"""A trained policy out of its run: it recommends items to people, one at a time, and can be exported as an artefact."""

from __future__ import annotations

from typing import TYPE_CHECKING

from recframe.lazy_imports import lazy_names

if TYPE_CHECKING:
    from recframe.serving.artefact.hub import pull, push
    from recframe.serving.artefact.write import export
    from recframe.serving.items import RankedItem, RankedItems
    from recframe.serving.load import load_policy
    from recframe.serving.policy import LoadedPolicy
    from recframe.serving.query_error import QueryError
    from recframe.serving.question import Question

__all__ = ["LoadedPolicy", "QueryError", "Question", "RankedItem", "RankedItems", "export", "load_policy", "pull", "push"]

_HOMES = {
    "LoadedPolicy": "recframe.serving.policy",
    "QueryError": "recframe.serving.query_error",
    "Question": "recframe.serving.question",
    "RankedItem": "recframe.serving.items",
    "RankedItems": "recframe.serving.items",
    "export": "recframe.serving.artefact.write",
    "load_policy": "recframe.serving.load",
    "pull": "recframe.serving.artefact.hub",
    "push": "recframe.serving.artefact.hub",
}
"""The modules of the lazy names."""

__getattr__ = lazy_names(__name__, _HOMES)
