"""What `stitch-state` holds: entries that join to the state they came from, whatever its size."""

import msgspec
import pytest

from pipeline.identity.device import Device, decode, encode
from pipeline.identity.policy import Policy
from pipeline.limits import RECORD_BYTES_MAX
from pipeline.log.port import STITCH_STATE, Append, Record
from pipeline.stitch.changelog import UnknownState, entries, state_records, version_in
from pipeline.stitch.states import rows

POLICY = Policy()
BUCKET_MS = POLICY.bucket_ms


def device(logins: int, users: int = 1) -> Device:
    made = Device(POLICY)
    for number in range(logins):
        made.line.add_login(number * BUCKET_MS, f"user-{number % users}", True)
        made.line.add_logout(number * BUCKET_MS + 5)
        made.quiet.add(number * BUCKET_MS + 9)
    made.first_ms, made.newest_ms, made.included = 1, logins * BUCKET_MS, 77
    return made


def recorded(append: Append, offset: int = 0) -> Record:
    return Record(append.topic, append.partition, offset, append.value, append.headers, 0)


def joined(appends: list[Append]) -> dict[tuple[str, str], bytes]:
    states: dict[tuple[str, str], Device] = {}
    for append in appends:
        for key, part in entries(recorded(append), POLICY)[0]:
            if key in states:
                states[key].join(part)
            else:
                states[key] = part
    return {key: encode(state) for key, state in states.items()}


def test_states_come_back_as_they_were() -> None:
    """One line a device, on the partition of its hits, with the version they include."""
    devices = {("shop", f"device{n}"): device(n) for n in range(1, 30)}

    appends = state_records(3, rows(3, devices), version=1234)

    assert [(a.topic, a.partition, a.headers) for a in appends] == [
        (STITCH_STATE, 3, {"schema": "device-state/1", "count": "29", "version": "1234"})
    ]
    assert joined(appends) == {key: encode(state) for key, state in devices.items()}
    assert version_in(recorded(appends[0])) == 1234


def test_a_state_larger_than_a_record_is_written_in_parts() -> None:
    """No entry, and so no record, passes what a broker takes; the parts join to the whole."""
    kiosk = {("shop", "kiosk"): device(12_000, users=30)}

    appends = state_records(0, rows(0, kiosk), version=1)

    assert len(encode(kiosk["shop", "kiosk"])) > RECORD_BYTES_MAX
    assert max(len(a.value) for a in appends) <= RECORD_BYTES_MAX
    assert joined(appends) == {("shop", "kiosk"): encode(kiosk["shop", "kiosk"])}


def test_nothing_changed_means_nothing_written() -> None:
    """A checkpoint of anonymous hits costs the changelog nothing."""
    assert state_records(0, [], version=9) == []


@pytest.mark.parametrize(
    "line", [b"{", b"[]", b'{"workspace":"w","anonymous_id":"a","state":[1]}', b'{"workspace":"w"}', b"\xff", b""]
)
def test_a_line_that_is_no_state_is_named_and_its_neighbours_are_read(line: bytes) -> None:
    """The bytes come back whole, with their number."""
    good = state_records(0, rows(0, {("shop", "a"): device(1)}), version=1)[0]
    record = recorded(msgspec.structs.replace(good, value=good.value + b"\n" + line))

    found, unreadable = entries(record, POLICY)

    assert [key for key, _ in found] == [("shop", "a")]
    assert [(bad.number, bad.line) for bad in unreadable] == [(1, line)]


def test_a_record_of_another_version_must_not_be_passed_over() -> None:
    """Skipping it would forget whom it remembers."""
    with pytest.raises(UnknownState, match="stitch-state/1/5: schema 'device-state/2'"):
        entries(Record(STITCH_STATE, 1, 5, b"", {"schema": "device-state/2"}, 0), POLICY)


@pytest.mark.parametrize("policy", [Policy(bucket_ms=POLICY.bucket_ms // 3), Policy(users_per_bucket_max=2)])
def test_a_state_written_under_another_policy_is_read_under_this_one(policy: Policy) -> None:
    """A changed setting takes effect on what was remembered before it: nothing keeps the old borders."""
    written = Device(POLICY)
    for t_ms in range(0, 40 * BUCKET_MS, BUCKET_MS // 7):
        written.line.add_login(t_ms, f"user-{t_ms % 4}", False)
    expected = Device(policy)
    for span in written.line.spans():
        for t_ms in (span.first_ms, span.last_ms):
            expected.line.add_login(t_ms, span.user, span.holds)

    assert encode(decode(encode(written), policy)) == encode(expected)
