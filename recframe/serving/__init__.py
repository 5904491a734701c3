"""A trained policy out of its run: it recommends items to people, one at a time, and can be exported as an artefact."""

from recframe.serving.artefact.write import export
from recframe.serving.items import RankedItem, RankedItems
from recframe.serving.load import load_policy
from recframe.serving.policy import LoadedPolicy

__all__ = ["LoadedPolicy", "RankedItem", "RankedItems", "export", "load_policy"]
