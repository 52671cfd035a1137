"""docs/settings.md, made from the fields of `streams.settings.Settings`.

`make contracts` writes it; `tests/contract/test_settings_document.py` fails when it is stale.
"""

import sys
from collections.abc import Mapping
from dataclasses import fields
from pathlib import Path
from typing import Any

from streams.settings import Settings

DOCUMENT = Path("docs/settings.md")

_HEAD = """\
# Settings

Every setting is an environment variable, read once at the start. Options of a command (`careline COMMAND --help`) win
over them; a value that cannot be understood ends the program with exit status 2 and names the variable. Secrets are
never logged. Made from `streams/settings.py` by `make contracts`.

| variable | meaning | default |
|---|---|---|
"""


def settings_document() -> str:
    """The document as it should be."""
    rows = [
        f"| `{setting.metadata['variable']}` | {_cell(_meaning(setting.metadata))} | {_default(setting.default)} |"
        for setting in fields(Settings)
    ]
    return _HEAD + "\n".join(rows) + "\n"


def _meaning(metadata: Mapping[str, Any]) -> str:
    meaning: str = metadata["meaning"]
    return f"{meaning} *(secret)*" if metadata["secret"] else meaning


def _default(value: object) -> str:
    return "none" if value is None else "empty" if value == "" else f"`{_cell(str(value))}`"


def _cell(text: str) -> str:
    return text.replace("|", "\\|").replace("<", "&lt;")


def write(root: Path) -> bool:
    """Write the document below `root`; returns whether it changed."""
    target = root / DOCUMENT
    if target.exists() and target.read_text(encoding="utf-8") == settings_document():
        return False
    target.write_text(settings_document(), encoding="utf-8")
    return True


if __name__ == "__main__":
    if write(Path.cwd()):
        sys.stdout.write(f"{DOCUMENT}\n")
