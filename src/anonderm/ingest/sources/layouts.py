"""The table of layouts, and which of them a source has, by its files and their contents."""

import dataclasses
import posixpath
import unicodedata
from collections import defaultdict
from collections.abc import Callable, Iterator
from dataclasses import dataclass
from pathlib import Path

from anonderm.core.errors import BadLabel, EmptyFolder, InputError, MissingPath
from anonderm.core.names import is_plain
from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources import (
    acne04,
    box_table,
    celebamask,
    coco,
    ffhq,
    folders,
    huggingface,
    keras_text,
    multilabel,
    stylegan,
    table,
    voc,
    yolo,
)
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found, Photo, Skipped
from anonderm.ingest.sources.unread_labels import SHEETS, label_files, may_be_labels

_MOST_WRAPPINGS = 2
_ARCHIVES = (".tar", ".gz", ".tgz", ".bz2", ".xz", ".7z", ".rar")


def _never(_: object) -> bool:
    return False


@dataclass(frozen=True)
class Layout:
    """`fits` decides whether a folder has this layout, `fits_file` whether a single file has; `find` lists
    the photos. by_folders: labels come from the folders alone, so that label files would be passed over."""

    example: str
    find: Callable[[IngestConfig], Found]
    fits: Callable[[Listing], bool] = _never
    fits_file: Callable[[Path], bool] = _never
    by_folders: bool = False


# The first that fits is taken, so the most specific come first.
LAYOUTS: dict[str, Layout] = {
    "acne04": Layout("ACNE04: Classification/NNEW_trainval_0.txt", acne04.find, acne04.fits),
    "acne04v2": Layout("Acne04-v2_annotations.json", acne04.find_v2, acne04.fits_v2),
    "celebamask-hq": Layout("CelebA-HQ-img/", celebamask.find, celebamask.fits),
    "ffhq": Layout("images1024x1024/, or ffhq-dataset-v2.json", ffhq.find, ffhq.fits),
    "stylegan": Layout(
        "a ZIP, or a folder with dataset.json", stylegan.find, stylegan.fits, stylegan.fits_file
    ),
    "keras-text": Layout("train/_annotations.txt", keras_text.find, keras_text.fits),
    "multilabel": Layout("train/_classes.csv", multilabel.find, multilabel.fits),
    "coco": Layout("a .json file with images and annotations", coco.find, coco.fits),
    "voc": Layout("Pascal VOC: a .xml file for each photo", voc.find, voc.fits),
    "yolo": Layout("data.yaml, and a .txt file for each photo", yolo.find, yolo.fits),
    "box-table": Layout(
        "a .csv with filename, class, xmin, ymin, xmax, ymax",
        box_table.find,
        box_table.fits,
        box_table.fits_file,
    ),
    "huggingface": Layout(
        "metadata.csv or .jsonl, *.parquet, or *.arrow",
        huggingface.find,
        huggingface.fits,
        huggingface.fits_file,
    ),
    "table": Layout(
        "a .csv, .tsv, .json, .jsonl or .parquet file that names photos",
        table.find,
        fits_file=table.fits_file,
    ),
    "split-folders": Layout(
        "train/CLASS/, likewise val/ and test/", folders.find_splits, folders.fits_splits, by_folders=True
    ),
    "folders": Layout("one sub-folder per class", folders.find, folders.fits, by_folders=True),
    "flat": Layout(
        "photos in the folder itself, without classes", folders.find_flat, folders.fits_flat, by_folders=True
    ),
}


def find_photos(config: IngestConfig) -> tuple[str, Found]:
    """The name of the layout, and the photos with their labels changed according to the settings.

    Raises MissingPath, InputError where no layout fits, EmptyFolder, BadLabel, and what the adapters raise.
    """
    name, source = (config.layout, config.source) if config.layout != "auto" else recognise(config)
    found = LAYOUTS[name].find(dataclasses.replace(config, source=source))
    if not found.photos:
        why = "".join(f"\n    {item.file}: {item.reason}" for item in found.skipped[:10])
        raise EmptyFolder(f"{config.source}: no usable photo (layout {name}).{why}")
    photos = tuple(_labelled(photo, config) for photo in found.photos)
    skipped = (*found.skipped, *_unread(source, name, found))
    return name, dataclasses.replace(found, photos=photos, skipped=skipped)


def _unread(source: Path, layout: str, found: Found) -> Iterator[Skipped]:
    """Other label files than those of the layout, folder by folder."""
    among = [name for name in found.others if may_be_labels(name)]
    unread: dict[tuple[str, str], list[str]] = defaultdict(list)
    for name in label_files(Listing(source), among) if among and source.is_dir() else ():
        unread[posixpath.dirname(name), posixpath.splitext(name)[1].lower()].append(name)
    for (_, suffix), names in unread.items():
        more = f", like {len(names) - 1} more {suffix} files in its folder" if len(names) > 1 else ""
        reason = f"looks like labels, and is not read in layout {layout}{more}"
        yield Skipped(names[0], reason, "label file not read")


def recognise(config: IngestConfig) -> tuple[str, Path]:
    """The layout, and the folder or file to read: the source, or a folder that is all it contains.

    Raises MissingPath, EmptyFolder or InputError, also where label files would not be read.
    """
    source = config.source
    if not source.exists():
        hint = "Give the folder of photos, or the table or ZIP file that names or contains them."
        raise MissingPath(f"{source}: no such folder.", hint)
    if source.is_file():
        name = next((name for name, layout in LAYOUTS.items() if layout.fits_file(source)), None)
        if name is None:
            raise _unknown(source)
        return name, source
    if not source.is_dir():
        raise InputError(f"{source}: neither a folder nor a file.", "Give the folder of photos.")
    if not any(source.iterdir()):
        raise EmptyFolder(f"{source}: an empty folder.", "Give the folder that contains the photos.")
    return _of_folder(config)


def _of_folder(config: IngestConfig) -> tuple[str, Path]:
    whole = listing = Listing(config.source)
    for _ in range(_MOST_WRAPPINGS + 1):
        name = next((name for name, layout in LAYOUTS.items() if layout.fits(listing)), None)
        inner = folders.only_folder(listing, several_people=config.subjects is not None)
        if inner is None or (name is not None and not LAYOUTS[name].by_folders) or name == "split-folders":
            break
        listing = Listing(inner)
    root = listing.root
    archives = whole.with_suffix(".zip", *_ARCHIVES)
    if archives and not whole.images and (name is None or LAYOUTS[name].by_folders):
        raise InputError(
            f"{config.source}: no photo, but {', '.join(archives[:5])}.",
            f"Unpack it, or give a ZIP itself: --source {config.source / archives[0]}",
        )
    if name is None:
        raise _unknown(config.source)
    if LAYOUTS[name].by_folders and (unread := label_files(whole)):
        listed = "".join(f"\n    {file}" for file in unread[:10])
        more = f"\n    ... and {len(unread) - 10} more" if len(unread) > 10 else ""
        within = f" --source {root}" if root != config.source else ""
        raise InputError(
            f"{config.source}: files that look like labels would not be read (layout {name}):{listed}{more}",
            "Give a table of photos itself, --source FILE.csv; export boxes as COCO, YOLO or Pascal VOC; or, "
            f"to go on without these labels, add --layout {name}{within}.",
        )
    return name, root


def _unknown(source: Path) -> InputError:
    if source.suffix.lower() in SHEETS:
        return InputError(f"{source}: a spreadsheet.", "Save it as CSV in UTF-8, and give that file.")
    if source.suffix.lower() in _ARCHIVES:
        return InputError(f"{source}: an archive.", "Unpack it, and give the folder.")
    known = "".join(f"\n    {name}: {layout.example}" for name, layout in LAYOUTS.items())
    return InputError(
        f"{source}: its layout is not recognised. Known layouts:{known}",
        "Convert it to one of these layouts, or name its layout with --layout.",
    )


def _labelled(photo: Photo, config: IngestConfig) -> Photo:
    """The photo with the label and names of lesions that the settings give it.

    Raises BadLabel if the label cannot name a folder.
    """
    renamed = config.renamed
    if photo.lesions is not None:
        lesions = (
            dataclasses.replace(each, kind=renamed.get(each.kind, each.kind)) for each in photo.lesions
        )
        photo = dataclasses.replace(photo, lesions=tuple(lesions))
    if photo.lesion_types is not None:
        kinds = tuple(sorted({renamed.get(kind, kind) for kind in photo.lesion_types}))
        photo = dataclasses.replace(photo, lesion_types=kinds)
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
