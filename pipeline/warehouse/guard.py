"""Which SQL a reader may run; it must not run any.

`readonly=1` alone is not enough inside a process: there the engine still writes SELECT ... INTO OUTFILE, still answers
the scalar function file(), and lets a reader kill other queries. What is judged here is the text as ClickHouse itself
prints it after parsing (formatQuery), so no spelling, comment or quoting hides a name.
"""

import re
from collections import OrderedDict
from collections.abc import Callable, Set
from threading import Lock

VERBS = ("SELECT", "WITH", "(", "EXPLAIN", "SHOW", "DESCRIBE", "EXISTS")
# Table functions make or reach something outside the database; these only compute.
TABLE_FUNCTIONS = frozenset(
    {
        "numbers",
        "numbers_mt",
        "zeros",
        "zeros_mt",
        "generateseries",
        "generate_series",
        "values",
        "view",
        "null",
        "format",
    }
)
# Scalar functions that read files, ask the network, hold a thread, or write to the server's log.
FUNCTIONS = frozenset(
    {"file", "reversednsquery", "catboostevaluate", "sleep", "sleepeachrow", "showcertificate", "logtrace"}
    | {"getclienthttpheader", "getserversetting", "getmacro", "addresstoline", "addresstolinewithinlines"}
)
REMEMBERED_MAX = 256  # texts: reports and saved questions are few, and each is asked again with other parameters
REMEMBERED_CHARS_MAX = 32_768  # of one text, so that what is remembered stays under 8 million
_STRING = re.compile(r"'(?:[^'\\]|\\.|'')*'")
_CALL = re.compile(r"([A-Za-z_][A-Za-z0-9_]*)`?\s*\(")


def refusal(printed: str, table_functions: Set[str]) -> str:
    """Why this query may not run, or nothing.

    `printed` is the query as formatQuery prints it, `table_functions` the engine's own list of them.
    """
    if not printed.startswith(VERBS):
        return "only SELECT, WITH, EXPLAIN, SHOW, DESCRIBE and EXISTS are answered here"
    code = _STRING.sub("''", printed)
    if re.search(r"\bINTO\s+OUTFILE\b", code, re.IGNORECASE):
        return "INTO OUTFILE is not allowed here"
    if re.search(r"\bFORMAT\s+\w+\s*$", code):
        return "FORMAT is not allowed here: the answer has one form"
    outside = {name.lower() for name in table_functions} - TABLE_FUNCTIONS
    called = {name.lower() for name in _CALL.findall(code)}
    refused = sorted(name for name in called if name in outside or name in FUNCTIONS or name.startswith("ai"))
    return f"not allowed here: {refused[0]}()" if refused else ""


class Verdicts:
    """What was judged of the latest texts: a report asked again is not judged again. Safe to use from several threads.

    A verdict follows from the text alone: parameters travel beside it, and the engine's functions stay while it runs.
    """

    def __init__(self) -> None:
        self._known: OrderedDict[str, str] = OrderedDict()
        self._lock = Lock()

    def of(self, sql: str, judge: Callable[[], str]) -> str:
        """The verdict on this text, from memory or from `judge`; what `judge` raises is not remembered."""
        with self._lock:
            if sql in self._known:
                self._known.move_to_end(sql)
                return self._known[sql]
        why = judge()
        if len(sql) <= REMEMBERED_CHARS_MAX:
            with self._lock:
                self._known[sql] = why
                if len(self._known) > REMEMBERED_MAX:
                    self._known.popitem(last=False)
        return why
