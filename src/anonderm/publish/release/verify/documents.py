"""The documents of a release: card, licence, Croissant and evidence are present, complete and consistent."""

import contextlib
import io
import json
import logging
import re
from collections.abc import Iterator
from datetime import date
from pathlib import Path
from typing import Any

from anonderm.core.files import sha256_file
from anonderm.publish.release.croissant import CONFORMS_TO
from anonderm.publish.release.verify.checks import Check, Fault

_HEADINGS = ("Motivation", "Composition", "Process", "Uses", "Privacy", "Limits", "Licence")
_RESPONSIBLE = (
    "rai:dataCollection",
    "rai:dataUseCases",
    "rai:dataLimitations",
    "rai:dataBiases",
    "rai:personalSensitiveInformation",
)
_HOME = re.compile(r"(?:/home/|/Users/|/root/|\b[A-Z]:\\)[^\s\"'<>|)]+")


def read_evidence(release: Path) -> dict[str, Any]:
    """The content of evidence.json; empty if it cannot be read."""
    try:
        evidence = json.loads((release / "evidence.json").read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return evidence if isinstance(evidence, dict) else {}


def check_documents(release: Path, evidence: dict[str, Any]) -> list[Check]:
    """`evidence`: the content of evidence.json."""
    return [_card(release, evidence), _croissant(release), _evidence(release, evidence)]


def _card(release: Path, evidence: dict[str, Any]) -> Check:
    text, faults = _text(release, "README.md")
    if text and not text.startswith("---\n"):
        faults.append(Fault("README.md", "has no front matter"))
    missing = [name for name in _HEADINGS if text and f"\n## {name}\n" not in text]
    faults += [Fault("README.md", f"has no section {name!r}") for name in missing]
    labels = evidence.get("labels")
    for label, count in labels.items() if isinstance(labels, dict) and text else ():
        if f"\n| {label} | {count:,} |" not in text:
            faults.append(Fault("README.md", f"does not state that {count:,} faces are {label}"))
    terms, missing_terms = _text(release, "LICENSE")
    if not missing_terms and not terms.strip():
        faults.append(Fault("LICENSE", "is empty"))
    return Check("card and licence", 2, (*faults, *missing_terms))


def _croissant(release: Path) -> Check:
    text, faults = _text(release, "croissant.json")
    if not text:
        return Check("croissant", 1, tuple(faults))
    try:
        content = json.loads(text)
        faults += _croissant_faults(release, content)
    except (ValueError, KeyError, TypeError, AttributeError) as error:
        return Check("croissant", 1, (Fault("croissant.json", f"cannot be read ({error!r})"),))
    errors = _mlcroissant(release / "croissant.json") if not faults else []
    note = "mlcroissant is not installed: only the main fields were checked" if errors is None else ""
    return Check("croissant", 1, (*faults, *(Fault("croissant.json", each) for each in errors or ())), note)


def _croissant_faults(release: Path, content: dict[str, Any]) -> Iterator[Fault]:
    if content["conformsTo"] != CONFORMS_TO:
        yield Fault("croissant.json", "does not name the Croissant versions that it conforms to")
    for name in _RESPONSIBLE:
        if not content.get(name):
            yield Fault("croissant.json", f"has no {name}")
    for each in content["distribution"]:
        if "sha256" not in each:
            continue
        path = release / each["contentUrl"]
        if ".." in Path(each["contentUrl"]).parts or not path.is_file():
            yield Fault("croissant.json", f"lists {each['contentUrl']}, which is missing")
        elif sha256_file(path) != each["sha256"]:
            yield Fault("croissant.json", f"has the wrong sha256 for {each['contentUrl']}")


def _mlcroissant(path: Path) -> list[str] | None:
    """Errors found by the reference implementation, without network; None if it is not installed."""
    try:
        import mlcroissant
    except ImportError:
        return None
    logging.getLogger("absl").setLevel(logging.ERROR)
    with contextlib.redirect_stderr(io.StringIO()):
        try:
            mlcroissant.Dataset(jsonld=str(path))
        except (mlcroissant.ValidationError, ValueError, KeyError, TypeError) as error:
            return [f"is rejected by mlcroissant: {error}"]
    return []


def _evidence(release: Path, evidence: dict[str, Any]) -> Check:
    text, faults = _text(release, "evidence.html")
    _, missing = _text(release, "evidence.json")
    faults += missing
    if not missing and not {"faces", "faces_digest", "decision", "verdicts"} <= evidence.keys():
        faults.append(Fault("evidence.json", "is not the evidence of a release"))
    elif not missing:
        faults += _decision_faults(evidence)
    if text and evidence.get("faces_digest") and str(evidence["faces_digest"]) not in text:
        faults.append(Fault("evidence.html", "is about another set than evidence.json"))
    for name in ("README.md", "croissant.json", "evidence.html", "evidence.json"):
        faults += [Fault(name, f"contains a local path: {path}") for path in _homes(release, name)]
    return Check("evidence", 2, tuple(faults))


def _decision_faults(evidence: dict[str, Any]) -> Iterator[Fault]:
    """Either the audit passed, or it was overridden with name, reason and date."""
    decision, images = evidence["decision"], evidence["verdicts"].get("images")
    override = decision.get("override") or {}
    if isinstance(images, dict) and images.get("passed") is True and decision.get("passed") is True:
        return
    if not all(str(override.get(name, "")).strip() for name in ("name", "reason", "date")):
        yield Fault("evidence.json", "states that the audit did not pass, but not who overrode it and why")
        return
    try:
        date.fromisoformat(override["date"])
    except ValueError:
        yield Fault("evidence.json", f"has the invalid override date {override['date']!r}")


def _homes(release: Path, name: str) -> list[str]:
    try:
        return sorted(set(_HOME.findall((release / name).read_text(encoding="utf-8"))))
    except (OSError, UnicodeDecodeError):
        return []


def _text(release: Path, name: str) -> tuple[str, list[Fault]]:
    try:
        return (release / name).read_text(encoding="utf-8"), []
    except FileNotFoundError:
        return "", [Fault(name, "is missing")]
    except (OSError, UnicodeDecodeError) as error:
        return "", [Fault(name, f"cannot be read ({error})")]
