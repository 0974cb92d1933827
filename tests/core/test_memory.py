from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from anonderm.core.rundir import REMEMBERED, Memory


def test_a_resumed_run_does_not_repeat_remembered_work(tmp_path: Path) -> None:
    done: list[str] = []

    def work(name: str) -> dict[str, object]:
        done.append(name)
        return {"name": name, "rows": np.arange(6, dtype=np.float32).reshape(2, 3), "pair": (1, None)}

    first = Memory(tmp_path)
    made = first.remember("a", lambda: work("a"))
    again = Memory(tmp_path).remember("a", lambda: work("a"))
    assert done == ["a"]
    assert again["pair"] == made["pair"] == [1, None]
    np.testing.assert_array_equal(again["rows"], np.arange(6).reshape(2, 3))
    assert again["rows"].dtype == made["rows"].dtype == np.float32
    assert "a" in Memory(tmp_path)
    assert "b" not in first


def test_work_whose_line_was_truncated_is_repeated(tmp_path: Path) -> None:
    Memory(tmp_path).remember("a", lambda: 1)
    with (tmp_path / REMEMBERED).open("a") as file:
        file.write(json.dumps({"key": "b", "value": 2})[:-4])
    memory = Memory(tmp_path)
    assert memory.remember("a", lambda: 5) == 1
    assert memory.remember("b", lambda: 6) == 6
    assert Memory(tmp_path).remember("b", lambda: 7) == 6


def test_a_value_that_json_cannot_represent_is_refused(tmp_path: Path) -> None:
    with pytest.raises(TypeError, match="cannot be remembered"):
        Memory(tmp_path).remember("a", lambda: object())
    assert not (tmp_path / REMEMBERED).exists()


def test_forgetting_removes_the_file(tmp_path: Path) -> None:
    memory = Memory(tmp_path)
    memory.remember("a", lambda: 1)
    memory.forget()
    assert not (tmp_path / REMEMBERED).exists()
