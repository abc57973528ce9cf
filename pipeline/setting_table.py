"""Every setting there is, as data: name, values, default, meaning, readers; it must not know where values come from.

`make derived` writes the table of deploy/README.md from it.
"""

from collections.abc import Callable
from typing import Any

from msgspec import Struct

from pipeline import limits
from pipeline import setting_values as value
from pipeline.log.kafka_security import MECHANISMS, PROTOCOLS

PREFIX = "SEAMLINE_"
COMMANDS = "commands"  # those that ask or order: `seamline query`, `forget` and their kind
ALL = ("up", "ingest", "stitch", "sink", "report", "migrate", COMMANDS)
_WORKERS = ("up", "ingest", "stitch", "sink", "report")
_SERVERS = ("up", "ingest", "report")  # to more than a probe
_EDGE = ("up", "ingest")
_ON_KAFKA = ("ingest", "stitch", "sink", "migrate", COMMANDS)
_UNITS = {"BYTES": "bytes", "MS": "milliseconds", "DAYS": "days"}


class Setting(Struct, frozen=True):
    """One variable. `default` is text like a value from outside; `{data}` stands for SEAMLINE_DATA. `readers`: the
    commands that look at it."""

    name: str
    parse: Callable[[str], Any]
    default: str
    sentence: str
    readers: tuple[str, ...]

    @property
    def unit(self) -> str:
        """As its name says; "" of what is counted or named."""
        return next((unit for word, unit in _UNITS.items() if word in self.name.split("_")), "")

    @property
    def takes(self) -> str:
        """What the parser takes, in its own words."""
        for nonsense in ("\0", " "):
            try:
                self.parse(nonsense)
            except ValueError as error:
                return f"{error}, in {self.unit}" if self.unit else str(error)
        return "anything"


def _ms(name: str, least: int, most: int, default: int, sentence: str) -> Setting:
    return Setting(name, value.whole(least, most), str(default), sentence, _SERVERS)


SETTINGS: tuple[Setting, ...] = (
    Setting("DATA", value.path, "seamline-data", "the folder for everything this machine keeps", ALL),
    Setting("LOG", value.log_url, "local://{data}/log", "the event log", ALL),
    Setting(
        "PARTITIONS",
        value.whole(1, 1_024),
        str(limits.PARTITIONS),
        "partitions of a new topic; fixed for its life",
        ("migrate",),
    ),
    Setting(
        "TOPIC_PREFIX",
        value.topic_prefix,
        "",
        "what stands before the name of every topic and group on Kafka: `seamline replay` moves to another",
        _ON_KAFKA,
    ),
    Setting(
        "KAFKA_SECURITY_PROTOCOL",
        value.one_of(*PROTOCOLS),
        PROTOCOLS[0],
        "what Kafka's listener speaks",
        _ON_KAFKA,
    ),
    Setting(
        "KAFKA_CA_FILE",
        value.path,
        "",
        "who signs the brokers' certificates (PEM); without it, whom this host trusts",
        _ON_KAFKA,
    ),
    Setting("KAFKA_CERTIFICATE_FILE", value.path, "", "the certificate to show to Kafka (PEM)", _ON_KAFKA),
    Setting("KAFKA_KEY_FILE", value.path, "", "its key (PEM, without a passphrase)", _ON_KAFKA),
    Setting(
        "KAFKA_SASL_MECHANISM",
        value.one_of(*MECHANISMS),
        MECHANISMS[-1],
        "how the password is proved to Kafka",
        _ON_KAFKA,
    ),
    Setting("KAFKA_USER", value.name, "", "the name to give to Kafka", _ON_KAFKA),
    Setting("KAFKA_PASSWORD_FILE", value.path, "", "a file with the password of that name", _ON_KAFKA),
    Setting(
        "WAREHOUSE",
        value.warehouse_url,
        "chdb://{data}/warehouse",
        "where the rows go",
        ("up", "stitch", "sink", "report", "migrate", COMMANDS),
    ),
    Setting(
        "WAREHOUSE_PASSWORD_FILE",
        value.path,
        "",
        "a file with the ClickHouse password",
        ("stitch", "sink", "report", "migrate", COMMANDS),
    ),
    Setting(
        "CLICKHOUSE_CLUSTER",
        value.cluster,
        "",
        "the cluster, of the server's `remote_servers`, that keeps the warehouse in replicas or shards; else one node",
        ("stitch", "sink", "report", "migrate", COMMANDS),
    ),
    Setting(
        "RETENTION_DAYS",
        value.whole(0, limits.KEPT_DAYS_MAX),
        "0",
        "how long actions, facts and links are kept; 0 for ever",
        ("up", "migrate"),
    ),
    Setting(
        "DEAD_LETTERS_DAYS",
        value.whole(0, limits.KEPT_DAYS_MAX),
        "90",
        "how long dead letters are kept; 0 for ever",
        ("up", "migrate"),
    ),
    Setting(
        "COLD_DAYS",
        value.whole(0, limits.KEPT_DAYS_MAX),
        "0",
        "after how long actions go to the volume `cold` of ClickHouse's storage policy `tiered`; 0 for never",
        ("migrate",),
    ),
    Setting("SITES", value.path, "", "the sites file (YAML); without one, a demo site", (*_EDGE, COMMANDS)),
    Setting(
        "ERASURE_KEY_FILE",
        value.path,
        "{data}/erasure.key",
        "the key of erased persons' hashes; made if missing",
        ("up", "ingest", "stitch", "sink", COMMANDS),
    ),
    Setting("HOST", value.name, "127.0.0.1", "the address to listen on; 0.0.0.0 for all", _WORKERS),
    Setting("PORT", value.whole(0, 65_535), "8080", "the port to listen on; 0 for any free one", _WORKERS),
    Setting(
        "LOG_FORMAT",
        value.one_of("AUTO", "JSON", "TEXT"),
        "AUTO",
        "lines of stderr for machines or for people; AUTO: JSON unless stderr is a terminal",
        ("up", "ingest", "stitch", "sink", "report", "migrate"),
    ),
    Setting("SPOOL", value.path, "{data}/spool", "the folder of the spool that stands in while the log is away", _EDGE),
    Setting(
        "SPOOL_BYTES_MAX",
        value.whole(limits.MIB, 2**40),
        str(limits.SPOOL_BYTES_MAX),
        "past it: 503 and Retry-After",
        _EDGE,
    ),
    Setting(
        "LINGER_MS_MIN",
        value.whole(0, 1_000),
        str(limits.LINGER_MS_MIN),
        "how long a lone hit waits for company",
        _EDGE,
    ),
    Setting(
        "LINGER_MS_MAX",
        value.whole(0, 1_000),
        str(limits.LINGER_MS_MAX),
        "the same under load: fewer, larger records",
        _EDGE,
    ),
    Setting(
        "SITE_HITS_PER_SECOND_MAX",
        value.whole(0, 1_000_000),
        "0",
        "of one site to one ingest; past it 429 and Retry-After; 0 for no limit",
        _EDGE,
    ),
    Setting(
        "ADDRESS_HITS_PER_SECOND_MAX",
        value.whole(0, 1_000_000),
        "0",
        "of one address (IPv6: a /64) to one ingest; past it 429 and Retry-After; 0 for no limit",
        _EDGE,
    ),
    Setting("TRUSTED_PROXIES", value.networks, "", "proxies whose X-Forwarded-For is believed", _SERVERS),
    Setting(
        "CONNECTIONS_MAX",
        value.whole(1, 1_000_000),
        str(limits.CONNECTIONS_MAX),
        "open connections; more are turned away",
        _SERVERS,
    ),
    _ms("HEADER_DEADLINE_MS", 10, 600_000, limits.HEADER_DEADLINE_MS, "to receive a request's headers"),
    _ms("BODY_DEADLINE_MS", 10, 600_000, limits.BODY_DEADLINE_MS, "to receive a request's body"),
    _ms("DRAIN_MS", 0, 600_000, 10_000, "for open requests to end after SIGTERM"),
    Setting(
        "LOOKBACK_DAYS",
        value.whole(1, 366),
        str(limits.LOOKBACK_MS // limits.DAY_MS),
        "how far a login explains",
        ("up", "stitch", "report", COMMANDS),
    ),
    Setting(
        "USERS_PER_DEVICE_MAX",
        value.whole(1, 32),
        str(limits.USERS_PER_DEVICE_MAX),
        "more is a kiosk: nothing is claimed",
        ("up", "stitch", "report", COMMANDS),
    ),
    Setting(
        "REPORT_HOSTS",
        value.hosts,
        "",
        "names the report page answers to, besides those of loopback",
        ("up", "report"),
    ),
    Setting(
        "REPORT_TOKEN_FILE",
        value.path,
        "",
        "who may see reports: lines `TOKEN` or `WORKSPACE TOKEN`",
        ("up", "report"),
    ),
    Setting(
        "REPORT_USER_HEADER",
        value.name,
        "",
        "a header by which trusted proxies say who has signed in",
        ("up", "report"),
    ),
    Setting("INSTANCE", value.name, "", "a stitch worker's name that survives its restart: no rebalance", ("stitch",)),
)
