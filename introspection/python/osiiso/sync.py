# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the queues have in common that are used without an event loop."""
from __future__ import annotations

import threading
import time
from collections.abc import Callable
from typing import Any, Generic, TypeVar

from ._core import GLib, Osiiso
from .base import FAIL_POLICIES, BaseQueue, _choose
from .exceptions import ClosedError
from .group import SyncTaskGroup
from .handle import SyncTaskHandle
from .result import RunSummary

# How often a thread that waits for room looks by itself, in seconds.
_LOOK = 0.02

T = TypeVar('T')
Q = TypeVar('Q', bound='SyncQueue')


class _Call(Generic[T]):
    """A blocking call of the core, made by a thread of its own.

    The thread that waits for it is in Python meanwhile, where Ctrl-C is seen.
    """

    def __init__(self, fn: Callable[..., T], *arguments: Any) -> None:
        self._done = threading.Event()
        self._value: T
        self._error: BaseException | None = None
        self._thread = threading.Thread(target=self._run, args=(fn, *arguments), name='osiiso-call', daemon=True)

    def start(self) -> None:
        self._thread.start()

    def _run(self, fn: Callable[..., T], *arguments: Any) -> None:
        try:
            self._value = fn(*arguments)
        except BaseException as error:
            self._error = error
        finally:
            self._done.set()

    def wait(self, timeout: float | None = None) -> bool:
        return self._done.wait(timeout)

    def result(self) -> T:
        self._done.wait()
        if self._error is not None:
            raise self._error
        return self._value


class SyncQueue(BaseQueue[SyncTaskHandle, SyncTaskGroup]):
    """A queue whose calls block."""

    _handle_class = SyncTaskHandle
    _group_class = SyncTaskGroup

    def start(self: Q) -> Q:
        """Starts the workers; tasks begin. Again after a run, or a failure, too."""
        self._check_usable()
        if self._closed:
            raise ClosedError('queue has been shut down')
        try:
            self._queue.start()
        except GLib.Error as error:
            raise self._start_failed(error) from None
        self._live = True
        return self

    def run(self, timeout: float | None = None, *, strict: bool = False,
            fail_policy: str | None = None) -> RunSummary:
        """Runs all tasks, and returns when they are over.

        ``timeout`` and ``fail_policy`` are for this run only. ``strict`` raises
        ExecutionError if a task has failed.
        """
        core_policy = self._choose_policy(fail_policy)
        mine = False
        try:
            with self._settled:
                if self._running:
                    raise RuntimeError('run() is already in progress')
                self._running = mine = True
            summary = self._run(timeout, core_policy)
        finally:
            if mine:
                self._running = False
        if strict:
            summary.raise_for_errors()
        return summary

    def join(self) -> None:
        """Blocks until all tasks are over; starts the queue if need be."""
        self._check_outside('join()')
        self.start()
        self._call(self._queue.join)
        self._wait_for_settled()

    def shutdown(self, *, force: bool = False) -> None:
        """Closes the queue, when its tasks are over; with ``force`` cancels them."""
        self._check_usable()
        if self._closed:
            return
        if not force:
            self._check_outside('shutdown()')
        self._call(self._queue.shutdown, force)
        self._after_close()

    def cancel(self) -> threading.Thread | None:
        """Closes the queue by force; from a task, in a thread of its own."""
        if not self._in_own_task():
            self.shutdown(force=True)
            return None
        thread = threading.Thread(target=self.shutdown, kwargs={'force': True}, name='osiiso-cancel', daemon=True)
        thread.start()
        return thread

    def __enter__(self: Q) -> Q:
        return self.start()

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: Any) -> None:
        self.shutdown(force=error is not None)

    # What is behind it.

    def _choose_policy(self, fail_policy: str | None) -> Any:
        return FAIL_POLICIES[self._fail_policy] if fail_policy is None else _choose(FAIL_POLICIES, 'fail_policy',
                                                                                   fail_policy)

    def _run(self, timeout: float | None, core_policy: Any) -> RunSummary:
        self._check_outside('run()')
        self._check_usable()
        if self._closed:
            raise ClosedError('queue has been shut down')
        start = time.perf_counter()
        first = self._n_cleared + len(self._results)
        core_limit = self._core_limit(timeout)
        self._live = True
        try:
            core = self._call(self._queue.run_full, core_limit, core_policy)
        except GLib.Error as error:
            raise self._start_failed(error) from None
        self._live = False
        if self._queue.get_closed():
            self._after_close()
        self._wait_for_settled()
        return self._summary(first, start, core.get_timed_out())

    def _call(self, fn: Callable[..., T], *arguments: Any) -> T:
        """Makes a blocking call of the core; an interrupt cancels it."""
        from ._core import Gio
        cancellable = Gio.Cancellable()
        call = _Call(fn, *arguments, cancellable)
        try:
            # An interrupt may come before it returns.
            call.start()
            call.wait()
        except BaseException:
            cancellable.cancel()
            call.wait(1.0)
            raise
        return call.result()

    def _start_failed(self, error: Any) -> BaseException:
        return self._translate(error)

    def _after_close(self) -> None:
        self._wait_for_settled(1.0)
        self._closed = True
        self._live = False

    def _check_outside(self, what: str) -> None:
        if self._in_own_task():
            raise RuntimeError(f'{what} in a task of the same queue would wait for itself')

    def _admit_slowly(self, handle: SyncTaskHandle, token: int) -> int:
        """Blocks until there is room."""
        while True:
            try:
                return int(self._queue.try_submit_token(token, self._core_options(handle._options)))
            except GLib.Error as error:
                if not error.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.FULL):
                    raise self._translate(error) from None
            if self._in_own_task():
                # The core knows whether this can ever come to an end.
                try:
                    return int(self._queue.submit_token(token, self._core_options(handle._options)))
                except GLib.Error as error:
                    raise self._translate(error) from None
            # Otherwise nobody would make room.
            self.start()
            n_settled = self._n_settled()
            with self._settled:
                self._n_waiting += 1
                try:
                    # The end of a task that failed is told a moment before there is room.
                    self._settled.wait_for(lambda: self._n_settled() > n_settled, _LOOK)
                finally:
                    self._n_waiting -= 1
