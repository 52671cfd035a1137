"""`careline work` on files that are wrong: it says so at once, whether Kafka is there or not."""

import subprocess
import sys
from pathlib import Path

WRONG = "version: v1\nnonsense: 1\n"


def test_what_is_wrong_with_the_files_is_told_before_kafka_is_waited_for(tmp_path: Path) -> None:
    options = []
    for option in ("policies", "health", "issues"):
        (tmp_path / f"{option}.yaml").write_text(WRONG, encoding="utf-8")
        options += [f"--{option}", str(tmp_path / f"{option}.yaml")]
    command = [sys.executable, "-m", "streams", "work", "--kafka", "127.0.0.1:1", "--metrics", "127.0.0.1:0", *options]

    ended = subprocess.run(command, capture_output=True, text=True, timeout=60, check=False)

    assert ended.returncode == 2, ended.stderr
    for option in ("policies", "health", "issues"):
        assert f"{option}.yaml:2:1: error: unknown key 'nonsense'" in ended.stderr
    assert "Traceback" not in ended.stderr
    assert "Trying again" not in ended.stderr
