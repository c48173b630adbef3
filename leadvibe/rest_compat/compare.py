"""What changed between two OpenAPI documents, as far as clients of the older one are concerned.

Requests may ask for less and accept more; answers may have more and promise more. Everything else breaks.
"""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any, NamedTuple

Schema = dict[str, Any]

# Bounds of a value: name, and whether a larger one lets more through.
_BOUNDS = {
    "maximum": True, "exclusiveMaximum": True, "maxLength": True, "maxItems": True,
    "minimum": False, "exclusiveMinimum": False, "minLength": False, "minItems": False,
}  # fmt: skip
_METHODS = {"get", "put", "post", "delete", "options", "head", "patch", "trace"}
_DEEPEST = 12


class _Pair(NamedTuple):
    """A schema of each document; `read` by the server, in a request, or written by it."""

    old: Schema
    new: Schema
    read: bool


def breaking_changes(old: Schema, new: Schema) -> list[str]:
    """What of the new document breaks clients of the old one: a sentence each. ValueError if that is no OpenAPI
    document."""
    if not isinstance(old, dict) or not isinstance(old.get("paths"), dict):
        raise ValueError("The older file is no OpenAPI document: it has no paths.")
    return list(dict.fromkeys(_Comparison(old, new).changes()))


class _Comparison:
    def __init__(self, old: Schema, new: Schema) -> None:
        self._old, self._new = old, new

    def changes(self) -> Iterator[str]:
        for path, item in self._old["paths"].items():
            for method, operation in ((name, item[name]) for name in item if name in _METHODS):
                where = f"{method.upper()} {path}"
                if method not in self._new["paths"].get(path, {}):
                    yield f"{where} was removed."
                else:
                    yield from self._operation(where, operation, self._new["paths"][path][method])

    def _operation(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        before, after = _schemes(old), _schemes(new)
        if after and not before:
            yield f"{where}: credentials became required."
        elif after:
            yield from (f"{where}: {scheme} credentials are no longer accepted." for scheme in sorted(before - after))
        yield from self._parameters(where, old, new)
        yield from self._request(where, old.get("requestBody", {}), new.get("requestBody", {}))
        yield from self._answers(where, old["responses"], new["responses"])

    def _parameters(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        before = {(each["in"], each["name"]): each for each in old.get("parameters", ())}
        after = {(each["in"], each["name"]): each for each in new.get("parameters", ())}
        for place, name in before.keys() - after.keys():
            yield f"{where}: the {place} parameter {name} was removed."
        for (place, name), parameter in after.items():
            known = before.get((place, name))
            if parameter.get("required") and not (known or {}).get("required"):
                yield f"{where}: the {place} parameter {name} became required."
            if known is not None:
                pair = _Pair(known["schema"], parameter["schema"], read=True)
                yield from self._schema(f"{where}: the parameter {name}", pair)

    def _request(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        if new.get("required") and not old.get("required"):
            yield f"{where}: a body became required."
        for media, content in old.get("content", {}).items():
            if media not in new.get("content", {}):
                yield f"{where}: a body of {media} is no longer accepted."
            else:
                pair = _Pair(content["schema"], new["content"][media]["schema"], read=True)
                yield from self._schema(f"{where}: the body", pair)

    def _answers(self, where: str, old: Schema, new: Schema) -> Iterator[str]:
        for status in (each for each in old if each < "4"):
            if status not in new:
                yield f"{where}: it no longer answers {status}."
                continue
            before, after = _resolved(old[status], self._old), _resolved(new[status], self._new)
            for media, content in before.get("content", {}).items():
                if media not in after.get("content", {}):
                    yield f"{where}: the answer {status} is no longer {media}."
                else:
                    pair = _Pair(content["schema"], after["content"][media]["schema"], read=False)
                    yield from self._schema(f"{where}: the answer {status}", pair)

    def _schema(self, where: str, pair: _Pair, depth: int = 0) -> Iterator[str]:
        old, new, read = _resolved(pair.old, self._old), _resolved(pair.new, self._new), pair.read
        if depth > _DEEPEST:
            return
        wide, narrow = (old, new) if read else (new, old)
        if lost := _types(old) - _types(new) if read else _types(new) - _types(old):
            yield f"{where} {'is no longer' if read else 'can now be'} {' or '.join(sorted(lost))}."
        elif len(_alternatives(wide)) > len(_alternatives(narrow)):
            yield f"{where} has {'fewer' if read else 'more'} alternatives."
        if values := _values(wide, narrow):
            yield f"{where} {'no longer accepts' if read else 'can now be'} {', '.join(values)}."
        if read:
            yield from _narrowed(where, old, new)
        for each in zip(_alternatives(old), _alternatives(new), strict=False):
            yield from self._parts(where, _Pair(*each, read), depth)

    def _parts(self, where: str, pair: _Pair, depth: int) -> Iterator[str]:
        old, new = _resolved(pair.old, self._old), _resolved(pair.new, self._new)
        before, after = old.get("properties", {}), new.get("properties", {})
        required = set(new.get("required", ())), set(old.get("required", ()))
        for name in sorted(required[0] - required[1]) if pair.read else ():
            yield f"{where}: the field {name} became required."
        for name in () if pair.read else sorted(required[1] - required[0]):
            if name in after:
                yield f"{where}: the field {name} is no longer always there."
        for name, schema in before.items():
            if name not in after:
                yield f"{where}: the field {name} was removed."
            else:
                yield from self._schema(f"{where}: the field {name}", _Pair(schema, after[name], pair.read), depth + 1)
        for name, noun in (("items", "an item"), ("additionalProperties", "a value")):
            if isinstance(old.get(name), dict) and isinstance(new.get(name), dict):
                yield from self._schema(f"{where}: {noun}", _Pair(old[name], new[name], pair.read), depth + 1)


def _schemes(operation: Schema) -> set[str]:
    return {scheme for choice in operation.get("security", ()) for scheme in choice}


def _resolved(value: Schema, document: Schema) -> Schema:
    while "$ref" in value:
        found = document
        for part in value["$ref"].removeprefix("#/").split("/"):
            found = found[part]
        value = found
    return value


def _alternatives(schema: Schema) -> list[Schema]:
    """The schemas of which a value that is not null fits one."""
    return [each for each in schema.get("anyOf", ()) if each.get("type") != "null"] or [schema]


def _main(schema: Schema) -> Schema:
    """The schema without null; of several, the first."""
    return _alternatives(schema)[0]


def _types(schema: Schema) -> set[str]:
    """The JSON types that a schema names; what has none, like a $ref, is taken for an object."""
    if "anyOf" in schema:
        return set().union(*(_types(each) for each in schema["anyOf"]))
    kind = schema.get("type", "object")
    return set(kind) if isinstance(kind, list) else {kind}


def _values(wide: Schema, narrow: Schema) -> list[str]:
    """The enumerated values of `wide` that `narrow` does not have."""
    allowed = _main(narrow).get("enum")
    if allowed is None:
        return []
    return [str(value) for value in _main(wide).get("enum", ("just any value",)) if value not in allowed]


def _narrowed(where: str, old: Schema, new: Schema) -> Iterator[str]:
    old, new = _main(old), _main(new)
    for name, larger_is_wider in _BOUNDS.items():
        if name not in new or old.get(name) == new[name]:
            continue
        if name not in old or (new[name] < old[name]) == larger_is_wider:
            yield f"{where} has a narrower {name}: {new[name]}."
    if "pattern" in new and old.get("pattern") != new["pattern"]:
        yield f"{where} has another pattern."
