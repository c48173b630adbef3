"""docs/operations.md names what there is, and its commands work as they stand."""

from __future__ import annotations

import json
import os
import re
import subprocess
import sys
from collections.abc import Iterator
from pathlib import Path

import pytest
from prometheus_client import REGISTRY

import leadvibe.metrics  # noqa: F401  (registers the families)
from tests.serve_process import Serve, environment, remove_cluster, serving

ROOT = Path(__file__).parent.parent.parent
TEXT = (ROOT / "docs" / "operations.md").read_text()
BLOCKS = re.findall(r"^```sh\n(.*?)^```$", TEXT, re.DOTALL | re.MULTILINE)


def test_the_table_has_exactly_the_metrics() -> None:
    named = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    families = {
        family.name + ("_total" if family.type == "counter" else "")
        for family in REGISTRY.collect()
        if not family.name.startswith(("python_", "process_"))
    }
    assert named == families


def test_every_metric_that_the_text_names_is_in_the_table() -> None:
    table = set(re.findall(r"^\| `(\w+)` \|", TEXT, re.MULTILINE))
    used = {name.removesuffix("_bucket") for name in re.findall(r"\bleadvibe_[a-z_]+\b", TEXT)}
    assert used <= table


def test_every_alert_on_a_quantile_can_fire() -> None:
    """A quantile is never told to be above the last bound of its histogram."""
    bounds = {
        family.name: [float(sample.labels["le"]) for sample in family.samples if "le" in sample.labels]
        for family in REGISTRY.collect()
    }
    alerts = re.findall(r"^\| `(\w+)` \| histogram.*\| p99 above ([\d.]+) \|", TEXT, re.MULTILINE)
    assert len(alerts) > 3
    assert all(float(above) < sorted(bounds[name])[-2] for name, above in alerts)


@pytest.fixture
def serve(tmp_path: Path) -> Iterator[Serve]:
    with serving(tmp_path / "data") as running:
        yield running
    for name in ("data", "data/another"):
        remove_cluster(tmp_path / name)


def test_the_commands_work_as_they_stand(serve: Serve) -> None:
    (doctor,) = [block for block in BLOCKS if "doctor" in block]
    (backup,) = [block for block in BLOCKS if "backup" in block]
    folder = Path(sys.executable).parent
    path = {"PATH": os.pathsep.join([str(folder), os.environ["PATH"]])}
    for line in (doctor + backup).splitlines():
        done = subprocess.run(
            ["bash", "-c", line],
            env=environment(serve.data_dir, **path),
            cwd=serve.data_dir,
            capture_output=True,
            text=True,
            timeout=120,
            check=False,
        )
        assert done.returncode == 0, (line, done.stdout, done.stderr)
        if "--json" in line:
            assert {each["status"] for each in json.loads(done.stdout)} <= {"ok", "warn"}
    assert (serve.data_dir / "leadvibe.backup").exists() and (serve.data_dir / "another").is_dir()
