"""How long the audit takes, and how much memory: 10,000 synthetic x 1,500 real faces of 64 px.

    python benchmarks/audit_speed.py [--synthetic 10000] [--people 1000] [--matchers copy encoder]

Synthetic faces are drawn by phantom-64, real ones are phantoms; --folder keeps both, with what the matchers
made of them, so that a second run says what an audit costs once everything is described. dlib is left out, as
it sees no face on phantoms: its speed is that of `benchmarks/people.py`.
"""

from __future__ import annotations

import argparse
import resource
import sys
import tempfile
import time
from pathlib import Path

from anonderm.audit.config import AuditConfig
from anonderm.gan.config import GenerateConfig
from anonderm.ingest.config import PhantomConfig
from anonderm.stages import STAGES, run_stage


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--synthetic", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=1000, help="with 1 or 2 photos each")
    parser.add_argument("--matchers", nargs="+", default=["copy", "encoder"])
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="audit-speed-"))
    real, synthetic = folder / "real", folder / "synthetic"
    drawn = PhantomConfig(people=given.people, photos_min=1, photos_max=2, size=64)
    run_stage(STAGES["phantom"], drawn, {}, real)
    seeds = GenerateConfig(seeds=f"0-{given.synthetic - 1}", psi=1.0)
    run_stage(STAGES["generate"], seeds, {"checkpoints": ("phantom-64",)}, synthetic)
    started, cpu = time.monotonic(), _cpu_s()
    config = AuditConfig(matchers=tuple(given.matchers))
    out = folder / f"audit-{int(time.time())}"
    run_stage(STAGES["audit"], config, {"real": real, "synthetic": synthetic}, out)
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "linux" else 1e9)
    print(
        f"{time.monotonic() - started:.0f} s, {_cpu_s() - cpu:.0f} s of processor time, {peak:.1f} GB at most"
    )


def _cpu_s() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
