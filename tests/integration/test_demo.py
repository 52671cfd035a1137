"""`careline demo` from outside: it ends by itself, its last line adds up, and nothing of it is left."""

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

TABLES = {"sla_events", "clocks", "adherence", "rollups", "health", "enrichments", "issues", "alerts", "rejected"}

pytestmark = pytest.mark.integration


def test_a_short_demo_adds_up_and_leaves_nothing_behind(project_root: Path, tmp_path: Path) -> None:
    pytest.importorskip("chdb", reason="needs the embedded ClickHouse: the extra `embedded`")
    environment = {**os.environ, "PYTHONPATH": str(project_root), "TMPDIR": str(tmp_path)}

    ended = subprocess.run(
        [sys.executable, "-m", "streams", "demo", "--seconds", "10", "--json"],
        cwd=project_root,
        env=environment,
        stdin=subprocess.DEVNULL,
        capture_output=True,
        text=True,
        timeout=120,
        check=False,
    )

    assert ended.returncode == 0, ended.stderr
    summary = json.loads(ended.stdout.splitlines()[-1])
    events = summary["events"]
    assert events["accepted"] == events["applied"] + events["duplicate"] + events["late"] + events["rejected"] > 500
    assert "the workers' books hold" not in ended.stderr, "an event was lost or doubled between the door and the books"
    assert summary["outcomes"]["met"] > 0
    assert summary["outcomes"]["breached"] > 0
    assert summary["accounts"] > 20
    assert summary["clickhouse_rows"].keys() == TABLES
    assert min(summary["clickhouse_rows"][table] for table in TABLES - {"issues", "alerts", "rejected"}) > 0
    lateness = summary["breach_lateness_seconds"]
    assert 0 <= lateness["p50"] <= lateness["p99"]
    assert summary["throughput_events_per_second"] > 0
    assert _mentions(str(tmp_path)) == []
    assert list(tmp_path.glob("careline-*")) == []


def _mentions(text: str) -> list[str]:
    """Command lines of running processes that name a folder; every part of a demo has its own below TMPDIR."""
    if sys.platform != "linux":
        return []
    found = []
    for entry in Path("/proc").glob("[0-9]*/cmdline"):
        try:
            command = entry.read_bytes().replace(b"\0", b" ").decode("utf-8", "replace")
        except OSError:  # it ended while we looked
            continue
        if text in command:
            found.append(command)
    return found
