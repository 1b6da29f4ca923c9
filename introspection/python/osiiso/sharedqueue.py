# SPDX-License-Identifier: LGPL-2.1-or-later
"""An AsyncQueue into which other threads submit."""
from __future__ import annotations

import asyncio
import concurrent.futures
import threading
from collections.abc import Callable
from typing import Any, TypeVar

from .asyncqueue import AsyncQueue
from .exceptions import ClosedError
from .group import TaskGroup
from .handle import TaskHandle

T = TypeVar('T')

# How often a thread that waits to be let in looks whether the loop is still there,
# in seconds.
_LOOK = 1.0


class SharedQueue(AsyncQueue):
    """Like AsyncQueue; submits come from any thread.

    From a thread that is not the loop's, a submit is posted to the loop and blocks
    until the task is in. What goes wrong there is raised at the call.
    """

    def submit(self, fn: Callable[..., Any], /, *args: Any, opts: Any = None, **overrides: Any) -> TaskHandle:
        return self._on_loop(lambda: super(SharedQueue, self).submit(fn, *args, opts=opts, **overrides))

    def map(self, fn: Callable[..., Any], iterable: Any, **options: Any) -> list[TaskHandle]:
        return self._on_loop(lambda: super(SharedQueue, self).map(fn, iterable, **options))

    def group(self, tasks: Any, iterable: Any = None, **options: Any) -> TaskGroup:
        return self._on_loop(lambda: super(SharedQueue, self).group(tasks, iterable, **options))

    def _on_loop(self, call: Callable[[], T]) -> T:
        loop = self._loop
        if loop is None or threading.get_ident() == self._thread:
            return call()
        if loop.is_closed():
            raise ClosedError('queue loop is closed')
        if not loop.is_running():
            return call()
        return self._post(loop, call)

    def _post(self, loop: asyncio.AbstractEventLoop, call: Callable[[], T]) -> T:
        future: concurrent.futures.Future[T] = concurrent.futures.Future()

        def admit() -> None:
            if not future.set_running_or_notify_cancel():
                return
            try:
                future.set_result(call())
            except BaseException as error:
                future.set_exception(error)

        try:
            loop.call_soon_threadsafe(admit)
        except RuntimeError:
            raise ClosedError('queue loop is closed') from None
        while True:
            try:
                return future.result(_LOOK)
            except concurrent.futures.TimeoutError:
                # Or the task's own, which then is the result.
                if future.done():
                    raise
                if loop.is_closed() and future.cancel():
                    raise ClosedError('queue loop was closed before the submission was processed') from None
