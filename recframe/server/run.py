"""Runs a server until it is asked to stop."""

from __future__ import annotations

import logging
from importlib.util import find_spec
from pathlib import Path

from recframe.errors import UserError
from recframe.server.config import MAIN, ServeConfig

log = logging.getLogger(__name__)
NEEDED = ("fastapi", "uvicorn", "sqlalchemy", "prometheus_client")


class ServerMissing(UserError):
    """The libraries of the server are not installed."""


def require_libraries() -> None:
    """Check that the libraries of the server are installed.

    Raises
    ------
    ServerMissing: naming those that are not.
    """
    if missing := [name for name in NEEDED if find_spec(name) is None]:
        raise ServerMissing(f"recframe serve needs {', '.join(missing)}: pip install 'recframe[serve]'")


def run_server(folder: Path, config: ServeConfig, *, trust_remote_code: bool = False, send_variable: str | None = None) -> None:
    """Load the policies, and answer until SIGTERM or Ctrl-C; requests in flight are then finished.

    Raises
    ------
    recframe.errors.UserError: a policy cannot be loaded, or the store does not answer.
    """
    from recframe.feedback.store import FeedbackStore
    from recframe.server.app import create_app
    from recframe.server.http_server import serve_app
    from recframe.serving.load import load_policy

    folders = {MAIN: folder, **{name: Path(other).expanduser() for name, other in config.other.items()}}
    with FeedbackStore.open(config.feedback.url) as store:
        policies = {
            name: load_policy(where, trust_remote_code=trust_remote_code, send_variable=send_variable) for name, where in folders.items()
        }
        app = create_app(policies, store, config, folders, trust_remote_code=trust_remote_code, send_variable=send_variable)
        serve_app(app, config)
