"""What an expression of PromQL asks for: metrics and labels; it must not know which there are."""

import re
from collections.abc import Iterator
from typing import Any, NamedTuple

import promql_parser
from prometheus_client.parser import text_string_to_metric_families

# What a scrape adds to every sample.
ADDED = {"instance", "job"}


class Asked(NamedTuple):
    """One selector, and the labels that it, or an aggregation around it, names."""

    metric: str
    labels: frozenset[str]


def asked(expression: str) -> list[Asked]:
    """Every selector in it. Raises ValueError where Prometheus would not read it."""
    return list(_selectors(promql_parser.parse(expression), frozenset()))


def told(page: str) -> dict[str, frozenset[str]]:
    """Every name that a scrape of this page has, and its labels; a metric without samples yet is there by its type."""
    names: dict[str, frozenset[str]] = {}
    for family in text_string_to_metric_families(page):
        endings = {"counter": ("_total",), "histogram": ("_bucket", "_sum", "_count")}.get(family.type, ("",))
        names |= {family.name + ending: frozenset() for ending in endings}
        for sample in family.samples:
            names[sample.name] = names.get(sample.name, frozenset()) | sample.labels.keys()
    return names


def missing(expression: str, names: dict[str, frozenset[str]]) -> list[str]:
    """What it asks for in vain."""
    found = []
    for metric, labels in asked(expression):
        if metric not in names:
            found.append(metric)
        elif names[metric]:
            found += [f"{metric}{{{label}}}" for label in sorted(labels - names[metric] - ADDED)]
    return [what for what in found if what != "up"]


def _selectors(node: Any, around: frozenset[str]) -> Iterator[Asked]:
    if isinstance(node, promql_parser.VectorSelector):
        matched = {matcher.name for matcher in node.matchers.matchers}
        yield Asked(node.name, around | matched)
    elif isinstance(node, promql_parser.AggregateExpr):
        by = node.modifier.labels if node.modifier and not re.match(r"without", str(node.modifier)) else []
        yield from _selectors(node.expr, around | frozenset(by))
    else:
        for part in ("vector_selector", "lhs", "rhs", "expr"):
            if getattr(node, part, None) is not None:
                yield from _selectors(getattr(node, part), around)
        for part in getattr(node, "args", None) or []:
            yield from _selectors(part, around)
