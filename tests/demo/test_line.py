"""Progress: written over on a terminal, silent elsewhere."""

import io

from pipeline.demo.line import Line


class Terminal(io.StringIO):
    """Text that says it is a terminal."""

    def isatty(self) -> bool:
        return True


def test_on_a_terminal_progress_gives_way_to_the_result() -> None:
    """Only the last thing said is left on the line."""
    out = Terminal()
    line = Line(out)

    line.show("1 of 3")
    line.say("done")

    assert out.getvalue() == "\r\x1b[K1 of 3\r\x1b[Kdone\n"


def test_progress_is_drawn_no_faster_than_it_is_read() -> None:
    """Thousands of steps cost one line."""
    out = Terminal()
    line = Line(out)

    for number in range(5_000):
        line.show(f"{number} of 5000")

    assert out.getvalue().startswith("\r\x1b[K0 of 5000")
    assert out.getvalue().count("\r") < 50


def test_without_a_terminal_only_results_are_written() -> None:
    """A log has no control characters in it."""
    out = io.StringIO()
    line = Line(out)

    line.show("1 of 3")
    line.say("done")

    assert out.getvalue() == "done\n"
