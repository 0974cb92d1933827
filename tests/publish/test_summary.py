"""The first screen of the report."""

from __future__ import annotations

from anonderm.core.results.audit import Rule
from anonderm.publish.summary import _grouped


def test_rules_that_fail_for_the_same_reason_share_a_sentence() -> None:
    failing = {
        "membership[copy]/AUC": "significant",
        "number of non-members": "too few",
        "density[copy]/AUC": "significant",
    }
    rules = [Rule("attack", "", name, 0.1, 0.2, None, None, False, why) for name, why in failing.items()]
    assert _grouped(rules) == [
        "2 rules, significant: membership[copy]/AUC, density[copy]/AUC",
        "number of non-members: too few",
    ]
