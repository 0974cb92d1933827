"""The verdicts: what has to hold before images, or weights, are released, rule by rule.

A rule fails for one of two reasons, which are told apart. Shown: an attack succeeds on people in training
beyond what people kept out explain, at 99.9% (arms.SURE says why so high: there are many attacks). Not enough
people to tell: nothing is shown, but so few people were compared that a success above the limit can't be
excluded. An attack that the data do not allow at all (nobody with two photos, no classes) is no rule; the
audit lists it as left out.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

from anonderm.audit.config import AuditConfig
from anonderm.core.results.audit import Attack
from anonderm.embeddings.alterations import COPIES

WHITE_BOX = ("discriminator", "projection")

# Levels of an attack that a verdict rests on, None for all; the others are told only. The distance ratio, C_T
# and the likelihood gap say the same as the two memorisation levels here, less surely.
_JUDGED: dict[str, tuple[str, ...] | None] = {
    "reproduction": None,
    "singling_out": None,
    "linkability": None,
    "inference": None,
    "membership": None,
    "density": ("AUC", "TPR at FPR 1%"),
    "memorisation": ("nearer", "AuthPct"),
    "discriminator": None,
    "projection": None,
}
_WITHOUT_LIMIT = ("reproduction", "memorisation")
_PROJECTION_AUC = 0.75


@dataclass(frozen=True)
class Rule:
    """`limit`: what value (or its upper end) has to keep to; `why`: in words, why it passed or failed."""

    rule: str
    limit: float | None
    value: float
    low: float | None
    high: float | None
    passed: bool
    why: str


@dataclass(frozen=True)
class Verdict:
    rules: tuple[Rule, ...]

    @property
    def passed(self) -> bool:
        return all(rule.passed for rule in self.rules)

    def as_json(self) -> dict[str, Any]:
        reasons = [f"{rule.rule}: {rule.why}" for rule in self.rules if not rule.passed]
        return {"passed": self.passed, "reasons": reasons, "rules": [asdict(rule) for rule in self.rules]}


def images(
    config: AuditConfig,
    blind: Mapping[str, str | None],
    kept_out: int,
    plants: Mapping[str, float],
    attacks: Iterable[Attack],
    tones: Iterable[Rule] = (),
) -> Verdict:
    """Whether the images may be released.

    blind: for each matcher, why it counts for nothing, None where it sees; kept_out: people kept out of
    training; plants: for each kind of hidden copy, the share that any seeing matcher found. Attacks of blind
    matchers and white-box ones don't count.
    """
    counting = [matcher for matcher, why in blind.items() if why is None]
    judged = [a for a in attacks if a.matcher in counting and a.name not in WHITE_BOX and _is_judged(a)]
    rules = [_matchers(blind), *_plants_found(config, plants), _enough_people(config, kept_out)]
    return Verdict((*rules, *(_attack(config, each) for each in judged), *tones))


def weights(config: AuditConfig, of_images: Verdict, attacks: Iterable[Attack]) -> Verdict | None:
    """Whether the weights may be released: as the images, which can be drawn from them, and by white-box
    attacks.

    None where there are none: no weights were given.
    """
    tried = [attack for attack in attacks if attack.name in WHITE_BOX and _is_judged(attack)]
    if not tried:
        return None
    return Verdict((*of_images.rules, *(_attack(config, attack) for attack in tried)))


def _is_judged(attack: Attack) -> bool:
    levels = _JUDGED[attack.name]
    return levels is None or attack.level in levels


def _matchers(blind: Mapping[str, str | None]) -> Rule:
    seeing = [matcher for matcher, why in blind.items() if why is None]
    why = ", ".join(f"{matcher} is blind: {reason}" for matcher, reason in blind.items() if reason)
    passed = bool(seeing)
    told = f"{', '.join(seeing)} can tell people or pictures apart here" if passed else "nothing here can see"
    return Rule("matchers that see", 1, len(seeing), None, None, passed, "; ".join(filter(None, (told, why))))


def _plants_found(config: AuditConfig, plants: Mapping[str, float]) -> list[Rule]:
    rules = []
    for change in COPIES:
        found = plants.get(change, 0.0)
        passed = found >= config.min_canary_recall
        why = f"{found:.0%} of hidden copies ({change}) are found"
        why += "" if passed else ": this audit can't see what it looks for"
        rules.append(
            Rule(f"hidden copies found: {change}", config.min_canary_recall, found, None, None, passed, why)
        )
    return rules


def _enough_people(config: AuditConfig, kept_out: int) -> Rule:
    passed = kept_out >= config.min_people
    why = f"{kept_out} people were kept out of training"
    why += "" if passed else f": not enough people to tell; {config.min_people} are needed"
    return Rule("people kept out", config.min_people, kept_out, None, None, passed, why)


def _attack(config: AuditConfig, attack: Attack) -> Rule:
    excess, limit = attack.excess, _limit(config, attack)
    shown, open_end = excess.lower_bound > 0, limit is not None and excess.high > limit
    if shown:
        why = "shown: people in training are found beyond what people kept out explain"
    elif open_end:
        why = f"not enough people to tell: an excess of {excess.high:.0%} is not excluded"
    else:
        why = "no more than people kept out explain"
    passed = not shown and not open_end
    return Rule(attack.key, limit, excess.value, excess.low, excess.high, passed, why)


def _limit(config: AuditConfig, attack: Attack) -> float | None:
    if attack.name in _WITHOUT_LIMIT:
        return None
    if attack.level == "AUC":
        return (_PROJECTION_AUC if attack.name == "projection" else config.max_auc) - 0.5
    return config.max_excess


def by_tone(whole: Sequence[Attack], groups: Mapping[str, Sequence[Attack]]) -> list[Rule]:
    """For each group of skin tone and attack, whether the group is worse protected than the whole.

    It is where its excess is above the upper end of the whole's interval at 99.9%. The same attacks in the
    same order everywhere.
    """
    rules = []
    for tone, attacks in groups.items():
        for attack, all_people in zip(attacks, whole, strict=True):
            limit = max(all_people.excess.high, 0.0)
            passed = attack.excess.lower_bound <= limit
            why = (
                "no worse than the whole" if passed else "worse protected than the whole, beyond its interval"
            )
            e = attack.excess
            rules.append(Rule(f"{tone} skin: {attack.key}", limit, e.value, e.low, e.high, passed, why))
    return rules
