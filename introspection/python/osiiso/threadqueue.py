# SPDX-License-Identifier: LGPL-2.1-or-later
"""The queue that runs functions in threads."""
from __future__ import annotations

import inspect
import os
import threading
import time
import types
import weakref
from array import array
from collections.abc import Callable, Coroutine
from contextvars import Context
from functools import partial
from typing import Any

from . import _core
from ._core import GLib, Osiiso
from .exceptions import OsiisoError
from .handle import Call, SyncTaskHandle
from .options import TaskOptions, check_initializer
from .result import TaskResult
from .sync import SyncQueue


# What most functions return, and is no coroutine.
_PLAIN = frozenset((int, str, bytes, float, bool, type(None), tuple, list, dict, set))


class _Local(threading.local):
    """What a thread knows of the queue that it works for."""

    state: int | None = None            # of the interpreter, once the thread is pinned
    exchange: _core.Slots | None = None
    current: list[SyncTaskHandle | None] = [None]  # whose function it is in; never this list itself


def _refuse(coroutine: Coroutine[Any, Any, Any], fn: Any) -> None:
    """Nobody would ever await that."""
    coroutine.close()
    raise TypeError(f'a ThreadQueue runs plain functions, not coroutines; one was returned by {fn!r}')


class ThreadQueue(SyncQueue):
    """Runs functions in threads."""

    _max_workers = max(4, min(32, (os.cpu_count() or 1) * 4))

    def __init__(self, *, workers: int | None = None, size: int = 0, timeout: float | None = None,
                 mode: str = 'finite', fail_policy: str = 'continue', on_timeout: str = 'complete',
                 rate: float | None = None, burst: int = 1,
                 initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = (),
                 on_start: Callable[[SyncTaskHandle], object] | None = None,
                 on_complete: Callable[[TaskResult], object] | None = None,
                 on_retry: Callable[[SyncTaskHandle, BaseException], object] | None = None,
                 on_exit: str | None = None, poll: float | None = None) -> None:
        if poll is not None and not poll > 0:
            raise ValueError('poll must be > 0')
        self._initargs = check_initializer(initializer, initargs)
        self._initializer = initializer
        self._initializer_error: BaseException | None = None
        super().__init__(workers=workers, size=size, timeout=timeout, mode=mode, fail_policy=fail_policy,
                         on_timeout=on_timeout, rate=rate, burst=burst, on_start=on_start, on_complete=on_complete,
                         on_retry=on_retry, on_exit=on_exit)
        if initializer is not None:
            this = weakref.ref(self)

            def initialize(*_: Any) -> bool:
                queue = this()
                return queue is not None and queue._initialize_thread()

            self._queue.set_initializer(initialize)

    def _set_up(self) -> None:
        self._local = _Local()

    def _new_core(self, workers: int) -> Any:
        queue = Osiiso.Queue(backend_name='thread-pool', workers=workers)
        this = weakref.ref(self)
        local = self._local

        def run(token: int, task_id: int, attempt: int, *_: Any) -> int:
            queue = this()
            return queue._run_tokens(token, task_id, attempt) if queue is not None and _core.is_alive() else 0

        def leave(*_: Any) -> None:
            # Also when the queue is gone.
            state, local.state = local.state, None
            if state is not None and _core.is_alive():
                _core.unpin_thread(state)

        queue.set_runner(run)
        queue.set_thread_end_func(leave)
        return queue

    def _check_callable(self, fn: Any, options: TaskOptions) -> None:
        if type(fn) is types.FunctionType and not fn.__dict__ and not fn.__code__.co_flags & inspect.CO_COROUTINE:
            # Most are that, and asking inspect costs as much as the rest of a submit.
            return
        while isinstance(fn, partial):
            fn = fn.func
        if (inspect.isawaitable(fn) or inspect.iscoroutinefunction(fn) or
                inspect.iscoroutinefunction(getattr(fn, '__call__', None))):
            raise TypeError(f'a ThreadQueue runs plain functions, not coroutines; got {fn!r}')

    # In the threads of the backend.

    def _enter_thread(self, local: _Local) -> _core.Slots:
        if local.state is None:
            local.state = _core.pin_thread()
        exchange = local.exchange = _core.Slots(self._pointer, 5)
        local.current = [None]
        return exchange

    def _initialize_thread(self) -> bool:
        if self._local.exchange is None:
            self._enter_thread(self._local)
        try:
            assert self._initializer is not None
            self._initializer(*self._initargs)
        except BaseException as error:
            self._initializer_error = error
            raise GLib.Error.new_literal(_core.ERROR_DOMAIN, f'the initializer failed: {error!r}', 0)
        return True

    def _start_failed(self, error: Any) -> BaseException:
        cause = self._initializer_error
        if cause is None:
            return super()._start_failed(error)
        failure = OsiisoError(f'the initializer failed: {cause!r}')
        failure.__cause__ = cause
        return failure

    def _core_failure(self, handle: SyncTaskHandle) -> BaseException:
        error = super()._core_failure(handle)
        if handle._attempts == 0:
            error.__cause__ = self._initializer_error
        return error

    def _run_tokens(self, token: int, task_id: int, attempt: int) -> int:
        """Runs that task, and then what the queue has next, until it has nothing."""
        exchange = self._local.exchange or self._enter_thread(self._local)
        exchange.slots[2:] = array('Q', (token, task_id, attempt))
        more = 1
        while more:
            # In a context where nothing is set. A task that sets something is the last one in it.
            context = Context()
            more = context.run(self._run_tokens_in, context, exchange)
        return task_id

    def _run_tokens_in(self, context: Context, exchange: _core.Slots) -> int:
        """Until there is nothing, or something is set in the context."""
        current = self._local.current
        call = _core.exchange_token
        slots, address = exchange.slots, exchange.address
        get = self._table.get
        pop = self._table.pop
        append = self._results.append
        is_told = self._on_start is not None or self._on_retry is not None
        is_quick = self._on_complete is None
        clock = time.perf_counter
        now = clock()
        more = 1
        while more and not context:
            token = slots[2]
            handle = get(token)
            if handle is None:
                # Cancelled between there and here.
                more = call(address)
                continue
            attempt = handle._attempts = slots[4]
            if attempt == 1:
                handle._started = now
            else:
                handle._state = None
            current[0] = handle
            if is_told:
                self._begin_attempt(handle, slots[3], attempt)
            way = handle._call
            try:
                if type(way) is tuple:
                    value = handle._fn(*way)
                elif type(way) is Call:
                    value = way.run(handle._fn)
                elif way is not None:
                    value = handle._fn(way)
                else:
                    # Cancelled, and nobody cares what comes of it.
                    value = None
                if type(value) not in _PLAIN and isinstance(value, Coroutine):
                    _refuse(value, handle._fn)
            except BaseException as error:
                self._attempt_failed(handle, slots[3], attempt, error)
                more = call(address)
                now = clock()
            else:
                now = clock()
                more = call(address)
                if slots[1] and pop(token, None) is not None:
                    # As _settle_success() does.
                    handle._value = value
                    handle._finished = now
                    handle._final = 'succeeded'
                    handle._call = None
                    if handle._listeners is not None:
                        handle._tell()
                    if is_quick:
                        append(handle)
                        if self._n_waiting:
                            with self._settled:
                                self._settled.notify_all()
                    else:
                        self._settled_one(handle)
                value = None
        current[0] = None
        return more

    # In a task.

    def _own_task(self) -> SyncTaskHandle | None:
        return self._local.current[0]

    def _wait_in_task(self, handle: SyncTaskHandle, timeout: float | None) -> None:
        """The core knows when nobody is left to run what this one waits for."""
        core = self._queue.lookup(handle._task)
        try:
            if core is not None and not core.wait(-1 if timeout is None else timeout):
                raise TimeoutError('result not ready')
        except GLib.Error as error:
            if error.matches(_core.Gio.io_error_quark(), _core.Gio.IOErrorEnum.TIMED_OUT):
                raise TimeoutError('result not ready') from None
            raise self._translate(error) from None
        # Over there, and about to be here.
        event = threading.Event()
        if handle._add_waiter(event.set):
            event.wait()
