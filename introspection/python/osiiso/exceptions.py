# SPDX-License-Identifier: LGPL-2.1-or-later
"""What goes wrong with a queue."""
from __future__ import annotations

from collections.abc import Iterable
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .result import TaskResult


class OsiisoError(Exception):
    """The base of the errors that only this package raises."""


class ClosedError(OsiisoError):
    """The queue takes no tasks, for now or for ever."""


class QueueFullError(OsiisoError):
    """The queue has as many tasks as its size allows."""


class ExecutionError(OsiisoError):
    """Tasks have failed or were cancelled; ``results`` says which."""

    def __init__(self, results: Iterable[TaskResult]) -> None:
        self.results = tuple(results)
        failed = sum(1 for result in self.results if result.status == 'failed')
        others = len(self.results) - failed
        parts = []
        if failed or not others:
            parts.append(f'{failed} task(s) failed')
        if others:
            parts.append(f'{others} task(s) cancelled')
        super().__init__('; '.join(parts))

    def __reduce__(self) -> tuple[type[ExecutionError], tuple[tuple[TaskResult, ...]]]:
        return type(self), (self.results,)
