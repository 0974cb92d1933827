from __future__ import annotations

import pytest

from anonderm.core.errors import ConfigError
from anonderm.core.launch import refuse_several_processes


def test_one_process_may_run_a_stage(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    refuse_several_processes("report")
    monkeypatch.setenv("WORLD_SIZE", "1")
    refuse_several_processes("report")


def test_several_processes_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("WORLD_SIZE", "4")
    with pytest.raises(ConfigError, match=r"4 processes[\s\S]*report[\s\S]*without torchrun"):
        refuse_several_processes("report")
