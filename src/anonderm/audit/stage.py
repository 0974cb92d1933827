"""audit: can the people in training be found again in the synthetic faces, or by the weights that drew them?

Every attack is run on the people in training (split train) and on people kept out of it (splits val and
test), by every matcher; what it achieves beyond the latter is its excess. The audit also hides altered copies
of training photos and looks for them: a matcher that misses them, or that can't tell people apart on these
photos, counts for nothing. Two verdicts come of it, rule by rule (audit/verdict.py).

audit/rules failed, audit/rules failed by weights
    how many rules of each verdict are not kept; 0 is passed
singling_out[matcher]/FMR 1%, membership[matcher]/AUC, ... (audit/attacks/)
    the excess of that attack: rate or measure in training, less that of people kept out (AUC: less one half)
plants_found[matcher]/exact, flip, crop, jpeg, recolour, blend75, blend50, blend25, other_photo
    share of hidden leaks that lead to the right person; `any`: that any seeing matcher finds
repeats[matcher]
    share of synthetic faces that show one person, or one picture, with another of them

details:
    synthetic   digest of the audited faces
    people      {training, kept_out}; faces {training, kept_out, synthetic}: numbers of them
    verdicts    {images: {passed, reasons, rules}, weights: the same, or "not_tried"}
    matchers    what each is worth on these photos (audit/calibration.py), blind or not, with its false alarms
    attacks     every attack: arms, baseline, excess, note, and its worst cases with pictures (not to be
    published) tones       [{tone, attack, main, control, excess}]
    repeats     [{matcher, groups, faces, file}]: synthetic faces that repeat
    left_out    [{score, reason}]

The numbers are evidence for a decision that people take. They can show that something is wrong; they can't
prove that nobody is recognisable.
"""

from __future__ import annotations

import dataclasses
import shutil
from functools import partial
from typing import Any

import numpy as np

from anonderm.audit import verdict
from anonderm.audit.attacks.white_box import by_discriminator, by_projection
from anonderm.audit.canaries import plant, shares
from anonderm.audit.config import AuditConfig
from anonderm.audit.part import Part, Stock, attack_from, kept_part, part_of
from anonderm.audit.people import People
from anonderm.audit.worst_pairs import save_cases
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.errors import AnondermError, InputError, MissingExtra, MissingWeights, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.records import Scores
from anonderm.core.results import privacy_screen
from anonderm.core.results.audit import Attack
from anonderm.core.results.base import Score
from anonderm.core.results.privacy_screen import PrivacyScreen
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.embeddings.altered_copies import copies_of
from anonderm.embeddings.matchers.matcher import Matcher
from anonderm.embeddings.matchers.registry import make_matcher
from anonderm.metrics.bootstrap import wilson_interval

_COPIES = 100  # people whose altered copies a matcher is calibrated on, where there are no other photos

Missing = list[tuple[str, str]]


def audit(
    config: AuditConfig,
    real: FaceSet,
    synthetic: FaceSet,
    generators: tuple[Checkpoint, ...],
    others: FaceSet | None,
    screen: RunRecord | None,
    run: RunDir,
) -> Scores:
    """Attack the synthetic faces, and the generators' weights where they are given.

    others: photos of the people of `real` that were not used for training; they sharpen linkability. screen:
    the run of `screen --privacy` that selected the faces; the result then carries its caveat. Raises
    InputError if there are no members or no non-members, or if `screen` is not of these faces; TooFewImages;
    and the last matcher's error if none is installed.
    """
    if not synthetic.faces:
        raise TooFewImages(f"{synthetic.folder}: the synthetic set is empty.", "Generate some faces first.")
    people = People.of(real, others)
    selected = _selection(screen, synthetic) if screen else []
    matchers, missing = _installed(config)
    hidden = run.folder / "plants"
    plants = plant(people.training, synthetic, config.canaries, config.seed, hidden / "leaks", run)
    copies = copies_of(people.real, _COPIES, config.seed, hidden / "copies", run)
    stock = Stock(people, synthetic, plants, copies)
    parts = [part_of(matcher, stock, config.seed, run) for matcher in matchers]
    by_weights, not_asked = _white_box(config, generators, people, run)
    result = _result(config, stock, parts, by_weights, selected + missing + not_asked, run)
    _tell(result, run)
    shutil.rmtree(hidden)
    shutil.rmtree(run.folder / "parts")
    return result


def _selection(screen: RunRecord, synthetic: FaceSet) -> Missing:
    """What the audit of selected faces cannot show. Raises InputError unless `screen` kept these faces."""
    path = screen.folder / privacy_screen.FILE
    if not path.exists():
        raise InputError(f"{screen.folder}: not a run of `screen --privacy`.", "Leave --screen out.")
    kept = {face.sha256 for face in FaceSet.load(screen.folder / "faces")}
    if not {face.sha256 for face in synthetic} <= kept:
        raise InputError(
            f"{screen.folder}: this run did not keep all faces of {synthetic.folder}.",
            "Give the run of `screen --privacy` that these faces come from, or leave --screen out.",
        )
    caveat = PrivacyScreen.load(path).caveat
    return [("an unbiased estimate", caveat)] if caveat else []


def _installed(config: AuditConfig) -> tuple[list[Matcher], Missing]:
    """The matchers that can be used here, and why others cannot. Raises what the last lacks where none
    can."""
    found, missing, lacking = list[Matcher](), Missing(), list[AnondermError]()
    for name in config.matchers:
        try:
            found.append(make_matcher(name, config.arcface))
        except (MissingExtra, MissingWeights) as error:
            missing.append((f"everything by {name}", error.message))
            lacking.append(error)
    if not found:
        raise lacking[-1]
    return found, missing


def _white_box(
    config: AuditConfig, generators: tuple[Checkpoint, ...], people: People, run: RunDir
) -> tuple[list[Attack], Missing]:
    """By discriminator and by projection, for each generator; and what its weights do not allow."""
    found, missing = list[Attack](), Missing()
    for number, generator in enumerate(generators, start=1):
        path = run.folder / "parts" / f"generator-{number}.json"
        kept = kept_part(path, partial(_ask, config, number, generator, people, run))
        for attack, every in kept.items():
            found += [attack_from(each) for each in every]
            reason = "it has no discriminator, or knows no class of the people on one side"
            missing += [] if every else [(f"{attack}[generator {number}]", reason)]
    return found, missing


def _ask(
    config: AuditConfig, number: int, generator: Checkpoint, people: People, run: RunDir
) -> dict[str, Any]:
    name, rng = f"generator {number}", np.random.default_rng([config.seed, 100 + number])
    main, control = people.training, people.kept_out
    scored = by_discriminator(name, generator, main, control, run, rng)
    count, steps = config.projected, config.projection_steps
    projected = by_projection(name, generator, main, control, count, steps, run, rng)
    asked = {"discriminator": scored, "projection": projected}
    return {attack: [dataclasses.asdict(each) for each in every] for attack, every in asked.items()}


def _result(
    config: AuditConfig,
    stock: Stock,
    parts: list[Part],
    by_weights: list[Attack],
    missing: Missing,
    run: RunDir,
) -> Scores:
    people, attacks = stock.people, [*(attack for part in parts for attack in part.attacks), *by_weights]
    found = _found(stock, parts)
    seeing = {change: score.value for change, score in found.get("any", {}).items()}
    tones = [rule for part in parts if part.tones and part.blind is None for rule in _tone_rules(part)]
    blind = {part.matcher: part.blind for part in parts}
    of_images = verdict.images(config, blind, people.kept_out.people, seeing, attacks, tones)
    of_weights = verdict.weights(config, of_images, attacks)
    scores = {"audit/rules failed": _failed(of_images)}
    scores |= {"audit/rules failed by weights": _failed(of_weights)} if of_weights else {}
    for name, shares_found in found.items():
        scores |= {f"plants_found[{name}]/{change}": score for change, score in shares_found.items()}
    scores |= {f"repeats[{part.matcher}]": _repeats(part) for part in parts if part.repeats["searched"]}
    scores |= {attack.key: _score(attack) for attack in attacks}
    left_out = [*missing, *(entry for part in parts for entry in part.left_out)]
    details = {
        "synthetic": stock.synthetic.digest,
        "people": {"training": people.training.people, "kept_out": people.kept_out.people},
        "faces": {
            "training": len(people.training),
            "kept_out": len(people.kept_out),
            "synthetic": len(stock.synthetic),
        },
        "verdicts": {
            "images": of_images.as_json(),
            "weights": of_weights.as_json() if of_weights else "not_tried",
        },
        "matchers": [dict(part.calibration) for part in parts],
        "attacks": [
            dataclasses.asdict(each) | {"worst": save_cases(each, people, stock.synthetic, config.pairs, run)}
            for each in attacks
        ],
        "tones": [
            {"tone": tone, "attack": each.key} | dataclasses.asdict(each)
            for part in parts
            for tone, every in part.tones.items()
            for each in every
        ],
        "repeats": [dict(part.repeats) for part in parts if part.repeats["groups"]],
        "left_out": [{"score": name, "reason": reason} for name, reason in left_out],
    }
    return Scores(scores, details)


def _found(stock: Stock, parts: list[Part]) -> dict[str, dict[str, Score]]:
    """For each matcher, and `any` seeing one, the share of each kind of hidden leak that it finds."""
    hits = {part.matcher: np.array(part.hits, bool) for part in parts if part.hits}
    seeing = [hits[part.matcher] for part in parts if part.blind is None and part.matcher in hits]
    if seeing:
        hits["any"] = np.any(seeing, axis=0)
    changes = [face.label or "" for face in stock.plants]
    return {
        name: {
            change: Score(right / count, low, high, count, True)
            for change, (right, count, low, high) in shares(changes, hits_R).items()
        }
        for name, hits_R in hits.items()
    }


def _tone_rules(part: Part) -> list[verdict.Rule]:
    groups = {tone: attacks for tone, attacks in part.tones.items() if tone != "all"}
    return verdict.by_tone(part.tones["all"], groups)


def _failed(judged: verdict.Verdict) -> Score:
    failed = sum(not rule.passed for rule in judged.rules)
    return Score(failed, n=0, higher_is_better=False, note=f"of {len(judged.rules)} rules")


def _score(attack: Attack) -> Score:
    excess = attack.excess
    return Score(excess.value, excess.low, excess.high, attack.main.people, False, attack.note)


def _repeats(part: Part) -> Score:
    repeated, searched = part.repeats["faces"], part.repeats["searched"]
    low, high = wilson_interval(repeated, searched)
    return Score(repeated / searched, low, high, searched, False, f"in {part.repeats['groups']} groups")


def _tell(result: Scores, run: RunDir) -> None:
    """The verdicts, beginning with what the audit can't see."""
    for name, judged in result.details["verdicts"].items():
        if judged == "not_tried":
            run.log(f"releasing the {name}: not tried")
            continue
        run.log(f"releasing the {name}: {'passed' if judged['passed'] else 'FAILED'}")
        for reason in judged["reasons"]:
            run.log(f"  {reason}")
    for entry in result.details["left_out"]:
        run.log(f"left out {entry['score']}: {entry['reason']}")
