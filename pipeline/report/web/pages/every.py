"""Every page by its path below a workspace; it must not know what any shows."""

from collections.abc import Callable, Mapping

from pipeline.report.web.pages.journey import journey_page
from pipeline.report.web.pages.page import Asked, Page

PAGES: Mapping[str, Callable[[Asked], Page]] = {
    "persons/{person}": journey_page,
}
