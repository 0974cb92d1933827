"""What Roboflow's exports have in common: a card that states the licence."""

from __future__ import annotations

import dataclasses
import re

from anonderm.core.errors import InputError
from anonderm.ingest.sources.photo import Found
from anonderm.ingest.sources.tree import Tree, read_text

CARD = "README.dataset.txt"


def with_licence(tree: Tree, found: Found) -> Found:
    """The photos with the licence of the card, where there is one and they have no other."""
    try:
        text = read_text(tree.files[CARD]) if CARD in tree.files else ""
    except InputError:
        return found  # a card in another encoding states nothing that could be relied on
    stated = re.search(r"^License:[ \t]*(\S.*?)[ \t]*$", text, re.MULTILINE)
    if stated is None:
        return found
    photos = (dataclasses.replace(each, licence=each.licence or stated[1]) for each in found.photos)
    return dataclasses.replace(found, photos=tuple(photos))
