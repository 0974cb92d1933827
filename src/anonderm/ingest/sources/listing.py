"""The files of a source folder, found by the names in label files, and what an adapter makes of them."""

import dataclasses
import os
import posixpath
import re
import unicodedata
from collections import Counter
from collections.abc import Collection, Iterator
from pathlib import Path

from anonderm.core.errors import InputError, MissingPath
from anonderm.core.images import is_image_name
from anonderm.core.names import is_hidden
from anonderm.ingest.sources.photo import File, Found, Photo, SkipKind, Skipped, printable
from anonderm.ingest.sources.reading import read_text

_ROBOFLOW_COPY = re.compile(r"(.+)\.rf\.[0-9a-zA-Z]+\.\w+")  # NAME.rf.HASH.jpg, several for one photo
_ROBOFLOW_CARD = "README.dataset.txt"


class Listing:
    """Every file below `root` except hidden ones. Links to folders are not followed, so loops do no harm.

    files: name below the root -> path. Names are POSIX paths in printable form, composed (NFC), so that they
    compare equal whichever system wrote them. Adapters collect in `photos` and `skipped`. Raises MissingPath.
    """

    def __init__(self, root: Path) -> None:
        if not root.is_dir():
            raise MissingPath(f"{root}: no such folder.", "Give the folder that holds the data set.")
        self.root = root
        paths = sorted(path for path in files_below(root) if not is_hidden(path.name))
        self.files = {_composed(printable(path.relative_to(root))): path for path in paths}
        self.photos: list[Photo] = []
        self.skipped: list[Skipped] = []

    @property
    def images(self) -> list[str]:
        return [name for name in self.files if is_image_name(name)]

    def find(self, name: str, folder: str = "") -> str | None:
        """The file to which a label file in `folder` refers by this name.

        None if there is no such file, and for every path that leads out of the root.
        """
        path = posixpath.normpath(posixpath.join(folder, _composed(name.strip()).replace("\\", "/")))
        return path if path in self.files else None

    def named(self, file_name: str) -> list[str]:
        """The files with exactly this name, in any folder."""
        return [name for name in self.files if posixpath.basename(name) == file_name]

    def photo(self, name: str) -> Photo:
        """The photo in this file; `original` is set for augmented copies made by Roboflow."""
        copy = _ROBOFLOW_COPY.fullmatch(posixpath.basename(name))
        return Photo(name, File(self.files[name]), original=copy[1] if copy else None)

    def skip(self, file: str, reason: str, kind: SkipKind) -> None:
        self.skipped.append(Skipped(file, reason, kind))

    def skip_missing(self, where: str, name: object) -> None:
        """Note that the label file (and line) `where` names a photo that does not exist."""
        self.skip(where, f"names {name!r}, which does not exist", "photo missing")

    def found(self, read: Collection[str] = (), folder: str = "", complete: bool = True) -> Found:
        """The photos in order of their names, one per name, and everything that was skipped.

        `read`: names of the label files, which do not count as ignored. If the set is `complete`, every image
        in `folder` that no label file names is listed as skipped.
        """
        by_name = {photo.name: photo for photo in reversed(self.photos)}
        repeated = [photo.name for photo in self.photos if by_name[photo.name] is not photo]
        known = by_name.keys() | {item.file for item in self.skipped}
        prefix = f"{folder}/" if folder else ""
        wanted = {name for name in self.images if complete and name.startswith(prefix)}
        unnamed, reason = sorted(wanted - known), "not named by any label file"
        skipped = [
            *self.skipped,
            *(Skipped(name, "listed twice; the first entry counts", "listed twice") for name in repeated),
            *(Skipped(name, reason, "label unknown") for name in unnamed),
        ]
        others = set(self.files) - wanted - known - set(read)
        photos = tuple(by_name[name] for name in sorted(by_name))
        return Found(photos, tuple(skipped), count_suffixes(others))

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


def files_below(folder: Path) -> Iterator[Path]:
    """Every file, hidden ones too, but nothing in hidden folders."""
    for place, folders, files in os.walk(folder, onerror=_raise):
        folders[:] = [name for name in folders if not is_hidden(name)]
        yield from (Path(place, file) for file in files)


def count_suffixes(names: Collection[str]) -> Counter[str]:
    return Counter(posixpath.splitext(name)[1].lower() for name in names)


def _raise(error: OSError) -> None:
    raise error


def _composed(name: str) -> str:
    return unicodedata.normalize("NFC", name)
