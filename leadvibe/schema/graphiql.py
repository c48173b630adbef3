"""GraphiQL, from the server's own files."""

from __future__ import annotations

from functools import cache
from importlib.resources import files
from importlib.util import find_spec
from pathlib import Path


@cache
def page() -> str:
    """The page that loads them."""
    return (files("leadvibe") / "static" / "graphiql.html").read_text()


def assets() -> Path:
    """GraphiQL's files in a package made for Django, which is found but never imported."""
    package = "graphene_django_graphiql_static"
    spec = find_spec(package)
    assert spec is not None and spec.origin is not None, f"{package} is a dependency"
    return Path(spec.origin).parent / "static" / package
