"""What README.md states of a data set on the Hugging Face hub: its licence, and names of classes."""

import re
from dataclasses import dataclass, field
from typing import Any

from anonderm.core.documents import parse_yaml, read_text
from anonderm.core.errors import InputError
from anonderm.ingest.sources.features import Features
from anonderm.ingest.sources.listing import Listing

_FRONT_MATTER = re.compile(r"---\n(.*?\n)---\n", re.DOTALL)


@dataclass(frozen=True)
class HubCard:
    """features: by column, as in a schema; {} if there are none, or those of several configurations."""

    features: Features = field(default_factory=dict)
    licence: str = ""


def read_card(listing: Listing) -> HubCard:
    """An empty card where there is none, or one that cannot be read."""
    path = listing.files.get("README.md")
    try:
        match = _FRONT_MATTER.match(read_text(path)) if path else None
        content = parse_yaml(match[1], str(path)) if match else None
    except InputError:
        return HubCard()  # a card is for people; the tables say what they need
    if not isinstance(content, dict):
        return HubCard()
    info, licence = content.get("dataset_info"), content.get("license_name") or content.get("license")
    if isinstance(info, list) and len(info) == 1:
        info = info[0]
    fields = info.get("features") if isinstance(info, dict) else None
    known = isinstance(licence, str) and licence.lower() not in ("other", "unknown")
    return HubCard(_fields(fields), str(licence) if known else "")


def _fields(fields: Any) -> Features:
    """The features in a list of {name, dtype}."""
    rows = [each for each in fields if isinstance(each, dict)] if isinstance(fields, list) else []
    return {str(each.get("name")): _feature(each) for each in rows}


def _feature(stated: Any) -> Any:
    """A feature as in a schema: classes, structs and lists; {} for anything else, which needs no names."""
    if isinstance(stated, list):
        return _fields(stated)
    if not isinstance(stated, dict):
        return {}
    kind = stated.get("dtype")
    if isinstance(kind, dict) and isinstance(kind.get("class_label"), dict):
        names = kind["class_label"].get("names")
        return {"_type": "ClassLabel", "names": list(names.values()) if isinstance(names, dict) else names}
    for key in ("list", "sequence"):
        if key in stated:
            return {"_type": "Sequence", "feature": _feature(stated[key])}
    return _fields(stated.get("struct"))
