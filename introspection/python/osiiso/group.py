# SPDX-License-Identifier: LGPL-2.1-or-later
"""Batches of tasks, and waiting for them in the order in which they end."""
from __future__ import annotations

import asyncio
import queue as queues
import time
from collections.abc import AsyncIterator, Iterable, Iterator
from typing import Any, Generic, TypeVar

from .exceptions import ExecutionError
from .handle import BaseHandle, SyncTaskHandle, TaskHandle
from .result import RunSummary, TaskResult

H = TypeVar('H', bound=BaseHandle)


class _Group(Generic[H]):
    """What both kinds of groups are."""

    def __init__(self, group_id: str, handles: Iterable[H]) -> None:
        self._group_id = group_id
        self._handles = tuple(handles)

    @property
    def group_id(self) -> str:
        """The id that all its tasks have."""
        return self._group_id

    @property
    def handles(self) -> tuple[H, ...]:
        """The handles, in the order of submission."""
        return self._handles

    def __len__(self) -> int:
        return len(self._handles)

    def __iter__(self) -> Iterator[H]:
        return iter(self._handles)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self._group_id!r}, {len(self._handles)} tasks)'

    def cancel(self) -> int:
        """Cancels what is not over; how many that were."""
        return sum(1 for handle in self._handles if handle.cancel())

    def _summary(self, start: float) -> RunSummary:
        return RunSummary.from_results((handle.result() for handle in self._handles), run_start=start,
                                       timed_out=False)

    def _values(self) -> tuple[Any, ...]:
        handles = self._handles
        if all(handle._final == 'succeeded' for handle in handles):
            return tuple(handle._value for handle in handles)
        wrong: list[TaskResult] = [handle.result() for handle in handles if handle._final != 'succeeded']
        raise ExecutionError(wrong)


class TaskGroup(_Group[TaskHandle]):
    """A batch of tasks of an AsyncQueue or a SharedQueue."""

    async def wait(self) -> RunSummary:
        """Waits for all of them; a summary in the order of submission."""
        start = time.perf_counter()
        await self._wait_all()
        return self._summary(start)

    async def values(self) -> tuple[Any, ...]:
        """Waits for all of them; their values in the order of submission.

        ExecutionError if one has failed or was cancelled.
        """
        await self._wait_all()
        return self._values()

    def as_completed(self) -> AsyncIterator[TaskHandle]:
        """The handles in the order in which the tasks end."""
        return as_completed(self._handles)

    async def _wait_all(self) -> None:
        # Whoever waits for the last one is not woken for each of the others.
        for handle in reversed(self._handles):
            if handle._final is None:
                await handle._wait()


class SyncTaskGroup(_Group[SyncTaskHandle]):
    """A batch of tasks of a ThreadQueue or a ProcessQueue."""

    def wait(self, timeout: float | None = None) -> RunSummary:
        """Blocks until all are over; a summary in the order of submission."""
        start = time.perf_counter()
        self._wait_all(timeout)
        return self._summary(start)

    def values(self, timeout: float | None = None) -> tuple[Any, ...]:
        """Blocks until all are over; their values in the order of submission.

        ExecutionError if one has failed or was cancelled.
        """
        self._wait_all(timeout)
        return self._values()

    def as_completed(self, timeout: float | None = None) -> Iterator[SyncTaskHandle]:
        """The handles in the order in which the tasks end."""
        return iter_completed(self._handles, timeout)

    def _wait_all(self, timeout: float | None) -> None:
        deadline = None if timeout is None else time.monotonic() + timeout
        # Whoever waits for the last one is not woken for each of the others.
        for handle in reversed(self._handles):
            if handle._final is None:
                handle.wait(None if deadline is None else max(0.0, deadline - time.monotonic()))


async def as_completed(handles: Iterable[TaskHandle]) -> AsyncIterator[TaskHandle]:
    """The handles in the order in which their tasks end."""
    loop = asyncio.get_running_loop()
    ended: asyncio.Queue[TaskHandle] = asyncio.Queue()
    waiting = tuple(handles)

    def put(handle: TaskHandle) -> None:
        try:
            running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
        except RuntimeError:
            running = None
        if running is loop:
            ended.put_nowait(handle)
            return
        try:
            loop.call_soon_threadsafe(ended.put_nowait, handle)
        except RuntimeError:
            # That loop is closed; nobody iterates any more.
            pass

    for handle in waiting:
        handle.add_done_callback(put)
    for _ in waiting:
        yield await ended.get()


def iter_completed(handles: Iterable[SyncTaskHandle], timeout: float | None = None) -> Iterator[SyncTaskHandle]:
    """The handles in the order in which their tasks end.

    ``timeout`` is for all of them, from the first step on; TimeoutError when it is
    over.
    """
    deadline = None if timeout is None else time.monotonic() + timeout
    ended: queues.SimpleQueue[SyncTaskHandle] = queues.SimpleQueue()
    waiting = tuple(handles)
    for handle in waiting:
        handle.add_done_callback(ended.put)
    for _ in waiting:
        try:
            yield ended.get(timeout=None if deadline is None else max(0.0, deadline - time.monotonic()))
        except queues.Empty:
            raise TimeoutError('handles did not complete within timeout') from None
