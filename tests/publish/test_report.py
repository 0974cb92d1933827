"""The report: says what there is, shows what it may, and needs nothing but itself."""

from __future__ import annotations

import json
import re
import shutil
from collections import Counter
from collections.abc import Iterator
from dataclasses import replace
from html.parser import HTMLParser
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from made_up_audit import FAILED, attack
from made_up_line import (
    CLASSES,
    audit,
    classification,
    draw_face,
    make_line,
    share,
    step,
    synthetic,
    train_gan,
    utility,
)

from anonderm.core.errors import BrokenArtefact, ConfigError, InputError
from anonderm.core.faceset import FaceSet, FaceSetWriter
from anonderm.core.images import write_png
from anonderm.core.results.audit import Rule, Verdict
from anonderm.core.results.base import Score
from anonderm.core.results.classifier import (
    ClassifierResult,
    ConfusionMatrix,
    LesionTypeScores,
    MapMeasure,
    MapMeasures,
    MultiLabelScores,
    SaliencyResult,
)
from anonderm.core.results.privacy_screen import Comparison, ScreenAudit
from anonderm.core.results.skin import SkinTones
from anonderm.core.results.sweep import SweepMeasures, SweepResult, SweepRow
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.publish.config import ReportConfig
from anonderm.publish.report import report

VOID = {"meta", "img", "br", "circle", "line", "polyline", "polygon"}


def write(folder: Path, runs: tuple[RunRecord, ...], **settings: object) -> str:
    config = ReportConfig(**settings)  # type: ignore[arg-type]
    with RunDir.open(folder, "report", config, {}) as run:
        return report(config, runs, run).read_text(encoding="utf-8")


@pytest.fixture(scope="module")
def page(line: tuple[RunRecord, ...], tmp_path_factory: pytest.TempPathFactory) -> str:
    return write(tmp_path_factory.mktemp("report"), line)


class Balance(HTMLParser):
    """Fails at the first tag that closes another than the one last opened."""

    def __init__(self) -> None:
        super().__init__()
        self.open: list[str] = []
        self.ids: Counter[str] = Counter()
        self.images_without_alt = 0

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        named = dict(attrs)
        self.ids.update([str(named["id"])] if "id" in named else [])
        self.images_without_alt += tag == "img" and not named.get("alt")
        if tag not in VOID:
            self.open.append(tag)

    def handle_startendtag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        assert tag in VOID

    def handle_endtag(self, tag: str) -> None:
        assert self.open.pop() == tag


def test_every_kind_of_step_has_its_section(page: str) -> None:
    evaluations = ["utility", "data-mix", "fidelity", "realism", "privacy", "evidence"]
    photos = ["photos", "excluded", "preparation"]
    training = ["screening", "generators", "classifiers"]
    wanted = ["faces", *photos, *evaluations, *training, "release", "provenance"]
    assert re.findall(r'<section id="([^"]+)"', page) == wanted
    assert [f'href="#{id}"' in page for id in wanted] == [True] * len(wanted)


def test_the_detectors_ten_bins_are_a_table_and_a_chart(page: str) -> None:
    section = page[page.index('<section id="realism"') : page.index('<section id="privacy"')]
    assert "Faces by the score of the detector EfficientNetB4" in section
    table = section[section.index("Faces by the score of the detector") :]
    assert table[: table.index("</table>")].count("0.9 to 1.0") == 1
    assert "Detector of manipulated faces (EfficientNetB4)" in section
    assert "Synthetic faces detected most clearly" in section


def test_sections_without_runs_are_left_out(line: tuple[RunRecord, ...], tmp_path: Path) -> None:
    few = tuple(record for record in line if record.stage in ("ingest", "train-gan"))
    page = write(tmp_path / "report", few)
    assert re.findall(r'<section id="([^"]+)"', page) == [
        "faces",
        "photos",
        "excluded",
        "generators",
        "provenance",
    ]


def test_the_page_is_balanced_html_with_unique_ids_and_alternative_texts(page: str) -> None:
    parser = Balance()
    parser.feed(page)
    assert parser.open == []
    assert max(parser.ids.values()) == 1
    assert parser.images_without_alt == 0


def test_the_page_refers_to_nothing_outside_itself(page: str) -> None:
    assert not re.search(r"https?://|<link|<script|@import|url\(", page)
    assert set(re.findall(r'src="([^:"]+):', page)) == {"data"}


def test_the_page_is_small(page: str) -> None:
    assert len(page) < 1_000_000


def test_the_summary_states_the_key_numbers(page: str) -> None:
    summary = re.search(r'<p class="summary">(.*?)</p>', page, re.DOTALL)[1]  # type: ignore[index]
    assert "Input: 36 photos of 18 people (12 healthy, 12 mild, 12 severe)." in summary
    assert "Output: 27 synthetic faces (9 healthy, 9 mild, 9 severe)." in summary
    assert "alone classifies 81% (73% to 89%) correctly" in summary
    assert "one trained on real photos, 90% (82% to 98%)" in summary
    assert "is 0.021; that of other real photos is 0.003" in summary
    assert "Privacy: Release of the images: all 10 rules hold." in summary


def test_real_photos_are_announced_or_left_out(
    line: tuple[RunRecord, ...], page: str, tmp_path: Path
) -> None:
    without = write(tmp_path / "report", line, show_real=False)
    assert "Contains real photos: do not publish" in page
    assert "Contains real photos" not in without
    assert "real face" in page
    shown = set(re.findall(r'<img src="[^"]+" alt="([^"]+)"', without))
    assert shown
    synthetic = ("synthetic face, ", "rejected", "sheet of synthetic")
    assert [text for text in shown if not text.startswith(synthetic)] == []
    assert "rejected, training-copy" not in shown  # such a face looks like a person


def test_excluded_aligned_and_restored_photos_are_counted(page: str) -> None:
    text = re.sub(r"<[^>]+>", " ", page)
    assert re.search(r"duplicate\s+2\b", text)
    assert re.search(r"aligned\s+36 \(100%\)", text)
    assert re.search(r"no face found\s+1\b", text)
    assert re.search(r"lanczos\s+36 \(100%\)", text)
    assert "Size of the photos" in text
    assert 'alt="excluded photo, duplicate"' in page
    assert 'alt="photo not aligned"' in page.replace(", healthy", "")


def test_no_person_source_or_folder_name_is_on_the_page(line: tuple[RunRecord, ...], tmp_path: Path) -> None:
    page = write(tmp_path / "report", line, show_real=False)
    for secret in ("person-00", "Jane-Doe", "jane-doe", "IMG_4711", str(line[0].folder.parent)):
        assert secret not in page


def test_warnings_are_on_the_first_screen(tmp_path: Path) -> None:
    result = utility(tmp_path / "pictures", draw_face)
    few = [classification(share(value, n=20), share(value, n=20)) for value in (0.9, 0.35)]
    counts = ((30, 0, 0), (25, 5, 0), (30, 0, 0))
    result = replace(
        result,
        explanations=(),
        trtr=replace(result.trtr, scores=few[0]),
        tstr=replace(
            result.tstr,
            scores=few[1],
            confusion=ConfusionMatrix(CLASSES, counts),
            warnings=("accuracy is not shown to be better than chance.",),
        ),
    )
    made = synthetic(tmp_path / "made", draw_face)
    audited = audit(tmp_path / "pairs", draw_face, made, passed=False)
    missed = Rule("canary", "crop", "canary recall (crop)", 0.95, 0.4, None, None, False, "40% were found")
    audited = replace(audited, images=Verdict((*audited.images.rules, missed)))
    page = write(tmp_path / "report", make_line(tmp_path / "line", utility=result, audit=audited))
    warnings = page[page.index('class="warnings"') : page.index("<nav")]
    assert (
        "Classifier trained on synthetic faces: accuracy is not shown to be better than chance." in warnings
    )
    assert "The classifier trained on synthetic faces never predicts severe." in warnings
    assert "only 20 real test photos" in warnings
    assert "The audit misses too many canaries: crop: 40% found." in warnings
    assert f"The images fail the privacy audit. {FAILED}" in warnings
    section = page[page.index('<section id="privacy"') :]
    lead = section[: section.index("<table")]
    assert lead.index("This audit misses too many canaries") < lead.index("2 of 11 rules fail.")


def test_the_privacy_section_has_verdict_canaries_matchers_attacks_pairs_and_repeats(page: str) -> None:
    section = page[page.index('<section id="privacy"') : page.index('<section id="evidence"')]
    text = re.sub(r"<[^>]+>", " ", section)
    order = [
        "Release of the images: all 10 rules hold.",
        "Verdict on releasing the images: passed",
        "Canary recall",
        "Error rates of the matchers on these photos",
        "Attacks",
        "Worst cases",
        "Repeated faces (copy): 3 in 1 groups",
        "Attacks by skin tone",
    ]
    places = [text.index(words) for words in order]
    assert places == sorted(places)
    assert "Uninformative, so it does not count: EER 48% on these photos." in text
    assert "false matches (FMR)" in section
    assert re.search(r"Singling out\s+dlib\s+FMR 0.1%\s+2 of 40 \(5.0%\)\s+2 of 40 \(5.0%\)\s+1.0%", text)
    assert section.count("to its right the nearest photo") == 3  # each pair once


def test_the_audits_before_and_after_a_privacy_screen_are_compared(
    line: tuple[RunRecord, ...], tmp_path: Path
) -> None:
    before, after = (attack("singling_out", "dlib", "FMR 0.1%", value, 0.05) for value in (0.4, 0.0))
    result = ScreenAudit(False, True, (), "Selected.", (Comparison(before, after, True),))
    page = write(tmp_path / "report", (*line, step(tmp_path, "check", "audit-screen", lambda _: result)))
    text = re.sub(r"<[^>]+>|\s+", " ", page[page.index("Before and after the privacy screen") :])
    row = r"Singling out +dlib +FMR 0.1% +16 of 40 \(40%\) +0 of 40 \(0%\) .* 0.35 +-0.05 +by construction"
    assert re.search(row, text)
    assert "before the screen: failed; after it: passed. Selected. Every informative matcher" in re.sub(
        " +", " ", text
    )


def test_worst_cases_are_not_shown_where_real_photos_are_not(
    line: tuple[RunRecord, ...], tmp_path: Path
) -> None:
    page = write(tmp_path / "report", line, show_real=False)
    assert "Worst cases" not in page
    assert "Repeated faces" in page


def test_photos_without_subjects_are_warned_of(line: tuple[RunRecord, ...], tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(line[0].folder, folder)
    (folder / "config.toml").write_text("seed = 0\n", encoding="utf-8")
    shutil.rmtree(folder / "faces")
    writer, known = FaceSetWriter(folder / "faces"), FaceSet.load(line[0].folder / "faces")
    for face in known:
        writer.add_from(known, replace(face, subject=face.id, identified_by=None))
    writer.finish()
    assert "People unknown" in write(tmp_path / "report", (RunRecord.load(folder),))


def test_phantoms_are_not_announced_as_real_people(line: tuple[RunRecord, ...], tmp_path: Path) -> None:
    folder = tmp_path / "photos"
    shutil.copytree(line[0].folder, folder)
    drawn = RunRecord(folder, line[0].content | {"stage": "phantom"})
    page = write(tmp_path / "report", (drawn,))
    assert "36 phantom photos of 18 people" in page
    assert "do not publish" not in page


def test_a_sound_run_has_no_warnings(page: str) -> None:
    assert 'class="warnings"' not in page


def test_results_without_a_section_of_their_own_are_listed(
    line: tuple[RunRecord, ...], tmp_path: Path
) -> None:
    tones = SkinTones({"<dark>": Score(-20.4713, n=12)}, None, None, {}, {}, 0, {})
    record = step(tmp_path, "tones", "skin", lambda run: tones)
    page = write(tmp_path / "report", (*line, record))
    assert "tones (skin)" in page
    assert "ita/&lt;dark&gt;" in page
    assert "-20.5" in page


def test_screening_counts_every_reason(page: str) -> None:
    screening = page[page.index('<section id="screening"') : page.index('<section id="generators"')]
    for reason in ("training-copy", "artefact", "deformed"):
        assert screening.count(f'<span class="name">{reason}</span>') == 2  # screened and sorted
    assert "27 (75%)" in screening
    assert "3 (8.3%)" in screening


def test_confusion_matrices_hold_the_counts(page: str) -> None:
    cells = re.findall(r'<td style="--share:([\d.]+)"><b>(\d+)</b>', page)
    assert [int(count) for _, count in cells[:9]] == [28, 2, 0, 2, 26, 2, 0, 3, 27]
    assert float(cells[0][0]) == pytest.approx(28 / 30, abs=0.01)


def test_the_data_mix_shows_every_arm_its_difference_and_the_curve_over_the_ratio(page: str) -> None:
    section = page[page.index('<section id="data-mix"') : page.index('<section id="fidelity"')]
    text = re.sub(r"<[^>]+>", " ", section)
    assert re.search(r"real\+5x\s+what real\+5x means\s+60\s+200\s+real\s+0\.9 \(0\.82 to 0\.98\)", text)
    assert "too few synthetic faces for real+5x" in text
    assert "Compared with real faces only: TSTR -0.1, real+1x 0.02, real+5x 0.1" in section
    assert "Adding synthetic faces to real ones: Accuracy ends at 0.9, Macro F1 ends at 0.88" in section
    assert section.count('class="whisker') == 3 + 4 + 2 * 3  # differences, accuracies, ratios of two measures
    assert {"TRTR, on real faces", "TRTS, on synthetic faces"} < set(re.findall(r"\S+, on \S+ faces", text))
    assert "light skin (30 faces)" in text
    assert "Loss on the validation faces" in text
    assert "2 times each and for the same number of optimiser steps" in text


def test_the_release_is_described_by_its_checksum(line: tuple[RunRecord, ...], page: str) -> None:
    release = page[page.index('<section id="release"') : page.index('<section id="provenance"')]
    text = re.sub(r"<[^>]+>", " ", release)
    assert re.search(r"Faces\s+27\b", text)
    assert re.search(r"Files\s+33\b", text)
    assert "passes every rule of the audit" in text
    assert line[-1].content["outputs"]["release/checksums.sha256"] in release


def test_the_same_runs_give_the_same_page(line: tuple[RunRecord, ...], page: str, tmp_path: Path) -> None:
    assert write(tmp_path / "again", line) == page


def test_an_unfinished_run_is_named_and_left_out(line: tuple[RunRecord, ...], tmp_path: Path) -> None:
    with pytest.raises(KeyboardInterrupt), RunDir.open(tmp_path / "cut", "audit", ReportConfig(), {}):
        raise KeyboardInterrupt
    cut = RunRecord.load(tmp_path / "cut")
    assert "The step cut is not finished" in write(tmp_path / "report", (*line, cut))
    with pytest.raises(InputError, match="none of these runs is finished"):
        write(tmp_path / "empty", (cut,))


def test_a_damaged_result_is_an_error_that_names_the_field(tmp_path: Path) -> None:
    runs = make_line(tmp_path / "line")
    file = tmp_path / "line" / "utility" / "results.json"
    content = json.loads(file.read_text(encoding="utf-8"))
    del content["trtr"]["scores"]["accuracy"]
    file.write_text(json.dumps(content), encoding="utf-8")
    with pytest.raises(
        BrokenArtefact, match=r"utility/results\.json: trtr\.scores\.accuracy: Field required"
    ):
        write(tmp_path / "report", runs)


def test_settings_out_of_range_are_refused() -> None:
    with pytest.raises(ConfigError, match="faces_per_class"):
        ReportConfig(faces_per_class=0)


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
    page: str, browser: Any, tmp_path: Path, width: int, scheme: str
) -> None:
    file = tmp_path / "report.html"
    file.write_text(page, encoding="utf-8")
    tab = browser.new_page(viewport={"width": width, "height": 900}, color_scheme=scheme)
    trouble: list[str] = []
    requests: list[str] = []
    tab.on("console", lambda message: trouble.append(message.text))
    tab.on("pageerror", lambda error: trouble.append(str(error)))
    tab.on("request", lambda request: requests.append(request.url))
    tab.goto(file.as_uri())
    assert tab.evaluate("[...document.images].every(image => image.complete && image.naturalWidth > 0)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    tab.evaluate("document.querySelectorAll('details').forEach(each => each.open = true)")
    assert tab.evaluate("document.documentElement.scrollWidth") <= width
    assert trouble == []
    assert {url for url in requests if not url.startswith("data:")} == {file.as_uri()}
    tab.close()


def test_the_faces_of_each_class_are_labelled(page: str) -> None:
    for label in CLASSES:
        assert page.count(f'alt="real face, {label}"') == 12
        assert page.count(f'alt="synthetic face, {label}"') == 9
    assert np.all([f"{label}, synthetic" in page for label in CLASSES])


def test_evaluated_classifiers_are_compared_side_by_side(tmp_path: Path) -> None:
    about = {"backbone": "vgg19", "weights": "random", "trained_on": "real", "n_people": 9, "count_mae": None}
    grades = ClassifierResult(
        classes=CLASSES,
        head="softmax",
        classification=classification(share(0.81), share(0.8)),
        multi_label=None,
        confusion=ConfusionMatrix(CLASSES, ((7, 1, 0), (2, 6, 0), (0, 0, 8))),
        majority_share=1 / 3,
        **about,
    )
    papules = LesionTypeScores(share(0.92), None, share(0.9))
    types = ClassifierResult(
        classes=("papule",),
        head="multi-label",
        classification=None,
        multi_label=MultiLabelScores(share(0.92), None, share(0.9), {"papule": papules}),
        confusion=None,
        majority_share=None,
        **about,
    )
    runs = tuple(
        step(tmp_path, name, "evaluate classifier", lambda run, result=result: result)
        for name, result in (("grades", grades), ("types", types))
    )
    page = write(tmp_path / "report", runs)
    section = page[page.index('<section id="classifier-scores"') : page.index('<section id="provenance"')]
    assert "Macro AUC" in section
    assert "AUC of each lesion type" in section
    assert section.count('class="matrix') == 1, "lesion types have no confusion matrix"
    assert "Other measures" not in section, "a table without numbers is left out"


def test_the_settings_of_a_sweep_are_compared(tmp_path: Path) -> None:
    measures = SweepMeasures(0.021, 0.002, 1.2, 0.5, 1.0)
    rows = (
        SweepRow("01-r1_gamma=2", {"r1_gamma": 2.0, "augment_p": None}, "done", 9.0, measures),
        SweepRow("02-r1_gamma=9", {"r1_gamma": 9.0, "augment_p": 0.2}, "diverged", 3.0, None),
    )

    def swept(run: RunDir) -> None:
        SweepResult(rows, "01-r1_gamma=2", ()).save(run.folder / "sweep.json")
        for row in rows:
            step(run.folder, row.run, "train-gan", lambda inner: train_gan(inner, draw_face))

    page = write(tmp_path / "report", (step(tmp_path, "sweep", "sweep-gan", swept),))
    text = re.sub(r"<[^>]+>", " ", page[page.index('<section id="sweeps"') :])
    assert re.search(r"r1_gamma=2 augment_p=none\s+0\.021 ± 0\.002\s+1\.2\s+0\.5\s+1\s+best", text)
    assert re.search(r"r1_gamma=9 augment_p=0\.2\s+diverged", text)


def test_saliency_maps_are_compared_with_their_baselines(tmp_path: Path) -> None:
    def shares(value: float) -> MapMeasure:
        return MapMeasure(share(value), share(0.1), share(value - 0.1), share(0.3), share(value - 0.3))

    groups = {name: MapMeasures(shares(0.6), shares(0.8), None) for name in ("all", "mild")}
    result = SaliencyResult("vgg19", "softmax", "random", "class", 20, 1, 9, "saliency.png", groups)

    def explained(run: RunDir) -> SaliencyResult:
        write_png(run.folder / "saliency.png", draw_face("mild", np.random.default_rng(0)))
        return result

    runs = (step(tmp_path, "maps", "evaluate saliency", explained, faces="of people"),)
    section = write(tmp_path / "report", runs).split('<section id="saliency"')[1]
    estimates = "all 0.6, all, baseline 0.1, all, skin baseline 0.3, mild 0.6"
    assert f"maps: heat inside lesions: {estimates}" in section
    assert "heat on the skin" not in section.split("<details>")[0], "no masks, no chart"
    assert "faces beside their Grad-CAM maps" in section
    assert "faces beside their Grad-CAM maps" not in write(tmp_path / "shared", runs, show_real=False)
