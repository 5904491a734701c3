"""What routes are given: the service of their application."""

from __future__ import annotations

from typing import Annotated

from fastapi import Depends, Request
from starlette.exceptions import HTTPException

from recframe.server.service import Service


async def _service(request: Request) -> Service:
    service: Service = request.app.state.service
    return service


async def _admin(request: Request) -> None:
    if not getattr(request.state, "admin", False):
        raise HTTPException(
            401, "this needs the admin key, which the server's setting admin_key_variable names", {"WWW-Authenticate": "Bearer"}
        )


ServiceOf = Annotated[Service, Depends(_service)]
AdminOnly = Depends(_admin)
