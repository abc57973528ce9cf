"""A shard that only listens: as much of ClickHouse's native protocol as it takes to be told a question, and to answer
with no rows; it must not know what is asked."""

import contextlib
import re
import socket
import threading

_HELLO = 0
_END_OF_STREAM, _TABLES_STATUS = b"\x05", b"\x09"
_ASKS, _ASKS_STATUS = b"\x01", b"\x05"
_REVISION = 54_400  # old enough for nothing to come after a hello
_QUIET_S = 0.05  # after which what belongs to a question has come: sets and values that are sent along
_TEXT = re.compile(rb"(?:SELECT|WITH) ")


class Wire:
    """`port` is where it listens, `heard` the SQL that came since it was last emptied."""

    def __init__(self) -> None:
        self.heard: list[str] = []
        self._socket = socket.create_server(("127.0.0.1", 0))
        self.port: int = self._socket.getsockname()[1]
        threading.Thread(target=self._serve, daemon=True).start()

    def close(self) -> None:
        """Listen no more."""
        self._socket.shutdown(socket.SHUT_RDWR)
        self._socket.close()

    def _serve(self) -> None:
        with contextlib.suppress(OSError):  # closed
            while True:
                connection, _ = self._socket.accept()
                threading.Thread(target=self._answer, args=(connection,), daemon=True).start()

    def _answer(self, connection: socket.socket) -> None:
        with connection, contextlib.suppress(OSError):
            connection.recv(65_536)
            name = _text(b"wire")
            connection.sendall(
                _number(_HELLO) + name + _number(24) + _number(8) + _number(_REVISION) + _text(b"UTC") + name
            )
            while packet := connection.recv(65_536):
                if packet[:1] == _ASKS_STATUS:
                    connection.sendall(_TABLES_STATUS + packet[1:] + b"\0")
                elif packet[:1] == _ASKS:
                    self.heard.append(_told(connection, packet))
                    connection.sendall(_END_OF_STREAM)


def _told(connection: socket.socket, packet: bytes) -> str:
    """The text of a question, to its end; what is sent along with it is read too."""
    while not (found := _TEXT.search(packet)) or len(packet) < found.start() + _length_before(packet, found.start()):
        more = connection.recv(65_536)
        if not more:
            raise ConnectionError
        packet += more
    connection.settimeout(_QUIET_S)
    with contextlib.suppress(TimeoutError):
        while connection.recv(65_536):
            pass
    connection.settimeout(None)
    return packet[found.start() : found.start() + _length_before(packet, found.start())].decode()


def _length_before(packet: bytes, start: int) -> int:
    """What the protocol says in front of a text: its length, seven bits a byte, the lowest first."""
    first = start - 1
    while packet[first - 1] & 128:
        first -= 1
    return sum((byte & 127) << 7 * number for number, byte in enumerate(packet[first:start]))


def _number(value: int) -> bytes:
    """The reverse."""
    low, high = value & 127, value >> 7
    return bytes([low | 128]) + _number(high) if high else bytes([low])


def _text(value: bytes) -> bytes:
    return _number(len(value)) + value
