"""CelebAMask-HQ (Lee et al., CVPR 2020): 30,000 faces with a mask for each part of the face.

CelebA-HQ-img/17.jpg                        1024 px
CelebAMask-HQ-mask-anno/0/00017_skin.png    512 px; 2000 photos per folder; invisible parts have no file
CelebA-HQ-to-CelebA-mapping.txt             number here, number and file in CelebA, which determines the split
identity_CelebA.txt                         `000001.jpg 2880`; only on request from the CelebA team

The masks may also lie in one folder. Skin is the union of the parts skin and nose; the other parts (eyes,
brows, lips, ears, hair, ...) are excluded from "skin" by the set itself.
"""

import dataclasses
import posixpath
from pathlib import Path

from anonderm.ingest.config import IngestConfig
from anonderm.ingest.sources.listing import Listing
from anonderm.ingest.sources.photo import Found
from anonderm.ingest.sources.reading import read_lines

PARTS = ("skin", "nose")
_IMAGES, _MASKS = "CelebA-HQ-img", "CelebAMask-HQ-mask-anno"
_MAPPING, _IDENTITIES = "CelebA-HQ-to-CelebA-mapping.txt", "identity_CelebA.txt"
_LICENCE = (
    "CelebAMask-HQ: non-commercial research only; no redistribution of images or of what derives from them"
)
_FIRST_VAL, _FIRST_TEST = 162771, 182638  # numbers of CelebA's photos, from 0, at which its splits begin


def fits(listing: Listing) -> bool:
    return any(name.startswith(f"{_IMAGES}/") for name in listing.images)


def find(config: IngestConfig) -> Found:
    listing = Listing(config.source)
    facts, masks = _facts(listing), _masks(listing)
    for name in listing.images:
        if not name.startswith(f"{_IMAGES}/"):
            continue
        parts = tuple(path for part in PARTS if (path := masks.get(_mask_name(_stem(name), part))))
        if not parts:
            listing.skip(name, "no mask of its skin", "skin mask missing")
            continue
        split, subject = facts.get(_stem(name), (None, None))
        photo = dataclasses.replace(listing.photo(name), masks=parts, split=split, subject=subject)
        listing.photos.append(dataclasses.replace(photo, licence=_LICENCE))
    _skip_masks_without_photo(listing)
    read = {name for name in listing.files if name.startswith(f"{_MASKS}/")} | {_MAPPING, _IDENTITIES}
    found = listing.found(read, _IMAGES)
    by_number = sorted(found.photos, key=lambda photo: (_stem(photo.name).zfill(9), photo.name))
    return dataclasses.replace(found, photos=tuple(by_number))


def _stem(name: str) -> str:
    return name.removeprefix(f"{_IMAGES}/").rpartition(".")[0]


def _masks(listing: Listing) -> dict[str, Path]:
    """Name of a mask -> its file; also where all lie in one folder."""
    names = (name for name in listing.files if name.startswith(f"{_MASKS}/"))
    return {posixpath.basename(name): listing.files[name] for name in names}


def _mask_name(stem: str, part: str) -> str:
    number = int(stem) if stem.isascii() and stem.isdecimal() and len(stem) <= 5 else None
    return "" if number is None else f"{number:05d}_{part}.png"


def _skip_masks_without_photo(listing: Listing) -> None:
    stems = {_stem(photo.name).zfill(5) for photo in listing.photos}
    skins = (name for name in listing.files if name.startswith(f"{_MASKS}/") and name.endswith("_skin.png"))
    for name in skins:
        if name.rpartition("/")[2].removesuffix("_skin.png") not in stems:
            listing.skip(name, "a mask without its photo", "photo missing")


def _facts(listing: Listing) -> dict[str, tuple[str | None, str | None]]:
    """Split and person of each photo, if the mapping to CelebA, and its identities, are present."""
    if _MAPPING not in listing.files:
        return {}
    people = {}
    if _IDENTITIES in listing.files:
        pairs = (line.split() for _, line in read_lines(listing.files[_IDENTITIES]))
        people = {pair[0]: pair[1] for pair in pairs if len(pair) == 2}
    facts: dict[str, tuple[str | None, str | None]] = {}
    for _, line in read_lines(listing.files[_MAPPING]):
        words = line.split()
        if len(words) == 3 and words[1].isdecimal():  # the first line is a header
            original = int(words[1])
            split = "test" if original >= _FIRST_TEST else "val" if original >= _FIRST_VAL else "train"
            facts[words[0]] = (split, people.get(words[2]))
    return facts
