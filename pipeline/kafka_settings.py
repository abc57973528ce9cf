"""What the settings about Kafka's security mean together: which need each other, and the files they name.

It must not know how Kafka is spoken to.
"""

from collections.abc import Mapping
from pathlib import Path
from typing import Any

from pipeline import setting_values as value
from pipeline.log.kafka_security import Security, TlsFile

_PROTOCOL = "KAFKA_SECURITY_PROTOCOL"
_TLS = ("KAFKA_CA_FILE", "KAFKA_CERTIFICATE_FILE", "KAFKA_KEY_FILE")
_SASL = ("KAFKA_USER", "KAFKA_PASSWORD_FILE")
_FILES = {"ca": "KAFKA_CA_FILE", "certificate": "KAFKA_CERTIFICATE_FILE", "key": "KAFKA_KEY_FILE"}


def read_security(values: Mapping[str, Any], problems: list[tuple[str, str, str]]) -> Security:
    """`values` by the name of their setting, None where nothing was given. What is odd becomes a problem: (name of the
    setting, what was expected, what it got)."""
    if _PROTOCOL not in values:
        return Security()  # what it got is a problem already
    protocol = values[_PROTOCOL]
    paths = {name: Path(values[name]) if values.get(name) else None for name in _TLS}
    read = Security(
        protocol=protocol,
        ca=paths["KAFKA_CA_FILE"],
        certificate=paths["KAFKA_CERTIFICATE_FILE"],
        key=paths["KAFKA_KEY_FILE"],
        mechanism=values.get("KAFKA_SASL_MECHANISM") or "",
        user=values.get("KAFKA_USER") or "",
        password=_password(values.get("KAFKA_PASSWORD_FILE"), problems),
    )
    before = len(problems)
    _check_names(read, values, problems)
    if len(problems) == before:
        _check_files(read, values, problems)
    return read


def _check_names(read: Security, values: Mapping[str, Any], problems: list[tuple[str, str, str]]) -> None:
    """A certificate or a password that nobody would look at is a mistake: somebody took the line for safe."""
    for names, used, word in ((_TLS, read.tls, "SSL"), (_SASL, read.sasl, "SASL_SSL")):
        for name in names:
            if values.get(name) and not used:
                why = f"nothing while SEAMLINE_{_PROTOCOL} is {read.protocol}, which does not use it ({word} does)"
                problems.append((name, why, str(values[name])))
    if read.sasl:
        missing = [name for name in _SASL if not values.get(name)]
        problems += [(name, f"a value, as SEAMLINE_{_PROTOCOL} is {read.protocol}", "") for name in missing]
    if (read.certificate is None) != (read.key is None):
        name, other = ("KAFKA_KEY_FILE", "CERTIFICATE") if read.key is None else ("KAFKA_CERTIFICATE_FILE", "KEY")
        problems.append((name, f"a file, as SEAMLINE_KAFKA_{other}_FILE names one", ""))


def _check_files(read: Security, values: Mapping[str, Any], problems: list[tuple[str, str, str]]) -> None:
    try:
        read.context()
    except TlsFile as error:
        name = _FILES[error.part]
        problems.append((name, str(error), str(values.get(name) or "")))


def _password(path: str | None, problems: list[tuple[str, str, str]]) -> str:
    try:
        password = value.secret(path) if path else ""
        if path and not password:
            raise ValueError("a file that is not empty")
        return password
    except ValueError as error:
        problems.append(("KAFKA_PASSWORD_FILE", str(error), str(path)))
        return ""
