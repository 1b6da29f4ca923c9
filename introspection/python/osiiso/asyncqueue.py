# SPDX-License-Identifier: LGPL-2.1-or-later
"""The queue that runs coroutines on the caller's event loop."""
from __future__ import annotations

import asyncio
import inspect
import logging
import os
import threading
import time
import types
import weakref
from collections import deque
from collections.abc import AsyncIterator, Callable, Coroutine, Generator, Iterable
from contextvars import Context, copy_context
from functools import partial
from typing import Any, TypeVar

from . import _core
from ._core import Gio, GLib, Osiiso
from .base import FAIL_POLICIES, MAX_TAKEN, BaseQueue, _choose
from .exceptions import ClosedError, QueueFullError
from .group import TaskGroup, as_completed
from .handle import Call, TaskHandle
from .options import TaskOptions
from .result import RunSummary, Status

log = logging.getLogger('osiiso')

T = TypeVar('T')
Q = TypeVar('Q', bound='AsyncQueue')

# How long the tasks that do not wait for anything may keep the loop to themselves.
_SLICE = 0.005

# How a runner comes back from a task.
_AS_USUAL, _INTERRUPTED, _GONE = range(3)

_Taken = tuple[TaskHandle, int, int]  # with the core's number of the task, and of the attempt


class _LoopBackend(Osiiso.Backend):  # type: ignore[misc]
    """Where the tasks of an AsyncQueue run: on its event loop."""

    __gtype_name__ = 'OsiisoPythonLoopBackend'

    def __init__(self, queue: AsyncQueue) -> None:
        super().__init__()
        self._owner = weakref.ref(queue)

    def do_get_capabilities(self) -> Any:
        return Osiiso.BackendCapabilities.FUNCTIONS | Osiiso.BackendCapabilities.ASYNC

    def do_open(self) -> bool:
        return True

    def do_wake(self, _n: int) -> None:
        queue = self._owner()
        if queue is not None and _core.is_alive():
            queue._ring()

    def do_interrupt(self, attempt: Any, _reason: Any) -> None:
        queue = self._owner()
        if queue is not None and _core.is_alive():
            queue._interrupt(attempt.get_task_id(), attempt.get_number())

    def do_workers_changed(self) -> None:
        queue = self._owner()
        if queue is not None and _core.is_alive():
            queue._workers_changed()

    def do_close(self, _force: bool) -> None:
        self.closed()


@types.coroutine
def _drive(context: Context, coro: Any, yielded: Any) -> Generator[Any, Any, Any]:
    """Goes on with a coroutine that has yielded once, each step in its context."""
    while True:
        try:
            sent = yield yielded
        except BaseException as error:
            try:
                yielded = context.run(coro.throw, error)
            except StopIteration as stop:
                return stop.value
        else:
            try:
                yielded = context.run(coro.send, sent)
            except StopIteration as stop:
                return stop.value


async def _run_in_context(fn: Any, call: Call) -> Any:
    """Calls a function in a context that is not the runner's."""
    context = call.new_context()
    if inspect.iscoroutinefunction(fn):
        coro = context.run(fn, *call.args, **call.kwargs)
    else:
        coro = context.run(_call_other, fn, *call.args, **call.kwargs)
    try:
        yielded = context.run(coro.send, None)
    except StopIteration as stop:
        return stop.value
    return await _drive(context, coro, yielded)


async def _call_other(fn: Any, /, *args: Any, **kwargs: Any) -> Any:
    """What is not a coroutine function: an awaitable, or something for a thread."""
    if inspect.isawaitable(fn):
        return await fn
    called = fn
    while isinstance(called, partial):
        called = called.func
    if inspect.iscoroutinefunction(called) or inspect.iscoroutinefunction(getattr(called, '__call__', None)):
        value = fn(*args, **kwargs)
    else:
        value = await asyncio.to_thread(_call_in_thread, fn, *args, **kwargs)
    return await value if inspect.isawaitable(value) else value


def _call_in_thread(fn: Any, /, *args: Any, **kwargs: Any) -> Any:
    try:
        return fn(*args, **kwargs)
    except StopIteration as error:
        # A future cannot take it, and whoever waits for that would never hear of it.
        raise RuntimeError('the task raised StopIteration') from error


class AsyncQueue(BaseQueue[TaskHandle, TaskGroup]):
    """Runs coroutine functions on the caller's event loop, and others in threads."""

    _handle_class = TaskHandle
    _group_class = TaskGroup
    _max_workers = max(4, min(32, (os.cpu_count() or 1) * 4))

    def _set_up(self) -> None:
        self._loop: asyncio.AbstractEventLoop | None = None
        self._thread = 0
        self._rung = False
        self._taken: deque[_Taken] = deque()        # not begun yet
        self._runners: dict[asyncio.Task[Any], _Taken | None] = {}  # with the task that each waits in
        self._idle: set[asyncio.Task[Any]] = set()  # of them, those that are about to look for work
        self._interrupted: dict[int, int] = {}      # attempts that were ended from outside
        self._current: _Taken | None = None         # whose function was entered last
        self._n_closing = 0                         # calls of shutdown() that go on
        self._ending = False                        # nothing more is begun on this loop

    @staticmethod
    def as_completed(handles: Iterable[TaskHandle]) -> AsyncIterator[TaskHandle]:
        """The handles in the order in which their tasks end."""
        return as_completed(handles)

    def _new_core(self, workers: int) -> Any:
        self._backend = _LoopBackend(self)
        queue = Osiiso.Queue.new_with_backend(self._backend)
        self._n_workers = workers or self._max_workers
        queue.set_workers(self._n_workers)
        # Tokens are taken in batches; nothing else calls it.
        queue.set_runner(_refuse_token)
        return queue

    def _check_callable(self, fn: Any, options: TaskOptions) -> None:
        if options.retries and inspect.isawaitable(fn):
            raise ValueError('an awaitable can run only once, so retries must be 0; pass the coroutine function')

    # The life of the queue.

    async def start(self: Q) -> Q:
        """Binds the queue to the running loop and starts it; tasks begin."""
        self._check_usable()
        if self._closed:
            raise ClosedError('queue has been shut down')
        self._bind(asyncio.get_running_loop())
        try:
            self._queue.start()
        except GLib.Error as error:
            raise self._translate(error) from None
        self._live = True
        return self

    async def run(self, timeout: float | None = None, *, strict: bool = False,
                  fail_policy: str | None = None) -> RunSummary:
        """Runs all tasks, and returns when they are over.

        ``timeout`` and ``fail_policy`` are for this run only. ``strict`` raises
        ExecutionError if a task has failed.
        """
        core_policy = _choose(FAIL_POLICIES, 'fail_policy', fail_policy or self._fail_policy)
        if self._running:
            raise RuntimeError('run() is already in progress')
        if self._closed:
            raise ClosedError('queue has been shut down')
        self._check_outside('run()')
        self._check_usable()
        self._bind(asyncio.get_running_loop())
        self._running = True
        try:
            start = time.perf_counter()
            first = self._n_cleared + len(self._results)
            core_limit = self._core_limit(timeout)
            self._live = True
            try:
                core = await self._call(self._queue.run_full, core_limit, core_policy)
            except GLib.Error as error:
                raise self._translate(error) from None
            await self._settle_all()
            self._live = False
            if self._queue.get_closed():
                # Whoever has closed it is to hear of that, before the loop may end.
                while self._n_closing:
                    await asyncio.sleep(0.001)
                for _ in range(3):
                    await asyncio.sleep(0)
                self._closed = True
            summary = self._summary(first, start, core.get_timed_out())
        finally:
            self._running = False
        if strict:
            summary.raise_for_errors()
        return summary

    async def join(self) -> None:
        """Waits until all tasks are over; starts the queue if need be."""
        self._check_outside('join()')
        await self.start()
        await self._call(self._queue.join)
        await self._settle_all()

    async def shutdown(self, *, force: bool = False) -> None:
        """Closes the queue, when its tasks are over; with ``force`` cancels them."""
        self._check_usable()
        if self._closed:
            return
        if force and self._in_own_task():
            # This task is one of those that it ends.
            self._queue.cancel()
            self._closed = True
            self._live = False
            return
        self._check_outside('shutdown()')
        self._bind(asyncio.get_running_loop())
        self._n_closing += 1
        try:
            await self._call(self._queue.shutdown, force)
            await self._settle_all()
            self._closed = True
            self._live = False
        finally:
            self._n_closing -= 1

    def cancel(self) -> Any:
        """Closes the queue by force, from any thread.

        On the loop's thread returns an asyncio.Task, elsewhere a
        concurrent.futures.Future, and None when no loop runs.
        """
        loop = self._loop
        if loop is None or loop.is_closed() or not loop.is_running():
            self._queue.cancel()
            return None
        if threading.get_ident() == self._thread:
            return loop.create_task(self.shutdown(force=True))
        return asyncio.run_coroutine_threadsafe(self.shutdown(force=True), loop)

    async def __aenter__(self: Q) -> Q:
        return await self.start()

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None, traceback: Any) -> None:
        await self.shutdown(force=error is not None)

    # What is behind it.

    def _bind(self, loop: asyncio.AbstractEventLoop) -> None:
        """From now on tasks run on that loop, until it ends."""
        bound = self._loop
        if bound is not loop and bound is not None and not bound.is_closed() and (self._runners or self._running):
            raise RuntimeError('the queue works on another event loop')
        self._ending = False
        self._note_hindrance()
        if bound is loop:
            return
        # What was begun on a loop that is gone will not go on.
        for at in list(self._runners.values()):
            if at is not None:
                self._cancel_handle(at[0])
        self._runners.clear()
        self._idle.clear()
        self._rung = False
        self._interrupted.clear()
        self._loop = loop
        self._thread = threading.get_ident()
        # Nobody was there for what the core may have told meanwhile.
        self._ring()

    def _loop_is_ending(self) -> bool:
        """Whether somebody cancels everything, as asyncio.run() does in the end."""
        loop = self._loop
        return loop is None or loop.is_closed() or all(task.cancelling() for task in asyncio.all_tasks(loop))

    def _end_with_loop(self) -> None:
        """Begins nothing more on this loop."""
        self._ending = True
        self._note_hindrance()
        while self._taken:
            self._cancel_handle(self._taken.popleft()[0])

    def _note_hindrance(self) -> None:
        self._hindered = self._ending or self._pid == 0

    def _check_usable(self) -> None:
        super()._check_usable()
        if self._ending and threading.get_ident() == self._thread:
            # Somebody goes on: it was not the end of the loop.
            self._ending = False
            self._note_hindrance()
            self._ring()

    def _check_outside(self, what: str) -> None:
        if self._in_own_task():
            raise RuntimeError(f'{what} in a task of the same queue would wait for itself')

    def _submit_all(self, handles: list[TaskHandle]) -> list[TaskHandle]:
        if self._size and self.active_count + self.pending_count + len(handles) > self._size:
            self._check_usable()
            raise QueueFullError(f'queue is full ({self._size} tasks outstanding)')
        return super()._submit_all(handles)

    def _own_task(self) -> TaskHandle | None:
        try:
            task = asyncio.current_task()
        except RuntimeError:
            return None
        if task not in self._runners:
            return None
        at = self._runners[task]
        return None if at is None else at[0]

    def _workers_changed(self) -> None:
        core = getattr(self, '_queue', None)
        if core is not None:
            self._n_workers = int(core.get_workers())
            self._ring()

    def _lend_worker(self, n: int) -> None:
        self._queue.set_workers(self._queue.get_workers() + n)

    async def _call(self, fn: Callable[..., T], *arguments: Any) -> T:
        """Makes a blocking call of the core, in a thread of its own."""
        loop = asyncio.get_running_loop()
        future: asyncio.Future[T] = loop.create_future()
        cancellable = Gio.Cancellable()

        def resolve(value: Any, error: BaseException | None) -> None:
            if future.done():
                return
            if error is None:
                future.set_result(value)
            else:
                future.set_exception(error)

        def call() -> None:
            value, failure = None, None
            try:
                value = fn(*arguments, cancellable)
            except BaseException as error:
                failure = error
            try:
                loop.call_soon_threadsafe(resolve, value, failure)
            except RuntimeError:
                # The loop is closed; nobody waits any more.
                pass

        threading.Thread(target=call, name='osiiso-call', daemon=True).start()
        try:
            return await future
        except BaseException:
            cancellable.cancel()
            raise

    async def _settle_all(self) -> None:
        """What has ended elsewhere is told here by the loop, one turn later."""
        target = int(self._queue.get_completed_count())
        while self._n_settled() < target:
            await asyncio.sleep(0 if self._rung else 0.001)

    # Taking tasks from the core.

    def _ring(self) -> None:
        """There is something to be taken. Any thread."""
        loop = self._loop
        if self._rung or loop is None:
            return
        self._rung = True
        try:
            if threading.get_ident() == self._thread:
                loop.call_soon(self._pump)
            else:
                loop.call_soon_threadsafe(self._pump)
        except RuntimeError:
            # The loop is closed.
            self._rung = False

    def _pump(self) -> None:
        """Takes what may begin now, and has a runner for each, unless one is about to look."""
        self._rung = False
        loop = self._loop
        limit = min(self._n_workers - len(self._taken), MAX_TAKEN)
        if self._ending or loop is None:
            return
        if limit > 0:
            slots = self._slots.slots
            slots[1] = 0
            n = _core.exchange_tokens(self._slots.address, limit)
            found = iter(slots[4:4 + 3 * n])
            for token, task_id, attempt in zip(found, found, found):
                handle = self._table.get(token)
                if handle is not None:
                    self._taken.append((handle, task_id, attempt))
        for _ in range(len(self._taken) - len(self._idle)):
            # In a context where nothing is set, so that tasks cannot tell which one they are in.
            runner: asyncio.Task[None] = Context().run(self._new_runner, loop)
            # The loop itself would let go of it.
            self._runners[runner] = None
            self._idle.add(runner)
            runner.add_done_callback(self._runner_ended)

    def _new_runner(self, loop: asyncio.AbstractEventLoop) -> asyncio.Task[None]:
        return loop.create_task(self._run_tasks(), name='osiiso-worker')

    def _runner_ended(self, runner: asyncio.Task[None]) -> None:
        if runner not in self._runners:
            # It came to its end by itself, or belongs to a loop that is gone.
            return
        at = self._runners.pop(runner)
        self._idle.discard(runner)
        if at is not None:
            self._cancel_handle(at[0])
        if not runner.cancelled() and (error := runner.exception()) is not None:
            log.error('a worker ended by %r', error, exc_info=error)
        if self._loop_is_ending():
            self._end_with_loop()
        else:
            self._ring()

    async def _run_tasks(self) -> None:
        """One of the workers: goes on as long as there is a task for it."""
        me = asyncio.current_task()
        assert me is not None
        self._idle.discard(me)
        taken = self._taken
        table = self._table
        pop = table.pop
        append = self._results.append
        runners = self._runners
        exchange = _core.exchange_tokens
        slots, address = self._slots.slots, self._slots.address
        clock = time.perf_counter
        is_told = self._on_start is not None or self._on_retry is not None
        is_quick = self._on_complete is None
        known, is_coroutine = None, False
        now = clock()
        until = now + _SLICE
        more = 0
        is_clean = True
        while is_clean:
            if more:
                token, task_id, attempt = slots[4], slots[5], slots[6]
                more = 0
                handle = table.get(token)
                if handle is None:
                    # Cancelled between there and here.
                    continue
            elif now > until:
                self._idle.add(me)
                await asyncio.sleep(0)
                self._idle.discard(me)
                now = clock()
                until = now + _SLICE
                continue
            elif taken:
                handle, task_id, attempt = taken.popleft()
                if self._interrupted and self._interrupted.pop(task_id, None) == attempt:
                    continue
            else:
                slots[1] = 0
                more = 0 if self._ending else exchange(address, 1)
                if more:
                    continue
                runners.pop(me, None)
                return
            handle._attempts = attempt
            if attempt == 1:
                handle._started = now
            else:
                handle._state = None
            if is_told:
                self._begin_attempt(handle, task_id, attempt)
            call = handle._call
            if call is None:
                # Cancelled by the hook.
                continue
            fn = handle._fn
            taking = runners[me] = self._current = handle, task_id, attempt
            try:
                if fn is not known:
                    known, is_coroutine = fn, inspect.iscoroutinefunction(fn)
                if type(call) is Call:
                    value = await _run_in_context(fn, call)
                elif type(call) is not tuple:
                    value = await (fn(call) if is_coroutine else _call_other(fn, call))
                elif is_coroutine:
                    value = await fn(*call)
                else:
                    value = await _call_other(fn, *call)
            except GeneratorExit:
                # This worker is thrown away.
                raise
            except BaseException as error:
                back = self._come_back(me, taking)
                if back == _GONE:
                    return
                if back == _INTERRUPTED:
                    # The core was the first to know.
                    pass
                elif not isinstance(error, asyncio.CancelledError):
                    self._attempt_failed(handle, task_id, attempt, error)
                elif me.cancelling():
                    # The loop ends, or somebody ended this worker; see _runner_ended().
                    raise
                else:
                    # The task has cancelled itself.
                    self._cancel_handle(handle)
                now = clock()
                until = now + _SLICE
                # The next one must not find what this one has left.
                is_clean = not copy_context()
            else:
                if self._come_back(me, taking) == _GONE:
                    return
                if me.cancelling():
                    raise asyncio.CancelledError
                now = clock()
                if self._current is not taking:
                    # Others had their turn.
                    until = now + _SLICE
                is_clean = not copy_context()
                slots[1] = task_id
                slots[2] = attempt
                more = exchange(address, 0 if now > until or taken or self._ending or not is_clean else 1)
                if slots[3] and pop(handle._token, None) is not None:
                    # As _settle_success() does.
                    handle._value = value
                    handle._finished = now
                    handle._final = 'succeeded'
                    handle._call = None
                    if is_quick and handle._listeners is None:
                        append(handle)
                    else:
                        # Others may begin something meanwhile.
                        following = slots[4:7]
                        self._tell_success(handle)
                        slots[4], slots[5], slots[6] = following
                value = None
            runners[me] = None
        # Another one takes its place.
        runners.pop(me, None)
        self._ring()

    def _come_back(self, runner: asyncio.Task[Any], taking: _Taken) -> int:
        """How that runner comes back from a task."""
        if self._runners.get(runner) is not taking:
            # The queue works on another loop now.
            return _GONE
        if self._interrupted and self._interrupted.pop(taking[1], None) == taking[2]:
            runner.uncancel()
            return _INTERRUPTED
        return _AS_USUAL

    # Ends that come from elsewhere.

    def _interrupt(self, task_id: int, attempt: int) -> None:
        """That attempt was ended by a timeout or a cancellation. Any thread."""
        if threading.get_ident() == self._thread:
            self._interrupt_here(task_id, attempt)
            return
        loop = self._loop
        try:
            if loop is not None:
                loop.call_soon_threadsafe(self._interrupt_here, task_id, attempt)
        except RuntimeError:
            # The loop is closed.
            pass

    def _interrupt_here(self, task_id: int, attempt: int) -> None:
        for runner, at in self._runners.items():
            if at is not None and at[1] == task_id and at[2] == attempt:
                self._interrupted[task_id] = attempt
                runner.cancel()
                return
        for _, taken_id, taken_attempt in self._taken:
            if taken_id == task_id and taken_attempt == attempt:
                self._interrupted[task_id] = attempt
                return

    def _settle_ends(self, ends: Iterable[tuple[TaskHandle, Status, BaseException | None, str]]) -> None:
        loop = self._loop
        if loop is None or threading.get_ident() == self._thread or not loop.is_running():
            super()._settle_ends(ends)
            return
        try:
            loop.call_soon_threadsafe(super()._settle_ends, ends)
        except RuntimeError:
            # The loop is closed: nobody but this thread is left to tell.
            super()._settle_ends(ends)


def _refuse_token(_token: int, _task_id: int, _attempt: int, *_: Any) -> int:
    return 0
