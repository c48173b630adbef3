"""Values as cells of CSV exports."""

from __future__ import annotations

import re
from datetime import UTC, datetime

# What makes a spreadsheet take a cell for a formula: https://owasp.org/www-community/attacks/CSV_Injection
# The last four are what some of them take for the first.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r", "\n", "\uff1d", "\uff0b", "\uff0d", "\uff20")
_QUOTED = re.compile(r'[",\r\n]')


def cell(value: str) -> str:
    """The value as a CSV cell, which a spreadsheet must never take for a formula."""
    if value.startswith(_FORMULA_STARTS):
        value = "'" + value
    return '"' + value.replace('"', '""') + '"' if _QUOTED.search(value) else value


def time_cell(moment: datetime) -> str:
    return moment.astimezone(UTC).isoformat().replace("+00:00", "Z")
