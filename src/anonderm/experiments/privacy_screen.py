"""The audit of the faces before and after the privacy screening, as runs inside the run of `screen`.

The second audit is of chosen faces, and has to be read with care. That none of them matches anybody in
training, by a matcher and threshold that did the choosing, is so by construction and no finding; nothing was
put aside for people kept out, so the excess over them comes out negative. What can be learned is what the
filter did not look at: other matchers, looser thresholds. And a filter leaves a trace of its own: around
people in training faces are missing, and who knows of the filter can tell by the gap who was in training.
"""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from anonderm.core.faceset import FaceSet
from anonderm.core.files import write_json
from anonderm.core.records import Scores
from anonderm.core.rundir import RunDir
from anonderm.curate.config import ScreenConfig
from anonderm.curate.privacy import KEPT_OUT, SEED, TRAINING, Watch

BEFORE, AFTER = "audit-before", "audit"
"""Run folders of the two audits, inside the run folder of `screen`."""

CHOSEN = (
    "The faces were chosen: those that {matchers} took for a person in training (false match rate {fmr:g}) "
    "were put aside. That they find nobody at that rate is so by construction, and their other attacks find "
    "less than they would; an excess below 0 is no protection but the trace of the filter."
)

Attack = Mapping[str, Any]  # an entry of details["attacks"] of the audit


def tell(
    config: ScreenConfig, given: FaceSet, kept: FaceSet, real: FaceSet, found: Watch, run: RunDir
) -> None:
    """Audit the faces given and those kept, say what changed, and write privacy.json.

    Without people kept out of training there is no audit, which is said. Raises what the audit raises.
    """
    content: dict[str, Any] = {
        "fmr": config.fmr,
        "matchers": [each.as_json() for each in found.sightings],
        "left_out": [{"matcher": name, "reason": why} for name, why in found.missing],
        "put_aside": len(found.reasons),
        "chosen": _chosen(config, found),
        "audits": None,
    }
    people = {split: real.where(split=split).people for split in (TRAINING, KEPT_OUT)}
    if min(people.values()) < 2:
        run.log(
            f"not audited: {people[TRAINING]} people in training and {people[KEPT_OUT]} kept out of it; "
            "an audit compares two of each at least"
        )
    else:
        before = _audit(config, BEFORE, given, real, run)
        after = _audit(config, AFTER, kept, real, run, _chosen(config, found))
        rows = compare(before, after, found.seeing, config.fmr)
        content["audits"] = {
            "folders": [BEFORE, AFTER],
            "verdicts": {BEFORE: _verdict(before), AFTER: _verdict(after)},
            "attacks": rows,
        }
        for line in lines(rows, found):
            run.log(line)
        run.log(f"images may be released, says the audit: before {_verdict(before)}, after {_verdict(after)}")
    write_json(run.folder / "privacy.json", content)


def _chosen(config: ScreenConfig, found: Watch) -> str | None:
    """The sentence on what the audit afterwards can't say; None where nobody saw anything."""
    return CHOSEN.format(matchers=", ".join(found.seeing), fmr=config.fmr) if found.seeing else None


def _audit(
    config: ScreenConfig, name: str, faces: FaceSet, real: FaceSet, run: RunDir, chosen: str | None = None
) -> Scores:
    """The scores of a run of `audit` in a folder of its own, done now unless it is done.

    `chosen` goes among what the audit leaves out, and so into the report and the papers of a release.
    """
    from anonderm.audit.config import AuditConfig
    from anonderm.audit.stage import audit

    usual = AuditConfig(seed=SEED)
    others = tuple(each for each in config.matchers if each not in usual.matchers)
    settings = AuditConfig(matchers=(*usual.matchers, *others), seed=SEED)
    folder = run.folder / name
    inputs = {"real": real.digest, "synthetic": faces.digest}
    with RunDir.open(folder, "audit", settings, inputs) as inner:
        if inner.finished is not None:
            inner.finished.verify()
            return Scores.load(folder / "scores.json")
        run.log(f"auditing {len(faces)} faces in {name}/")
        scores = audit(settings, real, faces, (), None, inner)
        if chosen:
            scores.details["left_out"].append({"score": "an unbiased look", "reason": chosen})
        scores.save(folder / "scores.json")
        inner.finish([folder / "scores.json"])
        return scores


def compare(before: Scores, after: Scores, seeing: tuple[str, ...], fmr: float) -> list[dict[str, Any]]:
    """A row an attack of a matcher that sees in both audits: training and control side, before and after.

    by_construction: a matcher that chose the faces, at a threshold not above the one it chose by.
    """
    blind = {
        each["matcher"]
        for scores in (before, after)
        for each in scores.details["matchers"]
        if each["uninformative"]
    }
    earlier = {_key(each): each for each in before.details["attacks"]}
    return [
        {
            "attack": each["name"],
            "matcher": each["matcher"],
            "level": each["level"],
            "by_construction": each["name"] == "singling_out"
            and each["matcher"] in seeing
            and _rate(each["level"]) <= fmr,
            "before": _sides(earlier[_key(each)]),
            "after": _sides(each),
        }
        for each in after.details["attacks"]
        if _key(each) in earlier and each["matcher"] not in blind
    ]


def lines(rows: list[dict[str, Any]], found: Watch) -> list[str]:
    """What to say of them: singling out by every matcher, and where the filter itself shows."""
    told = []
    for row in (row for row in rows if row["attack"] == "singling_out"):
        text = f"singled out by {row['matcher']} at {row['level']}: before {_said(row['before'])}"
        text += f"; after {_said(row['after'])}"
        chosen = " (none in training by construction: such faces were put aside)"
        told.append(text + (chosen if row["by_construction"] else ""))
    checked = {row["matcher"] for row in rows} - set(found.seeing)
    if found.seeing and not checked:
        told.append(
            "every matcher here that sees also chose the faces: none of them checks the filter from outside"
        )
    gaps = [row for row in rows if row["attack"] == "membership" and row["after"]["excess"][2] < 0]
    told += [
        f"a gap: {row['matcher']} can tell people in training by how far they are from the faces that are "
        f"left ({row['level']} {row['after']['excess'][0]:+.2f}); the filter gives them away a little"
        for row in gaps
    ]
    return told


def _key(attack: Attack) -> tuple[str, str, str]:
    return attack["name"], attack["matcher"], attack["level"]


def _rate(level: str) -> float:
    """Of "FMR 0.1%"."""
    return float(level.removeprefix("FMR ").rstrip("%")) / 100


def _sides(attack: Attack) -> dict[str, Any]:
    """Training and control arm: successes (None where it is no rate), value, people; excess and interval."""

    def side(arm: Attack | None) -> dict[str, Any] | None:
        return {name: arm[name] for name in ("successes", "value", "people")} if arm else None

    excess = attack["excess"]
    return {
        "training": side(attack["main"]),
        "control": side(attack["control"]),
        "excess": [excess["value"], excess["low"], excess["high"]],
    }


def _said(sides: Mapping[str, Any]) -> str:
    training, control = sides["training"], sides["control"]
    return (
        f"{training['value']:.1%} of {training['people']} people in training, "
        f"{control['value']:.1%} of {control['people']} kept out"
    )


def _verdict(scores: Scores) -> str:
    return "passed" if scores.details["verdicts"]["images"]["passed"] else "FAILED"
