"""The files of a source folder, found by the names in label files, and what an adapter makes of them."""

import dataclasses
import os
import posixpath
import re
import stat
import unicodedata
import urllib.parse
from collections import defaultdict
from collections.abc import Collection, Iterator
from functools import cached_property
from pathlib import Path

from anonderm.core.documents import read_text
from anonderm.core.errors import InputError, MissingPath
from anonderm.core.images import OTHER_PICTURES, is_image_name
from anonderm.core.names import is_hidden
from anonderm.ingest.sources.photo import File, Found, Photo, Place, SkipKind, Skipped, printable
from anonderm.ingest.sources.reading import split_of

_ROBOFLOW_COPY = re.compile(r"(.+)\.rf\.[0-9a-zA-Z]+\.\w+")  # NAME.rf.HASH.jpg, several for one photo
_ROBOFLOW_CARD = "README.dataset.txt"


class Listing:
    """Every regular file below `root`, except hidden ones and links that lead out of it (these are listed).

    Links to folders are not followed, so loops do no harm.
    files: name below the root -> path. Names are POSIX paths in printable form, composed (NFC), so that they
    compare equal whichever system wrote them. Adapters collect in `photos` and `skipped`. Raises MissingPath.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            what = "is a file" if root.is_file() else "no such folder"
            raise MissingPath(f"{root}: {what}.", "Give the folder that holds the data set.")
        self.root = root
        self.photos: list[Photo] = []
        self.skipped: list[Skipped] = []
        self.files: dict[str, Path] = {}
        here = Path(os.path.realpath(root))
        for path in sorted(_entries(root)):
            name = composed(printable(path.relative_to(root)))
            if path.is_symlink() and not Path(os.path.realpath(path)).is_relative_to(here):
                self.skip(
                    name, "a link that leads out of the source; copy the file into it", "outside the source"
                )
            elif _may_be_read(path):
                self.files[name] = path

    @property
    def images(self) -> list[str]:
        return [name for name in self.files if is_image_name(name)]

    @cached_property
    def _images_by_stem(self) -> dict[str, list[str]]:
        """Base name of an image without suffix, in lower case -> the images."""
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.images:
            found[posixpath.splitext(posixpath.basename(name))[0].lower()].append(name)
        return found

    @cached_property
    def _images_by_number(self) -> dict[int, list[str]]:
        found: dict[int, list[str]] = defaultdict(list)
        for stem, images in self._images_by_stem.items():
            if stem.isascii() and stem.isdecimal() and len(stem) < 19:
                found[int(stem)] += images
        return found

    @cached_property
    def _image_folders(self) -> set[str]:
        """The folders that hold images, at any depth; not the root."""
        parts = (image.split("/")[:-1] for image in self.images)
        return {"/".join(each[:depth]) for each in parts for depth in range(1, len(each) + 1)}

    @cached_property
    def _by_lower_case(self) -> dict[str, list[str]]:
        found: dict[str, list[str]] = defaultdict(list)
        for name in self.files:
            found[name.lower()].append(name)
        return found

    def find(self, name: str, folder: str = "", split: str | None = None) -> str | None:
        """The file to which a label file in `folder`, perhaps of a `split`, refers by this name.

        In turn: the exact path, below the folder or the root; the same in another case; an image of the same
        base name with another suffix or none, preferably one of whose folders most are named too. The last
        must be unique, of the same split, and in `folder` if this holds images. None if there is no such file
        in the source.
        """
        for written in dict.fromkeys(_spellings(name)):
            path = composed(written.strip()).replace("\\", "/").removeprefix("file://")
            if path and (found := self._at(path, folder)):
                self._named_as[found].add((folder, found))
                return found
            if path and (found := self._by_base_name(path, folder, split)):
                self._named_as[found].add((folder, path))
                return found
        return None

    @cached_property
    def _named_as(self) -> dict[str, set[tuple[str, str]]]:
        """Image -> the paths by which label files have named it, each with the folder of the label file."""
        return defaultdict(set)

    def _rivals(self, image: str) -> set[str]:
        """Different paths in one label file, P01/1.jpg and P02/1.jpg, that both led to this image."""
        by_folder: dict[str, list[str]] = defaultdict(list)
        for folder, place in self._named_as[image]:
            by_folder[folder].append(posixpath.splitext(place)[0].lower().lstrip("/"))
        for places in by_folder.values():
            longest = f"/{max(places, key=len)}"
            if not all(longest.endswith(f"/{place}") for place in places):
                return set(places)
        return set()

    def numbered(self, number: int) -> str | None:
        """The only image whose name is this number; a program may have cut off the zeros in front of it."""
        found = self._images_by_number.get(number, ())
        return found[0] if len(found) == 1 else None

    def _at(self, path: str, folder: str) -> str | None:
        for base in dict.fromkeys((folder, "")):
            exact = posixpath.normpath(posixpath.join(base, path))
            if exact in self.files:
                return exact
            if len(same := self._by_lower_case.get(exact.lower(), [])) == 1:
                return same[0]
        return None

    def _by_base_name(self, path: str, folder: str, split: str | None) -> str | None:
        base = posixpath.basename(path).lower()
        stem = posixpath.splitext(base)[0] if is_image_name(base) else base
        # Folders further up, such as /home/dev/, are of the machine on which the labels were made.
        split = split or split_of(f"{folder}/") or split_of("/".join(path.split("/")[-3:]))
        holds_images = folder in self._image_folders
        images = [
            image
            for image in self._images_by_stem.get(stem, [])
            if split is None or split_of(image) in (None, split)
        ]
        for fits in (
            [image for image in images if posixpath.basename(image).lower() == base],
            images,
        ):
            below = [image for image in fits if holds_images and image.startswith(f"{folder}/")]
            below = below if holds_images else fits
            shared = [_shared_folders(posixpath.join(folder, path), image) for image in below]
            best = [image for image, count in zip(below, shared, strict=True) if count == max(shared)]
            if len(best) == 1:
                return best[0]
            if best:
                return None
        return None

    def image_folder(self, name: str) -> str | None:
        """The only folder of images with this name."""
        found = [folder for folder in self._image_folders if posixpath.basename(folder) == name]
        return found[0] if len(found) == 1 else None

    def beside(self, stem: str) -> str | None:
        """The image at this path without suffix; a name in the same case is preferred."""
        images = self._images_by_stem.get(posixpath.basename(stem).lower(), [])
        found = [image for image in images if posixpath.splitext(image)[0].lower() == stem.lower()]
        return next(
            (image for image in found if posixpath.splitext(image)[0] == stem), found[0] if found else None
        )

    def named(self, file_name: str) -> list[str]:
        """The files with this name, in any case and folder."""
        return [name for name in self.files if posixpath.basename(name).lower() == file_name.lower()]

    def with_suffix(self, *suffixes: str) -> list[str]:
        return [name for name in self.files if posixpath.splitext(name)[1].lower() in suffixes]

    def photo(self, name: str) -> Photo:
        """The photo in this file; `original` is set for augmented copies made by Roboflow."""
        copy = _ROBOFLOW_COPY.fullmatch(posixpath.basename(name))
        return Photo(name, self.place(name), original=copy[1] if copy else None)

    def place(self, name: str) -> Place:
        return File(self.files[name])

    def head(self, name: str, count: int) -> bytes:
        """The first bytes of a file; none of one that cannot be read."""
        try:
            with self.files[name].open("rb") as file:
                return file.read(count)
        except OSError:
            return b""

    def skip(self, file: str, reason: str, kind: SkipKind) -> None:
        self.skipped.append(Skipped(file, reason, kind))

    def skip_missing(self, where: str, name: object) -> None:
        """Note that the label file (and line) `where` names a photo that `find` does not find."""
        base = posixpath.splitext(posixpath.basename(str(name).replace("\\", "/")))[0].lower()
        several = len(self._images_by_stem.get(base, ())) > 1
        why = (
            "is not here, while several photos in other places are called so" if several else "does not exist"
        )
        self.skip(where, f"names {name!r}, which {why}", "photo missing")

    def found(self, read: Collection[str] = (), folder: str = "", complete: bool = True) -> Found:
        """The photos in order of their names, one per name, and everything that was skipped.

        `read`: names of the label files, which do not count as ignored. If the set is `complete`, every image
        in `folder` that no label file names is listed as skipped.
        """
        by_name = {photo.name: photo for photo in reversed(self.photos)}
        for name, rivals in [(name, rivals) for name in by_name if (rivals := self._rivals(name))]:
            stated = ", ".join(sorted(rivals)[:3])
            self.skip(name, f"could be any of {stated}, which label files name", "label unknown")
            del by_name[name]
        repeated = [photo for photo in self.photos if by_name.get(photo.name, photo) is not photo]
        differ = {photo.name for photo in repeated if not photo.same_lesions(by_name[photo.name])}
        known = by_name.keys() | {item.file for item in self.skipped}
        prefix = f"{folder}/" if folder else ""
        wanted = {name for name in self.images if complete and name.startswith(prefix)}
        unnamed, reason = sorted(wanted - known), "not named by any label file"
        skipped = [
            *self.skipped,
            *(Skipped(photo.name, _twice(photo.name in differ), "listed twice") for photo in repeated),
            *(Skipped(name, reason, "label unknown") for name in unnamed),
        ]
        others = set(self.files) - wanted - known - set(read)
        pictures = sorted(name for name in others if posixpath.splitext(name)[1].lower() in OTHER_PICTURES)
        advice = "a picture of a format that is not read; export it as JPEG"
        skipped += [Skipped(name, advice, "unreadable") for name in pictures]
        photos = tuple(
            by_name[name].with_boxes(None) if name in differ else by_name[name] for name in sorted(by_name)
        )
        return Found(photos, tuple(skipped), tuple(sorted(others.difference(pictures))))

    def found_by_roboflow(self, read: Collection[str]) -> Found:
        """As `found`; photos without a licence get the one stated on the card of a Roboflow export."""
        found = self.found(read)
        try:
            text = read_text(self.files[_ROBOFLOW_CARD]) if _ROBOFLOW_CARD in self.files else ""
        except InputError:
            text = ""  # a card in another encoding states nothing that could be relied on
        stated = re.search(r"^License:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)
        if stated is None:
            return found
        photos = (dataclasses.replace(each, licence=each.licence or stated[1]) for each in found.photos)
        return dataclasses.replace(found, photos=tuple(photos))


def _twice(lesions_differ: bool) -> str:
    which = "their lesions differ and are unknown" if lesions_differ else "the first entry counts"
    return f"listed twice; {which}"


def _entries(folder: Path) -> Iterator[Path]:
    """Everything that is no folder, except hidden files and what lies in hidden folders; and links."""
    for place, folders, files in os.walk(folder, onerror=_raise):
        linked = [name for name in folders if not is_hidden(name) and Path(place, name).is_symlink()]
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield from (Path(place, name) for name in (*files, *linked) if not is_hidden(name))


def _may_be_read(path: Path) -> bool:
    """Not for pipes and devices, whose reading may never end, and for links to folders."""
    try:
        return stat.S_ISREG(path.stat().st_mode)
    except OSError:  # a dangling link: reading it names the problem
        return True


def _spellings(name: str) -> Iterator[str]:
    """The name as it stands; without escapes; and the path in an address: x/a.jpg?v=2, or ?d=x/a.jpg."""
    plain = urllib.parse.unquote(name)
    yield from (name, plain)
    path, mark, query = plain.partition("?")
    if mark:
        yield query.removeprefix("d=") if query.startswith("d=") else path


def _shared_folders(one: str, two: str) -> int:
    """How many folders at the end of two paths have the same name."""
    pairs = zip(reversed(one.lower().split("/")[:-1]), reversed(two.lower().split("/")[:-1]), strict=False)
    return next((count for count, (a, b) in enumerate(pairs) if a != b), min(one.count("/"), two.count("/")))


def _raise(error: OSError) -> None:
    raise error


def composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
