"""`python -m leadvibe` is the same as `leadvibe`."""

from leadvibe.cli import main

main()
