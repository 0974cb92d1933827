from __future__ import annotations

from pathlib import Path

from anonderm.core.distributed_run import SilentRun
from anonderm.core.rundir import REMEMBERED


def test_a_rank_other_than_0_computes_without_writing(tmp_path: Path) -> None:
    run = SilentRun(tmp_path, "train-gan", None, {})
    assert run.remember("a", lambda: [1]) == [1]
    assert run.remember("a", lambda: [2]) == [2]
    run.log("nothing")
    run.metrics(1.0, loss=0.5)
    run.finish([])
    assert not (tmp_path / REMEMBERED).exists()
    assert list(tmp_path.iterdir()) == []
