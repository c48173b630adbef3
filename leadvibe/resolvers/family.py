"""Configuration families (rules, rulesets, filters, levels): one implementation, several descriptions.

A family is described by its table, the fields that clients write, and checks of its own. Its inputs,
its operations and the types of both doors derive from that.
"""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Sequence, Set
from datetime import datetime
from types import NoneType, UnionType
from typing import Annotated, Any, Generic, TypeVar, Union, get_args, get_origin

from annotated_types import BaseMetadata, MinLen
from pydantic import AfterValidator, BaseModel, Field, create_model
from sqlmodel import col, select
from sqlmodel.ext.asyncio.session import AsyncSession

from leadvibe.errors import ApiError, FieldProblem, bad_request, not_found
from leadvibe.ids import new_id
from leadvibe.resolvers.caller import Caller, Permission
from leadvibe.resolvers.context import Context, operation
from leadvibe.store.columns import ConfigRow, now
from leadvibe.store.lanes import hold_lane
from leadvibe.times import Moment

Row = TypeVar("Row", bound=ConfigRow)

# Runs in the transaction, under the unit's lane lock, before the row is written (or removed). It
# raises ApiError, fills in what the client left out, and adjusts neighbours.
Check = Callable[[AsyncSession, Caller, Row], Awaitable[None]]

# Runs before anything else of an operation: raises 403 when a feature is off, 404 when the place is not there.
Gate = Callable[[AsyncSession, Caller, dict[str, Any]], Awaitable[None]]


def _without_nul(text: str) -> str:
    if "\0" in text:
        raise ValueError("must not contain the NUL character")
    return text


def _with_something_to_see(text: str) -> str:
    if not text.strip():
        raise ValueError("must not be blank")
    return text


# A text that PostgreSQL can store.
StoredText = Annotated[str, AfterValidator(_without_nul)]

_INPUT_TYPES: dict[Any, Any] = {str: StoredText, datetime: Moment}


class Family(Generic[Row]):
    """The operations `list`, `create`, `update` and `delete` on one kind of configuration row.

    `Input` is the body of a create, `Changes` of an update, where what is left out keeps its value.
    `optional` names fields that the table needs and `accept` fills in where a create leaves them out, or null. All
    operations take values of further columns by name: where the rows are found, and what a new one has.
    """

    def __init__(
        self,
        noun: str,
        row: type[Row],
        writable: Sequence[str],
        order: str,
        accept: Check[Row],
        release: Check[Row],
        optional: Sequence[str] = (),
        gate: Gate | None = None,
    ) -> None:
        self.noun, self.row, self.order, self._optional = noun, row, order, frozenset(optional)
        self._accept, self._release, self._gate = accept, release, gate
        self.Input = _input_model(row, writable, f"{row.__name__}Input", optional)
        self.Changes = _input_model(row, writable, f"{row.__name__}Changes", writable)
        self.list = operation(Permission.READ, f"list_{noun}s")(self._list)
        self.create = operation(Permission.WRITE, f"create_{noun}")(self._create)
        self.update = operation(Permission.WRITE, f"update_{noun}")(self._update)
        self.delete = operation(Permission.WRITE, f"delete_{noun}")(self._delete)

    async def _list(self, context: Context, /, **equals: Any) -> Sequence[Row]:
        """All rows of the unit whose columns have the given values."""
        query = select(self.row).where(self.row.unit_id == context.caller.unit_id)
        for name, value in equals.items():
            query = query.where(getattr(self.row, name) == value)
        async with context.services.database.session() as session:
            await self._enter(session, context.caller, equals)
            return (await session.exec(query.order_by(getattr(self.row, self.order), self._key))).all()

    async def _create(self, context: Context, values: BaseModel, /, **equals: Any) -> Row:
        caller = context.caller
        async with context.services.database.session() as session, session.begin():
            await hold_lane(session, caller.unit_id)
            await self._enter(session, caller, equals)
            row = self.row(
                **self._given(values, unset=self._optional) | equals | {self.row.key: new_id(self.row.id_prefix)},
                unit_id=caller.unit_id,
                org_id=caller.org_id,
                created_by=caller.actor,
                updated_by=caller.actor,
            )
            await self._accept(session, caller, row)
            session.add(row)
        return row

    async def _update(self, context: Context, row_id: str, values: BaseModel, /, **equals: Any) -> Row:
        caller = context.caller
        async with context.services.database.session() as session, session.begin():
            await hold_lane(session, caller.unit_id)
            await self._enter(session, caller, equals)
            row = await self.find(session, caller.unit_id, row_id, **equals)
            for name, value in self._given(values).items():
                setattr(row, name, value)
            with session.no_autoflush:
                await self._accept(session, caller, row)
            row.updated_at, row.updated_by = now(), caller.actor
        return row

    async def _delete(self, context: Context, row_id: str, /, **equals: Any) -> None:
        caller = context.caller
        async with context.services.database.session() as session, session.begin():
            await hold_lane(session, caller.unit_id)
            await self._enter(session, caller, equals)
            row = await self.find(session, caller.unit_id, row_id, **equals)
            await self._release(session, caller, row)
            await session.delete(row)

    async def _enter(self, session: AsyncSession, caller: Caller, equals: dict[str, Any]) -> None:
        if self._gate is not None:
            await self._gate(session, caller, equals)

    async def find(self, session: AsyncSession, unit_id: str, row_id: str, /, **equals: Any) -> Row:
        """The row, or 404."""
        query = select(self.row).where(self.row.unit_id == unit_id, self._key == row_id)
        for name, value in equals.items():
            query = query.where(getattr(self.row, name) == value)
        row = (await session.exec(query)).first()
        if row is None:
            raise not_found(f"The {self.noun.replace('_', ' ')} {row_id}")
        return row

    @property
    def _key(self) -> Any:
        return col(getattr(self.row, self.row.key))

    def _given(self, values: BaseModel, unset: Set[str] = frozenset()) -> dict[str, Any]:
        """The fields the client sent; null only where the column takes it. A null of `unset` was not sent."""
        sent = {name: getattr(values, name) for name in values.model_fields_set}
        given = {name: value for name, value in sent.items() if value is not None or name not in unset}
        columns = self.row.__table__.columns  # type: ignore[attr-defined]
        nulls = [name for name, value in given.items() if value is None and not columns[name].nullable]
        if nulls:
            problems = [FieldProblem(name, "must not be null") for name in nulls]
            raise ApiError(400, "invalid_request", "A field that must have a value is null.", problems)
        return given


def inside(parent: Family[Any], column: str, gate: Gate | None = None) -> Gate:
    """The gate of a family whose rows belong to a row of another: 404 when that is named and not there."""

    async def enter(session: AsyncSession, caller: Caller, equals: dict[str, Any]) -> None:
        if gate is not None:
            await gate(session, caller, equals)
        if column in equals:
            await parent.find(session, caller.unit_id, equals[column])

    return enter


async def nothing_to_check(session: AsyncSession, caller: Caller, row: ConfigRow) -> None:
    """The check of a family that has no rules of its own."""


def check_period(row: Any) -> None:
    """400 unless `start_at` ≤ `end_at`, where both are set."""
    if row.start_at and row.end_at and row.start_at > row.end_at:
        raise bad_request("The period ends before it starts.", end_at="must not be before start_at")


def _input_model(row: type[ConfigRow], names: Sequence[str], title: str, optional: Sequence[str]) -> type[BaseModel]:
    """A pydantic model of the table's fields, with their constraints and descriptions."""
    fields: dict[str, Any] = {}
    for name in names:
        field = row.model_fields[name]
        kind, nullable = _input_type(field.annotation)
        limits: list[Any] = [entry for entry in field.metadata if isinstance(entry, BaseMetadata)]
        if field.annotation is str and any(isinstance(entry, MinLen) for entry in limits):
            limits.append(AfterValidator(_with_something_to_see))
        if limits:
            kind = Annotated[(kind, *limits)]
        if name in optional or nullable:
            kind, default = kind | None, None
        else:
            default = ... if field.is_required() else field.default
        fields[name] = (kind, Field(default, description=field.description))
    model: type[BaseModel] = create_model(title, **fields)
    return model


def _input_type(annotation: Any) -> tuple[Any, bool]:
    """What a client sends for a column of this type, and whether it may be null."""
    parts = get_args(annotation) if get_origin(annotation) in (Union, UnionType) else (annotation,)
    kind = next(part for part in parts if part is not NoneType)
    if get_origin(kind) is list:
        (item,) = get_args(kind)
        return list[_INPUT_TYPES.get(item, item)], NoneType in parts  # type: ignore[misc]
    return (kind if get_origin(kind) else _INPUT_TYPES.get(kind, kind)), NoneType in parts
