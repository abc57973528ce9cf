"""Every page by its path below a workspace; it must not know what any shows."""

from collections.abc import Callable, Mapping

from pipeline.report.web.pages.across import devices_page
from pipeline.report.web.pages.campaigns import campaigns_page
from pipeline.report.web.pages.funnel import funnel_page
from pipeline.report.web.pages.identity import identity_page
from pipeline.report.web.pages.journey import journey_page
from pipeline.report.web.pages.live import live_json
from pipeline.report.web.pages.overview import overview_page
from pipeline.report.web.pages.page import Asked, Page
from pipeline.report.web.pages.persons import persons_page
from pipeline.report.web.pages.segments import audience_file, segments_page
from pipeline.report.web.pages.visits import visits_page

PAGES: Mapping[str, Callable[[Asked], Page]] = {
    "overview": overview_page,
    "persons": persons_page,
    "persons/{person}": journey_page,
    "visits": visits_page,
    "segments": segments_page,
    "devices": devices_page,
    "funnel": funnel_page,
    "campaigns": campaigns_page,
    "identity": identity_page,
    "audience.csv": audience_file,
    "live.json": live_json,
}
