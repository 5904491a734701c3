"""POST /feedback: what a person did with an item; and what the server remembers of sessions."""

from __future__ import annotations

import time
from typing import Annotated

from fastapi import APIRouter, Header
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from recframe.feedback import RecordedFeedback
from recframe.server.app_state import ServiceOf
from recframe.server.errors import RESPONSES
from recframe.server.messages import FeedbackAnswer, FeedbackRequest, ForgottenAnswer, HistoryItem, Name, SessionAnswer
from recframe.server.service import Service
from recframe.server.sessions import SessionState

router = APIRouter(responses=RESPONSES)


@router.post("/feedback", response_model=FeedbackAnswer)
async def give_feedback(
    told: FeedbackRequest, service: ServiceOf, idempotency_key: Annotated[Name | None, Header()] = None
) -> JSONResponse:
    """Store what a person did with an item that was recommended. It is on disk before it is acknowledged, once under retries."""
    known = service.policies.signals
    if wrong := [name for name in told.signals if name not in known]:
        raise HTTPException(422, f"signals: there is no signal {wrong[0]!r}; there are: {', '.join(sorted(known))}")
    key = told.key or idempotency_key or ""
    feedback = RecordedFeedback(told.recommendation, str(told.item), told.signals, time.time(), key)
    outcome = await service.record_feedback(feedback)
    state = service.sessions.find(outcome.session)
    if state is not None and not state.is_of(outcome.person, outcome.session):
        # the history of somebody else is not told
        state = None
    history = [one.model_dump() for one in history_of(service, state)]
    return JSONResponse({"stored": True, "duplicate": not outcome.stored, "session": outcome.session, "history": history})


@router.get("/sessions/{session:path}", response_model=SessionAnswer)
async def session_state(session: str, service: ServiceOf) -> SessionAnswer:
    """What the server remembers of a visit."""
    state = service.sessions.find(session)
    if state is None:
        raise HTTPException(404, "there is no such session, or it was forgotten")
    return SessionAnswer(session=session, history=history_of(service, state), profile=state.profile, say=state.say)


@router.delete("/sessions/{session:path}", response_model=ForgottenAnswer)
async def forget_session(session: str, service: ServiceOf) -> ForgottenAnswer:
    """Forget a visit. What is recorded of it in the store stays there."""
    return ForgottenAnswer(forgotten=service.sessions.forget(session))


def history_of(service: Service, state: SessionState | None) -> list[HistoryItem]:
    """The history of a session, with titles."""
    entries = [] if state is None else state.history
    return [HistoryItem(id=item, title=_title(service, item), signals=dict(signals)) for item, signals in entries]


def _title(service: Service, item: str) -> str:
    having = next((one for one in service.policies if item in one.rows), None)
    return item if having is None else having.title_of(item)
