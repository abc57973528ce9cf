"""Makes the keys of a compose project once, each a file for those who need it; it must not know what they are for."""

import hashlib
import os
import secrets
import sys
from pathlib import Path

_USERS = """<clickhouse><users>
  <default remove="remove"/>
  <seamline>
    <password_sha256_hex>{digest}</password_sha256_hex>
    <networks><ip>::/0</ip></networks>
    <profile>default</profile><quota>default</quota>
  </seamline>
</users></clickhouse>
"""


def make_keys(workers: Path, clickhouse: Path) -> None:
    """What exists stays: a second start has the same passwords, and whoever was forgotten stays forgotten."""
    for name in ("clickhouse-password", "erasure-key", "report-tokens"):
        _write(workers / name, secrets.token_hex(32))
    password = (workers / "clickhouse-password").read_text(encoding="utf-8").strip()
    _write(clickhouse / "seamline.xml", _USERS.format(digest=hashlib.sha256(password.encode()).hexdigest()))


def _write(path: Path, text: str) -> None:
    """World-readable inside a volume that only the containers named in compose.yaml mount: their users differ."""
    if path.exists():
        return
    new = path.with_name(path.name + ".new")
    with new.open("w", encoding="utf-8") as file:
        file.write(text + "\n")
        os.fsync(file.fileno())
    new.chmod(0o444)
    new.rename(path)


if __name__ == "__main__":
    make_keys(Path(sys.argv[1]), Path(sys.argv[2]))
