"""A trained policy that recommends items to people, one at a time."""

from recframe.serving.items import RankedItem, RankedItems
from recframe.serving.load import load_policy
from recframe.serving.policy import LoadedPolicy

__all__ = ["LoadedPolicy", "RankedItem", "RankedItems", "load_policy"]
