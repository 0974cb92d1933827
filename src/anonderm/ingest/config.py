"""Settings of `ingest`, `phantom`, `align` and `restore`."""

import re
from collections.abc import Collection
from dataclasses import dataclass
from pathlib import Path
from typing import Annotated, Literal

from annotated_types import Ge, Gt, Le, Lt

from anonderm.core.config import Batch, Count, Settings, Share, Whole, check, check_bounds
from anonderm.core.errors import ConfigError
from anonderm.core.names import is_plain
from anonderm.phantom.condition import CLASSES

LayoutName = Literal[
    "auto",
    "folders",
    "flat",
    "split-folders",
    "table",
    "box-table",
    "huggingface",
    "acne04",
    "acne04v2",
    "keras-text",
    "yolo",
    "coco",
    "voc",
    "multilabel",
    "celebamask-hq",
    "ffhq",
    "stylegan",
]

PEOPLE_MATCHERS = ("auto", "dlib", "sface", "arcface")
COLUMNS = ("file", "label", "subject", "split", "licence", "credit")


@dataclass(frozen=True)
class IngestConfig(Settings):
    """Read the photos of a data set and their annotations into a FaceSet that is split by person."""

    source: Path
    """The folder of photos, or, for some layouts, the table or ZIP file that names or contains them. Files
    outside this folder are never read, even if a label file refers to them."""

    layout: LayoutName = "auto"
    """Layout of the source. auto recognises the layout from the files in the source and their contents, and
    logs it."""

    size: Annotated[int, Ge(8), Le(4096)] = 64
    """Side of the stored square images, in pixels."""

    whole: bool = False
    """Store each photo unchanged, byte for byte, for `align` and `skin`. Otherwise the largest centred square
    is cut out and resampled to `size`."""

    label: str | None = None
    """The class of every photo, whatever the source says; for sets without labels, such as healthy faces."""

    relabel: tuple[str, ...] = ()
    """New names for classes and lesion types, as OLD=NEW: `--relabel "very severe=severe" 0=healthy`. Classes
    that get the same new name are merged."""

    columns: tuple[str, ...] = ()
    """Columns of a table, as WHAT=COLUMN: `--columns file=image label=grade subject=patient`. WHAT is file,
    label, subject, split, licence or credit; columns with common names are recognised."""

    fold: Annotated[int, Ge(0), Le(4)] = 0
    """ACNE04: which of its five folds, 0 to 4, is the test split if `splits` is given."""

    splits: Literal["person", "given"] = "person"
    """person: split by person, stratified by class. given: keep the source's own train, val and test splits;
    if it has no val split, `val_share` of the people in train are moved there."""

    val_share: Share = 0.15
    """Share of the people of each class that goes to the validation split."""

    test_share: Share = 0.2
    """Share of the people of each class that goes to the test split; nothing ever trains on it."""

    min_side: Count = 64
    """Smallest accepted height or width of a photo, in pixels."""

    max_megapixels: Annotated[float, Gt(0), Le(2000)] = 256.0
    """Largest accepted photo, in millions of pixels; decoding takes about 10 MB of memory for each."""

    subjects: str | None = None
    r"""Regular expression with one group that matches the person in each photo's path below `source`:
    '/(P\d+)_' finds P012 in 'mild/P012_left.jpg'. Without it, each photo counts as a different person unless
    the source names the person."""

    people: Literal["source", "faces", "unverified"] = "source"
    """source: the source or `subjects` says who is shown. faces: photos that neither assigns to a person are
    grouped by face, scene and capture time (about 0.1 s per photo and core); check people.png. If no face
    matcher can tell these people apart, it stops. unverified: as faces, but goes on, and everything made of
    the set says that its people are unknown."""

    people_pairs: Path | None = None
    """Decisions of a reviewer: a CSV or JSON lines file with the columns photo_a, photo_b (as in sources.csv)
    and same (yes or no). Such pairs are joined or kept apart, and the threshold is calibrated on them."""

    people_matcher: str = "auto"
    """The network that tells people apart: dlib (extra `faces`), sface (`anonderm weights fetch sface`),
    arcface (the registered weights arcface-onnx; extra `onnx`), or an ONNX file in the format of ArcFace, as
    in `--people-matcher network.onnx`. auto: the first of arcface, sface and dlib that is installed."""

    people_threshold: Annotated[float, Gt(0), Lt(2)] | None = None
    """Largest distance between the matcher's descriptors of two photos of one person. By default it is
    calibrated on the people that the source names; without any, it is the published one (dlib 0.6, sface
    1.13, arcface 0.95), or less if that would merge different people."""

    skip_unreadable: bool = False
    """List photos that cannot be read or are too small in skipped.jsonl and continue without them."""

    on_conflict: Literal["error", "drop"] = "error"
    """What to do if the same picture has two labels: stop and list such pictures, or leave out all their
    copies, as the right label is unknown, and list them in skipped.jsonl."""

    near_duplicates: Literal["drop", "keep"] = "drop"
    """Copies of a picture that were resized, recompressed, slightly cropped or mirrored: keep only the
    largest and list the others in skipped.jsonl (drop), or do not search for copies (keep)."""

    licence: str = ""
    """Terms of use of the photos, stored with every face. Default: the terms that the source states."""

    seed: Whole = 0
    """Seed of the split."""

    def __post_init__(self) -> None:
        check_bounds(self)
        _check_shares(self.val_share, self.test_share)
        if self.subjects is not None:
            check(
                _groups(self.subjects) == 1,
                f"subjects = {self.subjects!r}: must have one group, (...).",
                "Put the part of the name that names the person in brackets, as in '(P[0-9]+)_.*'.",
            )
        check(
            self.label is None or is_plain(self.label),
            f"label = {self.label!r}: cannot name a class.",
            "Give a word such as mild, without slashes or other signs that file names cannot hold.",
        )
        check(
            self.people_matcher in PEOPLE_MATCHERS or self.people_matcher.lower().endswith(".onnx"),
            f"people_matcher = {self.people_matcher!r}: no such matcher.",
            f"Choose from {', '.join(PEOPLE_MATCHERS)}, or give an ONNX file, as in network.onnx.",
        )
        for each in self.relabel:
            old, _, new = each.partition("=")
            check(
                bool(old) and is_plain(new),
                f"relabel = {each!r}: must be OLD=NEW, as in 0=healthy.",
                "Give pairs, as in --relabel 0=healthy 1=mild.",
            )
        for each in self.columns:
            what, _, column = each.partition("=")
            known = ", ".join(COLUMNS)
            check(
                what in COLUMNS and bool(column),
                f"columns = {each!r}: must be WHAT=COLUMN ({known}).",
                "Give pairs, as in --columns file=image label=grade.",
            )

    @property
    def chosen_columns(self) -> dict[str, str]:
        """What -> column of the table."""
        return _pairs(self.columns)

    @property
    def renamed(self) -> dict[str, str]:
        """Old name -> new name of classes and lesion types."""
        return _pairs(self.relabel)


def _pairs(settings: Collection[str]) -> dict[str, str]:
    return dict(each.split("=", 1) for each in settings)


def _groups(pattern: str) -> int:
    try:
        return re.compile(pattern).groups
    except re.error as error:
        raise ConfigError(
            f"subjects = {pattern!r}: not a regular expression ({error}).",
            "An example: '(P[0-9]+)_.*' takes P012 from P012_left.jpg.",
        ) from error


def _check_shares(val: float, test: float) -> None:
    check(
        val + test < 1,
        f"val_share + test_share = {val + test:g}: must be less than 1, or train is empty.",
        "Lower --val-share or --test-share; the defaults are 0.15 and 0.2.",
    )


@dataclass(frozen=True)
class PhantomConfig(Settings):
    """Draw faces of fictitious people with acne or rosacea and known truth into a FaceSet split by person."""

    people: Annotated[int, Ge(1), Le(100_000)] = 400
    """How many people to draw, dealt evenly to the classes; each person has one class."""

    photos_min: Count = 1
    """Fewest photos of a person."""

    photos_max: Annotated[int, Ge(1), Le(1000)] = 3
    """Most photos of a person; they differ in pose, expression, light and colour."""

    classes: tuple[str, ...] = ("healthy", "mild", "moderate", "severe")
    """Classes to draw, from healthy, mild, moderate, severe, very severe and rosacea."""

    size: Annotated[int, Ge(32), Le(1024)] = 64
    """Side of the square pictures, in pixels, 32 to 1024."""

    lesion_scale: Annotated[float, Gt(0), Le(10)] | None = None
    """Size of the lesions relative to real ones. Default: 1 from 512 px upwards, and larger in smaller
    pictures so that lesions remain visible."""

    val_share: Share = 0.15
    """Share of the people of each class that goes to the validation split."""

    test_share: Share = 0.2
    """Share of the people of each class that goes to the test split; nothing ever trains on it."""

    seed: Whole = 0
    """Seed of the people, their photos and the split."""

    def __post_init__(self) -> None:
        check_bounds(self)
        _check_shares(self.val_share, self.test_share)
        choices = f"Choose from: {', '.join(CLASSES)}."
        check(len(self.classes) > 0, "classes is empty.", choices)
        unknown = [name for name in self.classes if name not in CLASSES]
        check(not unknown, f"classes: unknown {unknown}.", choices)
        check(
            len(set(self.classes)) == len(self.classes),
            f"classes = {self.classes}: named twice.",
            "Name each class once.",
        )
        check(
            self.people >= len(self.classes),
            f"people = {self.people}: at least one for each class.",
            f"Give --people {len(self.classes)} or more.",
        )
        check(
            self.photos_min <= self.photos_max,
            f"photos_min = {self.photos_min}: must not exceed photos_max = {self.photos_max}.",
            "Give photos_min up to photos_max, as in --photos-min 1 --photos-max 3 (the defaults).",
        )


@dataclass(frozen=True)
class AlignConfig(Settings):
    """Cut the faces out of whole photos, all in the framing of FFHQ."""

    size: Annotated[int, Ge(8), Le(4096)] = 256
    """Side of the stored faces, in pixels."""

    several: Literal["largest", "all"] = "largest"
    """Which faces to take from a photo that shows several. With all, the smaller faces count as unknown
    people in the split of their photo."""

    fallback: Literal["center", "skip", "keep"] = "center"
    """What to do with a photo in which no face can be aligned, such as a profile or a close-up of lesions:
    cut out its largest centred square (center), leave it out (skip), or keep all of it, padded to a square
    with mirrored and blurred bars (keep)."""

    detector: Literal["auto", "dlib", "yunet"] = "auto"
    """What finds the face and its landmarks: yunet (`anonderm weights fetch yunet`), dlib (extra `faces`), or
    auto: all that are installed, yunet on the photos where dlib finds no certain face. points.csv says which
    one found each face."""

    points: Path | None = None
    """CSV or JSON file of landmarks marked by hand, used instead of detected ones; the points.csv of an
    earlier run has this form. Columns: photo (id or file), left_eye_x, left_eye_y, and likewise right_eye,
    mouth_left and mouth_right, in pixels of the photo as displayed; left is the left side of the upright
    picture."""

    model: Path | None = None
    """Another landmark model: a dlib shape predictor with 5 or 68 points (.dat; commercial use of the
    published 68-point weights is not permitted) or an ONNX network (.onnx, see docs/photos.md). It works
    on the faces that dlib finds. Default: the detector's own points."""

    def __post_init__(self) -> None:
        check_bounds(self)
        suffixes = {"points": (self.points, (".csv", ".json")), "model": (self.model, (".dat", ".onnx"))}
        for name, (path, known) in suffixes.items():
            ending = path.suffix.lower() if path else known[0]
            check(
                ending in known,
                f"{name} = {path}: must end in {' or '.join(known)}.",
                "Give a file of this kind.",
            )
        check(
            self.model is None or self.detector != "yunet",
            f"model = {self.model}: it works on the faces that dlib finds, and detector = yunet.",
            "Remove --detector or --model.",
        )


@dataclass(frozen=True)
class RestoreConfig(Settings):
    """Bring aligned faces to one size: larger ones by averaging, smaller ones with a restorer."""

    size: Annotated[int, Ge(8), Le(2048)] = 512
    """Side of the stored faces, in pixels."""

    restorer: Literal["lanczos", "spandrel", "dfdnet"] = "lanczos"
    """How small faces are enlarged: lanczos interpolates and adds no detail; spandrel runs published weights
    of GFPGAN, RestoreFormer, the ESRGAN family and others; dfdnet those of Li et al. 2020."""

    weights: str | None = None
    """Weights of the restorer: a file (for dfdnet, the folder that contains latest_net_G.pth) or a name
    listed by `anonderm weights list`. Default for dfdnet: the weights of that name."""

    points: Path | None = None
    """CSV file with the 68 landmarks of each face in pixels, one row per face: id,x0,y0,...,x67,y67. dfdnet
    uses them to locate eyes, nose and mouth; without them it uses their average positions."""

    batch: Batch = 4
    """Number of faces that a restorer processes at once."""

    def __post_init__(self) -> None:
        check_bounds(self)
        check(
            self.weights is None or self.restorer != "lanczos",
            f"weights = {self.weights}: lanczos takes none.",
            "Add --restorer spandrel (or dfdnet).",
        )
        check(
            self.weights is not None or self.restorer != "spandrel",
            "restorer = spandrel: no weights given.",
            "Add --weights FILE, or a name listed by `anonderm weights list`, such as gfpgan.",
        )
        check(
            self.points is None or self.restorer == "dfdnet",
            f"points = {self.points}: only dfdnet uses landmarks.",
            "Remove --points.",
        )
