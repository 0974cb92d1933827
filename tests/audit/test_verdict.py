from __future__ import annotations

import dataclasses

import pytest

from anonderm.audit.config import AuditConfig
from anonderm.audit.verdict import Rule, Verdict, by_tone, images, weights
from anonderm.core.errors import ConfigError
from anonderm.core.results.audit import Arm, Attack, Excess
from anonderm.embeddings.alterations import COPIES

CONFIG = AuditConfig()
SEEING = {"dlib": "sees no face", "copy": None, "encoder": None}
FOUND = dict.fromkeys(COPIES, 1.0)


def attack(
    excess: tuple[float, float, float, float],
    name: str = "singling_out",
    level: str = "FMR 1%",
    matcher: str = "copy",
) -> Attack:
    arm = Arm(0.1, 0.05, 0.2, 100, 10)
    return Attack(name, matcher, level, arm, arm, 0.1, Excess(*excess))


NOTHING = attack((0.0, -0.05, 0.06, -0.09))
SHOWN = attack((0.3, 0.2, 0.4, 0.1))
OPEN = attack((0.05, -0.2, 0.4, -0.3))


def judge(
    *attacks: Attack, blind: dict[str, str | None] = SEEING, kept_out: int = 160, **changed: float
) -> Verdict:
    return images(CONFIG, blind, kept_out, FOUND | changed, attacks)


def failed(verdict: Verdict) -> list[str]:
    return [rule.rule for rule in verdict.rules if not rule.passed]


def test_a_set_in_which_nothing_is_found_passes():
    verdict = judge(NOTHING)
    assert verdict.passed
    assert verdict.as_json()["reasons"] == []
    assert "singling_out[copy]/FMR 1%" in [rule.rule for rule in verdict.rules]


def test_a_shown_leak_fails_and_says_so():
    verdict = judge(NOTHING, SHOWN)
    assert not verdict.passed
    assert verdict.as_json()["reasons"][0].startswith("singling_out[copy]/FMR 1%: shown")


def test_too_few_people_to_tell_fail_for_a_reason_of_their_own():
    verdict = judge(OPEN)
    assert not verdict.passed
    assert "not enough people to tell: an excess of 40% is not excluded" in verdict.as_json()["reasons"][0]


def test_an_excess_at_the_limit_passes_and_above_it_fails():
    assert judge(attack((0.1, 0.0, CONFIG.max_excess, -0.1))).passed
    assert not judge(attack((0.1, 0.0, CONFIG.max_excess + 1e-6, -0.1))).passed


def test_an_area_has_a_limit_of_its_own():
    high = CONFIG.max_auc - 0.5
    assert judge(attack((0.05, -0.1, high, -0.2), "membership", "AUC")).passed
    assert not judge(attack((0.05, -0.1, high + 1e-6, -0.2), "membership", "AUC")).passed


def test_memorisation_and_reproduction_fail_only_when_shown():
    wide = (0.1, -0.5, 0.9, -0.9)
    assert judge(attack(wide, "memorisation", "nearer"), attack(wide, "reproduction", "copies")).passed
    assert failed(judge(attack((0.1, 0.05, 0.2, 0.01), "memorisation", "AuthPct")))
    assert failed(judge(attack((0.002, 0.001, 0.01, 0.001), "reproduction", "copies")))


def test_measures_that_say_the_same_less_surely_are_told_and_not_judged():
    assert judge(attack((0.3, 0.2, 0.4, 0.1), "memorisation", "C_T")).passed
    assert judge(attack((0.3, 0.2, 0.4, 0.1), "density", "TPR at FPR 5%")).passed


def test_a_blind_matcher_counts_for_nothing():
    assert judge(NOTHING, dataclasses.replace(SHOWN, matcher="dlib")).passed
    assert not judge(
        NOTHING, dataclasses.replace(SHOWN, matcher="dlib"), blind=SEEING | {"dlib": None}
    ).passed


def test_where_every_matcher_is_blind_nothing_passes():
    verdict = judge(blind={"copy": "too weak", "dlib": "sees no face"})
    assert failed(verdict) == ["matchers that see"]
    assert "copy is blind: too weak" in verdict.as_json()["reasons"][0]


@pytest.mark.parametrize("change", COPIES)
def test_an_audit_that_misses_its_own_copies_does_not_pass(change: str):
    assert failed(judge(NOTHING, **{change: 0.9})) == [f"hidden copies found: {change}"]
    assert judge(NOTHING, **{change: CONFIG.min_canary_recall}).passed


def test_copies_that_were_not_hidden_count_as_missed():
    assert len(failed(images(CONFIG, SEEING, 160, {}, [NOTHING]))) == len(COPIES)


def test_few_people_kept_out_fail_as_not_enough():
    verdict = judge(NOTHING, kept_out=CONFIG.min_people - 1)
    assert failed(verdict) == ["people kept out"]
    assert "not enough people to tell" in verdict.as_json()["reasons"][0]
    assert judge(NOTHING, kept_out=CONFIG.min_people).passed


def test_weights_are_judged_by_the_images_rules_and_white_box_attacks():
    discriminator = attack((0.3, 0.2, 0.4, 0.1), "discriminator", "AUC", "generator 1")
    assert judge(NOTHING, discriminator).passed  # who has the images alone can't ask it
    verdict = weights(CONFIG, judge(NOTHING), [NOTHING, discriminator])
    assert verdict is not None
    assert failed(verdict) == ["discriminator[generator 1]/AUC"]
    leaking = weights(
        CONFIG, judge(SHOWN), [attack((0, -0.1, 0.1, -0.2), "projection", "AUC", "generator 1")]
    )
    assert leaking is not None
    assert failed(leaking) == ["singling_out[copy]/FMR 1%"]


def test_without_white_box_attacks_there_is_no_verdict_on_weights():
    assert weights(CONFIG, judge(NOTHING), [NOTHING]) is None


def test_a_tone_that_is_worse_protected_than_the_whole_fails():
    whole = [attack((0.02, -0.02, 0.06, -0.03))]
    rules = by_tone(
        whole, {"light": [attack((0.1, 0.0, 0.3, -0.05))], "dark": [attack((0.4, 0.2, 0.6, 0.1))]}
    )
    assert [rule.passed for rule in rules] == [True, False]
    assert rules[1].rule == "dark skin: singling_out[copy]/FMR 1%"
    verdict = images(CONFIG, SEEING, 160, FOUND, [NOTHING], rules)
    assert failed(verdict) == ["dark skin: singling_out[copy]/FMR 1%"]


def test_every_rule_says_why():
    verdict = judge(NOTHING, OPEN, SHOWN)
    assert all(isinstance(rule, Rule) and rule.why for rule in verdict.rules)


@pytest.mark.parametrize(
    "wrong",
    [{"matchers": ()}, {"matchers": ("copy", "copy")}, {"plants": 5}, {"max_auc": 0.5}, {"min_people": 3}],
)
def test_settings_out_of_range_are_refused(wrong: dict[str, object]):
    with pytest.raises(ConfigError, match=next(iter(wrong))):
        AuditConfig(**wrong)  # type: ignore[arg-type]
