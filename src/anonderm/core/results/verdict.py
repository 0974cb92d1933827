"""The verdicts: the rules that must hold before images, or weights, are released.

A rule on an attack fails for one of two reasons. The excess is significant: the attack succeeds more on
members than on non-members, at 99.9% (excess.ONE_SIDED_ERROR says why so high). Or it is inconclusive: the
excess is not significant, but with so few people one above the limit cannot be excluded. Attacks that the
data do not allow (nobody with two photos, no classes) give no rule; the audit lists them as left out.

The verdicts follow from the numbers of an audit alone, so that a release derives them anew.
"""

from collections.abc import Iterable, Mapping, Sequence
from itertools import groupby

from anonderm.core.results.audit import ANY, Attack, AuditResult, Limits, Rule, ToneAttack, Verdict

COPIES = ("exact", "flip", "crop", "jpeg", "recolour")
"""The alterations of canaries that an audit must find; embeddings.alterations makes them."""

WHITE_BOX = ("discriminator", "projection")

# Attacks of which only these levels give a rule. The others are reported only: the distance ratio, C_T and
# the likelihood gap measure the same as the two levels of memorisation here, with less power.
_RULED = {"density": ("AUC", "TPR at FPR 1%"), "memorisation": ("nearer", "AuthPct")}
_WITHOUT_LIMIT = ("reproduction", "memorisation")
_MAX_PROJECTION_AUC = 0.75


def verdicts(audit: AuditResult) -> tuple[Verdict, Verdict | None]:
    """The verdicts on images and on weights by the audit's numbers and limits, whatever it states itself."""
    recall = {each.alteration: each.recall.value for each in audit.canaries if each.matcher == ANY}
    uninformative = {each.matcher: each.uninformative for each in audit.matchers}
    tones = [rule for matcher in audit.informative for rule in _tone_rules(audit.tones, matcher)]
    people = audit.non_members.people
    of_images = images(audit.limits, uninformative, people, recall, audit.attacks, tones)
    return of_images, weights(audit.limits, of_images, audit.attacks)


def _tone_rules(tones: Iterable[ToneAttack], matcher: str) -> list[Rule]:
    found = [each for each in tones if each.attack.matcher == matcher]
    groups = {tone: [each.attack for each in group] for tone, group in groupby(found, lambda each: each.tone)}
    return by_tone(groups.pop("all"), groups) if "all" in groups else []


def images(
    limits: Limits,
    uninformative: Mapping[str, str | None],
    non_members: int,
    recall: Mapping[str, float],
    attacks: Iterable[Attack],
    tones: Iterable[Rule] = (),
) -> Verdict:
    """Whether the images may be released; uninformative matchers and white-box attacks do not count.

    uninformative: for each matcher, why it does not count, or None; non_members: number of people; recall: of
    canaries by any informative matcher, for each alteration.
    """
    informative = [matcher for matcher, reason in uninformative.items() if reason is None]
    ruled = [a for a in attacks if a.matcher in informative and a.name not in WHITE_BOX and _has_rule(a)]
    rules = [_matchers(uninformative), *_canaries(limits, recall), _people(limits, non_members)]
    return Verdict((*rules, *(_attack(limits, each) for each in ruled), *tones))


def weights(limits: Limits, of_images: Verdict, attacks: Iterable[Attack]) -> Verdict | None:
    """Whether the weights may be released: the rules for images, which they can generate, and for white-box
    attacks. None without such attacks.
    """
    tried = [attack for attack in attacks if attack.name in WHITE_BOX and _has_rule(attack)]
    if not tried:
        return None
    return Verdict((*of_images.rules, *(_attack(limits, attack) for attack in tried)))


def _has_rule(attack: Attack) -> bool:
    return attack.level in _RULED.get(attack.name, (attack.level,))


def _matchers(uninformative: Mapping[str, str | None]) -> Rule:
    informative = [matcher for matcher, reason in uninformative.items() if reason is None]
    parts = [f"informative: {', '.join(informative) or 'none'}"]
    parts += [f"{matcher} is not: {reason}" for matcher, reason in uninformative.items() if reason]
    count, explanation = len(informative), "; ".join(parts)
    return Rule("matchers", "", "informative matchers", 1, count, None, None, count > 0, explanation)


def _canaries(limits: Limits, recall: Mapping[str, float]) -> list[Rule]:
    rules = []
    for alteration in COPIES:
        value, limit = recall.get(alteration, 0.0), limits.min_canary_recall
        passed = value >= limit
        explanation = f"{value:.0%} of the canaries were found"
        explanation += "" if passed else "; this audit could miss such leaks"
        name = f"canary recall ({alteration})"
        rules.append(Rule("canary", alteration, name, limit, value, None, None, passed, explanation))
    return rules


def _people(limits: Limits, non_members: int) -> Rule:
    passed = non_members >= limits.min_people
    explanation = f"{non_members} people were held out of training"
    explanation += "" if passed else f"; too few: at least {limits.min_people} are needed"
    name = "number of non-members"
    return Rule("people", "", name, limits.min_people, non_members, None, None, passed, explanation)


def _attack(limits: Limits, attack: Attack) -> Rule:
    excess, limit = attack.excess, _limit(limits, attack)
    significant, inconclusive = excess.lower_bound > 0, limit is not None and excess.high > limit
    if significant:
        explanation = "significant: the attack succeeds more on members than on non-members"
    elif inconclusive:
        explanation = f"inconclusive: with so few people, an excess of {excess.high:.0%} cannot be excluded"
    else:
        explanation = "no significant excess over non-members"
    passed = not significant and not inconclusive
    key, interval = attack.key, (excess.low, excess.high)
    return Rule("attack", key, key, limit, excess.value, *interval, passed, explanation)


def _limit(limits: Limits, attack: Attack) -> float | None:
    if attack.name in _WITHOUT_LIMIT:
        return None
    if attack.level == "AUC":
        return (_MAX_PROJECTION_AUC if attack.name == "projection" else limits.max_auc) - 0.5
    return limits.max_excess


def by_tone(everyone: Sequence[Attack], groups: Mapping[str, Sequence[Attack]]) -> list[Rule]:
    """For each skin tone and attack, whether its people are protected worse than everyone.

    They are if the lower bound of their excess is above everyone's interval. The same attacks in the same
    order in all groups.
    """
    rules = []
    for tone, attacks in groups.items():
        for attack, of_all in zip(attacks, everyone, strict=True):
            excess, limit = attack.excess, max(of_all.excess.high, 0.0)
            passed = excess.lower_bound <= limit
            explanation = "no worse than all people together" if passed else "worse than all people together"
            name, interval = f"{tone} skin: {attack.key}", (excess.low, excess.high)
            rules.append(Rule("tone", tone, name, limit, excess.value, *interval, passed, explanation))
    return rules
