"""Item codes: each item as a short sequence of numbers, which a model writes one by one, and the tree of the sequences that are items.

The names are imported when they are first used: a config that holds `CodesConfig` imports no torch.

- `CodesConfig`: the options;
- `item_codes`: the codes of a catalogue, `ItemCodes`, computed once and cached by content;
- `TitleTokens`: what makes titles into codes; `WordTokens`, and `TransformersTokens` for the tokenizer of a language model;
- `CodeTree`: the prefix tree of the codes, and `AllowedItems`, what of it is open to each user.
"""

from __future__ import annotations

from typing import TYPE_CHECKING

from recframe.lazy_imports import lazy_names

if TYPE_CHECKING:
    from recframe.item_codes.allowed_items import AllowedItems
    from recframe.item_codes.code_tree import CodeTree
    from recframe.item_codes.codes import ItemCodes
    from recframe.item_codes.config import CODES_SEED, CodesConfig, RqVaeConfig
    from recframe.item_codes.errors import CodesError
    from recframe.item_codes.make import item_codes
    from recframe.item_codes.titles import TitleTokens, TransformersTokens, WordTokens

__all__ = [
    "CODES_SEED",
    "AllowedItems",
    "CodeTree",
    "CodesConfig",
    "CodesError",
    "ItemCodes",
    "RqVaeConfig",
    "TitleTokens",
    "TransformersTokens",
    "WordTokens",
    "item_codes",
]

_HOMES = {
    "CODES_SEED": "recframe.item_codes.config",
    "AllowedItems": "recframe.item_codes.allowed_items",
    "CodeTree": "recframe.item_codes.code_tree",
    "CodesConfig": "recframe.item_codes.config",
    "CodesError": "recframe.item_codes.errors",
    "ItemCodes": "recframe.item_codes.codes",
    "RqVaeConfig": "recframe.item_codes.config",
    "TitleTokens": "recframe.item_codes.titles",
    "TransformersTokens": "recframe.item_codes.titles",
    "WordTokens": "recframe.item_codes.titles",
    "item_codes": "recframe.item_codes.make",
}
"""The modules of the lazy names."""

__getattr__ = lazy_names(__name__, _HOMES)


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
