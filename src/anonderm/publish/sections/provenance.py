"""The report's last sections: other scores; the release; the steps, settings, versions, machine, times."""

from pathlib import Path
from typing import Any

from anonderm.core.documents import read_json
from anonderm.core.progress import duration
from anonderm.core.rundir import RunRecord
from anonderm.publish.blocks import Bar, Bars, Block, Row, Section, Table, score_table
from anonderm.publish.pipeline import Pipeline
from anonderm.publish.release.gate import reasons_in

_PATHS = ("source", "detector", "c2pa_certificate", "c2pa_key")  # settings that hold a path
_IN_OWN_SECTIONS = {
    "audit",
    "classifier",
    "data-mix",
    "detector",
    "fidelity",
    "lesions",
    "realism",
    "saliency",
    "utility",
}


def other_scores(pipeline: Pipeline) -> Section:
    """The results that have no section of their own."""
    tables = [
        score_table(f"{record.name} ({record.stage})", scores)
        for record, result in pipeline.results
        if result.kind not in _IN_OWN_SECTIONS and (scores := result.scores())
    ]
    return Section("other-scores", "Other scores", "", tables)


def release(pipeline: Pipeline) -> Section | None:
    records = pipeline.of("export")
    if pipeline.refused:
        reasons = tuple((reason,) for reason in reasons_in(pipeline.refused[-1].content["error"]))
        lead = "Nothing was released, because the privacy audit failed."
        return Section("release", "Release", lead, (Table("Reasons", ("Reason",), reasons),))
    if not records:
        return None
    folder = records[-1].folder / "release"
    files = (folder / "checksums.sha256").read_text(encoding="utf-8").splitlines()
    evidence = read_json(folder / "evidence.json")
    rows = (
        ("Folder", f"{records[-1].name}/release"),
        ("Faces", f"{evidence['faces']:,}"),
        ("Files", f"{len(files):,}"),
        ("Decision", _decided(evidence["decision"])),
        ("Licence", (folder / "LICENSE").read_text(encoding="utf-8").splitlines()[-1]),
        ("sha256 of checksums.sha256", records[-1].content["outputs"]["release/checksums.sha256"]),
    )
    lead = "The synthetic faces as a data set that common tools load; each picture is marked as AI-generated."
    return Section("release", "Release", lead, (Table("Released files", ("Part", "Value"), rows),))


def _decided(decision: dict[str, Any]) -> str:
    if decision["passed"]:
        return "passes every rule of the audit"
    override = decision["override"]
    return f"released against the audit by {override['name']} on {override['date']}: {override['reason']}"


def provenance(pipeline: Pipeline) -> Section:
    seconds = [_seconds(record) for record in pipeline.runs]
    total, longest = sum(seconds), max(seconds) or 1.0
    bars = tuple(
        Bar(record.name, duration(each), each / longest, "c6")
        for record, each in zip(pipeline.runs, seconds, strict=True)
    )
    facts = Row((_machine(pipeline.runs[-1]), _versions(pipeline.runs)))
    blocks: list[Block] = [Bars("Time of each step", bars), facts]
    blocks += [_settings(record) for record in pipeline.runs]
    lead = (
        f"{len(pipeline.runs)} steps, {duration(total)} in total. The same settings and seeds on the same "
        "machine give the same faces."
    )
    return Section("provenance", "Provenance", lead, blocks)


def _seconds(record: RunRecord) -> float:
    return float(record.content.get("seconds", 0.0))


def _machine(record: RunRecord) -> Table:
    machine: dict[str, Any] = record.content.get("machine", {})
    rows = tuple((name, str(value)) for name, value in machine.items() if value is not None)
    return Table("Machine", ("Part", "Value"), rows)


def _versions(runs: tuple[RunRecord, ...]) -> Table:
    """One table; a package used in several versions lists them all."""
    found: dict[str, list[str]] = {}
    for record in runs:
        for name, version in record.content.get("versions", {}).items():
            if version not in found.setdefault(name, []):
                found[name].append(version)
    rows = tuple((name, ", ".join(versions)) for name, versions in found.items())
    return Table("Versions", ("Package", "Version"), rows)


def _settings(record: RunRecord) -> Table:
    """The effective settings and inputs of a step, folded."""
    rows = [(name, _shown(name, value)) for name, value in record.config.items()]
    rows += [(f"input {name}", _digests(value)) for name, value in record.content["inputs"].items()]
    title = f"{record.name}: {record.stage}, {duration(_seconds(record))}"
    return Table(title, ("Setting", "Value"), tuple(rows), folded=True)


def _shown(name: str, value: Any) -> str:
    """As text; of a path only the last part, because folders can name people and places."""
    if isinstance(value, list):
        return ", ".join(str(each) for each in value)
    return Path(value).name if name in _PATHS else str(value)


def _digests(value: Any) -> str:
    return ", ".join(str(each)[:12] for each in value) if isinstance(value, list) else str(value)[:12]
