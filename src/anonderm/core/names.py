"""Names given by users, as names of files and folders."""

import difflib
import re
import unicodedata
from collections.abc import Iterable

_LONGEST = 80
_PUNCTUATION = " _.,+&()'-"


def is_plain(name: str) -> bool:
    """Whether a folder can have this name on all common systems, and tables and pages can show it unescaped.

    Allowed are letters and digits of any script and, after the first character, spaces and some punctuation.
    """
    fits = 0 < len(name) <= _LONGEST and name.isprintable() and name[-1] not in " ."
    # Letters, numbers, and combining marks, as in Devanagari or Thai.
    allowed = (unicodedata.category(char)[0] in "LNM" or char in _PUNCTUATION for char in name)
    return fits and name[0].isalnum() and all(allowed)


# What operating systems, network drives and notebooks add to folders.
_JUNK = {
    *("__macosx", "thumbs.db", "desktop.ini", "ehthumbs.db", "icon\r", "$recycle.bin", "@eadir", "#recycle"),
    *("system volume information", "lost+found", "__pycache__", "@tmp", "#snapshot", "@recycle"),
}


def is_hidden(name: str) -> bool:
    """Whether a file or folder of this name is ignored: dot files, and what systems add to folders."""
    return name.startswith(".") or name.lower() in _JUNK


def slugs(names: Iterable[str]) -> dict[str, str]:
    """A distinct ASCII file name for each name."""
    found: dict[str, str] = {}
    taken: set[str] = set()
    counts: dict[str, int] = {}  # of the names so far with this stem, as there may be 100,000
    for name in sorted(set(names)):
        ascii_only = unicodedata.normalize("NFKD", name).encode("ascii", "ignore").decode().lower()
        slug = stem = re.sub(r"[^a-z0-9]+", "-", ascii_only).strip("-") or "class"
        while slug in taken:
            counts[stem] = counts.get(stem, 1) + 1
            slug = f"{stem}-{counts[stem]}"
        taken.add(slug)
        found[name] = slug
    return found


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that `name` was probably meant to be."""
    return next(iter(difflib.get_close_matches(name, list(known), n=1)), None)
