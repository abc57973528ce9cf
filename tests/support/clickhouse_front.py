"""A ClickHouse server for tests: chDB behind as much of ClickHouse's HTTP interface as clickhouse-connect speaks, in a
process of its own, with faults on demand; it must not know what is stored.

`start_front(path)` starts one and gives its address; `python -m tests.support.clickhouse_front PATH` is that process.
"""

import json
import re
import socket
import subprocess
import sys
import threading
import time
import urllib.parse
import urllib.request
import uuid
from email import message_from_bytes
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any, Literal

Fault = Literal["ok", "down", "error_before", "error_after", "drop_after", "slow"]
SLOW_SECONDS = 0.5
_TRANSPORT = frozenset(
    {"query", "database", "session_id", "session_timeout", "session_check", "query_id", "quota_key", "role"}
    | {"user", "password", "buffer_size", "compress", "decompress", "wait_end_of_query", "client_protocol_version"}
    | {"send_progress_in_http_headers", "http_headers_progress_interval_ms", "enable_http_compression"}
    | {"default_format"}
)
_STATUS = {60: 404, 81: 404, 46: 404, 62: 400, 36: 400, 159: 408, 497: 403, 516: 403}
_FAULT = "Code: 241. DB::Exception: Memory limit (total) exceeded: a fault was asked for. (MEMORY_LIMIT_EXCEEDED)"


class Front:
    """A running front. `url` is what `open_warehouse` takes, `database_url(name)` too."""

    def __init__(self, process: subprocess.Popen[str], port: int) -> None:
        self.process = process
        self.port = port

        self.url = self.database_url("seamline")

    def database_url(self, name: str) -> str:
        return f"clickhouse://default@127.0.0.1:{self.port}/{name}"

    def fault(self, mode: Fault, count: int = 0) -> None:
        """From now on fail like this: `count` times, or until told otherwise.

        down: every connection is cut unanswered. slow: every request waits first. Of INSERTs only: error_before and
        error_after answer 500 without and with having done the work, drop_after does the work and cuts the connection.
        """
        self._admin(f"/_front/fault?mode={mode}&count={count}")

    def inserts(self) -> int:
        """INSERTs that were executed."""
        return int(self._admin("/_front/counts")["inserts"])

    def stop(self) -> None:
        """Close the engine properly and wait for the process to end."""
        assert self.process.stdin is not None
        assert self.process.stdout is not None
        self.process.stdin.close()
        self.process.wait(30)
        self.process.stdout.close()

    def kill(self) -> None:
        """As a power cut would."""
        self.process.kill()
        self.stop()

    def _admin(self, path: str) -> dict[str, Any]:
        with urllib.request.urlopen(f"http://127.0.0.1:{self.port}{path}", timeout=10) as reply:
            return json.load(reply)


def start_front(path: Path | str, port: int = 0, module: str = "tests.support.clickhouse_front") -> Front:
    """A front over the chDB directory `path`; ends with this process, or by `stop`. `module`: which sort of front."""
    root = Path(__file__).parents[2]
    process = subprocess.Popen(
        [sys.executable, "-m", module, str(path), str(port)],
        cwd=root, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True,
    )  # fmt: skip
    assert process.stdout is not None
    line = process.stdout.readline()
    if not line.startswith("listening "):
        process.kill()
        raise RuntimeError(f"the ClickHouse front did not start: {line!r}")
    return Front(process, int(line.split()[1]))


class Engine(ThreadingHTTPServer):
    """The listening socket, the open engine, and the fault of the moment."""

    daemon_threads = True
    request_queue_size = 128

    def __init__(self, path: str, port: int, handler: type[BaseHTTPRequestHandler] | None = None) -> None:
        import chdb

        super().__init__(("127.0.0.1", port), handler or Handler)
        self.path = path
        self.anchor = chdb.connect(path)  # the engine stops when its last connection closes
        self.lock = threading.Lock()
        self.mode: str = "ok"
        self.left = 0
        self.inserts = 0

    def take_fault(self, modes: tuple[str, ...]) -> str:
        """The fault to commit now, if it is one of `modes`; counted down."""
        with self.lock:
            if self.mode not in modes:
                return "ok"
            mode = self.mode
            if self.left:
                self.left -= 1
                self.mode = self.mode if self.left else "ok"
            return mode

    def execute(
        self, query: bytes, settings: dict[str, str], params: dict[str, str], database: str
    ) -> tuple[bytes, int]:
        """The answer's bytes and the rows read, on a connection of its own so that no setting outlives the request."""
        import chdb

        connection = chdb.connect(self.path)
        try:
            connection.query(f"USE `{database}`")
            for readonly in (False, True):  # after which nothing can be set
                given = [
                    f"{name} = {_quoted(value)}" for name, value in settings.items() if (name == "readonly") is readonly
                ]
                if given:
                    connection.query("SET " + ", ".join(given))
            result = connection.query(query, "TabSeparated", params=params)
            return result.bytes() or b"", result.rows_read()
        finally:
            connection.close()


class Handler(BaseHTTPRequestHandler):
    """One connection."""

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    server: Engine

    def log_message(self, format: str, *args: Any) -> None:
        """Quiet."""

    def do_GET(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        fields = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        if url.path == "/_front/fault":
            with self.server.lock:
                self.server.mode, self.server.left = fields["mode"], int(fields["count"])
            self._reply(200, b"{}")
        elif url.path == "/_front/counts":
            self._reply(200, json.dumps({"inserts": self.server.inserts}).encode())
        else:
            self._answer(url.path, fields, b"")

    def do_POST(self) -> None:
        url = urllib.parse.urlsplit(self.path)
        fields = dict(urllib.parse.parse_qsl(url.query, keep_blank_values=True))
        body = self.rfile.read(int(self.headers.get("Content-Length", 0)))
        if self.headers.get_content_type() == "multipart/form-data":
            fields |= _form(self.headers["Content-Type"], body)
            body = b""
        self._answer(url.path, fields, body)

    def _answer(self, path: str, fields: dict[str, str], body: bytes) -> None:
        if self.server.take_fault(("down",)) == "down":
            return self._cut()
        if path == "/ping":
            return self._reply(200, b"Ok.\n")
        if self.server.take_fault(("slow",)) == "slow":
            time.sleep(SLOW_SECONDS)
        query = _without_comments(b"\n".join(part for part in (fields.get("query", "").encode(), body) if part))
        inserts = query[:6].upper() == b"INSERT"
        fault = self.server.take_fault(("error_before", "error_after", "drop_after")) if inserts else "ok"
        if fault == "error_before":
            return self._fail(500, _FAULT)
        settings = {k: v for k, v in fields.items() if k not in _TRANSPORT and not k.startswith("param_")}
        params = {k[6:]: v for k, v in fields.items() if k.startswith("param_")}
        try:
            answer, rows = self.server.execute(query, settings, params, fields.get("database", "default"))
        except Exception as error:  # chDB raises RuntimeError kinds; whatever it is, a server answers
            undecoded = isinstance(error, UnicodeDecodeError)  # chDB's binding on a message that quotes a bad row
            return self._fail(0, error.object.decode(errors="replace") if undecoded else str(error))
        if inserts:
            with self.server.lock:
                self.server.inserts += 1
        if fault == "error_after":
            return self._fail(500, _FAULT)
        if fault == "drop_after":
            return self._cut()
        summary = json.dumps({"read_rows": str(rows), "written_rows": str(rows) if inserts else "0"})
        return self._reply(200, answer, {"X-ClickHouse-Summary": summary, "X-ClickHouse-Query-Id": str(uuid.uuid4())})

    def _reply(self, status: int, body: bytes, headers: dict[str, str] | None = None) -> None:
        self.send_response(status)
        common = {"X-ClickHouse-Server-Display-Name": "front", "X-ClickHouse-Timezone": "UTC"}
        for name, value in {**common, **(headers or {}), "Content-Length": str(len(body))}.items():
            self.send_header(name, value)
        self.end_headers()
        self.wfile.write(body)

    def _fail(self, status: int, message: str) -> None:
        found = re.search(r"Code: (\d+)", message)
        code = int(found.group(1)) if found else 1001
        text = f"{message[message.find('Code:') if found else 0 :]} (version 26.9.2.1 (front))\n"
        self._reply(status or _STATUS.get(code, 500), text.encode(), {"X-ClickHouse-Exception-Code": str(code)})

    def _cut(self) -> None:
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)


def _quoted(text: str) -> str:
    return "'" + text.replace("\\", "\\\\").replace("'", "\\'") + "'"


def _form(content_type: str, body: bytes) -> dict[str, str]:
    message = message_from_bytes(b"Content-Type: " + content_type.encode() + b"\r\n\r\n" + body)
    parts = message.get_payload()
    assert isinstance(parts, list)
    return {
        str(part.get_param("name", header="content-disposition")): part.get_payload(decode=True).decode()  # type: ignore[union-attr]
        for part in parts
    }


def _without_comments(query: bytes) -> bytes:
    """The query without comment lines in front of it, so that its first word can be seen."""
    return re.sub(rb"\A(?:\s*--[^\n]*\n)*\s*", b"", query)


def serve(engine: Engine) -> None:
    """Serve until standard input ends, which it does when the parent does."""
    threading.Thread(target=engine.serve_forever, daemon=True).start()
    print(f"listening {engine.server_address[1]}", flush=True)
    sys.stdin.read()
    engine.shutdown()
    engine.server_close()
    engine.anchor.close()


if __name__ == "__main__":
    serve(Engine(sys.argv[1], int(sys.argv[2])))
