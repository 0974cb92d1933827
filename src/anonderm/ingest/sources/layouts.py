"""The table of layouts: which adapter reads a source."""

import dataclasses
import unicodedata
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from types import ModuleType

from anonderm.core.errors import BadLabel, EmptyFolder, InputError, MissingPath
from anonderm.core.names import is_plain
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources import (
    acne04,
    celebamask,
    coco,
    ffhq,
    folders,
    huggingface,
    keras_text,
    multilabel,
    stylegan,
    table,
    yolo,
)
from anonderm.ingest.sources.photo import Found, Photo


@dataclass(frozen=True)
class Layout:
    """`fits` decides by file names whether a source has this layout; `find` lists its photos."""

    example: str
    fits: Callable[[Path], bool]
    find: Callable[[IngestConfig], Found]


def _matching(adapter: ModuleType) -> Callable[[Path], bool]:
    """Whether a source contains a file or folder that matches one of the adapter's glob patterns."""
    return lambda source: any(next(source.glob(pattern), None) for pattern in adapter.PATTERNS)


# The first that fits is taken, so the most specific come first.
LAYOUTS: dict[str, Layout] = {
    "acne04": Layout("ACNE04: Classification/NNEW_trainval_0.txt", _matching(acne04), acne04.find),
    "acne04v2": Layout("Acne04-v2_annotations.json", acne04.fits_v2, acne04.find_v2),
    "celebamask-hq": Layout("CelebA-HQ-img/", _matching(celebamask), celebamask.find),
    "ffhq": Layout("images1024x1024/, or ffhq-dataset-v2.json", _matching(ffhq), ffhq.find),
    "stylegan": Layout("a ZIP or a folder with dataset.json", stylegan.fits, stylegan.find),
    "keras-text": Layout("train/_annotations.txt", _matching(keras_text), keras_text.find),
    "multilabel": Layout("train/_classes.csv", _matching(multilabel), multilabel.find),
    "coco": Layout("train/_annotations.coco.json, or annotations/*.json", _matching(coco), coco.find),
    "yolo": Layout("data.yaml, or images/ and labels/", _matching(yolo), yolo.find),
    "huggingface": Layout(
        "metadata.csv or .jsonl, train/CLASS/, or *.parquet", huggingface.fits, huggingface.find
    ),
    "table": Layout("a .csv, .tsv, .jsonl or .parquet file that names photos", table.fits, table.find),
    "folders": Layout("one sub-folder per class", folders.fits, folders.find),
    "flat": Layout("photos in the folder itself, without classes", folders.fits_flat, folders.find_flat),
}


def find_photos(config: IngestConfig) -> tuple[str, Found]:
    """The name of the layout, and the photos with their labels changed according to the settings.

    Raises MissingPath, InputError where no layout fits, EmptyFolder, BadLabel, and what the adapters raise.
    """
    name = config.layout if config.layout != "auto" else recognise(config.source)
    found = LAYOUTS[name].find(config)
    if not found.photos:
        why = "".join(f"\n    {item.file}: {item.reason}" for item in found.skipped[:10])
        raise EmptyFolder(f"{config.source}: no usable photo (layout {name}).{why}")
    photos = tuple(_labelled(photo, config) for photo in found.photos)
    return name, dataclasses.replace(found, photos=photos)


def recognise(source: Path) -> str:
    if not source.exists():
        hint = "Give the folder of photos, or the table or ZIP file that names or contains them."
        raise MissingPath(f"{source}: no such folder.", hint)
    for name, layout in LAYOUTS.items():
        if layout.fits(source):
            return name
    if source.is_dir() and not any(source.iterdir()):
        raise EmptyFolder(f"{source}: an empty folder.", "Give the folder that contains the photos.")
    known = "".join(f"\n    {name}: {layout.example}" for name, layout in LAYOUTS.items())
    raise InputError(
        f"{source}: its layout is not recognised. Known layouts:{known}",
        "Convert it to one of these layouts, or name its layout with --layout.",
    )


def _labelled(photo: Photo, config: IngestConfig) -> Photo:
    """The photo with the label and names of lesions that the settings give it.

    Raises BadLabel if the label cannot name a folder.
    """
    renamed = config.renamed
    lesions = (dataclasses.replace(each, kind=renamed.get(each.kind, each.kind)) for each in photo.lesions)
    kinds = tuple(sorted({renamed.get(kind, kind) for kind in photo.lesion_types}))
    photo = dataclasses.replace(photo, lesions=tuple(lesions), lesion_types=kinds)
    label = config.label if config.label is not None else photo.label
    if label is None:
        return photo
    label = unicodedata.normalize("NFC", label.strip())
    label = renamed.get(label, label)
    if not is_plain(label):
        raise BadLabel(
            f"{photo.name}: the label {label!r} cannot name a class (and a folder of the release).",
            f"Give it another name: --relabel '{label}=another'. Letters and digits of any script, spaces, "
            "and _ . , + & ( ) ' - are allowed.",
        )
    return dataclasses.replace(photo, label=label)
