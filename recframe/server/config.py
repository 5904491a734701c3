"""The settings of a server. Imports none of the libraries of the server."""

from collections.abc import Iterator
from dataclasses import dataclass, field
from pathlib import Path

from recframe.components import option
from recframe.feedback.errors import StoreError
from recframe.feedback.list_ages import LEAST_DAYS
from recframe.serving.exploration import ExplorationConfig

MAIN = "main"
"""The name of the policy that is given first; `other.NAME` names the others."""


@dataclass
class FeedbackConfig:
    """Where decisions and feedback are stored."""

    url: str = option("sqlite:///feedback.db", "the database: sqlite:///FILE, or postgresql://user@host/name")
    required: bool = option(
        True,
        "answer /recommend with 503 while the database is away, or fails; false: with items that are not recorded, and take no feedback",
    )
    list_days: float | None = option(
        30.0,
        "days after which a list of ids that a request brought, such as candidates, is removed from the database if no later one had it: "
        "without it, the request's decision is left out of estimates; null: never",
        ge=LEAST_DAYS,
    )


@dataclass
class SessionsConfig:
    """What is remembered of visits, in memory."""

    capacity: int = option(100_000, "the number of sessions; the one that was idle longest is forgotten first", ge=1)
    megabytes: int = option(256, "memory of all sessions, about; the one that was idle longest is forgotten first", ge=1)
    minutes: float = option(120.0, "minutes without a request after which a session is forgotten", gt=0)


@dataclass
class BatchConfig:
    """Requests that wait are answered together."""

    size: int = option(64, "the largest number of requests that are answered at once", ge=1, le=4096)
    queue: int = option(512, "the number of requests that may wait; more are answered with 503", ge=1)
    explanations: int = option(8, "the number of explanations that may wait; more are answered with 503", ge=1)
    seconds: float = option(10.0, "how long a request may wait for its answer, in seconds; then it is answered with 503", gt=0)


@dataclass
class SearchConfig:
    """How the items of a slate are found in the catalogue."""

    kind: str = option(
        "exact",
        "exact: by the scores of all items; approximate: by an index, which needs faiss, and may miss some of the best items",
        choices=["exact", "approximate"],
    )
    probes: int | None = option(
        None,
        "approximate: lists of the index, of about the root of the number of items, that are searched; more find more of the best items; "
        "null: an eighth of them, and 16 at least",
        ge=1,
    )


@dataclass
class LimitsConfig:
    """What a request may ask for."""

    body: int = option(256_000, "the largest body of a request, in bytes", ge=1_000)
    k: int = option(100, "the largest number of items of an answer", ge=1)
    history: int = option(500, "the largest number of items of a history; of a session's, the last ones are kept", ge=1)
    ids: int = option(10_000, "the largest number of candidates, and of other lists of ids", ge=1)
    text: int = option(4_000, "the longest text, in characters", ge=1)
    items: int = option(1_000, "the largest number of items that one request adds", ge=1)
    requests: float = option(0.0, "requests per second of one client (an API key, or an address); 0: no limit", ge=0)
    connections: int = option(1_000, "the number of open connections; while there are more, requests are answered with 503", ge=1)
    seconds: float = option(15.0, "how long a client may take to send a request, and may read nothing of its answer, in seconds", gt=0)


@dataclass
class ServeConfig:
    """The settings of `recframe serve`."""

    host: str = option("127.0.0.1", "the address to listen at; 0.0.0.0: every address of the machine")
    port: int = option(8000, "the port; 0: a free one", ge=0, le=65_535)
    feedback: FeedbackConfig = field(default_factory=FeedbackConfig)
    exploration: ExplorationConfig = field(default_factory=ExplorationConfig)
    seed: int | None = option(None, "seed of the choices of exploration; null: another one in each process", ge=0, lt=2**63)
    sessions: SessionsConfig = field(default_factory=SessionsConfig)
    batch: BatchConfig = field(default_factory=BatchConfig)
    limits: LimitsConfig = field(default_factory=LimitsConfig)
    search: SearchConfig = field(default_factory=SearchConfig)
    api_key_variable: str | None = option(
        None, "environment variable that holds the API key, or several with commas between; null: requests need none", variable=True
    )
    admin_key_variable: str | None = option(
        None, "environment variable that holds the key for adding items; null: nobody can", variable=True
    )
    watch: bool = option(False, "take a new artefact that appears in the folder, without a restart")
    watch_seconds: float = option(1.0, "how often the folders are looked at, in seconds", gt=0)
    other: dict[str, str] = option({}, "other policies beside the main one, by names of your own (other.NAME=FOLDER)")
    share: dict[str, float] = option({}, "the share of the users whom each other policy answers (share.NAME=0.1)")
    origins: list[str] = option([], "web pages of these origins may call the server (CORS), such as https://shop.example; []: none")
    proxies: list[str] = option([], "addresses of proxies whose X-Forwarded-For is believed; []: none")
    access_log: bool = option(False, "print a line for each request")
    shutdown_seconds: int = option(30, "how long requests in flight may take after SIGTERM, in seconds", ge=1)

    def contradictions(self) -> Iterator[str]:
        """Shares are of policies that are there and leave something to the main one; the store's address can be read."""
        for name in self.share:
            if name not in self.other:
                yield f"share.{name}: there is no other.{name}; add other.{name}=FOLDER"
            if not 0 <= self.share[name] <= 1:
                yield f"share.{name}: {self.share[name]} is not allowed; it must be >= 0 and <= 1"
        if sum(self.share.values()) > 1:
            yield f"share: the shares add up to {sum(self.share.values()):g}; they may be 1 in all"
        for name in self.other:
            if name == MAIN or not name.isidentifier():
                yield f"other.{name}: cannot be the name of a policy; use another one, of letters, digits and _"
            if not Path(self.other[name]).expanduser().is_dir():
                yield f"other.{name}: {self.other[name]!r} does not exist (looked in {Path.cwd()})"
        if self.admin_key_variable is not None and self.admin_key_variable == self.api_key_variable:
            yield f"admin_key_variable: {self.admin_key_variable} holds the API key, which everybody has; use another variable"
        if self.seed is not None and self.exploration.kind == "none":
            yield "seed: nothing is chosen at random with exploration.kind=none; leave it out, or explore"
        if self.watch_seconds != ServeConfig.watch_seconds and not self.watch:
            yield "watch_seconds: the folders are not looked at with watch=false; leave it out, or set watch=true"
        if "*" in self.origins:
            yield "origins: '*' would let every web page call the server; list the origins"
        yield from _store_problems(self.feedback.url)


def _store_problems(url: str) -> Iterator[str]:
    try:
        from recframe.feedback.database import read_url
    except ModuleNotFoundError:
        # told where the server starts: without the library there is no server either
        return
    try:
        read_url(url)
    except StoreError as error:
        yield str(error)
