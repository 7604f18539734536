"""Progress for people: a live table on a terminal, plain lines elsewhere."""

from __future__ import annotations

import time
from typing import TYPE_CHECKING, Protocol

from rich.console import Console, Group
from rich.live import Live
from rich.table import Table
from rich.text import Text

from runbooks.runner.progress import STEPS, Progress

if TYPE_CHECKING:
    from collections.abc import Callable
    from types import TracebackType


class Display(Protocol):
    """Shows a run while it goes on; a context manager."""

    def __enter__(self) -> Display: ...

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None: ...

    def show(self, progress: Progress) -> None:
        """Take in what is known now."""

    def say(self, line: str) -> None:
        """Tell a line that stays."""


def display_for(console: Console) -> Display:
    """The display that fits a console."""
    if console.is_terminal and not console.is_dumb_terminal:
        return LiveDisplay(console)
    return PlainDisplay(console)


class PlainDisplay:
    """One line whenever something changed; for logs."""

    def __init__(
        self, console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._console = console
        self._clock = clock
        self._began = clock()
        self._shown = Progress()

    def __enter__(self) -> PlainDisplay:
        return self

    def __exit__(self, *_error: object) -> None:
        return None

    def show(self, progress: Progress) -> None:
        """Print what is new."""
        before, self._shown = self._shown, progress
        for step, told in progress.ended[len(before.ended) :]:
            self.say(f"{step}: {told}")
        if progress.step != before.step:
            self._began = self._clock()
        if progress.pending and progress.pending != before.pending:
            self.say(f"{progress.step}: {self._waiting(progress)}")

    def say(self, line: str) -> None:
        """Print a line as it is: no markup, no wrapping."""
        self._console.print(Text(line), soft_wrap=True)

    def _waiting(self, progress: Progress) -> str:
        parts = [_nodes(progress), f"waiting for {'; '.join(progress.pending)}"]
        due_s = _left_s(progress, self._clock() - self._began)
        if due_s is not None:
            parts.append(_due(due_s))
        return ", ".join(filter(None, parts))


class LiveDisplay:
    """All steps at a glance, drawn anew twice a second."""

    def __init__(
        self, console: Console, clock: Callable[[], float] = time.monotonic
    ) -> None:
        self._clock = clock
        self._progress = Progress()
        self._began = clock()
        self._over = False
        self._live = Live(
            console=console,
            refresh_per_second=2,
            get_renderable=self.render,
            # What Ansible and this process print goes through the display.
            redirect_stdout=False,
            redirect_stderr=False,
        )

    def __enter__(self) -> LiveDisplay:
        self._live.__enter__()
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        error: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._over = True
        self._live.__exit__(kind, error, trace)

    def show(self, progress: Progress) -> None:
        """Draw at the next refresh what is known now."""
        if progress.step != self._progress.step:
            self._began = self._clock()
        self._progress = progress

    def say(self, line: str) -> None:
        """Print a line above the table."""
        self._live.console.print(Text(line))

    def render(self) -> Group:
        """The table of steps, and who lags."""
        progress = self._progress
        table = Table.grid(padding=(0, 2))
        for step in STEPS:
            table.add_row(*self._row(step))
        lagging = [] if self._over else [f"  {phrase}" for phrase in progress.pending]
        return Group(table, *(Text(line, style="yellow") for line in lagging))

    def _row(self, step: str) -> tuple[Text, Text, Text]:
        progress = self._progress
        told = " ".join(text for name, text in progress.ended if name == step)
        failed = progress.failure is not None and progress.failure.step == step
        if failed:
            return Text("failed", "red"), Text(step), Text(told)
        if step == progress.step and not self._over:
            elapsed_s = self._clock() - self._began
            parts = [_nodes(progress), told if progress.nodes_done is None else ""]
            left_s = _left_s(progress, elapsed_s)
            if left_s is not None:
                parts.append(_due(left_s))
            now = ", ".join(filter(None, [*parts, f"{elapsed_s:.0f} s"]))
            return Text("...", "cyan"), Text(step, "bold"), Text(now)
        if told:
            return Text("ok", "green"), Text(step), Text(told)
        return Text(""), Text(step, "dim"), Text("")


def _nodes(progress: Progress) -> str:
    if progress.nodes_done is None:
        return ""
    return f"{progress.nodes_done} of {len(progress.nodes)} nodes"


def _left_s(progress: Progress, elapsed_s: float) -> float | None:
    if progress.step != "reclaim" or progress.reclaim_due_s is None:
        return None
    return progress.reclaim_due_s - elapsed_s


def _due(left_s: float) -> str:
    if left_s < 0:
        return f"the old SPI is {-left_s:.0f} s overdue"
    minutes, seconds = divmod(round(left_s), 60)
    left = f"{minutes} min {seconds:02} s" if minutes else f"{seconds} s"
    return f"the old SPI goes within {left}"
