"""Puts the report page together from settings; it must not know who serves it."""

from functools import partial

from pipeline.questions import Questions
from pipeline.report.saved import Saved
from pipeline.report.web.access import Grants, TokensError, parse_tokens
from pipeline.report.web.app import ReportApp
from pipeline.report.web.gate import CannotOpen
from pipeline.report.web.pages.naming import NotKept
from pipeline.settings import Settings


def report_app(settings: Settings, ask: Questions, alone: bool = False) -> ReportApp:
    """The page. Raises CannotOpen where anybody on the network could read it, or its tokens cannot be read.
    `alone`: no ingest listens at the same address."""
    return ReportApp(settings, ask, _grants(settings), partial(_keep, settings), alone)


def _keep(settings: Settings, named: Saved) -> None:
    from pipeline.orders import OrderRefused, keep_segment  # a page that nobody saves from does not need it

    try:
        keep_segment(settings, named)
    except OrderRefused as error:
        raise NotKept(str(error)) from error


def _grants(settings: Settings) -> Grants:
    file = settings.report.token_file
    if file is None:
        return Grants(())
    try:
        grants = parse_tokens(file.read_text(encoding="utf-8"), {site.workspace for site in settings.sites.sites})
    except (OSError, UnicodeDecodeError) as error:
        raise CannotOpen(f"SEAMLINE_REPORT_TOKEN_FILE: expected a readable file, got {str(file)!r}") from error
    except TokensError as error:
        raise CannotOpen(f"SEAMLINE_REPORT_TOKEN_FILE: {error}") from error
    if not grants:
        raise CannotOpen("SEAMLINE_REPORT_TOKEN_FILE: expected at least one token")
    return grants
