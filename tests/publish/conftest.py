"""The run folders that most of these tests read."""

from __future__ import annotations

import pytest
from made_up_line import make_line

from anonderm.core.rundir import RunRecord


@pytest.fixture(scope="session")
def line(tmp_path_factory: pytest.TempPathFactory) -> tuple[RunRecord, ...]:
    return make_line(tmp_path_factory.mktemp("line"))
