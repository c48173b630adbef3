"""Relay connections: https://relay.dev/graphql/connections.htm"""

from __future__ import annotations

from collections.abc import Sequence
from typing import Annotated, Any, Generic, TypeVar

import strawberry

from leadvibe.errors import bad_request
from leadvibe.schema.fields import field
from leadvibe.store.paging import Page

T = TypeVar("T")

# The reference's largest page.
MOST_NODES = 500

First = Annotated[int, strawberry.argument(description=f"How many to answer, 1 to {MOST_NODES}.")]
After = Annotated[str | None, strawberry.argument(description="Continue behind this cursor.")]


@strawberry.type(description="Where a page stands in its list.")
class PageInfo:
    has_next_page: bool = strawberry.field(description="Whether more follow behind `endCursor`.")
    has_previous_page: bool = strawberry.field(description="Whether the page began behind a cursor.")
    start_cursor: str | None = strawberry.field(description="Cursor of the first node.")
    end_cursor: str | None = strawberry.field(description="Cursor of the last node: pass it as `after`.")


@strawberry.type(description="A node and its place in the list.")
class Edge(Generic[T]):
    node: T = strawberry.field(description="The node.")
    cursor: str = strawberry.field(description="The node's place: the list continues behind it.")


@strawberry.type(description="A page of a list.")
class Connection(Generic[T]):
    cursors: strawberry.Private[Sequence[str]]
    has_next: strawberry.Private[bool]
    has_previous: strawberry.Private[bool]

    @field
    def edges(self) -> list[Edge[T]]:
        """The nodes with their cursors."""
        return [Edge(node=node, cursor=cursor) for node, cursor in zip(self.nodes, self.cursors, strict=True)]

    nodes: list[T] = strawberry.field(description="The nodes alone.")

    @field
    def page_info(self) -> PageInfo:
        """Where the page stands."""
        return PageInfo(
            has_next_page=self.has_next,
            has_previous_page=self.has_previous,
            start_cursor=self.cursors[0] if self.cursors else None,
            end_cursor=self.cursors[-1] if self.cursors else None,
        )

    total_count: int = strawberry.field(description="How many the list has, over all pages.")


def checked(first: int) -> int:
    """400 unless the page has a size the server answers."""
    if not 1 <= first <= MOST_NODES:
        raise bad_request(f"A page has 1 to {MOST_NODES} nodes.", first=f"must be 1 to {MOST_NODES}")
    return first


def connection(page: Page[Any], nodes: list[T], after: str | None) -> Connection[T]:
    """The connection of a page whose rows have become `nodes`."""
    return Connection(
        cursors=page.cursors,
        has_next=page.has_next,
        has_previous=after is not None,
        nodes=nodes,
        total_count=page.total,
    )
