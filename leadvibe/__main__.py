"""`python -m leadvibe` is the same as `leadvibe`, and how `serve` starts its parts."""

import gc

# What is imported stays: collections in between would find nothing, and take a fifth of the time.
gc.disable()
from leadvibe.cli import main  # noqa: E402

gc.enable()
main()
