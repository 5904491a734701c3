"""What the hub refuses, in one line, without the token."""

from __future__ import annotations

from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any
from urllib.parse import urlsplit

from recframe.errors import UserError
from recframe.files import system_error
from recframe.serving.artefact.manifest import ArtefactError
from recframe.serving.artefact.places import Repository

LONGEST = 200
"""The characters of the hub's own words that are shown."""
REMEDY = "give HF_TOKEN the token of somebody who may"


@contextmanager
def hub_errors(place: Repository, endpoint: str, token: str | None) -> Iterator[None]:
    """Give what goes wrong with the hub at `endpoint` as an `ArtefactError` in one line; a full disk and the like pass through."""
    try:
        yield
    except (UserError, KeyboardInterrupt):
        raise
    except Exception as error:
        if system_error(error) is not None and (refused := _refused_by_the_system(error)) is not None:
            raise refused from None
        words = _reason(error, urlsplit(endpoint).hostname or endpoint)
        if token:
            words = words.replace(token, "***")
        raise ArtefactError(f"{place}: {words}") from None


def _refused_by_the_system(error: BaseException) -> OSError | None:
    """The system's refusal of a file, not of a connection: only the first names a file."""
    found = system_error(error)
    return found if found is not None and found.filename is not None and found.errno is not None else None


def _reason(error: BaseException, host: str) -> str:
    from huggingface_hub import errors

    # an upload wraps the hub's refusal
    while not isinstance(error, errors.HfHubHTTPError) and error.__cause__ is not None:
        error = error.__cause__
    if isinstance(error, errors.HfHubHTTPError):
        known = {
            errors.GatedRepoError: f"{host} gives it only to those whom its owner lets in; {REMEDY} read it",
            errors.RepositoryNotFoundError: f"{host} has no such repository, or does not show it; check the name, or {REMEDY} read it",
            errors.RevisionNotFoundError: f"the repository has no such revision at {host}; a branch, a tag or a commit is right",
        }
        return next((words for kind, words in known.items() if isinstance(error, kind)), None) or _refusal(error, host)
    if isinstance(error, errors.OfflineModeIsEnabled):
        return "HF_HUB_OFFLINE is set, so that the hub is not asked"
    if isinstance(error, (errors.HFValidationError, TypeError, KeyError, AttributeError)):
        return f"{host} did not answer as a hub does ({_short(error)})"
    return f"{host} could not be reached, or broke off ({type(error).__name__}: {_short(error)})"


def _refusal(error: Any, host: str) -> str:
    status = getattr(error.response, "status_code", None)
    if status in (401, 403):
        return f"{host} refuses it ({status}); {REMEDY} {'read it' if error.response.request.method == 'GET' else 'write there'}"
    said = getattr(error, "server_message", None)
    return f"{host} answers with status {status}" + (f": {_short(said)}" if said else "")


def _short(words: object) -> str:
    line = " ".join(str(words).split())
    return line if len(line) <= LONGEST else f"{line[:LONGEST]}..."
