"""An audit's result with made-up numbers, about a given set."""

from __future__ import annotations

import dataclasses

from anonderm.core.faceset import FaceSet
from anonderm.core.results.audit import (
    ANY,
    Arm,
    Attack,
    AuditResult,
    CanaryRecall,
    Excess,
    Limits,
    MatcherCalibration,
    Side,
    Verdict,
)
from anonderm.core.results.base import LeftOut, Score
from anonderm.core.results.verdict import COPIES, verdicts

FAILED = "singling_out[dlib]/FMR 0.1%: significant: the attack succeeds more on members"


def arm(value: float, people: int = 40) -> Arm:
    return Arm(value, max(0.0, value - 0.1), min(1.0, value + 0.1), people, value * people)


def attack(name: str, matcher: str, level: str, main: float, control: float) -> Attack:
    value = main - control
    excess = Excess(value, value - 0.1, value + 0.1, value - 0.15)
    return Attack(name, matcher, level, arm(main), arm(control), 0.01, excess)


def area(name: str, matcher: str, value: float) -> Attack:
    excess = Excess(value - 0.5, value - 0.6, value - 0.4, value - 0.65)
    return Attack(name, matcher, "AUC", Arm(value, value - 0.1, value + 0.1, 40), None, 0.5, excess)


def calibration(matcher: str, uninformative: str | None) -> MatcherCalibration:
    curve = tuple((at / 10, (at / 10) ** 3, (1 - at / 10) ** 3) for at in range(11))
    eer = 0.02 if uninformative is None else 0.48
    return MatcherCalibration(
        matcher, 80, 0, 120, 40, "photos", 4000, 80, eer, (), uninformative, curve, (0.8, 0.1), None
    )


def canary(matcher: str, alteration: str, recall: float) -> CanaryRecall:
    return CanaryRecall(matcher, alteration, Score(recall, recall - 0.1, min(1.0, recall + 0.1), 40, True))


def audited(faces: FaceSet, passed: bool = True) -> AuditResult:
    """Passed, or failed by one rule."""
    main = 0.05 if passed else 0.35
    measured = AuditResult(
        synthetic=faces.digest,
        synthetic_faces=len(faces),
        members=Side(60, 80),
        non_members=Side(60, 80),
        unidentified=0,
        limits=Limits(),
        images=Verdict(()),
        weights=None,
        matchers=(calibration("dlib", None), calibration("encoder", "EER 48% on these photos")),
        canaries=(
            canary("dlib", "flip", 1.0),
            canary("dlib", "other_photo", 0.93),
            canary("copy", "flip", 0.975),
            *(canary(ANY, alteration, 1.0) for alteration in COPIES),
        ),
        attacks=(
            attack("singling_out", "dlib", "FMR 0.1%", main, 0.05),
            attack("singling_out", "copy", "FMR 1%", 0.0, 0.0),
            attack("linkability", "dlib", "5 nearest", 0.05, 0.05),
            attack("attribute_inference", "dlib", "class", 0.4, 0.4),
            area("membership", "encoder", 0.52),
        ),
        tones=(),
        repeats=(),
        left_out=(LeftOut("linkability[arcface]", "no weights of arcface were given"),),
    )
    images, weights = verdicts(measured)
    return dataclasses.replace(measured, images=images, weights=weights)
