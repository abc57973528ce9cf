"""Which SQL a reader may run; it must not run any.

`readonly=1` alone is not enough inside a process: there the engine still writes SELECT ... INTO OUTFILE, still answers
the scalar function file(), and lets a reader kill other queries. What is judged here is the text as ClickHouse itself
prints it after parsing (formatQuery), so no spelling, comment or quoting hides a name.
"""

import re
from collections.abc import Set

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
