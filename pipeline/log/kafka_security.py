"""Who we are to Kafka, and how we know that it is Kafka; it must not know a client library or the environment."""

from pathlib import Path
from typing import TYPE_CHECKING, Any

from msgspec import Struct

if TYPE_CHECKING:
    from ssl import SSLContext

PROTOCOLS = ("PLAINTEXT", "SSL", "SASL_PLAINTEXT", "SASL_SSL")  # Kafka's own words
MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class TlsFile(Exception):
    """A file that TLS cannot use. `part`: `ca`, `certificate` or `key`; the text says what was expected."""

    def __init__(self, part: str, expected: str) -> None:
        super().__init__(expected)
        self.part = part


class Security(Struct, frozen=True, kw_only=True):
    """The same for every client. `ca`: who signs the brokers' certificates; None: whom this system trusts."""

    protocol: str = "PLAINTEXT"
    ca: Path | None = None
    certificate: Path | None = None
    key: Path | None = None
    mechanism: str = ""
    user: str = ""
    password: str = ""

    def __repr__(self) -> str:
        return f"Security(protocol={self.protocol!r}, user={self.user!r}, password={'***' if self.password else ''!r})"

    @property
    def tls(self) -> bool:
        """Whether connections are encrypted."""
        return self.protocol in ("SSL", "SASL_SSL")

    @property
    def sasl(self) -> bool:
        """Whether we say a name and a password."""
        return self.protocol.startswith("SASL_")

    def context(self) -> "SSLContext | None":
        """The certificates as the files have them now; None without TLS. Raises TlsFile."""
        return _context(self.ca, self.certificate, self.key) if self.tls else None

    def arguments(self) -> dict[str, Any]:
        """What an aiokafka client is made with. Raises TlsFile."""
        given: dict[str, Any] = {"security_protocol": self.protocol}
        if self.tls:
            given["ssl_context"] = self.context()
        if self.sasl:
            given |= {
                "sasl_mechanism": self.mechanism,
                "sasl_plain_username": self.user,
                "sasl_plain_password": self.password,
            }
        return given


NONE = Security()


def _context(ca: Path | None, certificate: Path | None, key: Path | None) -> "SSLContext":
    """Brokers are checked by name, too: an address that their certificate does not list is refused."""
    import ssl  # most commands never speak to Kafka

    try:
        context = ssl.create_default_context(cafile=ca)
    except (OSError, ValueError) as error:
        raise TlsFile("ca", f"a readable file of certificates in PEM ({_why(error)})") from error
    if certificate is None or key is None:
        return context
    for part, path, mark in (("certificate", certificate, "CERTIFICATE-----"), ("key", key, "PRIVATE KEY-----")):
        if mark not in _text(part, path):
            raise TlsFile(part, f"a {part} in PEM")
    try:
        context.load_cert_chain(certificate, key, password=_no_passphrase)
    except (OSError, ValueError) as error:
        raise TlsFile("key", f"the key of the certificate, without a passphrase ({_why(error)})") from error
    return context


def _text(part: str, path: Path) -> str:
    try:
        return path.read_text(encoding="latin-1")
    except OSError as error:
        raise TlsFile(part, f"a readable file ({_why(error)})") from error


def _no_passphrase() -> str:
    """Asked for one, OpenSSL would otherwise ask the terminal."""
    raise ValueError("it has a passphrase")


def _why(error: Exception) -> str:
    return getattr(error, "reason", None) or getattr(error, "strerror", None) or str(error)
