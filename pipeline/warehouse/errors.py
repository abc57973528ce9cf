"""What a warehouse says no with, and whether asking again can help; it must not know who asked."""

import re

from clickhouse_connect.driver.exceptions import Error, ProgrammingError

# The bytes of a row are at fault: the same row is refused for ever. Numbers and names from ClickHouse's ErrorCodes.cpp.
ROW_CODES = {
    6: "CANNOT_PARSE_TEXT",
    25: "CANNOT_PARSE_ESCAPE_SEQUENCE",
    26: "CANNOT_PARSE_QUOTED_STRING",
    27: "CANNOT_PARSE_INPUT_ASSERTION_FAILED",
    32: "ATTEMPT_TO_READ_AFTER_EOF",
    33: "CANNOT_READ_ALL_DATA",
    38: "CANNOT_PARSE_DATE",
    41: "CANNOT_PARSE_DATETIME",
    53: "TYPE_MISMATCH",
    69: "ARGUMENT_OUT_OF_BOUND",
    70: "CANNOT_CONVERT_TYPE",
    72: "CANNOT_PARSE_NUMBER",
    117: "INCORRECT_DATA",
    130: "CANNOT_READ_ARRAY_FROM_TEXT",
    131: "TOO_LARGE_STRING_SIZE",
    306: "TOO_DEEP_RECURSION",
    321: "VALUE_IS_OUT_OF_RANGE_OF_DATA_TYPE",
    349: "CANNOT_INSERT_NULL_IN_ORDINARY_COLUMN",
    376: "CANNOT_PARSE_UUID",
    407: "DECIMAL_OVERFLOW",
    467: "CANNOT_PARSE_BOOL",
    469: "VIOLATED_CONSTRAINT",
    626: "CANNOT_SKIP_UNKNOWN_FIELD",
    632: "UNEXPECTED_DATA_AFTER_PARSED_VALUE",
    691: "UNKNOWN_ELEMENT_OF_ENUM",
}
# The server is at fault, full, away or not ready: the same request may succeed later.
SERVER_CODES = {
    74: "CANNOT_READ_FROM_FILE_DESCRIPTOR",
    75: "CANNOT_WRITE_TO_FILE_DESCRIPTOR",
    76: "CANNOT_OPEN_FILE",
    95: "CANNOT_READ_FROM_SOCKET",
    173: "CANNOT_ALLOCATE_MEMORY",
    201: "QUOTA_EXCEEDED",
    202: "TOO_MANY_SIMULTANEOUS_QUERIES",
    203: "NO_FREE_CONNECTION",
    209: "SOCKET_TIMEOUT",
    210: "NETWORK_ERROR",
    225: "NO_ZOOKEEPER",
    236: "ABORTED",
    241: "MEMORY_LIMIT_EXCEEDED",
    242: "TABLE_IS_READ_ONLY",
    243: "NOT_ENOUGH_SPACE",
    252: "TOO_MANY_PARTS",
    279: "ALL_CONNECTION_TRIES_FAILED",
    285: "TOO_FEW_LIVE_REPLICAS",
    319: "UNKNOWN_STATUS_OF_INSERT",
    341: "UNFINISHED",
    364: "RECEIVED_ERROR_TOO_MANY_REQUESTS",
    394: "QUERY_WAS_CANCELLED",
    425: "SYSTEM_ERROR",
    473: "DEADLOCK_AVOIDED",
    692: "TOO_MANY_MUTATIONS",
    999: "KEEPER_EXCEPTION",
}
# What was asked takes more than a question may have: less of it, a shorter period say, can be answered.
TOO_MUCH_CODES = {
    158: "TOO_MANY_ROWS",
    159: "TIMEOUT_EXCEEDED",
    160: "TOO_SLOW",
    241: "MEMORY_LIMIT_EXCEEDED",
    307: "TOO_MANY_BYTES",
    396: "TOO_MANY_ROWS_OR_BYTES",
}
_MOVED = {372: "SESSION_NOT_FOUND"}
_PARSER = "InputFormat"  # ClickHouse names the stage that failed; in this one nothing but the bytes can be wrong


class WarehouseUnavailable(Exception):
    """No answer, or one that says later; what was sent may have been stored. Retrying is safe.

    `too_much`: of TOO_MUCH_CODES, or "".
    """

    too_much = ""


class ReplicaChanged(WarehouseUnavailable):
    """Another replica of the cluster answered than the one that was asked to catch up; nothing was done."""


class WarehouseRefused(Exception):
    """The warehouse understood and will not: bad SQL, a limit, a missing table. Retrying alone does not help.

    `too_much`: of TOO_MUCH_CODES, or "".
    """

    too_much = ""

    def __init__(self, message: str, name: str = "REFUSED") -> None:
        super().__init__(message)
        self.name = name


class RowsRefused(WarehouseRefused):
    """At least one row of an insert can never be stored; which one, the inserter has to find."""


def verdict(error: Error) -> WarehouseUnavailable | WarehouseRefused:
    """What a client's exception means. Without a ClickHouse code it came from the network or a proxy.

    Raise it `from None`: the client's own exceptions carry the URL, and with it the parameters of the query.
    """
    found = _verdict(error)
    found.too_much = TOO_MUCH_CODES.get(error.code or 0, "")
    return found


def _verdict(error: Error) -> WarehouseUnavailable | WarehouseRefused:
    message, code = str(error), error.code
    root = _root(error)
    if isinstance(root, UnicodeDecodeError):
        # The embedded engine quotes a bad row in its message, and its binding cannot decode that: read it here.
        message = bytes(root.object).decode(errors="replace")
        code = next((int(found) for found in re.findall(r"Code: (\d+)", message)), None)
    if code is None and not isinstance(error, ProgrammingError):
        return WarehouseUnavailable(f"{message}: {root if isinstance(root, OSError) else type(root).__name__}")
    if code in _MOVED:
        return ReplicaChanged(message)
    if code in SERVER_CODES:
        return WarehouseUnavailable(message)
    if code in ROW_CODES or _PARSER in message:
        return RowsRefused(message, error.name or ROW_CODES.get(code or 0, "REFUSED"))
    return WarehouseRefused(message, error.name or "REFUSED")


def _root(error: BaseException) -> BaseException:
    """What it began with."""
    while cause := error.__cause__ or error.__context__:
        error = cause
    return error
