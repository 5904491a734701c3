"""Errors as answers: `{"error": "one line"}`, and never a traceback."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

from fastapi import FastAPI, Request
from fastapi.exceptions import RequestValidationError
from starlette.exceptions import HTTPException
from starlette.responses import JSONResponse

from recframe.errors import UserError
from recframe.feedback import FeedbackRefused, StoreError, StoreUnavailable, UnknownRecommendation
from recframe.plugin_loader import closest
from recframe.server import messages
from recframe.server.service import Overloaded

RETRY_SECONDS = 1
STATUS = {
    400: "The policy cannot answer this question.",
    401: "The API key is missing or wrong.",
    404: "There is no such thing.",
    405: "The path has no such method.",
    408: "The request did not arrive in time.",
    413: "The body is too large.",
    422: "The request is not as it must be.",
    429: "Too many requests of this client.",
    503: "The server cannot answer now.",
}
RESPONSES: dict[int | str, dict[str, Any]] = {
    status: {"model": messages.ErrorAnswer, "description": meaning} for status, meaning in STATUS.items()
}
"""For the OpenAPI description of each route."""
FIELDS = sorted({name for one in vars(messages).values() for name in getattr(one, "model_fields", ())})
SHAPES = {
    "history": "an entry is an id, or an id with its signals as in ['17', {'rating': 4}]",
    "signals": "a finite number for each signal is right, as in {'click': 1}",
}
MOST_TOLD = 3


def error_answer(status: int, message: str, headers: dict[str, str] | None = None) -> JSONResponse:
    """An error as an answer. The message becomes one line."""
    return JSONResponse({"error": " ".join(message.split())}, status, headers)


def add_error_handlers(app: FastAPI) -> None:
    """Answer every error in the same form."""

    @app.exception_handler(HTTPException)
    async def _http(request: Request, error: HTTPException) -> JSONResponse:
        return error_answer(error.status_code, str(error.detail), dict(error.headers or {}))

    @app.exception_handler(RequestValidationError)
    async def _malformed(request: Request, error: RequestValidationError) -> JSONResponse:
        told = dict.fromkeys(_told(one) for one in error.errors())
        more = f"; and {len(told) - MOST_TOLD} more mistakes" if len(told) > MOST_TOLD else ""
        return error_answer(422, "; ".join(list(told)[:MOST_TOLD]) + more)

    @app.exception_handler(UserError)
    async def _mistake(request: Request, error: UserError) -> JSONResponse:
        if isinstance(error, StoreUnavailable):
            return error_answer(503, "the store of feedback does not answer; try again", {"Retry-After": str(RETRY_SECONDS)})
        if isinstance(error, StoreError):
            # it may be damaged, or take no writes: to try again at once does not help, and the details are not for everybody
            return error_answer(503, "the store of feedback is there, and fails; the server's log says why")
        status = 404 if isinstance(error, UnknownRecommendation) else 422 if isinstance(error, FeedbackRefused) else 400
        return error_answer(status, str(error))

    @app.exception_handler(Overloaded)
    async def _overloaded(request: Request, error: Overloaded) -> JSONResponse:
        return error_answer(503, str(error), {"Retry-After": str(RETRY_SECONDS)})


def _told(error: dict[str, Any]) -> str:
    """One mistake in a request: where, and what would be right."""
    where = _place(error["loc"])
    kind, field = error["type"], where.partition(".")[0]
    if kind == "extra_forbidden":
        wrong = str(error["loc"][-1])
        meant = closest(wrong, FIELDS)
        return f"{where}: there is no such field" + (f"; did you mean {meant!r}?" if meant else "")
    if kind == "json_invalid":
        return f"the body is not JSON: {error.get('ctx', {}).get('error', error['msg'])}"
    if field in SHAPES and len(error["loc"]) > 2:
        return f"{where}: {SHAPES[field]}"
    reason = str(error["msg"]).removeprefix("Value error, ")
    return f"{where}: {reason[:1].lower()}{reason[1:]}"


def _place(location: Sequence[str | int]) -> str:
    """Where a mistake is, without the names of pydantic's types."""
    parts = [str(part) for part in location if part not in ("body", "query", "path", "header")]
    kept: list[str] = parts[:1]
    for part in parts[1:]:
        if not part.isdigit() and part not in FIELDS:
            break
        kept.append(part)
    return ".".join(kept) or "the body"
