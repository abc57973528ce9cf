"""Runs `seamline ingest` on a left-over spool until all of it is in the log; it must not open the spool itself.

0: nothing waits any more. Anything else: ingest ended by itself, and a next try may help.
"""

import os
import re
import subprocess
import sys
import time
import urllib.request

_WAITS = re.compile(rb"^seamline_ingest_spool_records ([0-9.e+]+)$", re.M)
_LOOK_AGAIN_S = 1.0
_ASK_S_MAX = 5.0
_STOP_S_MAX = 30.0


def waiting(port: int) -> float | None:
    """Records on disk that the log does not have; None while nobody answers."""
    try:
        with urllib.request.urlopen(f"http://127.0.0.1:{port}/metrics", timeout=_ASK_S_MAX) as reply:
            found = _WAITS.search(reply.read())
    except OSError:
        return None
    return float(found[1]) if found else None


def drain(command: list[str], port: int) -> int:
    """Run ingest until its spool is empty; the exit code."""
    ingest = subprocess.Popen(command)
    while ingest.poll() is None:
        if waiting(port) == 0:
            ingest.terminate()
            return ingest.wait(_STOP_S_MAX)
        time.sleep(_LOOK_AGAIN_S)
    return ingest.returncode or 1


if __name__ == "__main__":
    sys.exit(drain([*(sys.argv[1:] or ["seamline", "ingest"])], int(os.environ["SEAMLINE_PORT"])))
