"""The first screen of the report."""

from __future__ import annotations

from anonderm.core.records import Scores
from anonderm.publish.summary import _audit_warnings


def test_rules_that_fail_for_one_cause_are_told_in_one_sentence() -> None:
    reasons = [
        "membership[copy]/AUC: shown: found",
        "people kept out: too few",
        "density[copy]/AUC: shown: found",
    ]
    audit = Scores({}, {"verdicts": {"images": {"passed": False, "reasons": reasons, "rules": []}}})
    assert _audit_warnings(audit) == [
        "The images fail the privacy audit. 2 rules, shown: found: membership[copy]/AUC, density[copy]/AUC",
        "The images fail the privacy audit. people kept out: too few",
    ]
