"""How long the audit takes, and how much memory: 10,000 synthetic x 1,500 real faces of 64 px.

    python benchmarks/audit_speed.py [--synthetic 10000] [--people 1000] [--matchers copy encoder]

Synthetic faces are drawn by phantom-64, real ones are phantoms; --folder keeps both, with what the
matchers made of them, so that a second run says what an audit costs once everything is described. Looking
with dlib is timed on some of them alone: it is the same for each, and takes longer than all the rest.
"""

from __future__ import annotations

import argparse
import os
import resource
import sys
import tempfile
import time
from pathlib import Path

import results

from anonderm.audit.config import AuditConfig
from anonderm.core.faceset import FaceSet
from anonderm.core.rundir import RunDir
from anonderm.embeddings.matchers.registry import make_matcher
from anonderm.gan.config import GenerateConfig
from anonderm.ingest.config import PhantomConfig
from anonderm.stages import STAGES, run_stage


def main() -> None:
    parser = argparse.ArgumentParser(description=(__doc__ or "").splitlines()[0])
    parser.add_argument("--synthetic", type=int, default=10_000)
    parser.add_argument("--people", type=int, default=1000, help="with 1 or 2 photos each")
    parser.add_argument("--matchers", nargs="+", default=["copy", "encoder"])
    parser.add_argument("--dlib", type=int, default=300, help="faces that dlib is timed on")
    parser.add_argument("--folder", type=Path)
    given = parser.parse_args()
    folder = given.folder or Path(tempfile.mkdtemp(prefix="audit-speed-"))
    real, synthetic = folder / "real", folder / "synthetic"
    drawn = PhantomConfig(people=given.people, photos_min=1, photos_max=2, size=64)
    run_stage(STAGES["phantom"], drawn, {}, real)
    seeds = GenerateConfig(seeds=f"0-{given.synthetic - 1}", psi=1.0)
    run_stage(STAGES["generate"], seeds, {"checkpoints": ("phantom-64",)}, synthetic)
    started, cpu, load = time.monotonic(), _cpu_s(), os.getloadavg()[0]
    config = AuditConfig(matchers=tuple(given.matchers))
    out = folder / f"audit-{int(time.time())}"
    run_stage(STAGES["audit"], config, {"real": real, "synthetic": synthetic}, out)
    seconds, processor_seconds = time.monotonic() - started, _cpu_s() - cpu
    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss / (1e6 if sys.platform == "linux" else 1e9)
    each = _dlib_seconds(FaceSet.load(synthetic / "faces"), given.dlib, out.with_name(f"{out.name}-dlib"))
    # The synthetic faces as they are, the real ones mirrored too.
    looks = given.synthetic + 2 * len(FaceSet.load(real / "faces"))
    numbers = {
        "synthetic": given.synthetic,
        "real": len(FaceSet.load(real / "faces")),
        "matchers": given.matchers,
        "load_before": round(load, 1),
        "seconds": round(seconds),
        "processor_seconds": round(processor_seconds),
        "peak_memory_gb": round(peak, 1),
        "dlib_seconds_a_face": round(each, 3),
        "dlib_seconds_for_all": round(each * looks),
    }
    results.write("audit_speed", numbers)


def _dlib_seconds(faces: FaceSet, count: int, folder: Path) -> float:
    """Wall time a face, by as many processes as there are cores."""
    with RunDir.open(folder, "audit", AuditConfig(), {}) as run:
        started = time.monotonic()
        make_matcher("dlib").extract(FaceSet(faces.folder, faces.faces[:count]), run)
        return (time.monotonic() - started) / count


def _cpu_s() -> float:
    own, children = (resource.getrusage(who) for who in (resource.RUSAGE_SELF, resource.RUSAGE_CHILDREN))
    return own.ru_utime + own.ru_stime + children.ru_utime + children.ru_stime


if __name__ == "__main__":
    main()
