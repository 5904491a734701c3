"""The sentence says the strongest of an explanation, and no more."""

from __future__ import annotations

from dataclasses import replace

from recframe.explanations import Counterfactual, Explanation, PartEffect, ShownBy
from recframe.explanations.sentence import sentence_of

CLICKED = PartEffect("history", "Alien", 0.4, "7", "click", 1.0, 1.1, 3)
PROFILE = PartEffect("profile", "A reader of sea stories", 0.1, score_without=1.4, place_without=1)
ABOUT = Explanation(
    id="9",
    title="Solaris",
    policy="agent=dqn",
    sentence="",
    measure="lead",
    decision=ShownBy(1, propensity=1.0),
    score=1.5,
    lead=1.0,
    spread=0.5,
    place=1,
    lead_unknown=0.2,
    place_unknown=8,
    whole_history=0.5,
    history=(CLICKED,),
    person=(PROFILE,),
)


def test_the_strongest_part_and_what_its_absence_would_do():
    assert sentence_of(ABOUT) == (
        "'Solaris' is at place 1; the strongest single reason is that you clicked 'Alien': without this it would be at place 3."
    )
    found = replace(ABOUT, counterfactual=Counterfactual(CLICKED, 1, "4", "Stalker"))
    assert sentence_of(found).endswith("without this you would have been shown 'Stalker' first.")


def test_a_reason_that_moves_no_place_is_told_by_its_share_of_the_lead():
    stays = replace(ABOUT, history=(replace(CLICKED, place_without=1),))
    assert sentence_of(stays).endswith("without this its lead over the median item would be 0.6 instead of 1.")


def test_an_item_that_is_first_for_everyone_is_said_to_be():
    everyone = replace(ABOUT, history=(replace(CLICKED, place_without=1),), place_unknown=1)
    assert sentence_of(everyone) == "'Solaris' is at place 1 for everyone; with nothing known of you it would be there, too."


def test_effects_that_tell_no_items_apart_are_no_reasons():
    small = replace(ABOUT, history=(replace(CLICKED, effect=0.01),), person=(), whole_history=0.3)
    assert "because of the history as a whole, and not of one item in it" in sentence_of(small)
    nothing = replace(small, whole_history=0.01)
    assert sentence_of(nothing) == (
        "'Solaris' is at place 1, and no single thing known of you speaks for it: with nothing known of you it would be at place 8."
    )


def test_an_explored_item_is_said_to_be_tried_out_and_one_it_displaced_is_not():
    tried = replace(ABOUT, decision=ShownBy(1, True, 0.02), place=17)
    assert sentence_of(tried) == "'Solaris' is shown to try it out, with a probability of 2%: by itself the policy puts it at place 17."
    displaced = replace(ABOUT, decision=ShownBy(2, True, 0.9))
    assert "strongest single reason" in sentence_of(displaced)


def test_where_it_is_not_known_what_was_shown_only_the_ranking_is_told():
    unknown = replace(ABOUT, decision=ShownBy(None, explored=None), place=40)
    assert sentence_of(unknown).startswith("By itself the policy puts 'Solaris' at place 40; the strongest single reason is that you")
    assert "shown" not in sentence_of(unknown)
    assert "shown" not in str(replace(unknown, sentence=sentence_of(unknown)))


def test_of_an_item_that_is_not_shown_the_strongest_reason_against_it_is_told():
    against = replace(ABOUT, decision=ShownBy(None), place=40, history=(replace(CLICKED, effect=-0.3, place_without=2),))
    assert sentence_of(against) == (
        "'Solaris' is not shown, it is at place 40; the strongest single reason against it is that you clicked 'Alien': "
        "without this it would be at place 2."
    )
