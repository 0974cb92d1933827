"""The evidence page: what was tested and found, in plain words, without pictures."""

from __future__ import annotations

import re
import shutil
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import pytest
from made_up_audit import FAILED, attack, audited
from made_up_line import make_line
from made_up_release import write_release

from anonderm.core.faceset import FaceSet
from anonderm.core.results.audit import AuditResult, Rule, Verdict
from anonderm.core.results.base import FILE, LeftOut
from anonderm.core.rundir import RunDir
from anonderm.publish.config import ReportConfig
from anonderm.publish.release.config import ExportConfig
from anonderm.publish.release.evidence import evidence_page
from anonderm.publish.release.gate import decide
from anonderm.publish.report import report

OVERRIDE = {"override_name": "A. Steward", "override_reason": "a drill", "override_date": "2026-11-21"}
FORBIDDEN = (
    "complian",
    "complies",
    "gdpr",
    "certif",
    "guarantee",
    "is anonymous",
    "are anonymous",
    "safe to",
)
VOID = {"meta", "br", "circle", "line", "polyline", "polygon"}


def written(faces: FaceSet, audit: AuditResult | None) -> str:
    config = ExportConfig(**OVERRIDE)
    return evidence_page(config, decide(config, faces, audit), audit, faces, signed=False)


@pytest.fixture(scope="module")
def page(faces: FaceSet) -> str:
    return written(faces, audited(faces))


def text_of(page: str, section: str = "") -> str:
    """The text of one section or of all."""
    part = page[page.index(f'<section id="{section}"') :] if section else page[page.index("</style>") :]
    part = part[: part.index("</section>")] if section else part
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", part))


def test_it_maps_findings_to_the_questions_of_regulators(page: str) -> None:
    text = text_of(page)
    for frame in ("Opinion 05/2014", "singling out", "Linkability", "Inference", "Opinion 28/2024", "ICO"):
        assert frame in text, frame
    assert "2 of 40 (5.0%) 2 of 40 (5.0%) 1.0% 0 (-0.1 to 0.1)" in text_of(page, "linkability")
    assert "Singling out dlib FMR 0.1%" in text_of(page, "singling-out")
    assert "Membership, by distance encoder AUC 0.52" in text_of(page, "membership")
    assert "Linkability" not in text_of(page, "membership")


def test_it_never_states_compliance_with_a_law(faces: FaceSet) -> None:
    for audit in (audited(faces), audited(faces, passed=False), None):
        text = text_of(written(faces, audit)).lower()
        assert "evidence" in text
        for word in FORBIDDEN:
            assert word not in text, word


def test_uninformative_matchers_and_canaries_are_shown(page: str) -> None:
    assert re.search(r"encoder .* 48% uninformative, does not count", text_of(page, "matchers"))
    assert "flip 100% 98%" in text_of(page, "canaries")
    assert "arcface" in text_of(page, "left-out-attacks")


def test_a_failed_audit_is_stated_first(faces: FaceSet) -> None:
    page = written(faces, audited(faces, passed=False))
    warnings = page[page.index('class="warnings"') : page.index("<nav")]
    assert FAILED in warnings
    decision = text_of(page, "decision")
    assert "A. Steward" in decision
    assert decision.index("Rules that fail") < decision.index("All 10 rules")


def test_weights_have_rules_and_attacks_of_their_own(faces: FaceSet, page: str) -> None:
    assert "nothing here supports releasing them" in text_of(page, "weights")
    audit = audited(faces)
    attacks = (*audit.attacks, attack("discriminator", "generator 1", "AUC", 0.7, 0.5))
    page = written(faces, replace(audit, weights=audit.images, attacks=attacks))
    assert "Membership, by discriminator generator 1" in text_of(page, "weights")
    assert "discriminator" not in text_of(page, "membership")


def test_skin_tones_have_their_own_rules(faces: FaceSet, page: str) -> None:
    assert "Not tested" in text_of(page, "tones")
    audit = audited(faces)
    name = "dark skin: singling_out[dlib]/FMR 1%"
    rule = Rule("tone", "dark", name, None, 0.0, None, None, True, "no worse than all people together")
    page = written(faces, replace(audit, images=Verdict((*audit.images.rules, rule))))
    assert "dark skin: singling_out[dlib]/FMR 1% holds" in text_of(page, "tones")


def test_it_has_no_picture_and_no_external_resource(page: str) -> None:
    assert not re.search(r"<img|<script|<link|@import|url\(|https?://|data:", page)


class Balance(HTMLParser):
    """Fails at the first tag that closes another than the one last opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: list[str] = []
        self.headings: list[int] = []

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        self.ids += [str(value) for name, value in attrs if name == "id"]
        self.headings += [int(tag[1])] if re.fullmatch(r"h[1-6]", tag) else []
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_it_is_balanced_html_whose_headings_leave_out_no_level(page: str) -> None:
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert len(parser.ids) == len(set(parser.ids))
    assert all(
        after - before <= 1 for before, after in zip(parser.headings, parser.headings[1:], strict=False)
    )
    assert set(re.findall(r'href="#([^"]+)"', page)) <= set(parser.ids)


def test_paths_in_the_audit_are_not_released(faces: FaceSet, tmp_path: Path) -> None:
    audit = audited(faces)
    careless = LeftOut("everything by arcface", "no weights in /srv/jane-doe/weights/arcface.onnx")
    release = write_release(tmp_path / "export", faces, replace(audit, left_out=(careless,)))
    assert "jane-doe" not in (release / "evidence.html").read_text(encoding="utf-8")


def test_the_report_has_the_same_findings(tmp_path: Path) -> None:
    runs = make_line(tmp_path / "line")
    released = FaceSet.load(tmp_path / "line" / "released" / "faces")
    audited(released, passed=False).save(tmp_path / "line" / "audit" / FILE)
    with RunDir.open(tmp_path / "report", "report", ReportConfig(), {}) as run:
        page = report(ReportConfig(), runs, run).read_text(encoding="utf-8")
    section = text_of(page, "evidence")
    assert "of which 9 hold" in section
    assert "Rules that fail" in section
    assert "Can a person be singled out?" in section


@pytest.fixture(scope="module")
def browser() -> Iterator[Any]:
    path = shutil.which("chromium")
    if path is None:
        pytest.skip("needs a system Chromium")
    playwright = pytest.importorskip("playwright.sync_api")
    options = ["--no-sandbox", "--disable-gpu", "--disable-background-networking"]
    with playwright.sync_playwright() as driver:
        opened = driver.chromium.launch(executable_path=path, args=options)
        yield opened
        opened.close()


@pytest.mark.parametrize(("width", "scheme"), [(390, "light"), (1280, "dark")])
def test_a_browser_shows_it_without_errors_or_sideways_scrolling(
    faces: FaceSet, browser: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    file = tmp_path / "evidence.html"
    file.write_text(written(faces, audited(faces, passed=False)), encoding="utf-8")
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    trouble: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: trouble.append(message.text))
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(file.as_uri())
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert (trouble, requests) == ([], [file.as_uri()])
    tab.close()


def test_a_title_cannot_put_code_on_the_page(faces: FaceSet) -> None:
    config = replace(ExportConfig(), title="<script>alert(1)</script>")
    page = evidence_page(config, decide(config, faces, audited(faces)), audited(faces), faces, signed=True)
    assert "<script>" not in page
