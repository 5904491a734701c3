"""Why an item was recommended: what the policy read, and what each part of it did for the item."""

from recframe.explanations.explain import explain, explain_all
from recframe.explanations.explanation import Counterfactual, Explanation, Neighbour, PartEffect, ShownBy, WordEffect, WordEffects

__all__ = ["Counterfactual", "Explanation", "Neighbour", "PartEffect", "ShownBy", "WordEffect", "WordEffects", "explain", "explain_all"]
