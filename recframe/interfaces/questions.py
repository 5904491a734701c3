"""Questions: the last rows of a catalogue, which an agent may ask in place of recommending (Christakopoulou et al., 2016, KDD).

A slate that begins with a question asks it, and nothing else is shown. A question at a later place shows nothing, so that a slate has
fewer items. So an agent that scores items by their texts scores questions, too, and need not know which they are.
"""

from __future__ import annotations

from torch import Tensor

from recframe.interfaces.types import PAD, Observation, Transition


def asks(slate: Tensor, first_question: int) -> Tensor:
    """Which slates `[..., K]` ask a question, `[...]` bool.

    first_question: the number of the first question (`EnvironmentSpec.first_question`, `Catalog.first_question`).
    """
    return slate[..., 0] >= first_question


def shown_places(slate: Tensor, first_question: int) -> Tensor:
    """At which places of the slates `[..., K]` an item is shown, `[..., K]` bool: at none of those that ask a question."""
    return (slate < first_question) & ~asks(slate, first_question)[..., None]


def without_questions(observation: Observation, first_question: int) -> Observation:
    """The observation for a policy that knows the first `first_question` rows alone, and so does not ask.

    Questions among the candidates become `PAD`. Histories stay: such a policy has asked nothing.
    """
    if observation.candidates is None:
        return observation
    copy: Observation = observation.clone(recurse=False)
    copy.candidates = observation.candidates.masked_fill(observation.candidates >= first_question, PAD)
    return copy


def items_alone(transition: Transition, first_question: int) -> Transition:
    """The transition without questions: `PAD` at the places of slates where no item is shown, and histories of items only.

    Nothing is moved in the slates. The items of a history follow each other at its end, as in every history.
    """
    copy: Transition = transition.clone(recurse=False)
    copy.slate = transition.slate.masked_fill(~shown_places(transition.slate, first_question), PAD)
    copy.observation = _with_items_alone(transition.observation, first_question)
    copy.next_observation = _with_items_alone(transition.next_observation, first_question)
    return copy


def _with_items_alone(observation: Observation, first_question: int) -> Observation:
    copy: Observation = observation.clone(recurse=False)
    items = observation.history_items.masked_fill(observation.history_items >= first_question, PAD)
    order = (items != PAD).long().argsort(dim=-1, stable=True)
    copy.history_items = items.gather(-1, order)
    copy.history_feedback = observation.history_feedback.gather(-2, order[..., None].expand_as(observation.history_feedback))
    return copy
