"""`ComponentFailure`: a component raised an error or broke its contract, in one line that names it."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

from recframe.attribution.frames import place_in
from recframe.attribution.origin import Origin, origin_of
from recframe.errors import Pruned, UserError
from recframe.files import REFUSALS
from recframe.plugin_loader import SESSION, raised


class ComponentFailure(UserError):
    """Components failed: a message for each, which names component, plugin, distribution and version, and what was wrong.

    An exception that a component raised is the `__cause__`.

    Parameters
    ----------
    messages: one line for each.   origin: of the only one, or of the first.
    """

    exit_code = 1

    def __init__(self, messages: str | Sequence[str], origin: Origin | None = None) -> None:
        self.messages = [messages] if isinstance(messages, str) else list(messages)
        self.origin = origin
        super().__init__(self.messages)

    def __str__(self) -> str:
        return "; ".join(self.messages)

    @property
    def lines(self) -> list[str]:
        """The messages."""
        return self.messages

    def with_hint(self, hint: str) -> ComponentFailure:
        """The same failure, which also says where the traceback is."""
        *others, last = self.messages
        return ComponentFailure([*others, f"{last}; {hint}"], self.origin)


def failure_of(error: BaseException, default: Origin | None = None) -> ComponentFailure | None:
    """The failure of the component in whose code `error` was raised, or of `default`; None if neither is known."""
    place = place_in(error.__traceback__)
    origin = default if place is None else place.origin
    # who registered a class in the Python session wrote it, and needs the traceback
    if origin is None or not str(origin) or origin.distribution == SESSION:
        return None
    if place is None or isinstance(error, SyntaxError):
        return ComponentFailure(f"{origin} failed: {raised(error)}", origin)
    reason = " ".join(str(error).split())
    return ComponentFailure(f"{origin} failed: {type(error).__name__}: {reason} ({place.file}:{place.line})", origin)


@contextmanager
def blaming(component: Any = None) -> Iterator[None]:
    """Attribute an error of the block to the component in whose code it was raised; if that is none, to `component`.

    Mistakes of the user, refusals of the operating system in built-in code, and errors of which no component is known stay as they are.

    Raises
    ------
    ComponentFailure: in place of the error, which is its cause.
    """
    try:
        yield
    except (UserError, Pruned):
        raise
    except (Exception, SystemExit) as error:
        failure = failure_of(error, component if isinstance(component, Origin) else origin_of(component))
        refused = isinstance(error, OSError) and error.errno in REFUSALS
        if failure is None or (refused and not (failure.origin and failure.origin.is_third_party)):
            raise
        raise failure from error


@contextmanager
def as_messages(hint: str = "HYDRA_FULL_ERROR=1 shows the traceback") -> Iterator[None]:
    """Attribute errors of the block as `blaming` does. `hint` says where the traceback is, for what leaves no run.log behind.

    Raises
    ------
    ComponentFailure: see `blaming`.
    """
    try:
        with blaming():
            yield
    except ComponentFailure as failure:
        raise failure.with_hint(hint) from (failure.__cause__ or failure)
