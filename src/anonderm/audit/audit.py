"""audit: can training subjects be re-identified in the synthetic faces, or with the generators' weights?

Every attack is run on members (split train) and on non-members (splits val and test), with every matcher; its
excess is what it achieves on members beyond non-members. The audit also searches for canaries, altered copies
of training photos: a matcher that cannot separate people on these photos is uninformative and does not count,
and an audit that misses canaries fails. There are two verdicts, rule by rule (core/results/verdict.py).

results.json    the AuditResult
pairs/          worst pairs of synthetic face and photo, not for publication
repeats/        sheets of synthetic faces that repeat

The numbers are evidence for a human decision. They can show that something is wrong; they cannot prove that
nobody is recognisable.
"""

import dataclasses
import shutil
from functools import partial
from typing import Any

import numpy as np

from anonderm.audit.attacks.white_box import by_discriminator, by_projection
from anonderm.audit.canaries import canary_recall, write_canaries
from anonderm.audit.config import AuditConfig
from anonderm.audit.matcher_audit import AuditData, MatcherAudit, audit_with
from anonderm.audit.people import People
from anonderm.core.checkpoint import Checkpoint
from anonderm.core.config import typed
from anonderm.core.errors import InputError, TooFewImages
from anonderm.core.faceset import FaceSet
from anonderm.core.images import grid, resize, square, write_png
from anonderm.core.results import privacy_screen
from anonderm.core.results.audit import ANY, Attack, AuditResult, CanaryRecall, Side, Verdict
from anonderm.core.results.base import LeftOut
from anonderm.core.results.privacy_screen import PrivacyScreen
from anonderm.core.results.verdict import verdicts
from anonderm.core.rundir import RunDir, RunRecord
from anonderm.embeddings.alterations import copies_of
from anonderm.embeddings.matchers.registry import installed_matchers

_CALIBRATION_COPIES = 100  # people with altered copies, for calibration without second photos
_SIDE = 256  # of a picture of a worst pair


def audit(
    config: AuditConfig,
    real: FaceSet,
    synthetic: FaceSet,
    generators: tuple[Checkpoint, ...],
    others: FaceSet | None,
    screen: RunRecord | None,
    run: RunDir,
) -> AuditResult:
    """Attack the synthetic faces, and the generators' weights where they are given.

    others: photos of the people of `real` that were not used for training; they sharpen linkability. screen:
    the run of `screen --privacy` that selected the faces; the result then carries its caveat. Raises
    InputError if there are no members or no non-members, or if `screen` is not of these faces; TooFewImages;
    and the last matcher's error if none is installed.
    """
    if not synthetic.faces:
        raise TooFewImages(f"{synthetic.folder}: the synthetic set is empty.", "Generate some faces first.")
    people = People.of(real, others)
    left_out = _caveat(screen, synthetic) if screen else []
    matchers, missing = installed_matchers(config.matchers, config.arcface)
    left_out += [LeftOut(f"everything by {each.name}", each.reason) for each in missing]
    folder = run.folder / "canaries"
    canaries = write_canaries(people.members, synthetic, config.canaries, config.seed, folder / "faces", run)
    copies = copies_of(people.real, _CALIBRATION_COPIES, config.seed, folder / "copies", run)
    data = AuditData(people, synthetic, canaries, copies)
    audits = [audit_with(matcher, data, config.seed, run) for matcher in matchers]
    white_box, impossible = _white_box(config, generators, people, run)
    result = _result(config, data, audits, white_box, left_out + impossible, run)
    _log_summary(result, run)
    shutil.rmtree(folder)
    return result


def _caveat(screen: RunRecord, synthetic: FaceSet) -> list[LeftOut]:
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
    return [LeftOut("an unbiased estimate", caveat)] if caveat else []


def _white_box(
    config: AuditConfig, generators: tuple[Checkpoint, ...], people: People, run: RunDir
) -> tuple[list[Attack], list[LeftOut]]:
    """The white-box attacks on each generator, and those that its weights do not allow."""
    found, left_out = list[Attack](), list[LeftOut]()
    for number, generator in enumerate(generators, start=1):
        key = f"generator {number}"
        done = run.remember(key, partial(_attack_weights, config, number, generator, people, run))
        for name, attacks in typed(dict[str, list[Attack]], done, key).items():
            found += attacks
            if not attacks:
                reason = "it has no discriminator, or none of its classes is that of a photo on one side"
                left_out.append(LeftOut(f"{name}[{key}]", reason))
    return found, left_out


def _attack_weights(
    config: AuditConfig, number: int, generator: Checkpoint, people: People, run: RunDir
) -> dict[str, Any]:
    name, rng = f"generator {number}", np.random.default_rng([config.seed, 100 + number])
    main, control = people.members, people.non_members
    discriminator = by_discriminator(name, generator, main, control, run, rng)
    count, steps = config.projected, config.projection_steps
    projection = by_projection(name, generator, main, control, count, steps, run, rng)
    found = {"discriminator": discriminator, "projection": projection}
    return {attack: [dataclasses.asdict(each) for each in every] for attack, every in found.items()}


def _result(
    config: AuditConfig,
    data: AuditData,
    audits: list[MatcherAudit],
    white_box: list[Attack],
    left_out: list[LeftOut],
    run: RunDir,
) -> AuditResult:
    people, canaries = data.people, _canaries(data, audits)
    attacks = [*(attack for each in audits for attack in each.attacks), *white_box]
    calibrations = tuple(each.calibration for each in audits)
    measured = AuditResult(
        synthetic=data.synthetic.digest,
        synthetic_faces=len(data.synthetic),
        members=Side(people.members.people, len(people.members)),
        non_members=Side(people.non_members.people, len(people.non_members)),
        unidentified=people.members.unidentified + people.non_members.unidentified,
        limits=config.limits,
        images=Verdict(()),
        weights=None,
        matchers=calibrations,
        canaries=tuple(canaries),
        attacks=tuple(save_worst_pairs(each, people, data.synthetic, config.pairs, run) for each in attacks),
        tones=tuple(tone for each in audits for tone in each.tones),
        repeats=tuple(each.repeats for each in audits),
        left_out=(*left_out, *(entry for each in audits for entry in each.left_out)),
    )
    images, weights = verdicts(measured)
    return dataclasses.replace(measured, images=images, weights=weights)


def save_worst_pairs(attack: Attack, people: People, synthetic: FaceSet, most: int, run: RunDir) -> Attack:
    """The attack with at most `most` worst pairs, each with its ids and a picture in the run folder.

    A pair that several attacks share is one file: the synthetic face on the left, the photo on the right.
    """
    saved = []
    for pair in attack.worst[:most]:
        face, photo = synthetic.faces[pair.synthetic], people.faces[pair.real]
        file = f"pairs/{pair.real:06d}-{pair.synthetic:07d}.png"
        if not (run.folder / file).exists():
            images = synthetic.image(face), people.image(pair.real)
            sides = [resize(square(image), _SIDE) for image in images]
            write_png(run.folder / file, grid(np.stack(sides), columns=2))
        saved.append(dataclasses.replace(pair, real_id=photo.id, synthetic_id=face.id, file=file))
    return dataclasses.replace(attack, worst=tuple(saved))


def _canaries(data: AuditData, audits: list[MatcherAudit]) -> list[CanaryRecall]:
    """The recall of each matcher, and of all informative ones together."""
    found = {each.matcher: np.array(each.canaries_found, bool) for each in audits if each.canaries_found}
    informative = [found[each.matcher] for each in audits if each.informative and each.matcher in found]
    if informative:
        found[ANY] = np.any(informative, axis=0)
    alterations = [face.label or "" for face in data.canaries]
    return [each for name, found_R in found.items() for each in canary_recall(name, alterations, found_R)]


def _log_summary(result: AuditResult, run: RunDir) -> None:
    for name, outcome in (("images", result.images), ("weights", result.weights)):
        found = "not audited" if outcome is None else "passed" if outcome.passed else "FAILED"
        run.log(f"release of the {name}: {found}")
        for reason in outcome.reasons if outcome else ():
            run.log(f"  {reason}")
    for caveat in result.caveats:
        run.log(f"WARNING: {caveat}")
    for entry in result.left_out:
        run.log(f"left out {entry.name}: {entry.reason}")
