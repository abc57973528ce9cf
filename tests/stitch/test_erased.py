"""What a stitch worker keeps of somebody forgotten: when a device was somebody's, and nothing that says whose."""

import asyncio
from pathlib import Path

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st

from pipeline.identity.device import Device, after, decode, encode, users_of
from pipeline.identity.ids import user_person
from pipeline.identity.policy import Policy
from pipeline.limits import MINUTE_MS
from pipeline.log.port import HITS, STITCH_STATE, STITCHED, Append, Record
from pipeline.model import HIT_SCHEMA, MARK_SCHEMA, Mark
from pipeline.privacy.erasures import Forgotten
from pipeline.privacy.suppression import Suppression, nameless, user_hash
from pipeline.stitch.erased import state_without, without
from pipeline.stitch.record import decode as read
from pipeline.stitch.worker_cache import StateCache
from pipeline.stitch.worker_stitching import Stitching
from pipeline.times import ms_of
from tests.identity.strategies import BASE_MS, DAYS_MS, Fact, facts, fold
from tests.privacy.test_suppression import KEY, NOON, SUPPRESSED, hit
from tests.stitch.memory_log import MemoryLog
from tests.stitch.worker_parts import POLICY, Parts, answers_in, appends_of, true_answers
from tests.support.deadline import until
from tests.support.generator import Shape, world

NOON_MS = ms_of(NOON)
TABLET, LAPTOP = ("shop", "tablet"), ("shop", "laptop")
HER = nameless(KEY, *TABLET, "ada")
NARROW = Policy(lookback_ms=40, bucket_ms=10)  # many buckets in the small worlds of the strategies
MARK_ID = "6f1c2d3e-0000-4000-8000-000000000001"
NOBODY_NEW = Suppression(KEY, frozenset({user_hash(KEY, "shop", "nobody")}))


def device_of(seen: list[Fact]) -> Device:
    device = Device(NARROW)
    fold(device.line, seen)
    return device


devices = st.lists(facts, max_size=12).map(device_of)


def record(*hits: object) -> Record:
    body = b"\n".join(map(msgspec.json.encode, hits))
    return Record(HITS, 0, 0, body, {"schema": HIT_SCHEMA, "count": str(len(hits))}, NOON_MS)


def state(*logins: tuple[float, str]) -> bytes:
    """Of a device on which they signed in, in minutes after noon."""
    device = Device(POLICY)
    for minute, user in logins:
        device.line.add_login(NOON_MS + int(minute * MINUTE_MS), user, True)
    return encode(device)


def test_hits_of_a_record() -> None:
    """Others' bytes are the very same; her login on the tablet is a stub; what is hers alone is counted and gone."""
    others = [hit(1, user="bob"), hit(3)]
    decoded = read(record(*others, hit(5, user="ada"), hit(1), hit(0.5, user="ada", device="laptop")))
    left = without(decoded, SUPPRESSED)

    assert [msgspec.json.encode(one) for one in others] == left.lines[:2]
    assert [HER] == [head.user_id for head in left.heads[2:]]
    assert (3, 3, 2) == (len(left.lines), len(left.times), left.gone)
    assert b"ada" not in b"".join(left.lines[2:]).lower()
    assert decoded == without(decoded, Suppression())


def test_a_device_state_has_no_name_of_hers() -> None:
    """On the tablet her time stays somebody's; on the laptop, which was hers alone, only what came after it is left."""
    assert {HER, "bob"} == users_of(state_without(TABLET, state((0, "ada"), (9, "bob")), SUPPRESSED) or b"")
    assert state((9, "bob")) == state_without(TABLET, state((9, "bob")), SUPPRESSED)
    assert state((0, "ada")) == state_without(("other", "tablet"), state((0, "ada")), SUPPRESSED)
    assert state_without(LAPTOP, state((0, "ada"), (1, "ada")), SUPPRESSED) is None
    assert {"bob"} == users_of(state_without(LAPTOP, state((0, "ada"), (40, "bob")), SUPPRESSED) or b"")


@given(devices, devices)
def test_names_are_taken_out_before_or_after_a_join(one: Device, other: Device) -> None:
    """Recovery joins what is left of old entries; the same as what is left of the join."""
    users = users_of(encode(one)) | users_of(encode(other))
    forgotten = Suppression(KEY, frozenset(user_hash(KEY, "shop", user) for user in sorted(users)[::2]))

    def left(device: Device) -> Device:
        return decode(state_without(TABLET, encode(device), forgotten) or b"", NARROW)

    apart = left(one)
    apart.join(left(other))
    one.join(other)
    assert encode(left(one)) == encode(apart)


@given(devices, st.integers(BASE_MS, BASE_MS + DAYS_MS))
def test_nothing_up_to_an_instant_is_left(device: Device, until_ms: int) -> None:
    """And everything after it is."""
    line = device.line
    left = after(encode(device), until_ms)
    kept = decode(left, NARROW) if left else Device(NARROW)

    assert all(span.first_ms > until_ms for span in kept.line.spans())
    assert [t_ms for t_ms in line.logouts if t_ms > until_ms] == kept.line.logouts
    ends = [(span.user, span.holds, span.last_ms) for span in line.spans() if span.last_ms > until_ms]
    assert ends == [(span.user, span.holds, span.last_ms) for span in kept.line.spans()]


def test_the_cache_is_cleansed_once_and_leaves_no_bytes(tmp_path: Path) -> None:
    """Thousands of devices, and the pages they stood on; the next erasure looks again."""
    rows = [("shop", f"device-{n}", 0, state((0, "canary-ada" if n % 3 else "bob"))) for n in range(2_500)]
    cache = StateCache(tmp_path)
    cache.save(rows, {})
    forgotten = Suppression(KEY, frozenset({user_hash(KEY, "shop", "canary-ada")}))

    assert len([n for n in range(2_500) if n % 3]) == cache.cleanse(forgotten, 1)
    assert [] == [file for file in tmp_path.iterdir() if b"canary" in file.read_bytes()]
    assert 2_500 == cache._reader.execute("SELECT count(*) FROM device_states").fetchone()[0]
    cache.save(rows[1:2], {})
    assert (0, 1) == (cache.cleanse(forgotten, 1), cache.cleanse(forgotten, 2))
    cache.close()


async def test_a_node_that_never_saw_her_reads_the_changelog_without_her(tmp_path: Path) -> None:
    """Entries written before she was forgotten stand in it until retention removes them."""
    log = MemoryLog(1, NOON_MS + 10 * MINUTE_MS)
    logins = [hit(n, user=user, device=f"device-{n}") for n, user in enumerate(("ada", "bob", "ada"))]
    await log.append([Append(HITS, 0, record(*logins).value, {"schema": HIT_SCHEMA, "count": "3"})])
    before = Parts(log, tmp_path / "before")
    await before.stitch_all()
    before.cache.close()
    assert b'"ada"' in b"".join(log.lines(STITCH_STATE))

    parts = Parts(log, tmp_path / "after")
    only_her = Suppression(KEY, SUPPRESSED.users)
    parts.forgotten = Forgotten(only_her, 1)
    await parts.recovery.recover([0])
    held = [bytes(row[0]) for row in parts.cache._reader.execute("SELECT state FROM device_states")]
    parts.cache.close()
    assert 3 == len(held)
    assert (False, True) == tuple(any(name in s for s in held) for name in (b'"ada"', b'"bob"'))


@pytest.mark.parametrize("news", [0, 1, 6])
async def test_a_mark_loses_and_doubles_nothing(tmp_path: Path, news: int) -> None:
    """However much was not stored yet when it came, and however often one tells something new."""
    log, heeded = MemoryLog(partitions=2), list[int]()
    hits = world(23, Shape(hits=1_500, devices=40, days=20)).hits
    appends = appends_of(hits, 12, 2)
    mark = msgspec.json.encode(Mark(MARK_ID))
    for at in (len(appends) // 3, len(appends) // 2, len(appends)):
        appends[at:at] = [Append(HITS, number, mark, {"schema": MARK_SCHEMA, "count": "1"}) for number in (0, 1)]
    await log.append(appends)
    parts = Parts(log, tmp_path)
    failed = list[BaseException]()

    async def heed(_: Record) -> bool:
        heeded.append(1)
        parts.forgotten = Forgotten(NOBODY_NEW, len(heeded))
        return len(heeded) <= news

    stitching = Stitching(lambda numbers: parts.begin(*numbers), failed.append, 5, heed)
    await stitching.assigned({0, 1})
    longest = max(len(log.records[HITS, number]) for number in (0, 1))
    for at in range(longest):
        for number in (0, 1):
            if at < len(log.records[HITS, number]):
                await stitching.take(log.records[HITS, number][at])
                await asyncio.sleep(0)
    await until(lambda: bool(failed) or parts.caught_up(), 30, "everything is stored")
    assert await stitching.close(5)
    parts.cache.close()

    assert ([], 6) == (failed, len(heeded))
    assert true_answers(hits) == answers_in(r for r in parts.stitched() if r.headers["schema"] != MARK_SCHEMA)
    passed = [msgspec.json.decode(line, type=Mark) for line in log.lines(STITCHED, MARK_SCHEMA)]
    assert {MARK_ID} == {mark.id for mark in passed}
    assert len(passed) >= 6


async def test_a_replay_of_hits_from_before_gives_nothing_of_hers(tmp_path: Path) -> None:
    """From the first offset on a node without a disk, under the suppressions of `erasures` alone: nobody else has an
    action that was not theirs before, and every action of theirs is there."""
    log = MemoryLog(1, NOON_MS + 10 * MINUTE_MS)
    hits = [
        hit(0), hit(1, user="ada"), hit(2), hit(6, user="bob"), hit(7), hit(0, device="laptop"),
        hit(0.5, user="ada", device="laptop"), hit(3, device="phone"), hit(4, user="bob", device="phone"),
    ]  # fmt: skip
    for one in hits:
        await log.append([Append(HITS, 0, record(one).value, {"schema": HIT_SCHEMA, "count": "1"})])
    first = Parts(log, tmp_path / "first")
    await first.stitch_all()
    first.cache.close()
    before = answers_in(first.stitched())

    again = MemoryLog(1, NOON_MS + 10 * MINUTE_MS)
    again.records[HITS, 0] = log.records[HITS, 0]
    replay = Parts(again, tmp_path / "again")
    replay.forgotten = Forgotten(SUPPRESSED, 1)
    await replay.stitch_all()
    replay.cache.close()
    after_it = answers_in(replay.stitched())

    ada = user_person("shop", "ada")
    stubs = {row: answer for row, answer in after_it.items() if answer[0] == user_person("shop", HER)}
    assert {row: answer for row, answer in before.items() if answer[0] != ada} == {
        row: answer for row, answer in after_it.items() if row not in stubs
    }
    assert 1 == len(stubs)
    assert not any(b"ada" in line for line in again.lines(STITCHED) + again.lines(STITCH_STATE))
