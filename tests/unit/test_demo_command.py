"""What `careline demo` says of a folder that it cannot use, before it starts anything."""

from pathlib import Path

import pytest
import typer
from typer.testing import CliRunner

from streams.cli.demo_command import demo
from streams.sinks.clickhouse_connection import ClickHouseUnavailableError, open_clickhouse, read_target

app = typer.Typer()
app.command()(demo)


@pytest.mark.parametrize(
    ("within", "cause"), [("file/data", "Not a directory"), ("file", "File exists")], ids=["below a file", "a file"]
)
def test_a_folder_that_cannot_be_made_is_told_with_the_way_out(tmp_path: Path, within: str, cause: str) -> None:
    (tmp_path / "file").touch()
    result = CliRunner().invoke(app, ["--data", str(tmp_path / within)])
    assert result.exit_code == 2
    assert result.stderr == (
        f"careline demo: its data cannot be kept in {tmp_path / within}: {cause}; "
        "name another folder, or leave --data out\n"
    )


def test_a_folder_of_clickhouse_that_cannot_be_made_is_told_with_the_way_out(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(ClickHouseUnavailableError, match=r"cannot be made: Not a directory; .* CARELINE_CLICKHOUSE"):
        open_clickhouse(read_target(f"chdb://{tmp_path}/file/data"))
