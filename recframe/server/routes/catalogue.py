"""GET /items: search the catalogue; POST /items: add items by their texts."""

from __future__ import annotations

from typing import Annotated, Any

from fastapi import APIRouter, Query
from starlette.exceptions import HTTPException

from recframe.server.app_state import AdminOnly, ServiceOf
from recframe.server.config import MAIN
from recframe.server.errors import RESPONSES
from recframe.server.limits import require_at_most, require_short
from recframe.server.messages import AddItemsAnswer, AddItemsRequest, CatalogueItem, ItemsAnswer
from recframe.server.served import ServedPolicy

router = APIRouter(responses=RESPONSES)
MOST_LISTED = 1_000


# not async: a search of a large catalogue takes a while, and is done in a thread
@router.get("/items")
def find_items(
    service: ServiceOf,
    query: Annotated[str, Query(max_length=500)] = "",
    limit: Annotated[int, Query(ge=1, le=MOST_LISTED)] = 20,
    offset: Annotated[int, Query(ge=0, lt=2**31)] = 0,
) -> ItemsAnswer:
    """The items whose titles have all of the words, in the catalogue's order."""
    served = service.policies[MAIN]
    rows, total = served.search(query, limit, offset)
    return ItemsAnswer(items=_items(served, [served.ids[row] for row in rows]), total=total)


@router.get("/items/{item:path}")
def one_item(item: str, service: ServiceOf) -> CatalogueItem:
    """One item."""
    for served in service.policies:
        if item in served.rows:
            return _items(served, [item])[0]
    raise HTTPException(404, "there is no item with this id")


@router.post("/items", dependencies=[AdminOnly])
def add_new_items(asked: AddItemsRequest, service: ServiceOf) -> AddItemsAnswer:
    """Add items by their texts alone: policies that score by vectors rank them at once. Needs the admin key."""
    limits = service.config.limits
    require_at_most(limits.items, "items", asked.items, "limits.items")
    for place, item in enumerate(asked.items):
        require_short(limits, f"items.{place}.text", item.text)
    entries: list[dict[str, Any]] = [{**item.model_dump(exclude_none=True), "id": str(item.id)} for item in asked.items]
    outcome = service.new_items.add(entries)
    return AddItemsAnswer(added=len(outcome.ids), policies=outcome.taken, refused=outcome.refused)


def _items(served: ServedPolicy, ids: list[str]) -> list[CatalogueItem]:
    attributes = served.attributes_of(ids)
    return [CatalogueItem(id=item, title=served.title_of(item), attributes=values) for item, values in zip(ids, attributes, strict=True)]
