"""An audit's Scores as the stage leaves them, with made-up numbers, about a given set."""

from __future__ import annotations

from typing import Any

from anonderm.core.faceset import FaceSet
from anonderm.core.records import Scores
from anonderm.core.results.base import Score

FAILED = "singling out by dlib at FMR 0.1%: excess 0.3 is above the limit 0.05"


def arm(value: float, people: int = 40) -> dict[str, Any]:
    return {
        "value": value,
        "low": max(0.0, value - 0.1),
        "high": min(1.0, value + 0.1),
        "people": people,
        "successes": value * people,
    }


def attack(name: str, matcher: str, level: str, main: float, control: float) -> dict[str, Any]:
    excess = main - control
    return {
        "name": name,
        "matcher": matcher,
        "level": level,
        "main": arm(main),
        "control": arm(control),
        "baseline": 0.01,
        "excess": {"value": excess, "low": excess - 0.1, "high": excess + 0.1, "sure": excess - 0.15},
        "note": "",
    }


def matcher(name: str, blind: str | None) -> dict[str, Any]:
    pairs = {"genuine": 120, "genuine_people": 40, "impostor": 4000, "impostor_people": 80}
    curve = [[at / 10, (at / 10) ** 3, (1 - at / 10) ** 3] for at in range(11)]
    told = {"genuine_source": "photos", "failed_to_enrol": 0, "curve": curve, "false_alarms": None}
    return {"matcher": name, "eer": 0.02 if blind is None else 0.48, "uninformative": blind, **pairs, **told}


def audited(faces: FaceSet, passed: bool = True) -> Scores:
    """Passed, or failed by one rule of two."""
    main = 0.05 if passed else 0.35
    rules = [
        {
            "rule": "singling out by dlib at FMR 0.1%",
            "limit": 0.05,
            "value": main - 0.05,
            "low": -0.05,
            "high": main + 0.05,
            "passed": passed,
            "why": "nobody is found more often than people who were never there",
        },
        {
            "rule": "plants found by any",
            "limit": 0.9,
            "value": 0.98,
            "passed": True,
            "why": "it must see",
        },
    ]
    membership = attack("membership", "encoder", "AUC", 0.52, 0.5)
    membership["main"]["successes"] = None
    membership |= {"control": None, "baseline": 0.5}
    details = {
        "synthetic": faces.digest,
        "verdicts": {
            "images": {"passed": passed, "reasons": [] if passed else [FAILED], "rules": rules},
            "weights": "not_tried",
        },
        "attacks": [
            attack("singling_out", "dlib", "FMR 0.1%", main, 0.05),
            attack("singling_out", "copy", "FMR 1%", 0.0, 0.0),
            attack("linkability", "dlib", "k 1", 0.05, 0.05),
            attack("inference", "dlib", "class", 0.4, 0.4),
            membership,
        ],
        "matchers": [matcher("dlib", None), matcher("encoder", "EER 48% on these photos")],
        "left_out": [{"score": "linkability[arcface]", "reason": "no weights of arcface were given"}],
    }
    scores = {
        "singling_out[dlib]/excess": Score(main - 0.05, -0.05, main + 0.05, 40, False),
        "plants_found[dlib]/flip": Score(1.0, 0.9, 1.0, 40, True),
        "plants_found[copy]/flip": Score(0.975, 0.87, 1.0, 40, True),
        "plants_found[dlib]/other photo": Score(0.93, 0.8, 0.98, 40, True),
    }
    return Scores(scores, details)
