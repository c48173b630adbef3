"""The short way of plain selections beside graphql-core's own: the same data and the same errors, always."""

from __future__ import annotations

import asyncio
from datetime import UTC, datetime, timedelta, timezone
from typing import Any

import strawberry
from graphql import parse
from graphql.execution import ExecutionResult
from graphql.execution import experimental_execute_incrementally as execute
from hypothesis import given, settings
from hypothesis import strategies as st
from strawberry.schema.schema import StrawberryGraphQLCoreExecutionContext

from leadvibe.schema.executor import PlannedDocument, ProjectingExecutor
from leadvibe.schema.scalars import CONFIG, BigInt


@strawberry.interface
class Named:
    name: str


@strawberry.type
class Place(Named):
    since: datetime | None


@strawberry.type
class Person:
    id: strawberry.ID
    name: str | None
    age: int | None
    score: BigInt
    seen: datetime
    data: dict[str, Any]
    tags: list[str | None]
    home: Place | None
    friends: list[Person | None] | None
    best: Person | None
    known: Named | None

    @strawberry.field
    async def greeting(self, loud: bool = False) -> str:
        await asyncio.sleep(0)
        if not isinstance(self.name, str):
            raise ValueError("nobody to greet")
        return self.name.upper() if loud else self.name

    @strawberry.field
    def twice(self) -> int:
        return 2 * self.age  # type: ignore[operator]


@strawberry.type
class Query:
    @strawberry.field
    def people(self, info: strawberry.Info) -> list[Person]:
        return list(info.context)

    @strawberry.field
    async def first(self, info: strawberry.Info) -> Person | None:
        return info.context[0] if info.context else None


SCHEMA = strawberry.Schema(Query, types=[Place], config=CONFIG)

# What resolvers answer is mostly right, and sometimes not: absent, of another type, or an exception.
_WRONG = st.sampled_from([None, None, None, 7, 2**40, "seven", 1.5, True, ValueError("no value"), [], {}])
_TIMES = st.sampled_from(
    [datetime(2026, 3, 1, tzinfo=UTC), datetime(2026, 3, 1, 1, 2, 3, 4, tzinfo=timezone(timedelta(hours=5)))]
)


def _mostly(right: st.SearchStrategy[Any]) -> st.SearchStrategy[Any]:
    return st.integers(0, 9).flatmap(lambda n: _WRONG if n == 0 else right)


_PLACES = st.builds(Place, name=_mostly(st.text(max_size=3)), since=_mostly(st.none() | _TIMES))


def _people(friends: st.SearchStrategy[Any]) -> st.SearchStrategy[Person]:
    return st.builds(
        Person,
        id=_mostly(st.text(max_size=3)),
        name=_mostly(st.none() | st.text(max_size=3)),
        age=_mostly(st.none() | st.integers(0, 99)),
        score=_mostly(st.integers(-(2**60), 2**60)),
        seen=_mostly(_TIMES),
        data=_mostly(st.dictionaries(st.text(max_size=2), st.integers(), max_size=2)),
        tags=_mostly(st.lists(st.none() | st.text(max_size=2), max_size=3)),
        home=st.none() | _PLACES,
        known=st.none() | _PLACES,
        friends=_mostly(st.none() | st.lists(st.none() | friends, max_size=3)),
        best=st.none() | friends,
    )


_ALL = st.lists(_people(_people(st.nothing() | st.none())), max_size=4)

_DIRECTIVES = st.sampled_from(["", "", "", "", " @include(if: $yes)", " @skip(if: $yes)", " @include(if: $no)"])
_FIELDS = ("id", "name", "age", "score", "seen", "data", "tags", "__typename", "greeting", "twice", "called: name")
_NESTED = (
    "home { name since }",
    "home { __typename }",
    "known { name }",
    "known { ... on Place { since } __typename }",
)
_LEAVES = st.sampled_from([*_FIELDS, *_NESTED, "g: greeting(loud: $yes)", "...Basics", "... on Person { age }"])


def _selections(below: st.SearchStrategy[str]) -> st.SearchStrategy[str]:
    deeper = st.tuples(st.sampled_from(["friends", "best", "b: best"]), _DIRECTIVES, below)
    part = st.tuples(_LEAVES, _DIRECTIVES).map(_with_directive) | deeper.map("".join)
    return st.lists(part, min_size=1, max_size=6).map(lambda parts: " { " + " ".join(parts) + " }")


def _with_directive(part: tuple[str, str]) -> str:
    field, directive = part
    head, brace, rest = field.partition("{")
    return f"{head}{directive} {brace}{rest}"


_FRAGMENT = "fragment Basics on Person { id age }"
_SELECTIONS = _selections(_selections(st.just(" { id name }")))


async def _execute(document: Any, people: list[Any], executor: Any) -> ExecutionResult:
    found: Any = execute(
        SCHEMA._schema,
        document,
        context_value=people,
        variable_values={"yes": True, "no": False},
        executor_class=executor,
    )
    return found if isinstance(found, ExecutionResult) else await found


def _told(result: ExecutionResult) -> Any:
    errors = [(error.message, error.path, [n.name.value for n in error.nodes or ()]) for error in result.errors or ()]
    return str(result.data), sorted(errors, key=str)


@settings(max_examples=60)
@given(people=_ALL, on_all=_SELECTIONS, on_first=_SELECTIONS)
def test_the_answer_is_always_the_one_of_graphql_core(people: list[Any], on_all: str, on_first: str) -> None:
    query = f"query ($yes: Boolean!, $no: Boolean!) {{ people{on_all} first{on_first} }} {_FRAGMENT}"
    document = PlannedDocument.of(parse(query))

    async def both() -> tuple[Any, Any, Any]:
        slow = await _execute(document, people, StrawberryGraphQLCoreExecutionContext)
        fast = await _execute(document, people, ProjectingExecutor)
        again = await _execute(document, people, ProjectingExecutor)
        return _told(slow), _told(fast), _told(again)

    slow, fast, again = asyncio.run(both())
    assert fast == slow
    assert again == slow


async def test_plans_are_made_once_for_a_document() -> None:
    document = PlannedDocument.of(parse("{ people { id name home { since } } }"))
    absent = dict.fromkeys(["age", "home", "known", "friends", "best"])
    seen = datetime.now(UTC)
    people = [Person(id="1", name="Ada", score=BigInt(1), seen=seen, data={}, tags=[], **absent)]  # type: ignore[arg-type]
    first = await _execute(document, people, ProjectingExecutor)
    made = dict(document.plans.plans)
    second = await _execute(document, people, ProjectingExecutor)
    assert first.data == second.data == {"people": [{"id": "1", "name": "Ada", "home": None}]}
    assert made and document.plans.plans == made


async def test_absent_values_of_coerced_fields_are_not_unusual() -> None:
    absent = dict.fromkeys(["name", "age", "home", "known", "friends", "best"])
    person = Person(id="1", score=BigInt(1), seen=datetime.now(UTC), data={}, tags=[], **absent)  # type: ignore[arg-type]
    document = PlannedDocument.of(parse("{ people { age name } }"))
    await _execute(document, [person], ProjectingExecutor)
    (plan,) = document.plans.plans.values()
    assert plan.rows([person]) == [{"age": None, "name": None}]
