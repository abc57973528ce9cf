"""The settings about Kafka's security: what is odd is named, and nothing is left open by mistake."""

from collections.abc import Mapping
from pathlib import Path

import pytest

from pipeline.settings import SettingsError, load_settings
from tests.support.certificates import Authority

PREFIX = "SEAMLINE_KAFKA_"


class Files:
    """Certificates, keys and a password as an operator has them."""

    def __init__(self, folder: Path) -> None:
        self.folder = folder
        self.authority = Authority(folder)
        self.certificate, self.key = self.authority.issue("worker")
        _, self.other_key = self.authority.issue("other")
        self.password = self.text("password", "canary\n")

    def text(self, name: str, words: str) -> Path:
        """A file with these words."""
        path = self.folder / name
        path.write_text(words)
        return path


@pytest.fixture
def files(tmp_path: Path) -> Files:
    return Files(tmp_path)


def load(given: Mapping[str, str | Path]) -> list[str]:
    """The problems of settings about Kafka, a line each."""
    with pytest.raises(SettingsError) as error:
        load_settings({PREFIX + name: str(text) for name, text in given.items()})
    return str(error.value).splitlines()


def test_nothing_given_is_plaintext() -> None:
    """As ever."""
    assert {"security_protocol": "PLAINTEXT"} == load_settings({}).log.security.arguments()


def test_what_is_given_is_what_clients_are_made_with(files: Files) -> None:
    """In Kafka's words, in any case; the password is without its line break and never shown."""
    settings = load_settings(
        {
            "SEAMLINE_KAFKA_SECURITY_PROTOCOL": "sasl_ssl",
            "SEAMLINE_KAFKA_CA_FILE": str(files.authority.file),
            "SEAMLINE_KAFKA_CERTIFICATE_FILE": str(files.certificate),
            "SEAMLINE_KAFKA_KEY_FILE": str(files.key),
            "SEAMLINE_KAFKA_SASL_MECHANISM": "scram-sha-256",
            "SEAMLINE_KAFKA_USER": "seamline",
            "SEAMLINE_KAFKA_PASSWORD_FILE": str(files.password),
        }
    )
    given = settings.log.security.arguments()
    context = given.pop("ssl_context")

    assert given == {
        "security_protocol": "SASL_SSL",
        "sasl_mechanism": "SCRAM-SHA-256",
        "sasl_plain_username": "seamline",
        "sasl_plain_password": "canary",
    }
    assert (True, 1) == (context.check_hostname, context.cert_store_stats()["x509_ca"])
    assert "canary" not in repr(settings) + str(settings.shown)


def test_odd_words_are_named() -> None:
    """With those that are known."""
    assert load({"SECURITY_PROTOCOL": "tls"}) == [
        "SEAMLINE_KAFKA_SECURITY_PROTOCOL: expected one of PLAINTEXT, SSL, SASL_PLAINTEXT, SASL_SSL, got 'tls'"
    ]
    assert load({"SASL_MECHANISM": "GSSAPI"}) == [
        "SEAMLINE_KAFKA_SASL_MECHANISM: expected one of PLAIN, SCRAM-SHA-256, SCRAM-SHA-512, got 'GSSAPI'"
    ]


def test_a_certificate_or_password_that_nobody_would_use_is_refused(files: Files) -> None:
    """Whoever names one takes the line for safe: forgetting the protocol must not mean hits in the clear."""
    unused = "expected nothing while SEAMLINE_KAFKA_SECURITY_PROTOCOL is"

    (ca,) = load({"CA_FILE": files.authority.file})
    assert f"SEAMLINE_KAFKA_CA_FILE: {unused} PLAINTEXT, which does not use it (SSL does), got" in ca
    user, password = load({"SECURITY_PROTOCOL": "SSL", "USER": "me", "PASSWORD_FILE": files.password})
    assert f"SEAMLINE_KAFKA_USER: {unused} SSL, which does not use it (SASL_SSL does), got 'me'" == user
    assert password.startswith(f"SEAMLINE_KAFKA_PASSWORD_FILE: {unused} SSL")


def test_what_is_missing_is_named(files: Files) -> None:
    """All of it at once."""
    needed = "expected a value, as SEAMLINE_KAFKA_SECURITY_PROTOCOL is SASL_SSL, got ''"

    assert load({"SECURITY_PROTOCOL": "SASL_SSL"}) == [
        f"SEAMLINE_KAFKA_USER: {needed}",
        f"SEAMLINE_KAFKA_PASSWORD_FILE: {needed}",
    ]
    assert load({"SECURITY_PROTOCOL": "SSL", "CERTIFICATE_FILE": files.certificate}) == [
        "SEAMLINE_KAFKA_KEY_FILE: expected a file, as SEAMLINE_KAFKA_CERTIFICATE_FILE names one, got ''"
    ]
    assert load({"SECURITY_PROTOCOL": "SSL", "KEY_FILE": files.key}) == [
        "SEAMLINE_KAFKA_CERTIFICATE_FILE: expected a file, as SEAMLINE_KAFKA_KEY_FILE names one, got ''"
    ]


def test_a_file_that_tls_cannot_use_is_named(files: Files) -> None:
    """Before anything starts, and without asking the terminal for a passphrase."""
    junk, missing = files.text("junk", "not PEM"), files.folder / "missing"
    _, locked = files.authority.issue("locked", b"a passphrase")
    both = {"SECURITY_PROTOCOL": "SSL", "CERTIFICATE_FILE": files.certificate, "KEY_FILE": files.key}

    for change, says in [
        ({"CA_FILE": missing}, "CA_FILE: expected a readable file of certificates in PEM (No such file or directory)"),
        ({"CA_FILE": junk}, "CA_FILE: expected a readable file of certificates in PEM (NO_CERTIFICATE_OR_CRL_FOUND)"),
        ({"CERTIFICATE_FILE": missing}, "CERTIFICATE_FILE: expected a readable file (No such file or directory)"),
        ({"CERTIFICATE_FILE": junk}, "CERTIFICATE_FILE: expected a certificate in PEM"),
        ({"KEY_FILE": junk}, "KEY_FILE: expected a key in PEM"),
        ({"KEY_FILE": files.other_key}, "KEY_FILE: expected the key of the certificate, without a passphrase (KEY_V"),
        ({"KEY_FILE": locked}, "KEY_FILE: expected the key of the certificate, without a passphrase (it has a"),
    ]:
        (problem,) = load(both | change)
        assert problem.startswith(PREFIX + says), problem
    assert load({"SECURITY_PROTOCOL": "SASL_SSL", "USER": "me", "PASSWORD_FILE": missing})[0].startswith(
        "SEAMLINE_KAFKA_PASSWORD_FILE: expected a readable file (No such file or directory), got"
    )
    empty = files.text("empty", "\n")
    assert (
        "a file that is not empty" in load({"SECURITY_PROTOCOL": "SASL_SSL", "USER": "me", "PASSWORD_FILE": empty})[0]
    )
