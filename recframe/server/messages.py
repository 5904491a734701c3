"""What requests and answers look like. From these the server's OpenAPI description is made."""

from __future__ import annotations

from typing import Annotated, Any

from pydantic import AfterValidator, BaseModel, ConfigDict, Field

LONGEST_NAME = 200
"""Ids, names and keys are no longer, in characters. Texts have a limit of their own (limits.text)."""


def _storable(text: str) -> str:
    if "\0" in text or any("\ud800" <= letter <= "\udfff" for letter in text):
        raise ValueError("has characters that no text has (NUL, or half of a pair)")
    return text


Text = Annotated[str, AfterValidator(_storable)]
Name = Annotated[str, Field(min_length=1, max_length=LONGEST_NAME), AfterValidator(_storable)]
Number = Annotated[int, Field(ge=-(2**63), lt=2**63)]
ItemId = Name | Number
Value = Annotated[float, Field(ge=-1e30, le=1e30)]
Signals = Annotated[dict[Name, Value], Field(max_length=50)]
HistoryEntry = ItemId | tuple[ItemId, Signals]


class _Message(BaseModel):
    model_config = ConfigDict(extra="forbid", allow_inf_nan=False)


class RecommendRequest(_Message):
    """A question. All of it is optional: an empty one gets what the policy shows to somebody of whom it knows nothing."""

    session: Name | None = Field(None, description="The visit; one is begun where it is left out. Its history is kept by the server.")
    user: ItemId | None = Field(None, description="Who asks. A policy that reads users uses it if it knows the user.")
    history: list[HistoryEntry] | None = Field(
        None, description="In place of the session's: ids, oldest first, or ids with signals as in ['17', {'rating': 4}]."
    )
    profile: Text | None = Field(None, description="Words about the person, for a policy that reads them; kept for the session.")
    say: Text | None = Field(None, description="What the person says now, for a policy that reads it; kept for the session.")
    k: Annotated[int, Field(ge=1, le=2**31)] | None = Field(None, description="The number of items; 10 where it is left out.")
    candidates: list[ItemId] | None = Field(None, description="Only these may be shown.")
    exclude: list[ItemId] | None = Field(None, description="These may not; where it is left out, as the policy's run did.")
    must_include: list[ItemId] = Field([], description="These are shown in any case.")
    at_most: Annotated[dict[Name, Annotated[int, Field(ge=1, lt=2**31)]], Field(max_length=20)] = Field(
        {}, description="By column of the items: at most so many items of any one of its values."
    )
    why: bool = Field(False, description="Say of each item in a sentence why it is shown.")
    policy: Name | None = Field(None, description="The policy that decides; where it is left out, by the shares.")


class ExplainRequest(RecommendRequest):
    """A question, and the item of which to say why the policy would show it, or why it was shown."""

    item: ItemId
    recommendation: Name | None = Field(
        None, description="The answer that showed the item: what is told of its place is then what was stored of it."
    )


class RecommendedItem(BaseModel):
    """One item of a slate."""

    id: str
    title: str
    score: float | None
    propensity: float | None
    position: int
    attributes: dict[str, Any]
    why: str | None = None


class RecommendAnswer(BaseModel):
    """A slate, best first. recommendation: its name, for feedback; null: it is not recorded, and takes none."""

    recommendation: str | None
    session: str
    policy: str
    version: str
    explored: bool
    items: list[RecommendedItem]


class FeedbackRequest(_Message):
    """What a person did with an item of a recommendation."""

    recommendation: Name
    item: ItemId
    signals: Annotated[Signals, Field(min_length=1)] = Field(description="A value for each signal, as in {'click': 1}.")
    key: Name | None = Field(
        None,
        description="Feedback with the same key counts once; or as the header Idempotency-Key. Without one, equal feedback counts once.",
    )


class HistoryItem(BaseModel):
    """An item of a session's history."""

    id: str
    title: str
    signals: dict[str, float]


class FeedbackAnswer(BaseModel):
    """stored: it is on disk.   duplicate: it was before."""

    stored: bool
    duplicate: bool
    session: str
    history: list[HistoryItem]


class SessionAnswer(BaseModel):
    """What the server remembers of a visit."""

    session: str
    history: list[HistoryItem]
    profile: str | None
    say: str | None


class ForgottenAnswer(BaseModel):
    """forgotten: whether there was such a session."""

    forgotten: bool


class CatalogueItem(BaseModel):
    """An item of the main policy's catalogue."""

    id: str
    title: str
    attributes: dict[str, Any]


class ItemsAnswer(BaseModel):
    """Items whose titles have all of the words. total: their number, of which a page is listed."""

    items: list[CatalogueItem]
    total: int


class NewItem(BaseModel):
    """An item that is added by its text. Other fields are its attributes."""

    model_config = ConfigDict(extra="allow", allow_inf_nan=False)
    id: ItemId
    text: Text
    title: Text | None = None


class AddItemsRequest(_Message):
    """Items that are added to the policies."""

    items: Annotated[list[NewItem], Field(min_length=1)]


class AddItemsAnswer(BaseModel):
    """added: the number of items that were not there.   policies: those that rank them.   refused: by policy, why it cannot."""

    added: int
    policies: list[str]
    refused: dict[str, str]


class PolicyDescription(BaseModel):
    """A policy that is served."""

    name: str
    version: str
    agent: str
    share: float
    items: int
    signals: list[str]
    reads_users: bool
    reads_profiles: bool
    reads_context: bool
    columns: list[str]
    exploration: dict[str, Any]


class PoliciesAnswer(BaseModel):
    """The policies that are served, the main one first."""

    policies: list[PolicyDescription]


class HealthAnswer(BaseModel):
    """status: ok; or degraded: the store does not answer, so that nothing can be recorded."""

    status: str
    store: bool
    policies: dict[str, str]
    sessions: int


class LiveNumbers(BaseModel):
    """Numbers since the server was started; the times are those of the last answers of /recommend."""

    requests: int
    recommendations: int
    feedback: int
    p50_ms: float | None
    p99_ms: float | None
    clicks_per_recommendation: dict[str, float | None]
    sessions: int
    waiting: int


class ErrorAnswer(BaseModel):
    """What was wrong, in one line."""

    error: str
