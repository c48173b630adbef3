"""`make bench`: every figure beside its reference, measured in the same run on the same machine."""

from __future__ import annotations

import argparse
import asyncio
import signal
import sys

import uvloop

from benchmarks import accepts, graphql, growth, latency, rescoring, scoring, watchers
from benchmarks.report import Figure, note
from benchmarks.server import bench_server

MEASURES = {
    "accepts": accepts.measure,
    "graphql": graphql.measure,
    "scoring": scoring.measure,
    "latency": latency.measure,
    "memory": scoring.measure_memory,
    "rescoring": rescoring.measure,
    "watchers": watchers.measure,
    "growth": growth.measure,
}


async def _run(names: list[str], full: bool) -> list[Figure]:
    task = asyncio.current_task()
    assert task is not None
    # What was started is ended in any case.
    asyncio.get_running_loop().add_signal_handler(signal.SIGTERM, task.cancel)
    figures: list[Figure] = []
    for name in names:
        note(f"{name} ...")
        async with bench_server() as bench:
            if name == "growth" and full:
                figures += await growth.measure(bench, growth.FULL_SIZES)
            else:
                figures += await MEASURES[name](bench)
    return figures


def main() -> None:
    parser = argparse.ArgumentParser(
        prog="python -m benchmarks", description=__doc__, epilog="Example: python -m benchmarks accepts scoring"
    )
    parser.add_argument("name", nargs="*", choices=[*MEASURES, []], help="what to measure; default: everything")
    parser.add_argument("--full", action="store_true", help="growth up to a million leads (needs 10 GB and minutes)")
    given = parser.parse_args()
    try:
        figures = uvloop.run(_run(given.name or list(MEASURES), given.full))
    except asyncio.CancelledError:
        sys.exit("stopped")
    for figure in figures:
        print(figure)


if __name__ == "__main__":
    main()
