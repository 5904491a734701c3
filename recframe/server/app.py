"""The application: policies and a store behind HTTP."""

from __future__ import annotations

from collections.abc import AsyncIterator, Mapping
from contextlib import asynccontextmanager
from pathlib import Path

from fastapi import FastAPI
from starlette.middleware.cors import CORSMiddleware

from recframe import __version__
from recframe.feedback.store import FeedbackStore
from recframe.server.admission import Admission
from recframe.server.config import ServeConfig
from recframe.server.errors import add_error_handlers
from recframe.server.list_removal import ListRemover
from recframe.server.page_files import add_page
from recframe.server.routes import about, catalogue, feedback, recommend
from recframe.server.service import Service
from recframe.server.watching import Watcher
from recframe.serving.policy import LoadedPolicy


def create_app(
    policies: Mapping[str, LoadedPolicy],
    store: FeedbackStore,
    config: ServeConfig | None = None,
    folders: Mapping[str, Path] | None = None,
    *,
    trust_remote_code: bool = False,
    send_variable: str | None = None,
) -> FastAPI:
    """An application that serves policies.

    Parameters
    ----------
    policies: by name; "main" is the one that answers where no share says otherwise.
    store: where decisions and feedback are recorded; it is not closed with the application.   config: the settings; None: the usual ones.
    folders: by the names of policies, where they were loaded from; these are looked at if the settings say so (watch).
    trust_remote_code: run the code that comes with the model of a new artefact, if it asks for that.
    send_variable: send the values of environment variables, as a new artefact says; see `load_policy`.

    Raises
    ------
    recframe.errors.UserError: the store does not answer, or a policy cannot explore as the settings say.
    """
    config = config or ServeConfig()
    service = Service(policies, store, config, trust_remote_code=trust_remote_code, send_variable=send_variable)

    @asynccontextmanager
    async def lifespan(app: FastAPI) -> AsyncIterator[None]:
        service.start()
        watcher = Watcher(dict(folders or {}), service.take, service.policies, service.metrics.swapped, config.watch_seconds)
        running: list[Watcher | ListRemover] = [watcher] if config.watch else []
        if config.feedback.list_days is not None:
            running.append(ListRemover(store, config.feedback.list_days))
        for one in running:
            one.start()
        try:
            yield
        finally:
            for one in running:
                one.close()
            service.close()

    app = FastAPI(title="recframe", version=__version__, lifespan=lifespan, docs_url=None, redoc_url=None)
    app.state.service = service
    for module in (recommend, feedback, catalogue, about):
        app.include_router(module.router)
    add_page(app)
    add_error_handlers(app)
    if config.origins:
        allowed = ["Authorization", "X-API-Key", "Content-Type", "Idempotency-Key"]
        app.add_middleware(
            CORSMiddleware, allow_origins=config.origins, allow_methods=["GET", "POST", "DELETE"], allow_headers=allowed, max_age=600
        )
    app.add_middleware(Admission, config=config, metrics=service.metrics)
    return app
