"""The numbers the identity rules depend on, all in one value; it must not know the rules."""

from msgspec import Struct

from pipeline import limits


class Policy(Struct, frozen=True):
    """Durations in milliseconds of event time."""

    lookback_ms: int = limits.LOOKBACK_MS
    bucket_ms: int = limits.BUCKET_MS
    users_per_bucket_max: int = limits.USERS_PER_BUCKET_MAX
    logouts_per_bucket_max: int = limits.LOGOUTS_PER_BUCKET_MAX
    users_per_device_max: int = limits.USERS_PER_DEVICE_MAX

    @property
    def retain_ms(self) -> int:
        """How far behind a device's newest settled fact its facts are kept."""
        return limits.RETAIN_LOOKBACKS * self.lookback_ms

    @property
    def late_ms(self) -> int:
        """Rows further behind the newest settled fact may miss facts that were pruned."""
        return (limits.RETAIN_LOOKBACKS - 1) * self.lookback_ms
