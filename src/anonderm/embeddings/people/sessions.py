"""Whether two photos were taken in one session: time and camera in EXIF, and runs of file names."""

import posixpath
import re
from collections import defaultdict
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from anonderm.core.decode import exif_texts

_ORIGINAL, _SUBSECOND, _SERIAL = 0x9003, 0x9291, 0xA431
_MINUTE, _SITTING = 60.0, 600.0  # seconds
_NUMBERED = re.compile(r"(.*?)(\d{2,9})(\D*)")

# The probability that a pair with this evidence shows one person, where no known people tell.
DEFAULTS: Mapping[str, float] = {"minute": 0.9, "sitting": 0.6, "name": 0.3}
_WEIGHT = 4  # known pairs that weigh as much as a default


@dataclass(frozen=True)
class Session:
    """When and with what a photo was taken, and the number in its name, as far as its file says so."""

    taken: datetime | None = None
    camera: str | None = None
    run: tuple[str, int] | None = None


def session_of(name: str, data: bytes) -> Session:
    """name: the photo's path in the source; data: its file."""
    texts = exif_texts(data, (_ORIGINAL, _SUBSECOND, _SERIAL))
    return Session(_time(texts.get(_ORIGINAL), texts.get(_SUBSECOND)), texts.get(_SERIAL) or None, _run(name))


def _time(text: str | None, fraction: str | None) -> datetime | None:
    try:
        taken = datetime.strptime((text or "").strip(), "%Y:%m:%d %H:%M:%S")
    except ValueError:
        return None
    digits = (fraction or "").strip()
    return taken.replace(microsecond=int(digits[:6].ljust(6, "0"))) if digits.isdecimal() else taken


def _run(name: str) -> tuple[str, int] | None:
    """IMG_0012.jpg: the folder with IMG_ and what follows the number, and the number."""
    match = _NUMBERED.fullmatch(posixpath.splitext(posixpath.basename(name))[0])
    place = posixpath.dirname(name)
    return (f"{place}/{match[1]}|{match[3]}", int(match[2])) if match else None


def near_in_time(sessions: Sequence[Session]) -> Iterator[tuple[int, int, str]]:
    """Pairs of photos, and `minute` or `sitting`: taken by one camera within so long."""
    by_camera: dict[str | None, list[tuple[datetime, int]]] = defaultdict(list)
    for row, session in enumerate(sessions):
        if session.taken:
            by_camera[session.camera].append((session.taken, row))
    for taken in by_camera.values():
        taken.sort()
        for first, (start, one) in enumerate(taken):
            for end, two in taken[first + 1 :]:
                apart = (end - start).total_seconds()
                if apart > _SITTING:
                    break
                yield one, two, "minute" if apart <= _MINUTE else "sitting"


def next_by_name(sessions: Sequence[Session]) -> Iterator[tuple[int, int, str]]:
    """Pairs of photos whose names differ by one in a number."""
    rows = {session.run: row for row, session in enumerate(sessions) if session.run}
    for (stem, number), row in rows.items():
        if (other := rows.get((stem, number + 1))) is not None:
            yield row, other, "name"


def calibrated(pairs: Sequence[tuple[int, int, str]], known: Sequence[str | None]) -> dict[str, float]:
    """The probability that pairs with each kind of evidence show one person, by those of known people.

    A default counts like four known pairs.
    """
    same: dict[str, list[bool]] = defaultdict(list)
    for one, two, kind in pairs:
        if known[one] and known[two]:
            same[kind].append(known[one] == known[two])
    return {
        kind: (sum(same[kind]) + _WEIGHT * usual) / (len(same[kind]) + _WEIGHT)
        for kind, usual in DEFAULTS.items()
    }
