"""A real Kafka broker that lets nobody in without TLS: a door for names and passwords, a door for certificates."""

import shutil
import tempfile
from pathlib import Path

from tests.support.certificates import Authority
from tests.support.kafka_broker import KafkaBroker, free_port

USER, PASSWORD = "seamline", "by the sea; with=odd signs"
_JAAS = "org.apache.kafka.common.security"
_MECHANISMS = ("PLAIN", "SCRAM-SHA-256", "SCRAM-SHA-512")


class SecureKafkaBroker(KafkaBroker):
    """`sasl` and `mutual` are the doors, `host:port`. The broker itself and its tools go by a third, in the clear.

    `authority` signs for the broker and for whoever may come by `mutual`. `USER` is known by every mechanism.
    """

    format_words = tuple(f"--add-scram={name}=[name={USER},password={PASSWORD}]" for name in _MECHANISMS[1:])

    def __init__(self) -> None:
        super().__init__()
        self._folder = Path(tempfile.mkdtemp(prefix="seamline-kafka-tls-"))
        self.authority = Authority(self._folder)
        self._doors = (free_port(), free_port())

    @property
    def sasl(self) -> str:
        """TLS, then a name and a password by any of the mechanisms."""
        return f"127.0.0.1:{self._doors[0]}"

    @property
    def mutual(self) -> str:
        """TLS, and a certificate of whoever comes."""
        return f"127.0.0.1:{self._doors[1]}"

    def close(self) -> None:
        """Kill it, and remove its data and its keys."""
        super().close()
        shutil.rmtree(self._folder, ignore_errors=True)

    def listeners(self, ports: tuple[int, int]) -> dict[str, str]:
        """The two doors beside those in the clear."""
        plain = super().listeners(ports)
        doors = f",SASL://{self.sasl},MUTUAL://{self.mutual}"
        certificate, key = self.authority.issue("broker")
        store = self._folder / "broker.pem"
        store.write_bytes(key.read_bytes() + certificate.read_bytes())
        return {
            **plain,
            "listeners": plain["listeners"] + doors,
            "advertised.listeners": plain["advertised.listeners"] + doors,
            "listener.security.protocol.map": ("CONTROLLER:PLAINTEXT,PLAINTEXT:PLAINTEXT,SASL:SASL_SSL,MUTUAL:SSL"),
            "inter.broker.listener.name": "PLAINTEXT",
            "ssl.keystore.type": "PEM",
            "ssl.keystore.location": str(store),
            "ssl.truststore.type": "PEM",
            "ssl.truststore.location": str(self.authority.file),
            "listener.name.mutual.ssl.client.auth": "required",
            "listener.name.sasl.sasl.enabled.mechanisms": ",".join(_MECHANISMS),
            "listener.name.sasl.plain.sasl.jaas.config": (
                f'{_JAAS}.plain.PlainLoginModule required user_{USER}="{PASSWORD}";'
            ),
            **{
                f"listener.name.sasl.{name.lower()}.sasl.jaas.config": f"{_JAAS}.scram.ScramLoginModule required;"
                for name in _MECHANISMS[1:]
            },
        }
