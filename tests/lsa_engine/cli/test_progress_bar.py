from __future__ import annotations

import io
import time

from lsa_engine.cli.progress_bar import ProgressBar
from lsa_engine.progress import Progress, Steps


class Terminal(io.StringIO):
    def isatty(self) -> bool:
        return True

    def wait_for(self, text: str) -> str:
        """Return what is drawn as soon as it holds a text; after a minute, whatever is drawn."""
        end = time.monotonic() + 60
        while text not in self.getvalue() and time.monotonic() < end:
            time.sleep(0.01)
        return self.getvalue()


def test_an_operation_of_less_than_the_delay_draws_nothing() -> None:
    terminal = Terminal()
    with ProgressBar(terminal, delay=10.0) as progress:
        steps = Steps("matting", 3, progress)
        for _ in range(3):
            steps.advance()
    assert terminal.getvalue() == ""


def test_a_longer_operation_shows_its_message_and_count_while_a_step_goes_on() -> None:
    terminal = Terminal()
    with ProgressBar(terminal, delay=0.05) as progress:
        steps = Steps("refining", 4, progress)
        steps.advance()
        drawn = terminal.wait_for("refining:  25%")
    assert "refining:  25%" in drawn
    assert terminal.getvalue().endswith("\r"), "the bar is wiped when the work is over"


def test_a_second_operation_starts_the_bar_anew() -> None:
    terminal = Terminal()
    with ProgressBar(terminal, delay=0.05) as progress:
        progress(Progress("matting", 5, 5, 1.0))
        terminal.wait_for("matting: 100%")
        progress(Progress("estimating colours", 1, 2, 0.1))
        drawn = terminal.wait_for("estimating colours:  50%")
    assert "matting: 100%" in drawn
    assert "estimating colours:  50%" in drawn


def test_a_line_is_printed_above_the_bar() -> None:
    terminal = Terminal()
    with ProgressBar(terminal, delay=0.05) as progress:
        progress(Progress("matting", 1, 2, 1.0))
        before = len(terminal.wait_for("matting:  50%"))
        progress.print("a.png: done", terminal)
        printed = terminal.getvalue()[before:]
    wiped, _, after = printed.partition("a.png: done\n")
    *_, blank, left = wiped.split("\r")
    assert blank and not blank.strip() and not left, "the bar is wiped before"
    assert "matting:  50%" in after, "and drawn again below"


def test_nothing_is_drawn_where_the_stream_is_not_a_terminal() -> None:
    stream = io.StringIO()
    with ProgressBar(stream, delay=0.0) as progress:
        progress(Progress("matting", 1, 2, 1.0))
        time.sleep(0.3)
    assert stream.getvalue() == ""


def test_the_thread_ends_with_the_work_even_after_an_error() -> None:
    bar = ProgressBar(Terminal(), delay=0.05)
    try:
        with bar as progress:
            progress(Progress("matting", 1, 2, 1.0))
            raise KeyboardInterrupt
    except KeyboardInterrupt:
        pass
    assert not bar._thread.is_alive()
