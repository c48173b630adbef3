"""Installs this source tree into the virtual environment that runs this script, as a link.

Does what an editable install does, without a build: no build tool has to be fetched that the locked
requirements do not name.
"""

from __future__ import annotations

import sys
import sysconfig
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
COMMAND = """#!{python}
from leadvibe.cli import main

main()
"""


def link() -> None:
    """Makes the packages importable and the `leadvibe` command runnable."""
    (Path(sysconfig.get_path("purelib")) / "leadvibe.pth").write_text(f"{ROOT}\n")
    command = Path(sysconfig.get_path("scripts")) / "leadvibe"
    command.write_text(COMMAND.format(python=sys.executable))
    command.chmod(0o755)


if __name__ == "__main__":
    link()
