"""The embedded engine belongs to one process and makes its own directory."""

import subprocess
import sys
from pathlib import Path

from pipeline.warehouse.client import open_warehouse

ROOT = Path(__file__).parents[2]
ASK = "from pipeline.warehouse.client import open_warehouse\nprint(open_warehouse({url!r}).query('SELECT 41 + 1').rows)"


def ask(url: str) -> subprocess.CompletedProcess[str]:
    command = [sys.executable, "-c", ASK.format(url=url)]
    return subprocess.run(command, cwd=ROOT, check=False, capture_output=True, text=True)


def test_a_directory_that_is_not_there_is_made(tmp_path: Path) -> None:
    """With those above it."""
    assert ask(f"chdb://{tmp_path}/a/b/warehouse").stdout == "[[42]]\n"


def test_a_second_process_is_told_why(chdb_path: str) -> None:
    """It is not broken, it is held; later it may be free."""
    refused = ask(f"chdb://{chdb_path}")

    assert "WarehouseUnavailable" in refused.stderr
    assert "does another process hold it?" in refused.stderr


def test_what_was_stored_is_there_when_it_is_opened_again(tmp_path: Path) -> None:
    """Another process wrote it."""
    url = f"chdb://{tmp_path}/warehouse"
    write = f"from pipeline.warehouse import client, migrate; w = client.open_warehouse({url!r}); migrate.migrate(w)"
    subprocess.run([sys.executable, "-c", f"{write}; w.register_log('a', 'hits')"], cwd=ROOT, check=True)
    read = f"{write}; print(w.register_log('b', 'hits'), w.current_epoch('hits'))"
    reply = subprocess.run([sys.executable, "-c", read], cwd=ROOT, check=True, capture_output=True, text=True)

    assert reply.stdout == "2 2\n"


def test_databases_of_one_directory_are_apart(chdb_path: str) -> None:
    """One engine a process, any number of databases."""
    one, two = (open_warehouse(f"chdb://{chdb_path}?database={name}") for name in ("apart_one", "apart_two"))
    one.command("CREATE TABLE IF NOT EXISTS t (a Int8) ENGINE = Memory")

    assert one.query("EXISTS TABLE t").rows == [[1]]
    assert two.query("EXISTS TABLE t").rows == [[0]]
    one.close()
    two.close()
