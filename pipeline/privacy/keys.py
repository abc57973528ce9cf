"""The key under which the forgotten are remembered: a file; it must not know what is hashed."""

import os
import secrets
from pathlib import Path

from pipeline.privacy.suppression import KEY_BYTES_MIN


class NoKey(Exception):
    """The key's file cannot be used: which, and why."""


def erasure_key(path: Path, *, make: bool = True) -> bytes:
    """The key in the file, made with the file if there is none and `make`. Who loses it forgets who was forgotten."""
    try:
        key = _made(path) if make else path.read_bytes().strip()
    except OSError as error:
        raise NoKey(f"{path}: {error.strerror}") from None
    if len(key) < KEY_BYTES_MIN:
        raise NoKey(f"{path}: expected a key of at least {KEY_BYTES_MIN} bytes")
    return key


def _made(path: Path) -> bytes:
    path.parent.mkdir(parents=True, exist_ok=True)
    try:
        descriptor = os.open(path, os.O_WRONLY | os.O_CREAT | os.O_EXCL, 0o600)
    except FileExistsError:
        return path.read_bytes().strip()
    with os.fdopen(descriptor, "wb") as file:
        key = secrets.token_hex(KEY_BYTES_MIN).encode()
        file.write(key + b"\n")
    return key
