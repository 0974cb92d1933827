"""The documents of a release: card, licence, Croissant and evidence are present, complete and consistent."""

import contextlib
import io
import logging
import re
from collections.abc import Iterator
from pathlib import Path

import pydantic

from anonderm.core.documents import WrongField, as_type, parse_json, read_text
from anonderm.core.errors import InputError
from anonderm.core.files import sha256_file
from anonderm.publish.release.croissant import CONFORMS_TO
from anonderm.publish.release.verify.checks import Check, Fault, regular_files
from anonderm.publish.release.verify.evidence import Evidence, faults_of_decision

_LARGEST = 64 << 20


class _File(pydantic.BaseModel):
    contentUrl: str = ""
    sha256: str | None = None


class _Croissant(pydantic.BaseModel):
    """The fields that are checked here; mlcroissant checks the others."""

    conformsTo: str | list[str] | None = None
    distribution: list[_File] = []


_HEADINGS = ("Motivation", "Composition", "Process", "Uses", "Privacy", "Limits", "Licence")
_RESPONSIBLE = (
    "rai:dataCollection",
    "rai:dataUseCases",
    "rai:dataLimitations",
    "rai:dataBiases",
    "rai:personalSensitiveInformation",
)
_HOME = re.compile(r"(?:/home/|/Users/|/root/|\b[A-Z]:\\)[^\s\"'<>|)]+")


def check_documents(release: Path, evidence: Evidence | Fault) -> list[Check]:
    """`evidence`: as `read_evidence` returns it."""
    return [_card(release, evidence), _croissant(release), _evidence(release, evidence)]


def _card(release: Path, evidence: Evidence | Fault) -> Check:
    text, faults = _text(release, "README.md")
    if text and not text.startswith("---\n"):
        faults.append(Fault("README.md", "has no front matter"))
    missing = [name for name in _HEADINGS if text and f"\n## {name}\n" not in text]
    faults += [Fault("README.md", f"has no section {name!r}") for name in missing]
    labels = evidence.labels if isinstance(evidence, Evidence) and text else {}
    for label, count in labels.items():
        if f"\n| {label} | {count:,} |" not in text:
            faults.append(Fault("README.md", f"does not state that {count:,} faces are {label}"))
    terms, missing_terms = _text(release, "LICENSE")
    if not missing_terms and not terms.strip():
        faults.append(Fault("LICENSE", "is empty"))
    return Check("card and licence", 2, (*faults, *missing_terms))


def _croissant(release: Path) -> Check:
    text, faults = _text(release, "croissant.json")
    if faults:
        return Check("croissant", 1, tuple(faults))
    try:
        content = parse_json(text, "croissant.json")
        faults += _croissant_faults(release, as_type(_Croissant, content))
    except InputError as error:
        return Check("croissant", 1, (Fault("croissant.json", f"cannot be read ({error.message})"),))
    except WrongField as error:
        what = f"{error.place or 'its content'} is missing or of a wrong kind"
        return Check("croissant", 1, (Fault("croissant.json", f"cannot be read ({what})"),))
    empty = [name for name in _RESPONSIBLE if not content.get(name)]
    faults += [Fault("croissant.json", f"has no {name}") for name in empty]
    errors = _mlcroissant(release / "croissant.json") if not faults else []
    note = "mlcroissant is not installed: only the main fields were checked" if errors is None else ""
    return Check("croissant", 1, (*faults, *(Fault("croissant.json", each) for each in errors or ())), note)


def _croissant_faults(release: Path, content: _Croissant) -> Iterator[Fault]:
    if content.conformsTo != CONFORMS_TO:
        yield Fault("croissant.json", "does not name the Croissant versions that it conforms to")
    listed = {path.relative_to(release).as_posix(): path for path in regular_files(release)}
    for each in content.distribution:
        if each.sha256 is None:
            continue
        path = listed.get(each.contentUrl)
        if path is None:
            yield Fault("croissant.json", f"lists {each.contentUrl[:200]}, which is missing")
        elif sha256_file(path) != each.sha256:
            yield Fault("croissant.json", f"has the wrong sha256 for {each.contentUrl[:200]}")


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
        except Exception as error:  # of any kind, for a file that it does not expect
            return [f"is rejected by mlcroissant: {error}"]
    return []


def _evidence(release: Path, evidence: Evidence | Fault) -> Check:
    text, faults = _text(release, "evidence.html")
    if isinstance(evidence, Fault):
        faults.append(evidence)
    else:
        faults += faults_of_decision(evidence)
        if text and evidence.faces_digest not in text:
            faults.append(Fault("evidence.html", "is about another set than evidence.json"))
    for name in ("README.md", "croissant.json", "evidence.html", "evidence.json"):
        faults += [Fault(name, f"contains a local path: {path}") for path in _homes(release, name)]
    return Check("evidence", 2, tuple(faults))


def _homes(release: Path, name: str) -> list[str]:
    return sorted(set(_HOME.findall(_text(release, name)[0])))


def _text(release: Path, name: str) -> tuple[str, list[Fault]]:
    if not (release / name).exists():
        return "", [Fault(name, "is missing")]
    try:
        return read_text(release / name, _LARGEST), []
    except InputError as error:
        return "", [
            Fault(name, f"cannot be read ({error.message.removeprefix(f'{release / name}: ').rstrip('.')})")
        ]
