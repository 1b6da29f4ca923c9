# SPDX-License-Identifier: LGPL-2.1-or-later
"""What tasks and runs have come to."""
from __future__ import annotations

import dataclasses
import operator
import time
from collections.abc import Callable, Hashable, Iterable
from typing import TYPE_CHECKING, Any, Literal, TypeVar

from .exceptions import ExecutionError

Status = Literal['pending', 'running', 'retrying', 'succeeded', 'failed', 'cancelled']

K = TypeVar('K', bound=Hashable)


@dataclasses.dataclass(frozen=True, slots=True)
class TaskResult:
    """The record of a finished task. Times are ``time.perf_counter()`` values."""

    task_id: str
    name: str
    status: Status
    value: Any = None
    exception: BaseException | None = None
    attempts: int = 0
    priority: int = 0
    must_complete: bool = False
    group_id: str | None = None
    detached: bool = False
    scheduled_for: float | None = None
    created_at: float = 0.0
    started_at: float | None = None
    finished_at: float = 0.0
    duration: float = 0.0
    message: str = ''
    metadata: Any = None


def _view(field: str) -> property:
    return property(operator.attrgetter(f'_handle.{field}'))


class _ResultView(TaskResult):
    """A TaskResult that reads a finished handle: most are made and hardly looked at.

    To everybody else it is a TaskResult.
    """

    __slots__ = ('_handle',)
    if TYPE_CHECKING:
        _handle: Any

    def __init__(self, handle: Any) -> None:
        _set_handle(self, handle)

    @property  # type: ignore[misc]
    def __class__(self) -> type[TaskResult]:  # type: ignore[override]
        return TaskResult

    def __reduce__(self) -> tuple[type[TaskResult], tuple[Any, ...]]:
        return TaskResult, tuple(getattr(self, field.name) for field in dataclasses.fields(TaskResult))

    @property
    def started_at(self) -> float | None:
        started: float | None = self._handle._started
        return started

    @property
    def duration(self) -> float:
        started = self._handle._started
        finished: float = self._handle._finished
        return 0.0 if started is None else float(finished - started)


_set_handle = _ResultView.__dict__['_handle'].__set__

for _field, _source in {'status': '_final', 'value': '_value', 'exception': '_error', 'scheduled_for': '_scheduled_for',
                        'created_at': '_created', 'finished_at': '_finished', 'message': '_message'}.items():
    setattr(_ResultView, _field, _view(_source))
for _field in ('task_id', 'name', 'attempts', 'priority', 'must_complete', 'group_id', 'detached', 'metadata'):
    setattr(_ResultView, _field, _view(_field))


@dataclasses.dataclass(frozen=True, slots=True)
class RunSummary:
    """What a run, or the tasks of a group, have come to."""

    total_submitted: int
    succeeded: int
    failed: int
    cancelled: int
    timed_out: bool
    duration: float
    results: tuple[TaskResult, ...]

    @classmethod
    def from_results(cls, results: Iterable[TaskResult], *, run_start: float, timed_out: bool) -> RunSummary:
        """A summary of ``results``, in their order, of what began at ``run_start``."""
        kept = tuple(results)
        counts = {'succeeded': 0, 'failed': 0, 'cancelled': 0}
        for result in kept:
            if result.status in counts:
                counts[result.status] += 1
        return cls(len(kept), counts['succeeded'], counts['failed'], counts['cancelled'], timed_out,
                   time.perf_counter() - run_start, kept)

    @property
    def errors(self) -> tuple[TaskResult, ...]:
        """The results that failed."""
        return self._with_status('failed')

    @property
    def values(self) -> tuple[Any, ...]:
        """The values of the tasks that succeeded."""
        return tuple(result.value for result in self.results if result.status == 'succeeded')

    @property
    def ok(self) -> bool:
        """Whether nothing failed, was cancelled or ran out of time."""
        return self.failed == 0 and self.cancelled == 0 and not self.timed_out

    def successes(self) -> tuple[TaskResult, ...]:
        """The results that succeeded."""
        return self._with_status('succeeded')

    def cancellations(self) -> tuple[TaskResult, ...]:
        """The results that were cancelled."""
        return self._with_status('cancelled')

    def by_task_id(self) -> dict[str, TaskResult]:
        """The results by the id of their task."""
        return {result.task_id: result for result in self.results}

    def by_name(self) -> dict[str, tuple[TaskResult, ...]]:
        """The results by the name of their task."""
        return self._grouped(lambda result: result.name)

    def by_group(self) -> dict[str | None, tuple[TaskResult, ...]]:
        """The results by the id of their group; ``None`` for those without."""
        return self._grouped(lambda result: result.group_id)

    def raise_for_errors(self, *, include_cancelled: bool = False) -> None:
        """Raises ExecutionError if a task has failed, or was cancelled as well."""
        wrong = self.errors
        if include_cancelled:
            wrong += self.cancellations()
        if wrong:
            raise ExecutionError(wrong)

    def display(self) -> None:
        """Prints the summary."""
        bar = '-' * 40
        if self.timed_out:
            verdict = 'TIMED OUT'
        elif self.ok:
            verdict = 'PASSED'
        else:
            verdict = 'COMPLETED WITH ERRORS'
        lines = [bar, f'  Run Summary: {verdict}', bar,
                 f'  Total tasks : {self.total_submitted}',
                 f'  Succeeded   : {self.succeeded}',
                 f'  Failed      : {self.failed}',
                 f'  Cancelled   : {self.cancelled}',
                 f'  Duration    : {self.duration:.3f}s']
        if self.errors:
            lines += [bar, '  Failures:']
            for result in self.errors:
                attempts = f' ({result.attempts} attempts)' if result.attempts > 1 else ''
                lines.append(f'    - {result.name}{attempts}')
                if result.message:
                    lines.append(f'      {result.message}')
        lines.append(bar)
        print('\n'.join(lines))

    def _with_status(self, status: Status) -> tuple[TaskResult, ...]:
        return tuple(result for result in self.results if result.status == status)

    def _grouped(self, key: Callable[[TaskResult], K]) -> dict[K, tuple[TaskResult, ...]]:
        groups: dict[K, list[TaskResult]] = {}
        for result in self.results:
            groups.setdefault(key(result), []).append(result)
        return {name: tuple(results) for name, results in groups.items()}
