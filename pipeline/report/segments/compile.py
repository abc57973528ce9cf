"""A segment as SQL and parameters: SQL from constants alone, whatever was written as a parameter; it must not ask."""

from pipeline.report.segments.condition import EVERYBODY, Condition
from pipeline.report.segments.cursor import Cursor, Stop
from pipeline.report.segments.fields import ALL_TIME, FIELDS
from pipeline.report.segments.parse import named, parse
from pipeline.report.segments.tokens import Fault, tokens
from pipeline.report.segments.tree import Compare, Did, Every, Node, Not

_SINCE = "{since:DateTime64(3, 'UTC')}"
_UNTIL = "{until:DateTime64(3, 'UTC')}"
_IN_PERIOD = f"ts >= {_SINCE}"
_WHERE = "workspace = {workspace:String} AND (NOT bot OR {bots:Bool})"
_BEFORE_END = f"day <= toDate({_UNTIL}) + 7 AND ts < {_UNTIL}"
_HOW = {
    "=": "{one} = {value}",
    "contains": "positionCaseInsensitiveUTF8({one}, {value}) > 0",
    "starts": "startsWith(lowerUTF8({one}), lowerUTF8({value}))",
    "in": "has({value}, {one})",
    "<": "{one} < {value}",
    "<=": "{one} <= {value}",
    ">": "{one} > {value}",
    ">=": "{one} >= {value}",
}


def compiled(text: str) -> Condition | Fault:
    """Which persons are meant, as a condition on `person_id`; a blank text means everybody."""
    if not text.strip():
        return EVERYBODY
    node = parse(text)
    return node if isinstance(node, Fault) else _Compiler("g").persons(node)


def compiled_step(text: str, number: int) -> Condition | Fault:
    """Which actions are meant, as a condition on a row: a name, a path, or a segment's conditions on one action."""
    found = tokens(text)
    if not isinstance(found, Fault) and len(found) == 2 and found[0].kind in ("word", "text"):
        try:
            node: Node | Fault = named(Cursor(found))
        except Stop as stop:
            node = stop.fault
    else:
        node = parse(text, "action")
    return node if isinstance(node, Fault) else _Compiler(f"s{number}_").step(node)


class _Compiler:
    """One segment or step, whose parameters are named `prefix` and a number."""

    def __init__(self, prefix: str) -> None:
        self._prefix = prefix
        self._parameters: dict[str, object] = {}
        self._reach_ms = 0

    def step(self, node: Node) -> Condition:
        """Of a row."""
        return Condition(self._row(node), self._parameters)

    def persons(self, node: Node) -> Condition:
        """One pass over the period and as far before it as `within` reaches."""
        having = self._person(node)
        reach = self._put("Int64", self._reach_ms)
        since = f"least({_SINCE}, {_UNTIL} - toIntervalMillisecond({reach}))"
        sql = (
            f"person_id IN (SELECT person_id FROM actions WHERE {_WHERE} "  # noqa: S608
            f"AND day >= toDate({since}) - 7 AND {_BEFORE_END} AND ts >= {since} "
            f"GROUP BY person_id HAVING countIf({_IN_PERIOD}) > 0 AND ({having}))"
        )
        return Condition(sql, self._parameters)

    def _put(self, kind: str, value: object) -> str:
        name = f"{self._prefix}{len(self._parameters)}"
        self._parameters[name] = value
        return f"{{{name}:{kind}}}"

    def _person(self, node: Node) -> str:
        if isinstance(node, Not):
            return f"NOT ({self._person(node.part)})"
        if isinstance(node, Did):
            return self._did(node)
        if isinstance(node, Compare):
            if FIELDS[node.field].of == "action":
                return self._did(Did((node,)))
            return self._all_time(node) if node.field in ALL_TIME else self._compared(node)
        joined = " AND " if isinstance(node, Every) else " OR "
        return joined.join(f"({self._person(part)})" for part in node.parts)

    def _did(self, did: Did) -> str:
        """So many rows of the period, or of the time up to its end."""
        window = _IN_PERIOD
        if did.within_ms is not None:
            self._reach_ms = max(self._reach_ms, did.within_ms)
            window = f"ts >= {_UNTIL} - toIntervalMillisecond({self._put('Int64', did.within_ms)})"
        rows = "".join(f" AND ({self._row(part)})" for part in did.parts)
        return f"countIf({window}{rows}) {did.sign} {self._put('Float64', did.count)}"

    def _all_time(self, node: Compare) -> str:
        """Of everything before the end: a look of its own, at few columns."""
        only = "(traits != '{}' OR traits_once != '{}')" if node.field == "trait" else "true"
        return (
            f"person_id IN (SELECT person_id FROM actions WHERE {_WHERE} AND {_BEFORE_END} AND {only} "  # noqa: S608
            f"GROUP BY person_id HAVING {self._compared(node)})"
        )

    def _row(self, node: Node) -> str:
        if isinstance(node, Not):
            return f"NOT ({self._row(node.part)})"
        if isinstance(node, Compare):
            return self._compared(node)
        assert not isinstance(node, Did), "the parser lets no question about a person in here"
        joined = " AND " if isinstance(node, Every) else " OR "
        return joined.join(f"({self._row(part)})" for part in node.parts)

    def _compared(self, node: Compare) -> str:
        """What nobody said is not equal, not less and not more."""
        field = FIELDS[node.field]
        one = field.sql.replace("{in_period}", _IN_PERIOD)
        if node.key:
            one = one.replace("{key}", self._put("String", node.key))
        if isinstance(node.values[0], float) and field.takes == "any":
            one = f"toFloat64OrNull({one})"
        elif (isinstance(node.values[0], float) and node.how == "in") or field.takes == "flag":
            one = f"toFloat64({one})"
        value = self._value(node)
        if field.folded and node.how in ("=", "in"):
            one = f"lowerUTF8({one})"
            value = f"lowerUTF8({value})" if node.how == "=" else f"arrayMap(text -> lowerUTF8(text), {value})"
        return f"ifNull({_HOW[node.how].format(one=one, value=value)}, false)"

    def _value(self, node: Compare) -> str:
        if node.relative:
            return f"{_UNTIL} - toIntervalMillisecond({self._put('Int64', int(node.values[0]))})"
        kind = (
            "DateTime64(3, 'UTC')"
            if FIELDS[node.field].takes == "time"
            else "Float64"
            if isinstance(node.values[0], float)
            else "String"
        )
        if node.how == "in":
            return self._put(f"Array({kind})", list(node.values))
        return self._put(kind, node.values[0])
