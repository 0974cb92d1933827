"""Pairs of photos about which a reviewer decided: the same person, or two.

photo_a,photo_b,same           CSV with a header, or JSON lines with these keys
IMG_1.jpg,IMG_7.jpg,yes        photos as sources.csv names them; yes or no, also same or different
"""

from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from anonderm.core.errors import InputError, MissingPath

_SAME = {
    "yes": True,
    "same": True,
    "true": True,
    "1": True,
    "no": False,
    "different": False,
    "false": False,
    "0": False,
}
COLUMNS = ("photo_a", "photo_b", "same")


@dataclass(frozen=True)
class Reviewed:
    """Rows of photos: pairs that show one person, and pairs that show two."""

    same: tuple[tuple[int, int], ...] = ()
    different: tuple[tuple[int, int], ...] = ()


def reviewed(path: Path, rows: Sequence[tuple[int, dict[str, str]]], names: Sequence[str]) -> Reviewed:
    """`rows`: line numbers and values of the table in `path`; `names`: the photos.

    Pairs of photos that are not there are passed over, as ingest may have left them out. Raises InputError
    for a bad row, and where decisions contradict each other.
    """
    places = {name: row for row, name in enumerate(names)}
    same: dict[tuple[int, int], int] = {}
    different: dict[tuple[int, int], int] = {}
    for line, values in rows:
        texts = [str(values.get(column) or "").strip() for column in COLUMNS]
        verdict = _SAME.get(texts[2].lower())
        if not all(texts) or verdict is None or texts[0] == texts[1]:
            raise InputError(
                f"{path}:{line}: not a decision about two photos: {', '.join(texts)[:80]!r}.",
                f"Its columns are {', '.join(COLUMNS)}; `same` is yes or no.",
            )
        one, two = (places.get(_spelt(name, places)) for name in texts[:2])
        if one is not None and two is not None:
            (same if verdict else different)[min(one, two), max(one, two)] = line
    _refuse_contradictions(path, same, different, names)
    return Reviewed(tuple(same), tuple(different))


def no_such_file(path: Path) -> MissingPath:
    return MissingPath(f"{path}: no such file.", f"Give a CSV file with the columns {', '.join(COLUMNS)}.")


def _spelt(name: str, places: dict[str, int]) -> str:
    """The photo's name in the source; its base name will do if it is the only one."""
    if name in places:
        return name
    found = [each for each in places if PurePosixPath(each).name == PurePosixPath(name).name]
    return found[0] if len(found) == 1 else name


def _refuse_contradictions(
    path: Path, same: dict[tuple[int, int], int], different: dict[tuple[int, int], int], names: Sequence[str]
) -> None:
    from scipy.cluster.hierarchy import DisjointSet

    sets = DisjointSet({row for pair in same for row in pair} | {row for pair in different for row in pair})
    for one, two in same:
        sets.merge(one, two)
    for (one, two), line in different.items():
        if sets.connected(one, two):
            raise InputError(
                f"{path}:{line}: says that {names[one]} and {names[two]} show two people, but other lines "
                "say, directly or by way of other photos, that they show one.",
                "Correct one of these lines.",
            )
