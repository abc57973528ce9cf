"""A policy file says what it means, or which of its keys does not."""

import pytest

from pipeline.audit.policy import AuditPolicy, PolicyError, parse
from pipeline.identity.policy import Policy
from pipeline.limits import DAY_MS

NOW = Policy(lookback_ms=7 * DAY_MS, users_per_device_max=3)


def test_what_a_file_leaves_out_stays_as_it_is() -> None:
    """Only what it names changes."""
    assert parse("lookback_days: 2", NOW).numbers == Policy(lookback_ms=2 * DAY_MS, users_per_device_max=3)
    assert parse("users_per_bucket_max: 9", NOW).numbers == Policy(
        7 * DAY_MS, users_per_bucket_max=9, users_per_device_max=3
    )


def test_illegal_ids_are_compared_as_a_site_compares_them() -> None:
    """Trimmed and without regard to case."""
    policy = parse("illegal_ids: [' Kiosk ', kiosk, Bot]\nillegal_id_patterns: ['demo-.*']", NOW)

    assert (policy.illegal_ids, policy.illegal_id_patterns) == (("bot", "kiosk"), ("demo-.*",))


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("lookback_dayz: 3", "lookback_dayz: no such key; expected some of lookback_days, users_per_device_max"),
        ("lookback_days: 0", "$.lookback_days"),
        ("lookback_days: soon", "$.lookback_days"),
        ("users_per_device_max: 1.5", "$.users_per_device_max"),
        ("illegal_ids: kiosk", "$.illegal_ids"),
        ("illegal_id_patterns: ['(']", "illegal_id_patterns: expected regular expressions, got '('"),
        ("[1, 2]", "expected some of lookback_days"),
        ("", "expected some of lookback_days"),
        ("a: [", "not YAML at line 1"),
    ],
)
def test_an_odd_file_is_refused_with_the_key_and_what_was_expected(text: str, said: str) -> None:
    """Never half of it."""
    with pytest.raises(PolicyError) as refusal:
        parse(text, NOW)

    assert said in str(refusal.value)


def test_a_version_names_exactly_one_policy() -> None:
    """The same numbers, the same version, however they were written; another number, another version."""
    same = {
        parse("lookback_days: 7", NOW).version,
        AuditPolicy(NOW).version,
        parse("users_per_device_max: 3", NOW).version,
    }
    texts = ("lookback_days: 8", "users_per_bucket_max: 8", "logouts_per_bucket_max: 8", "illegal_ids: [x]")

    assert len(same) == 1
    assert len(same | {parse(text, NOW).version for text in texts}) == 1 + len(texts)
