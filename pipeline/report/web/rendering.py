"""Templates to text, everything escaped; it must not know what a template shows."""

from functools import cache
from pathlib import Path

from jinja2 import Environment, FileSystemLoader, StrictUndefined

from pipeline.report.web.moments import length
from pipeline.report.web.money import money
from pipeline.report.web.pages.page import Page
from pipeline.report.web.who import said
from pipeline.times import iso, ms_of

FOLDER = Path(__file__).parent


@cache
def _templates() -> Environment:
    made = Environment(
        loader=FileSystemLoader(FOLDER / "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    made.globals |= {
        "iso": iso, "ms_of": ms_of, "money": money, "length": length, "said": said,
        "asked": None, "page": "", "workspaces": (), "signs_out": False,
    }  # fmt: skip
    return made


def rendered(page: Page) -> str:
    """The text of a page."""
    return _templates().get_template(page.template).render(page.values)
