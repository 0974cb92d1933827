from __future__ import annotations

import socket
from pathlib import Path

from anonderm.gan.ticks import EventFile


def test_a_resumed_run_shows_each_step_once_and_no_machine_name(tmp_path: Path) -> None:
    from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

    first = EventFile(tmp_path, 0)
    for step in (100, 200, 300):  # killed after the snapshot of step 200
        first.add(step, {"loss": step / 100, "p": 0.0})
    first.close()
    second = EventFile(tmp_path, 200)
    second.add(300, {"loss": 30.0})
    second.close()
    events = EventAccumulator(str(tmp_path)).Reload()
    assert [(e.step, e.value) for e in events.Scalars("loss")] == [(100, 1.0), (200, 2.0), (300, 30.0)]
    assert not [path for path in tmp_path.iterdir() if socket.gethostname() in path.name]
