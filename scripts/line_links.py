"""Writes anew the lines to which the documents' links to code lead: [`Class.method`](../folder/module.py#L1)."""

from __future__ import annotations

import ast
import re
from pathlib import Path

ROOT = Path(__file__).parent.parent
DOCUMENTS = sorted((ROOT / "docs").glob("*.md"))
LINK = re.compile(r"\[`([\w.]+)`\]\(\.\./([\w/]+\.py)#L\d+\)")


def with_lines(text: str) -> str:
    """The text with the line of its definition in each link.

    Raises LookupError when a module has no such name, OSError when there is no such module.
    """
    return LINK.sub(lambda link: f"[`{link[1]}`](../{link[2]}#L{_line(link[2], link[1])})", text)


def _line(module: str, name: str) -> int:
    found: ast.AST = ast.parse((ROOT / module).read_text())
    for part in name.split("."):
        inside = {node.name: node for node in getattr(found, "body", ()) if hasattr(node, "name")}
        if part not in inside:
            raise LookupError(f"{module} has no {name}")
        found = inside[part]
    return found.lineno  # type: ignore[attr-defined,no-any-return]


if __name__ == "__main__":
    for document in DOCUMENTS:
        document.write_text(with_lines(document.read_text()))
