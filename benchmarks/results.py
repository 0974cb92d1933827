"""Writing one benchmark's numbers with what a reader must know to compare them."""

from __future__ import annotations

import json
import subprocess
from datetime import UTC, datetime
from pathlib import Path
from typing import Any

from anonderm.core import launch

RESULTS = Path(__file__).parent / "results"


def write(name: str, numbers: dict[str, Any]) -> None:
    """Print the numbers and keep them in results/NAME.json."""
    content = {
        "date": datetime.now(UTC).date().isoformat(),
        "commit": _commit(),
        "machine": launch.machine(),
        "versions": launch.versions(),
        **numbers,
    }
    text = json.dumps(content, indent=2)
    print(text)
    RESULTS.mkdir(exist_ok=True)
    (RESULTS / f"{name}.json").write_text(text + "\n", encoding="utf-8")


def _commit() -> str:
    command = ["git", "describe", "--always", "--dirty", "--abbrev=12"]
    return subprocess.run(command, capture_output=True, text=True, check=True).stdout.strip()
