"""What long work tells while it goes on: a line per stage, and a bar where the end is known.

Anything that takes over two seconds shows itself; shorter work stays silent. On a terminal the line moves;
in a log every finished stage leaves one line.
"""

from __future__ import annotations

import time
from collections.abc import Iterator
from contextlib import contextmanager
from types import TracebackType

from rich.console import Console
from rich.progress import BarColumn, MofNCompleteColumn, SpinnerColumn, TextColumn, TimeElapsedColumn
from rich.progress import Progress as Bars

SHOW_AFTER_SECONDS = 2.0


class Progress:
    """A call tells a step: `progress("reading transaction", 3, 24)`; `stage` wraps a whole stage."""

    def __init__(self, *, shown: bool = True) -> None:
        self._console = Console(stderr=True, highlight=False)
        self._shown = shown
        self._bars: Bars | None = None
        self._text = ""

    def __enter__(self) -> Progress:
        if self._shown and self._console.is_terminal:
            self._bars = Bars(
                SpinnerColumn(),
                TextColumn("{task.description}"),
                BarColumn(bar_width=24),
                MofNCompleteColumn(),
                TimeElapsedColumn(),
                console=self._console,
                transient=True,
            )
            self._bars.start()
            self._task = self._bars.add_task("", total=None)
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._bars:
            self._bars.stop()

    def __call__(self, text: str, done: int | None = None, total: int | None = None) -> None:
        if self._bars:
            shown = f"{self._text} · {text}" if self._text else text
            self._bars.update(self._task, description=shown, completed=done or 0, total=total)

    @contextmanager
    def stage(self, text: str) -> Iterator[None]:
        """Show `text` while it lasts; leave a line behind when it took long enough to be wondered about."""
        started = time.monotonic()
        outer, self._text = self._text, text
        self("")
        try:
            yield
        finally:
            self._text = outer
        seconds = time.monotonic() - started
        if self._shown and seconds >= SHOW_AFTER_SECONDS:
            self._console.print(f"{text} · {seconds:.1f} s")
