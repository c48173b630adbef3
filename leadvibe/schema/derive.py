"""GraphQL types that derive from the tables, and inputs from the bodies that derive from them.

Names, nullability, defaults and descriptions come from the one description in `store/*tables.py`. What
is added is what Python's types do not say: which texts are ids, and which whole numbers are too large
for GraphQL's Int. Constraints are not repeated here: the body checks them, behind either door.
"""

from __future__ import annotations

import inspect
from collections.abc import Callable, Iterator
from datetime import datetime
from enum import Enum
from functools import cache, partial
from types import NoneType, new_class
from typing import Annotated, Any, TypeVar, get_args, get_origin

import strawberry
from annotated_types import Le, Lt
from pydantic import AwareDatetime, BaseModel, ValidationError
from pydantic.fields import FieldInfo
from sqlalchemy import BigInteger
from sqlmodel import SQLModel
from strawberry.tools import create_type
from strawberry.types import get_object_definition, has_object_definition
from strawberry.types.field import StrawberryField

from leadvibe.errors import invalid_fields
from leadvibe.schema.node import Node
from leadvibe.schema.scalars import BigInt
from leadvibe.schema.words import enum_in

Body = TypeVar("Body", bound=BaseModel)

_LARGEST_INT = 2**31 - 1


def object_type(row: type[SQLModel], *more: StrawberryField) -> Any:
    """The GraphQL type of a table's rows, named like its class, with `more` fields. Resolvers answer with the
    rows."""
    columns = row.__table__.columns  # type: ignore[attr-defined]
    fields = []
    for name, info in row.model_fields.items():
        kind = _graphql_type(name, info, large=isinstance(columns[name].type, BigInteger))
        fields.append(_field(name, kind, info))
    own = {each.python_name: each for each in (*fields, *more)}
    # As create_type does, which knows no interfaces.
    names = own | {"__annotations__": {name: each.type for name, each in own.items()}}
    kind = new_class(row.__name__, (Node,), {}, lambda namespace: namespace.update(names))
    return strawberry.type(kind, description=inspect.getdoc(row))


@cache
def answer_type(model: type[BaseModel]) -> Any:
    """The GraphQL type of an answer that is no table's row, named like its class."""
    fields = [_field(name, _graphql_type(name, info, large=False), info) for name, info in model.model_fields.items()]
    return create_type(model.__name__, fields, description=inspect.getdoc(model))


@cache
def input_type(body: type[BaseModel], description: str) -> Any:
    """The GraphQL input of a request body; `body_of` makes the body of it."""
    return create_type(body.__name__, _input_fields(body), is_input=True, description=description)


@cache
def _part_type(model: type[BaseModel]) -> Any:
    """The GraphQL input of a model inside a body."""
    return create_type(f"{model.__name__}Input", _input_fields(model), is_input=True, description=inspect.getdoc(model))


def _input_fields(body: type[BaseModel]) -> list[StrawberryField]:
    fields = []
    for name, info in body.model_fields.items():
        kind = _graphql_type(name, info, large=_largest(info) > _LARGEST_INT, nested=_part_type)
        fields.append(_field(name, kind, info, **_default(info)))
    return fields


def _default(info: FieldInfo) -> dict[str, Any]:
    if info.is_required():
        return {}
    if isinstance(info.default, list):
        return {"default_factory": partial(list, info.default)}
    if info.default is None:
        return {"default": strawberry.UNSET}
    enum = enum_in(info.annotation)
    return {"default": info.get_default() if enum is None else enum(info.default)}


def body_of(body: type[Body], given: Any) -> Body:
    """The body with the fields that the client sent; 400 with details when it breaks a constraint."""
    try:
        return body.model_validate(_sent(given))
    except ValidationError as error:
        raise invalid_fields(error.errors(include_input=False)) from None


def _sent(given: Any) -> Any:
    """What the client sent in an input, with the inputs inside it."""
    if isinstance(given, Enum):
        return given.value
    if isinstance(given, list):
        return [_sent(each) for each in given]
    if isinstance(given, dict):
        return {name: _sent(value) for name, value in given.items()}
    if not has_object_definition(given):
        return given
    values = (
        (each.python_name, getattr(given, each.python_name))
        for each in get_object_definition(given, strict=True).fields
    )
    return {name: _sent(value) for name, value in values if value is not strawberry.UNSET}


def _field(name: str, kind: Any, info: FieldInfo, **default: Any) -> StrawberryField:
    field: StrawberryField = strawberry.field(graphql_type=kind, description=info.description, **default)
    field.python_name = name
    return field


def _graphql_type(
    name: str, info: FieldInfo, large: bool, nested: Callable[[type[BaseModel]], Any] = answer_type
) -> Any:
    parts = list(_parts(info.annotation))
    kind: Any = next(part for part in parts if part is not NoneType)
    if isinstance(kind, str):  # one of some words
        kind = enum_in(info.annotation) or str
    elif kind is str and (name.endswith("_id") or name == "id"):
        kind = strawberry.ID
    elif kind is int and large:
        kind = BigInt
    elif kind is AwareDatetime:
        kind = datetime
    elif isinstance(kind, type) and issubclass(kind, BaseModel) and not issubclass(kind, SQLModel):
        kind = nested(kind)
    if _is_list(info.annotation):
        kind = list[kind]
    return kind | None if NoneType in parts else kind


def _is_list(annotation: Any) -> bool:
    return get_origin(annotation) is list or any(_is_list(part) for part in get_args(annotation))


def _largest(info: FieldInfo) -> float:
    """The upper bound among the constraints of a field."""
    bounds = [part for part in (*_parts(info.annotation), *info.metadata) if isinstance(part, Le | Lt)]
    return max((float(str(b.le)) if isinstance(b, Le) else float(str(b.lt)) - 1 for b in bounds), default=0)


def _parts(annotation: Any) -> Iterator[Any]:
    """The plain types and constraints that an annotation is composed of."""
    if get_origin(annotation) in (Annotated, None) and not get_args(annotation):
        yield annotation
    for part in get_args(annotation):
        yield from _parts(part)
