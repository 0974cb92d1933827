"""Settings of the stages that bring faces in."""

from __future__ import annotations

import re
from dataclasses import dataclass
from pathlib import Path
from typing import Literal

from anonderm.core.config import check
from anonderm.core.errors import ConfigError
from anonderm.core.names import is_plain

LayoutName = Literal[
    "auto",
    "folders",
    "flat",
    "table",
    "huggingface",
    "acne04",
    "acne04v2",
    "keras-text",
    "yolo",
    "coco",
    "multilabel",
    "celebamask-hq",
    "ffhq",
    "stylegan",
]

COLUMNS = ("file", "label", "subject", "split", "licence", "credit")


@dataclass(frozen=True)
class IngestConfig:
    """Read the photos of a data set, with what is known of each, into a FaceSet split by person."""

    source: Path
    """The folder of photos (for some layouts the table or ZIP that holds or names them). Files outside of it
    are never read, whatever a label file says."""

    layout: LayoutName = "auto"
    """How the source is laid out; auto looks at what lies there and says what it took it for."""

    size: int = 64
    """Side of the stored square images, in pixels."""

    whole: bool = False
    """Store the photos as they are, whole and with their own bytes, for `align` and `skin`; otherwise each is
    cut to the largest centred square and resampled to `size`."""

    label: str | None = None
    """The class of every photo, whatever the source says; for sets without labels, such as healthy faces."""

    relabel: tuple[str, ...] = ()
    """Other names for classes and kinds of lesion, as OLD=NEW: `--relabel "very severe=severe" 0=healthy`.
    Classes of one new name become one class."""

    columns: tuple[str, ...] = ()
    """Columns of a table, as WHAT=COLUMN: `--columns file=image label=grade subject=patient`. WHAT is file,
    label, subject, split, licence or credit; usual names are found without."""

    fold: int = 0
    """ACNE04: which of its five folds, 0 to 4, is the test split where `splits` is given."""

    splits: Literal["person", "given"] = "person"
    """person: split by person, stratified by class. given: keep the source's own train, val and test; where
    it has no val, `val_share` of the people of train go there."""

    val_share: float = 0.15
    """Share of the people of each class that goes to the validation split."""

    test_share: float = 0.2
    """Share of the people of each class that goes to the test split; nothing ever trains on it."""

    min_side: int = 64
    """Smallest accepted height or width of a photo, in pixels."""

    subjects: str | None = None
    r"""Regular expression whose one group is the person, searched in each photo's path below `source`:
    '/(P\d+)_' finds P012 in 'mild/P012_left.jpg'. Without it every photo counts as another person, unless the
    source says who it shows."""

    people: Literal["source", "faces"] = "source"
    """source: who is shown is what the source or `subjects` says. faces: photos of people whom neither names
    are put together by their faces (extra `faces`, 0.12 s a photo and core); look at people.png."""

    people_threshold: float | None = None
    """Largest distance of dlib's descriptors between two photos of one person; without it calibrated on the
    source's known people, or the published 0.6, lowered where it would put strangers together."""

    skip_unreadable: bool = False
    """List photos that cannot be read or are too small in skipped.jsonl and go on without them."""

    on_conflict: Literal["error", "drop"] = "error"
    """What to do where the same picture has two labels: stop and name them, or leave out every copy of it, as
    nobody knows which label is right, and list them in skipped.jsonl."""

    near_duplicates: Literal["drop", "keep"] = "drop"
    """Copies of one picture (resized, recompressed, slightly cropped or mirrored): keep only the largest and
    list the others in skipped.jsonl, or do not look for them."""

    licence: str = ""
    """Terms under which the photos may be used; kept with every face. Without it, those that the source
    states."""

    seed: int = 0
    """Seed of the split."""

    def __post_init__(self) -> None:
        check(self.size >= 8, f"size = {self.size}: at least 8 pixels are needed.")
        check(self.min_side >= 1, f"min_side = {self.min_side}: must be 1 or more.")
        shares = {"val_share": self.val_share, "test_share": self.test_share}
        for name, share in shares.items():
            check(0 <= share < 1, f"{name} = {share}: must lie in [0, 1).")
        check(sum(shares.values()) < 1, "val_share + test_share leave nothing to train on.")
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")
        threshold = self.people_threshold
        check(threshold is None or 0 < threshold < 2, f"people_threshold = {threshold}: must lie in (0, 2).")
        if self.subjects is not None:
            check(_groups(self.subjects) == 1, f"subjects = {self.subjects!r}: must have one group, (...).")
        check(self.label is None or is_plain(self.label), f"label = {self.label!r}: cannot name a class.")
        for each in self.relabel:
            old, _, new = each.partition("=")
            check(bool(old) and is_plain(new), f"relabel = {each!r}: must be OLD=NEW, as in 0=healthy.")

        for each in self.columns:
            what, _, column = each.partition("=")
            known = ", ".join(COLUMNS)
            check(what in COLUMNS and bool(column), f"columns = {each!r}: must be WHAT=COLUMN ({known}).")
        check(0 <= self.fold <= 4, f"fold = {self.fold}: ACNE04 has the folds 0 to 4.")

    @property
    def chosen_columns(self) -> dict[str, str]:
        """What -> column of the table."""
        return dict(each.split("=", 1) for each in self.columns)

    @property
    def renamed(self) -> dict[str, str]:
        """Old name -> new name of classes."""
        return dict(each.split("=", 1) for each in self.relabel)


def _groups(pattern: str) -> int:
    try:
        return re.compile(pattern).groups
    except re.error as error:
        raise ConfigError(f"subjects = {pattern!r}: not a regular expression ({error}).") from error


@dataclass(frozen=True)
class PhantomConfig:
    """Draw faces of made-up people with acne or rosacea, with known truth, into a FaceSet split by person."""

    people: int = 400
    """How many people to draw, dealt evenly to the classes; each person has one class."""

    photos_min: int = 1
    """Fewest photos of a person."""

    photos_max: int = 3
    """Most photos of a person; they differ in pose, expression, light and colour."""

    classes: tuple[str, ...] = ("healthy", "mild", "moderate", "severe")
    """Among healthy, mild, moderate, severe, very severe, rosacea."""

    size: int = 64
    """Side of the square pictures, in pixels, 32 to 1024."""

    lesion_scale: float | None = None
    """How much larger than on real photos lesions are drawn; without it 1 from 512 px on, and enough to be
    seen in smaller pictures."""

    val_share: float = 0.15
    """Share of the people of each class that goes to the validation split."""

    test_share: float = 0.2
    """Share of the people of each class that goes to the test split; nothing ever trains on it."""

    seed: int = 0
    """Seed of the people, their photos and the split."""

    def __post_init__(self) -> None:
        classes = ("healthy", "mild", "moderate", "severe", "very severe", "rosacea")
        check(len(self.classes) > 0, "classes is empty.", f"Choose from: {', '.join(classes)}.")
        unknown = [name for name in self.classes if name not in classes]
        check(not unknown, f"classes: unknown {unknown}.", f"Choose from: {', '.join(classes)}.")
        check(len(set(self.classes)) == len(self.classes), f"classes = {self.classes}: named twice.")
        check(self.people >= len(self.classes), f"people = {self.people}: at least one for each class.")
        check(1 <= self.photos_min <= self.photos_max, "1 <= photos_min <= photos_max must hold.")
        check(32 <= self.size <= 1024, f"size = {self.size}: must be 32 to 1024 pixels.")
        scale = self.lesion_scale
        check(scale is None or 0 < scale <= 10, f"lesion_scale = {scale}: must lie in (0, 10].")
        check(0 <= self.val_share < 1, f"val_share = {self.val_share}: must lie in [0, 1).")
        check(0 <= self.test_share < 1, f"test_share = {self.test_share}: must lie in [0, 1).")
        check(self.val_share + self.test_share < 1, "val_share + test_share leave nothing to train on.")
        check(self.seed >= 0, f"seed = {self.seed}: must be 0 or more.")


@dataclass(frozen=True)
class RestoreConfig:
    """Bring aligned faces to one size: larger ones by averaging, smaller ones by a restorer."""

    size: int = 512
    """Side of the faces that come out, in pixels."""

    restorer: Literal["lanczos", "spandrel", "dfdnet"] = "lanczos"
    """What enlarges: lanczos interpolates and adds no detail; spandrel takes published weights of GFPGAN,
    RestoreFormer, the ESRGAN family and others; dfdnet those of Li et al. 2020."""

    weights: str | None = None
    """The restorer's weights: a file (dfdnet: the folder that holds latest_net_G.pth), or a name that
    `anonderm weights` lists. dfdnet takes those of that name if none are given."""

    points: Path | None = None
    """CSV with the 68 points of faces in pixels, a row a face: id,x0,y0,...,x67,y67. dfdnet then looks for
    eyes, nose and mouth there, and not where they are on average."""

    batch: int = 4
    """How many faces a restorer takes at once."""

    def __post_init__(self) -> None:
        check(8 <= self.size <= 2048, f"size = {self.size}: must be 8 to 2048 pixels.")
        check(self.batch >= 1, f"batch = {self.batch}: must be 1 or more.")
        check(
            self.weights is None or self.restorer != "lanczos",
            f"weights = {self.weights}: lanczos takes none.",
            "Add --restorer spandrel (or dfdnet).",
        )
        check(
            self.weights is not None or self.restorer != "spandrel",
            "restorer = spandrel: no weights given.",
            "Add --weights FILE, or a name that `anonderm weights` lists, such as gfpgan.",
        )
        check(
            self.points is None or self.restorer == "dfdnet",
            f"points = {self.points}: only dfdnet uses them.",
            "Leave them out.",
        )
