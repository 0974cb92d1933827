from __future__ import annotations

import dataclasses

import pytest

from anonderm.audit.config import AuditConfig
from anonderm.core.errors import ConfigError
from anonderm.core.results.audit import Arm, Attack, Excess
from anonderm.core.results.verdict import COPIES, Rule, Verdict, by_tone, images, weights

CONFIG = AuditConfig()
MATCHERS = {"dlib": "no face is found", "copy": None, "encoder": None}
RECALL = dict.fromkeys(COPIES, 1.0)


def attack(
    excess: tuple[float, float, float, float],
    name: str = "singling_out",
    level: str = "FMR 1%",
    matcher: str = "copy",
) -> Attack:
    arm = Arm(0.1, 0.05, 0.2, 100, 10)
    return Attack(name, matcher, level, arm, arm, 0.1, Excess(*excess))


NOTHING = attack((0.0, -0.05, 0.06, -0.09))
SIGNIFICANT = attack((0.3, 0.2, 0.4, 0.1))
INCONCLUSIVE = attack((0.05, -0.2, 0.4, -0.3))


def decide(
    *attacks: Attack,
    uninformative: dict[str, str | None] = MATCHERS,
    non_members: int = 160,
    **changed: float,
) -> Verdict:
    return images(CONFIG.limits, uninformative, non_members, RECALL | changed, attacks)


def failed(verdict: Verdict) -> list[str]:
    return [rule.name for rule in verdict.failed]


def test_a_set_in_which_nothing_is_found_passes():
    verdict = decide(NOTHING)
    assert verdict.passed
    assert verdict.reasons == ()
    assert "singling_out[copy]/FMR 1%" in [rule.name for rule in verdict.rules]


def test_a_significant_excess_fails():
    verdict = decide(NOTHING, SIGNIFICANT)
    assert not verdict.passed
    assert verdict.reasons[0].startswith("singling_out[copy]/FMR 1%: significant")


def test_an_inconclusive_excess_fails_for_a_reason_of_its_own():
    verdict = decide(INCONCLUSIVE)
    assert not verdict.passed
    assert "inconclusive: with so few people, an excess of 40% cannot be excluded" in verdict.reasons[0]


def test_an_excess_at_the_limit_passes_and_above_it_fails():
    assert decide(attack((0.1, 0.0, CONFIG.max_excess, -0.1))).passed
    assert not decide(attack((0.1, 0.0, CONFIG.max_excess + 1e-6, -0.1))).passed


def test_an_area_has_a_limit_of_its_own():
    high = CONFIG.max_auc - 0.5
    assert decide(attack((0.05, -0.1, high, -0.2), "membership", "AUC")).passed
    assert not decide(attack((0.05, -0.1, high + 1e-6, -0.2), "membership", "AUC")).passed


def test_memorisation_and_reproduction_fail_only_if_significant():
    wide = (0.1, -0.5, 0.9, -0.9)
    assert decide(attack(wide, "memorisation", "nearer"), attack(wide, "reproduction", "copies")).passed
    assert failed(decide(attack((0.1, 0.05, 0.2, 0.01), "memorisation", "AuthPct")))
    assert failed(decide(attack((0.002, 0.001, 0.01, 0.001), "reproduction", "copies")))


def test_measures_with_less_power_are_reported_without_a_rule():
    assert decide(attack((0.3, 0.2, 0.4, 0.1), "memorisation", "C_T")).passed
    assert decide(attack((0.3, 0.2, 0.4, 0.1), "density", "TPR at FPR 5%")).passed


def test_an_uninformative_matcher_does_not_count():
    assert decide(NOTHING, dataclasses.replace(SIGNIFICANT, matcher="dlib")).passed
    assert not decide(
        NOTHING, dataclasses.replace(SIGNIFICANT, matcher="dlib"), uninformative=MATCHERS | {"dlib": None}
    ).passed


def test_without_an_informative_matcher_nothing_passes():
    verdict = decide(uninformative={"copy": "too weak", "dlib": "no face is found"})
    assert failed(verdict) == ["informative matchers"]
    assert "informative: none; copy is not: too weak" in verdict.reasons[0]


@pytest.mark.parametrize("change", COPIES)
def test_an_audit_that_misses_canaries_does_not_pass(change: str):
    assert failed(decide(NOTHING, **{change: 0.9})) == [f"canary recall ({change})"]
    assert decide(NOTHING, **{change: CONFIG.min_canary_recall}).passed


def test_missing_canaries_count_as_not_found():
    assert len(failed(images(CONFIG.limits, MATCHERS, 160, {}, [NOTHING]))) == len(COPIES)


def test_too_few_non_members_fail():
    verdict = decide(NOTHING, non_members=CONFIG.min_people - 1)
    assert failed(verdict) == ["number of non-members"]
    assert "too few: at least 50 are needed" in verdict.reasons[0]
    assert decide(NOTHING, non_members=CONFIG.min_people).passed


def test_weights_need_the_rules_for_images_and_for_white_box_attacks():
    discriminator = attack((0.3, 0.2, 0.4, 0.1), "discriminator", "AUC", "generator 1")
    assert decide(NOTHING, discriminator).passed  # it needs the weights
    verdict = weights(CONFIG, decide(NOTHING), [NOTHING, discriminator])
    assert verdict is not None
    assert failed(verdict) == ["discriminator[generator 1]/AUC"]
    leaking = weights(
        CONFIG, decide(SIGNIFICANT), [attack((0, -0.1, 0.1, -0.2), "projection", "AUC", "generator 1")]
    )
    assert leaking is not None
    assert failed(leaking) == ["singling_out[copy]/FMR 1%"]


def test_without_white_box_attacks_there_is_no_verdict_on_weights():
    assert weights(CONFIG, decide(NOTHING), [NOTHING]) is None


def test_a_tone_that_is_protected_worse_than_everyone_fails():
    whole = [attack((0.02, -0.02, 0.06, -0.03))]
    rules = by_tone(
        whole, {"light": [attack((0.1, 0.0, 0.3, -0.05))], "dark": [attack((0.4, 0.2, 0.6, 0.1))]}
    )
    assert [rule.passed for rule in rules] == [True, False]
    assert rules[1].name == "dark skin: singling_out[copy]/FMR 1%"
    verdict = images(CONFIG.limits, MATCHERS, 160, RECALL, [NOTHING], rules)
    assert failed(verdict) == ["dark skin: singling_out[copy]/FMR 1%"]


def test_a_verdict_without_rules_does_not_pass():
    assert not Verdict(()).passed


def test_every_rule_has_an_explanation():
    verdict = decide(NOTHING, INCONCLUSIVE, SIGNIFICANT)
    assert all(isinstance(rule, Rule) and rule.explanation for rule in verdict.rules)


@pytest.mark.parametrize(
    "wrong",
    [{"matchers": ()}, {"matchers": ("copy", "copy")}, {"canaries": 5}, {"max_auc": 0.5}, {"min_people": 3}],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        AuditConfig(**wrong)  # type: ignore[arg-type]
