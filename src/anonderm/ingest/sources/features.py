"""Class names that `datasets` notes in the schema of a table, in place of the numbers in its cells."""

import json
from collections.abc import Mapping
from typing import Any

Features = dict[str, Any]


def features_of(schema: Any) -> Features:
    """Column -> its feature, from the metadata of an Arrow schema; {} without any."""
    try:
        features = json.loads((schema.metadata or {}).get(b"huggingface", b"{}"))["info"]["features"]
    except (KeyError, TypeError, ValueError, RecursionError):
        return {}
    return features if isinstance(features, dict) else {}


def is_class(feature: Any) -> bool:
    return (
        isinstance(feature, dict)
        and feature.get("_type") == "ClassLabel"
        and isinstance(feature.get("names"), list)
    )


def named_row(row: Mapping[str, Any], features: Features) -> dict[str, Any]:
    """The row with the names of classes in place of their numbers, at any depth."""
    return {name: _named(value, features.get(name)) for name, value in row.items()}


def _named(value: Any, feature: Any) -> Any:
    """None for a number that no class has."""
    if is_class(feature):
        return _class_of(value, feature["names"])
    if isinstance(feature, list) and len(feature) == 1:  # how `datasets` notes a list of objects
        feature = {"feature": feature[0]}
    if not isinstance(feature, dict):
        return value
    inner = feature.get("feature")
    if isinstance(value, list):
        return value if inner is None else [_named(each, inner) for each in value]
    if not isinstance(value, dict):
        return value
    if "_type" in feature and isinstance(inner, dict):  # a Sequence of objects, stored as an object of lists
        return {name: _named(each, {"feature": inner.get(name)}) for name, each in value.items()}
    return {name: _named(each, feature.get(name)) for name, each in value.items()}


def _class_of(value: Any, names: list[Any]) -> str | None:
    """The name of a class, for its number in any form, or for the name itself."""
    if isinstance(value, str) and value in names:
        return value
    try:
        index = float(value)
    except (TypeError, ValueError):
        return None
    return str(names[int(index)]) if index in range(len(names)) else None
