"""What a reviewer sees of a grouping: the log, people.jsonl, and the rows of people.png."""

from collections import Counter
from collections.abc import Iterator, Sequence
from typing import Any

import numpy as np
from numpy.typing import NDArray

from anonderm.core.rundir import RunDir
from anonderm.embeddings.people.evidence import ALIKE, Evidence
from anonderm.embeddings.people.sheet import Shown, nearest
from anonderm.embeddings.people.threshold import Threshold

_LISTED = 500  # pairs in people.jsonl that were not joined


def pair_rows(
    names: Sequence[str],
    evidence: Sequence[Evidence],
    person_N: NDArray[np.int64],
    linked: Sequence[Evidence],
) -> list[dict[str, Any]]:
    """The rows of people.jsonl: the pairs with evidence besides the face, the most probable first."""
    joined = {(each.one, each.two) for each in linked}
    ranked = sorted(evidence, key=lambda each: (-each.probability, each.one, each.two))
    kept = [each for each in ranked if (each.one, each.two) in joined]
    kept += [each for each in ranked if (each.one, each.two) not in joined][:_LISTED]
    return [
        {
            "photo_a": names[each.one],
            "photo_b": names[each.two],
            "together": bool(person_N[each.one] == person_N[each.two] >= 0),
            "probability": round(each.probability, 4),
            **{
                kind: round(value, 4)
                for kind in ("face", "scene", "time", "name")
                if (value := getattr(each, kind)) is not None
            },
        }
        for each in kept
    ]


def sheet_rows(
    evidence: Sequence[Evidence],
    linked: Sequence[Evidence],
    person_N: NDArray[np.int64],
    rows_ND: NDArray[np.float32],
    chosen: Threshold,
) -> Iterator[Shown]:
    """The rows of people.png below the histogram."""
    below, above = nearest(rows_ND, chosen.value)
    yield Shown("nearest below the threshold", _captioned(below, person_N))
    yield Shown("nearest above the threshold", _captioned(above, person_N))
    weakest = sorted(linked, key=lambda each: each.without_face)
    yield Shown(
        "joined by scene, time or file name; the least certain first",
        tuple((_reasons(each), each.one, each.two) for each in weakest),
    )
    open_pairs = [
        each for each in evidence if person_N[each.one] != person_N[each.two] and each.probability > ALIKE
    ]
    yield Shown(
        "alike in scene or time, but not joined; the most probable first",
        tuple(
            (_reasons(each), each.one, each.two) for each in sorted(open_pairs, key=lambda e: -e.probability)
        ),
    )


def _captioned(
    pairs: Sequence[tuple[float, int, int]], person_N: NDArray[np.int64]
) -> tuple[tuple[str, int, int], ...]:
    return tuple(
        (f"{distance:.3f} {'=' if person_N[one] == person_N[two] else '!='}", one, two)
        for distance, one, two in pairs
    )


def _reasons(each: Evidence) -> str:
    kinds = {"scene": each.scene, "time": each.time, "name": each.name}
    return " ".join(f"{kind} {value:.2f}" for kind, value in kinds.items() if value is not None)


def log(
    matcher: str,
    detectors: Sequence[str | None],
    chosen: Threshold | None,
    person_N: NDArray[np.int64],
    linked: Sequence[Evidence],
    run: RunDir,
) -> None:
    by = Counter(name for name in detectors if name)
    if by:
        run.log("faces found by " + ", ".join(f"{name}: {count}" for name, count in sorted(by.items())))
    if missing := sum(name is None for name in detectors):
        alone = int((person_N < 0).sum())
        run.log(f"no face was found on {missing} photos; of {alone} of them nothing tells who is shown")
    if chosen:
        people = len(set(person_N[person_N >= 0].tolist()))
        run.log(
            f"{people} people, by {matcher} with a distance threshold of {chosen.value:.3f} ({chosen.how}) "
            f"and {len(linked)} pairs joined by scene, time or name; check people.png"
        )
        if chosen.expected_false is not None and chosen.expected_false >= 1:
            run.log(f"about {chosen.expected_false:.0f} impostor pairs are expected below the threshold")
