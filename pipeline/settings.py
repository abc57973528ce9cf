"""The one door to the environment and the sites file; it must not know what the settings are used for.

Every setting is declared once, in `setting_table`. An odd value is an error that names the variable, what was expected
and what it got. Secrets are read from files named by a variable; their values are never shown.
"""

import difflib
import os
from collections.abc import Mapping
from ipaddress import IPv4Network, IPv6Network
from pathlib import Path
from typing import Any

import yaml
from msgspec import Struct, structs

from pipeline import limits
from pipeline import setting_values as value
from pipeline.kafka_settings import read_security
from pipeline.log.kafka_security import NONE, Security
from pipeline.setting_table import PREFIX, SETTINGS, Setting
from pipeline.sites import Sites, SitesError, default_sites, parse_sites
from pipeline.telemetry.tracing import TraceSettings, trace_settings

__all__ = ["PREFIX", "SETTINGS", "Setting", "Settings", "SettingsError", "load_settings"]


class SettingsError(ValueError):
    """Sentences, one a line: which variable, what was expected, what it got."""


class LogSettings(Struct, frozen=True):
    """Where the event log is: a folder of this machine, or Kafka brokers. Exactly one is set."""

    folder: Path | None
    brokers: tuple[str, ...]
    partitions: int
    security: Security = NONE
    prefix: str = ""  # before the name of every topic and group


class IngestSettings(Struct, frozen=True):
    """The HTTP edge. Deadlines in milliseconds."""

    host: str
    port: int
    spool: Path
    spool_bytes_max: int
    linger_ms_min: int
    linger_ms_max: int
    trusted_proxies: tuple[IPv4Network | IPv6Network, ...]
    connections_max: int
    header_deadline_ms: int
    body_deadline_ms: int
    drain_ms: int
    site_hits_per_second_max: int = 0  # 0: no limit
    address_hits_per_second_max: int = 0  # the same


class WarehouseSettings(Struct, frozen=True):
    """Where the rows are: `chdb:///path` or `clickhouse://user@host:port/database`."""

    url: str
    password: str
    retention_days: Mapping[str, int] = {}  # by table; 0 keeps for ever
    cluster: str = ""  # whose replicas keep it; "" for one node
    cold_days: int = 0  # after which actions go to slower disks; 0 for never

    def __repr__(self) -> str:
        return f"WarehouseSettings(url={self.url!r}, password={'***' if self.password else ''!r})"


class ReportSettings(Struct, frozen=True):
    """Who may see the report page. `hosts`: names it answers to besides loopback's; `user_header`: a proxy's word."""

    hosts: tuple[str, ...] = ()
    token_file: Path | None = None
    user_header: str = ""


class StitchSettings(Struct, frozen=True):
    """The identity rules' numbers that an operator may change."""

    lookback_ms: int
    users_per_device_max: int
    instance: str


class Settings(Struct, frozen=True):
    """Everything that was decided outside of the code, per edge, and what `seamline check` prints of it."""

    data: Path
    erasure_key: Path
    log: LogSettings
    ingest: IngestSettings
    warehouse: WarehouseSettings
    stitch: StitchSettings
    report: ReportSettings
    log_format: str  # AUTO, JSON or TEXT
    sites: Sites
    shown: tuple[tuple[str, str, str], ...]  # (variable, resolved value, its sentence); secrets are masked
    tracing: TraceSettings = TraceSettings()


_BY_NAME = {PREFIX + setting.name: setting for setting in SETTINGS}


def load_settings(environ: Mapping[str, str] | None = None, overrides: Mapping[str, str] | None = None) -> Settings:
    """The settings of this process. `overrides` (variable -> text, from the command line) win over the environment.

    Raises SettingsError with every odd value, not only the first.
    """
    given = {**(os.environ if environ is None else environ), **(overrides or {})}
    problems = [
        f"{n}: expected a setting, got an unknown name; did you mean {m}?" for n in given if (m := _misspelt(n))
    ]
    data = given.get(PREFIX + "DATA") or _BY_NAME[PREFIX + "DATA"].default
    texts: dict[str, str] = {}
    values: dict[str, Any] = {}
    for name, setting in _BY_NAME.items():
        texts[name] = given.get(name) or setting.default.replace("{data}", str(Path(data).absolute()))
        try:
            values[setting.name] = setting.parse(texts[name]) if texts[name] else None
        except ValueError as error:
            problems.append(f"{name}: expected {error}, got {_shown(texts[name])!r}")
    password = _read_secret(values.get("WAREHOUSE_PASSWORD_FILE"), problems)
    sites = _read_sites(values.get("SITES"), problems)
    odd: list[tuple[str, str, str]] = []
    security = read_security(values, odd)
    problems += [f"{PREFIX}{name}: expected {expected}, got {got!r}" for name, expected, got in odd]
    if not problems and values["LINGER_MS_MIN"] > values["LINGER_MS_MAX"]:
        problems.append(
            f"{PREFIX}LINGER_MS_MIN: expected at most SEAMLINE_LINGER_MS_MAX, got {texts[PREFIX + 'LINGER_MS_MIN']!r}"
        )
    if not problems and values["CLICKHOUSE_CLUSTER"] and values["WAREHOUSE"].startswith("chdb:"):
        problems.append(
            f"{PREFIX}WAREHOUSE: expected a server of {PREFIX}CLICKHOUSE_CLUSTER, got {values['WAREHOUSE']!r}"
        )
    if not problems and "," in values["WAREHOUSE"] and not values["CLICKHOUSE_CLUSTER"]:
        problems.append(f"{PREFIX}CLICKHOUSE_CLUSTER: expected the cluster of the shards in {PREFIX}WAREHOUSE, got ''")
    if problems or sites is None:
        raise SettingsError("\n".join(problems))
    shown = tuple((name, _shown(texts[name]), setting.sentence) for name, setting in _BY_NAME.items())
    return structs.replace(_assemble(values, password, security, sites, shown), tracing=trace_settings(given))


def _assemble(
    v: dict[str, Any], password: str, security: Security, sites: Sites, shown: tuple[tuple[str, str, str], ...]
) -> Settings:
    scheme, _, where = v["LOG"].partition("://")
    return Settings(
        data=Path(v["DATA"]).absolute(),
        erasure_key=Path(v["ERASURE_KEY_FILE"]),
        log=LogSettings(
            folder=Path(where) if scheme == "local" else None,
            brokers=tuple(where.rstrip("/").split(",")) if scheme == "kafka" else (),
            partitions=v["PARTITIONS"],
            security=security,
            prefix=v["TOPIC_PREFIX"] or "",
        ),
        ingest=IngestSettings(
            host=v["HOST"],
            port=v["PORT"],
            spool=Path(v["SPOOL"]),
            spool_bytes_max=v["SPOOL_BYTES_MAX"],
            linger_ms_min=v["LINGER_MS_MIN"],
            linger_ms_max=v["LINGER_MS_MAX"],
            trusted_proxies=v["TRUSTED_PROXIES"] or (),
            connections_max=v["CONNECTIONS_MAX"],
            header_deadline_ms=v["HEADER_DEADLINE_MS"],
            body_deadline_ms=v["BODY_DEADLINE_MS"],
            drain_ms=v["DRAIN_MS"],
            site_hits_per_second_max=v["SITE_HITS_PER_SECOND_MAX"],
            address_hits_per_second_max=v["ADDRESS_HITS_PER_SECOND_MAX"],
        ),
        warehouse=WarehouseSettings(
            url=v["WAREHOUSE"],
            password=password,
            retention_days={
                **dict.fromkeys(("action_log", "identity_facts", "identity_links"), v["RETENTION_DAYS"]),
                "dead_letters": v["DEAD_LETTERS_DAYS"],
            },
            cluster=v["CLICKHOUSE_CLUSTER"] or "",
            cold_days=v["COLD_DAYS"],
        ),
        stitch=StitchSettings(v["LOOKBACK_DAYS"] * limits.DAY_MS, v["USERS_PER_DEVICE_MAX"], v["INSTANCE"] or ""),
        report=ReportSettings(
            hosts=v["REPORT_HOSTS"] or (),
            token_file=Path(v["REPORT_TOKEN_FILE"]) if v["REPORT_TOKEN_FILE"] else None,
            user_header=(v["REPORT_USER_HEADER"] or "").lower(),
        ),
        log_format=v["LOG_FORMAT"],
        sites=sites,
        shown=shown,
    )


def _shown(text: str) -> str:
    """The value for people: a URL that holds a password against our advice is cut down to its host."""
    head, at, host = text.rpartition("@")
    scheme, separator, user = head.partition("://")
    return f"{scheme}{separator}{user.partition(':')[0]}:***@{host}" if at and ":" in user else text


def _read_secret(path: str | None, problems: list[str]) -> str:
    if not path:
        return ""
    try:
        return value.secret(path)
    except ValueError as error:
        problems.append(f"{PREFIX}WAREHOUSE_PASSWORD_FILE: expected {error}, got {path!r}")
        return ""


def _read_sites(path: str | None, problems: list[str]) -> Sites | None:
    if not path:
        return default_sites()
    try:
        return parse_sites(yaml.safe_load(Path(path).read_text(encoding="utf-8")), lambda key: Path(key).read_bytes())
    except (OSError, UnicodeDecodeError, SitesError) as error:
        problems.append(f"{PREFIX}SITES: expected a sites file, got {path!r}: {_why(error)}")
    except yaml.YAMLError as error:
        mark = getattr(error, "problem_mark", None)
        where = f" at line {mark.line + 1}" if mark else ""
        problems.append(f"{PREFIX}SITES: expected a sites file, got {path!r}: not YAML{where}")
    return None


def _why(error: Exception) -> str:
    return (error.strerror or type(error).__name__) if isinstance(error, OSError) else str(error)


def _misspelt(name: str) -> str | None:
    """The setting that an unknown variable probably means. Others are left alone: orchestrators add their own."""
    close = difflib.get_close_matches(name, _BY_NAME, 1, 0.9) if name.startswith(PREFIX) else []
    return close[0] if close and name not in _BY_NAME else None
