"""POST /recommend: a slate for somebody."""

from __future__ import annotations

import math
from collections.abc import Sequence
from typing import Any

from fastapi import APIRouter
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from recframe.feedback import StoreError
from recframe.server.app_state import ServiceOf
from recframe.server.errors import RESPONSES
from recframe.server.limits import require_within
from recframe.server.messages import ExplainRequest, RecommendAnswer, RecommendRequest
from recframe.server.served import Asked
from recframe.server.service import Overloaded, Service
from recframe.server.sessions import SessionState
from recframe.server.slates import Slate, decision_of, new_name
from recframe.serving.question import Question

router = APIRouter(responses=RESPONSES)
USUAL_K = 10


@router.post("/recommend", response_model=RecommendAnswer)
async def recommend_items(asked: RecommendRequest, service: ServiceOf) -> JSONResponse:
    """Choose the items to show. The decision is on disk, with its propensities, before it is answered."""
    session = asked.session or new_name()
    question = question_of(service, asked, session)
    if asked.user is not None:
        service.sessions.enter(session, str(asked.user))
    slate = await service.slate(question)
    service.sessions.remember(session, question.question)
    person = str(question.question.user) if question.question.user is not None else session
    decision = decision_of(slate, session, person)
    recommendation: str | None = decision.recommendation
    try:
        await service.record(decision)
    except (StoreError, Overloaded):
        if service.config.feedback.required:
            raise
        recommendation = None
    reasons = await service.sentences(slate) if asked.why else None
    service.metrics.recommended(slate.by.name, slate.items.version, explored=slate.items.explored, recorded=recommendation is not None)
    body: dict[str, Any] = {"recommendation": recommendation, "session": session, "policy": slate.by.name, "version": slate.items.version}
    return JSONResponse({**body, "explored": slate.items.explored, "items": answered_items(slate, reasons)})


@router.post("/explain")
async def explain_item(asked: ExplainRequest, service: ServiceOf) -> dict[str, Any]:
    """Why the policy ranks an item where it does, for the same question: nothing is shown, and nothing recorded."""
    item, shown = str(asked.item), None
    if asked.recommendation is not None:
        shown = await service.shown_at(asked.recommendation, item)
        if asked.policy not in (None, shown.policy):
            raise HTTPException(422, f"policy: the recommendation is one of {shown.policy!r}; leave policy out, or name that one")
        asked = asked.model_copy(update={"policy": shown.policy})
    question = question_of(service, asked, asked.session or new_name())
    return await service.explain(question, item, shown)


def question_of(service: Service, asked: RecommendRequest, session: str) -> Asked:
    """The question with what the server knows of the session, and the policy that answers it.

    Raises
    ------
    HTTPException: something is too long, or there is no such policy.
    """
    require_within(service.config.limits, asked)
    state = service.sessions.find(session) or SessionState()
    if asked.user is not None and state.user not in (None, str(asked.user)):
        # somebody else in the same visit: what is known of the first one is not theirs
        state = SessionState()
    policies = service.policies
    user = state.user if asked.user is None else str(asked.user)
    name = asked.policy if asked.policy is not None else policies.name_for(user or session)
    if name not in policies:
        raise HTTPException(422, f"policy: there is no {name!r}; there are: {', '.join(policies.names)}")
    # what another policy reads is left out for one that does not: the person cannot know who answers
    optional = {what for what in ("profile", "context") if policies.any_reads(what)}
    profile, say = asked.profile, asked.say
    if asked.history is None:
        optional.add("history")
    if profile is None:
        profile = state.profile
        optional.add("profile")
    if say is None:
        say = state.say
        optional.add("context")
    question = Question(
        history=state.history if asked.history is None else asked.history,
        user=user,
        profile=profile,
        context=say,
        k=min(USUAL_K, service.config.limits.k, policies[name].most) if asked.k is None else asked.k,
        candidates=asked.candidates,
        exclude=asked.exclude,
        must_include=asked.must_include,
        at_most=asked.at_most,
    )
    return Asked(name, question, frozenset(optional))


def answered_items(slate: Slate, reasons: Sequence[str | None] | None) -> list[dict[str, Any]]:
    """The items of an answer. reasons: why each is shown; None: that was not asked."""
    attributes = slate.by.attributes_of(slate.items.ids)
    return [
        {
            "id": item.id,
            "title": item.title,
            "score": item.score if item.score is not None and math.isfinite(item.score) else None,
            "propensity": item.propensity,
            "position": position,
            "attributes": attributes[position],
            **({} if reasons is None else {"why": reasons[position]}),
        }
        for position, item in enumerate(slate.items)
    ]
