"""What ``outlay up`` says while it works: a line per step, with or without a terminal."""

from __future__ import annotations

import contextlib
import time
from collections.abc import Iterator

from rich.console import Console


class Steps:
    """On a terminal the running step turns; elsewhere it is said when it begins. Both say how long it took."""

    def __init__(self) -> None:
        # Log collectors read lines as wide as they are; a terminal wraps at its own width.
        self.console = Console(highlight=False)
        if not self.console.is_terminal:
            self.console = Console(highlight=False, width=1000)

    @contextlib.contextmanager
    def step(self, what: str) -> Iterator[None]:
        begun = time.monotonic()
        if self.console.is_terminal:
            with self.console.status(f"{what} …"):
                yield
        else:
            self.say(f"  {what} …")
            yield
        self.say(f"[green]✓[/green] {what} [dim]({time.monotonic() - begun:.1f} s)[/dim]")

    def say(self, text: str) -> None:
        with contextlib.suppress(OSError):  # the terminal or the reader of our output is gone; we are not
            self.console.print(text, soft_wrap=True)

    def warn(self, text: str) -> None:
        self.say(f"[yellow]![/yellow] {text}")
