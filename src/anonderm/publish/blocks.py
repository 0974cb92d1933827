"""The blocks that the sections of the report consist of; a template macro of the same name draws each."""

from __future__ import annotations

import base64
import dataclasses
import io
import math
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from PIL import Image

from anonderm.core.faceset import FaceSet
from anonderm.core.images import Pixels, read_image
from anonderm.core.results.base import LeftOut, Score
from anonderm.core.results.classifier import ConfusionMatrix
from anonderm.publish.charts import Chart, number

_QUALITY = 84


@dataclass(frozen=True)
class Picture:
    """An image inside the page; `source` is a data URI."""

    source: str
    alt: str


@dataclass(frozen=True)
class Text:
    """Paragraphs of text."""

    title: str
    paragraphs: tuple[str, ...]


@dataclass(frozen=True)
class Gallery:
    """Pictures side by side, on cards of one picture or several that belong together."""

    title: str
    cards: tuple[tuple[Picture, ...], ...]
    tone: str = ""
    captions: tuple[str, ...] = ()
    caption: str = ""


@dataclass(frozen=True)
class Sheet:
    """One large picture, as wide as the page."""

    title: str
    picture: Picture


@dataclass(frozen=True)
class Charts:
    """Charts side by side."""

    title: str
    charts: tuple[Chart, ...]


@dataclass(frozen=True)
class Table:
    """Rows of text; the first column is the row's heading, columns named in `numeric` are right-aligned."""

    title: str
    columns: tuple[str, ...]
    rows: tuple[tuple[str, ...], ...]
    numeric: frozenset[str] = frozenset()
    caption: str = ""
    folded: bool = False


@dataclass(frozen=True)
class Matrix:
    """A confusion matrix: a row for each true class, a column for each predicted one."""

    title: str
    confusion: ConfusionMatrix
    tone: str


@dataclass(frozen=True)
class Bar:
    """One horizontal bar: `share` is 0 to 1 of the full width; examples are shown below it."""

    name: str
    text: str
    share: float
    tone: str = ""
    examples: tuple[Picture, ...] = ()

    @staticmethod
    def of(name: str, count: int, total: int, tone: str, examples: tuple[Picture, ...] = ()) -> Bar:
        """A count, and its share of the total."""
        return Bar(name, f"{count:,} ({percent(count / total)})", count / total, tone, examples)


@dataclass(frozen=True)
class Bars:
    title: str
    bars: tuple[Bar, ...]
    caption: str = ""


@dataclass(frozen=True)
class Row:
    """Blocks side by side if the page is wide enough."""

    blocks: tuple[Block, ...]


Block = Text | Gallery | Sheet | Chart | Charts | Table | Matrix | Bars | Row


@dataclass(frozen=True)
class Section:
    """A block that is None is left out, and so is a section of the report that has no block."""

    id: str
    title: str
    lead: str
    blocks: Sequence[Block | None]


def picture(image_HWC: Pixels, alt: str, side: int = 128) -> Picture:
    """The image as WebP, at most `side` pixels high or wide."""
    image = Image.fromarray(image_HWC)
    image.thumbnail((side, side), Image.Resampling.LANCZOS)
    buffer = io.BytesIO()
    image.save(buffer, format="WEBP", quality=_QUALITY, method=4)
    return Picture("data:image/webp;base64," + base64.b64encode(buffer.getvalue()).decode(), alt)


def picture_file(path: Path, alt: str, side: int) -> Picture | None:
    """As `picture`, from a file; None if it is gone."""
    return picture(read_image(path), alt, side) if path.is_file() else None


def face_pictures(faces: FaceSet, count: int, alt: str, rng: np.random.Generator) -> tuple[Picture, ...]:
    """Up to `count` faces drawn at random, in the set's order."""
    return tuple(
        picture(faces.image(face), f"{alt}, {face.label}" if face.label else alt)
        for face in faces.sample(count, rng)
    )


def sheet(path: Path, title: str, side: int = 1280, alt: str = "") -> Sheet | None:
    """None if the file is gone."""
    shown = picture_file(path, alt or title, side)
    return Sheet(title, shown) if shown else None


def gallery(
    title: str,
    folder: Path,
    shown: Iterable[tuple[Sequence[tuple[str, str]], str]],
    side: int,
    tone: str = "",
    caption: str = "",
) -> Gallery | None:
    """For each card, the files below `folder` with their alternative texts, and its caption.

    Files that are gone are left out; None if all of them are.
    """
    cards, captions = [], []
    for files, text in shown:
        pictures = [picture_file(folder / file, alt, side) for file, alt in files]
        if card := tuple(each for each in pictures if each):
            cards.append(card)
            captions.append(text)
    captions = captions if any(captions) else []
    return Gallery(title, tuple(cards), tone, tuple(captions), caption) if cards else None


def charts_block(title: str, drawn: Iterable[Chart | None]) -> Charts | None:
    charts = tuple(chart for chart in drawn if chart)
    return Charts(title, charts) if charts else None


def compact(table: Table) -> Table:
    """Without the columns that are empty in every row."""
    used = [i for i in range(len(table.columns)) if any(row[i] for row in table.rows)]
    columns = tuple(table.columns[i] for i in used)
    rows = tuple(tuple(row[i] for i in used) for row in table.rows)
    return dataclasses.replace(table, columns=columns, rows=rows)


def interval(score: Score) -> str:
    """`0.81 to 0.93`; empty if the score has no interval."""
    if score.low is None or score.high is None or not math.isfinite(score.high - score.low):
        return ""
    return f"{number(score.low)} to {number(score.high)}"


def value_and_interval(score: Score | None) -> str:
    """`0.87 (0.81 to 0.93)`; empty without a score."""
    if score is None:
        return ""
    span = interval(score)
    return f"{number(score.value)} ({span})" if span else number(score.value)


def in_rows(blocks: Sequence[Block], width: int = 2) -> list[Block]:
    """Blocks side by side, so many in a row."""
    return [Row(tuple(blocks[start : start + width])) for start in range(0, len(blocks), width)]


def score_table(title: str, scores: dict[str, Score], folded: bool = False) -> Table:
    """Every score, a row each."""
    better = {True: "higher", False: "lower", None: ""}
    rows = tuple(
        (name, number(s.value), interval(s), f"{s.n:,}" if s.n else "", better[s.higher_is_better], s.note)
        for name, s in scores.items()
    )
    columns = ("Score", "Value", "95% interval", "Faces", "Better", "Note")
    return compact(Table(title, columns, rows, frozenset({"Value", "95% interval", "Faces"}), folded=folded))


def left_out_table(left_out: Sequence[LeftOut]) -> Table | None:
    rows = tuple((each.name, each.reason) for each in left_out)
    return Table("Left out", ("Measurement", "Reason"), rows, folded=True) if rows else None


def percent(share: float) -> str:
    """With tenths of a percent near 0 and near 1."""
    exact = 0 < share < 0.0995 or 0.9905 < share < 1
    return f"{share:.1%}" if exact else f"{share:.0%}"
