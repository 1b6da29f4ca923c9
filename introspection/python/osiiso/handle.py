# SPDX-License-Identifier: LGPL-2.1-or-later
"""What a submit returns: the view of one task."""
from __future__ import annotations

import asyncio
import concurrent.futures
import itertools
import logging
import os
import threading
import uuid
from collections.abc import Callable, Generator, Mapping
from contextvars import Context
from typing import TYPE_CHECKING, Any

from .options import TaskOptions
from .result import Status, TaskResult, _ResultView

log = logging.getLogger('osiiso.handle')

# Guards what is added to a handle while its task may end: waiters and callbacks. One
# for all, because it is held for a moment and only by who waits.
_attach_lock = threading.Lock()

_id_prefix = uuid.uuid4().hex[:16]
_id_numbers = itertools.count(1)


def _begin_child() -> None:
    global _id_prefix, _attach_lock
    _id_prefix = uuid.uuid4().hex[:16]
    # Somebody may have had it.
    _attach_lock = threading.Lock()


os.register_at_fork(after_in_child=_begin_child)


def name_of(fn: Any) -> str:
    """What a task is called that was given no name."""
    name = getattr(fn, '__name__', None)
    if name is None and hasattr(fn, '__await__'):
        code = getattr(fn, 'cr_code', None)
        name = getattr(code, 'co_name', None) or getattr(fn, '__name__', None)
    return str(name) if name is not None else type(fn).__name__


class Call:
    """How to call a function, when there is more to it than arguments.

    Without a context it is to be called in an empty one.
    """

    __slots__ = ('args', 'kwargs', 'context')

    def __init__(self, args: tuple[Any, ...], kwargs: Mapping[str, Any], context: Context | None) -> None:
        self.args = args
        self.kwargs = kwargs
        self.context = context

    def new_context(self) -> Context:
        """What a call of its own gets."""
        return self.context.copy() if self.context is not None else Context()

    def run(self, fn: Callable[..., Any]) -> Any:
        return self.new_context().run(fn, *self.args, **self.kwargs)


def arguments_of(call: Any) -> tuple[tuple[Any, ...], Mapping[str, Any]]:
    """Positional arguments and keywords of what a handle keeps to call its function."""
    if type(call) is tuple:
        return call, _NO_KEYWORDS
    return (call.args, call.kwargs) if type(call) is Call else ((call,), _NO_KEYWORDS)


_NO_KEYWORDS: dict[str, Any] = {}


class _Listeners:
    """Who wants to hear of an end: first those that wait, then callbacks."""

    __slots__ = ('waiters', 'callbacks')

    def __init__(self) -> None:
        self.waiters: list[Callable[[], None]] = []
        self.callbacks: list[Callable[[Any], object]] = []


_DEFAULTS: dict[str, Any] = {
    '_state': None, '_attempts': 0, '_failure': None, '_value': None, '_error': None, '_message': '',
    '_started': None, '_finished': 0.0, '_waits_for': None, '_id': None, '_scheduled_for': None,
    '_token': 0, '_task': 0,
}


class BaseHandle:
    """What both kinds of handles are.

    Making one stores only what is looked at for each task; what else was not stored
    yet is in _DEFAULTS.
    """

    __slots__ = ('_queue', '_fn', '_call', '_options', '_created', '_final', '_listeners', '_result', *_DEFAULTS, '__weakref__')

    _pending_error: type[Exception] = RuntimeError
    _cancelled_error: type[BaseException] = concurrent.futures.CancelledError

    _queue: Any
    _fn: Any
    # The arguments: a tuple, more than that, or the only one. None when the task is over.
    _call: Any
    _options: TaskOptions
    _created: float
    _final: Status | None                # written last
    _listeners: _Listeners | None
    _token: int
    _task: int                           # the core's number of it
    _state: Status | None                # when it is not what _attempts says
    _attempts: int
    _failure: tuple[int, BaseException] | None
    _value: Any
    _error: BaseException | None
    _message: str
    _started: float | None
    _finished: float
    _waits_for: BaseHandle | None
    _result: TaskResult | None
    _id: str | None
    _scheduled_for: float | None

    def __init__(self, queue: Any, fn: Any, call: tuple[Any, ...] | Call, options: TaskOptions,
                 created: float) -> None:
        self._queue = queue
        self._fn = fn
        self._call = call
        self._options = options
        self._created = created
        self._final = None
        self._listeners = None
        self._result = None

    if not TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any:
            try:
                return _DEFAULTS[name]
            except KeyError:
                raise AttributeError(f'{type(self).__name__!r} object has no attribute {name!r}') from None

    # What the task was submitted with.

    @property
    def task_id(self) -> str:
        """32 hexadecimal digits."""
        if self._id is None:
            with _attach_lock:
                if self._id is None:
                    # Not a random number for each: that alone costs more than a task.
                    self._id = f'{_id_prefix}{next(_id_numbers):016x}'
        return self._id

    @property
    def name(self) -> str:
        """What the options say, or what the function is called."""
        return self._options.name or name_of(self._fn)

    @property
    def priority(self) -> int:
        """Lower numbers run first."""
        return self._options.priority

    @property
    def must_complete(self) -> bool:
        """Whether the task outlives the time limit of a run."""
        return self._options.must_complete

    @property
    def created_at(self) -> float:
        """When it was submitted, on ``time.perf_counter()``."""
        return self._created

    @property
    def group_id(self) -> str | None:
        """The id of its group."""
        return self._options.group_id

    @property
    def detached(self) -> bool:
        """Whether summaries leave it out."""
        return self._options.detached

    @property
    def scheduled_for(self) -> float | None:
        """When a delayed task may begin, on ``time.perf_counter()``."""
        return self._scheduled_for

    @property
    def metadata(self) -> Any:
        """What the options carry for the submitter."""
        return self._options.metadata

    # What has become of it.

    @property
    def status(self) -> Status:
        """pending, running, retrying, succeeded, failed or cancelled."""
        known = self._final or self._state
        if known is not None:
            return known
        if self._attempts == 0:
            return 'pending'
        # Only the core has heard of a timeout, as long as no attempt follows.
        return 'running' if self._options.timeout is None else self._queue._running_status(self)

    @property
    def attempts(self) -> int:
        """How often it was begun."""
        return self._attempts

    def done(self) -> bool:
        """Whether the task is over."""
        return self._final is not None

    def cancelled(self) -> bool:
        """Whether it was cancelled."""
        return self._final == 'cancelled'

    def result(self) -> TaskResult:
        """The record of the finished task."""
        if self._final is None:
            raise self._pending_error('result not ready')
        if self._result is None:
            self._result = _ResultView(self)
        return self._result

    def exception(self) -> BaseException | None:
        """What the task has failed with, or None."""
        if self._final is None:
            raise self._pending_error('result not ready')
        return self._error

    def value(self) -> Any:
        """What the function has returned; raises what it has raised."""
        final = self._final
        if final == 'succeeded':
            return self._value
        if final is None:
            raise self._pending_error('result not ready')
        if final == 'cancelled':
            raise self._cancelled_error(self._message)
        assert self._error is not None
        raise self._error

    def cancel(self) -> bool:
        """Asks for the task to be cancelled; False when it is over already."""
        if self._final is not None or self._queue is None:
            return False
        return bool(self._queue._cancel_handle(self))

    def add_done_callback(self, fn: Callable[[Any], object]) -> None:
        """Calls ``fn(handle)`` when the task is over, or now if it is."""
        if not self._attach('callbacks', fn):
            self._call_back(fn)

    def __repr__(self) -> str:
        return f'{type(self).__name__}({self.name!r}, status={self.status!r}, id={self.task_id[:8]})'

    # For the queue.

    def _finish(self, final: Status, value: Any, error: BaseException | None, message: str, when: float) -> None:
        """Publishes the end; whoever calls it is the only one."""
        if value is not None:
            self._value = value
        self._error = error
        self._message = message
        self._finished = when
        # In this order: see _attach().
        self._final = final
        self._call = None
        if self._listeners is not None:
            self._tell()

    def _tell(self) -> None:
        with _attach_lock:
            listeners, self._listeners = self._listeners, None
        if listeners is None:
            return
        for waiter in listeners.waiters:
            waiter()
        for callback in listeners.callbacks:
            self._call_back(callback)

    def _add_waiter(self, waiter: Callable[[], None]) -> bool:
        """False when the task is over, and nothing will be called."""
        return self._attach('waiters', waiter)

    def _attach(self, place: str, listener: Callable[..., object]) -> bool:
        """Adds a listener; False when the task is over, and it will not be called.

        Who ends the task does not take the lock: he writes ``_final`` and then looks
        for listeners. So this adds the listener first, and looks at ``_final`` then:
        one of the two sees what the other has written. With the lock here, only one
        of them acts on it.
        """
        with _attach_lock:
            if self._final is not None:
                return False
            listeners = self._listeners
            if listeners is None:
                listeners = self._listeners = _Listeners()
            added = getattr(listeners, place)
            added.append(listener)
            if self._final is None:
                return True
            # It has ended meanwhile. Whoever ended it may have found no listeners, or is
            # waiting for the lock to call the others.
            del added[-1]
            return False

    def _remove_waiter(self, waiter: Callable[[], None]) -> None:
        with _attach_lock:
            if self._listeners is not None and waiter in self._listeners.waiters:
                self._listeners.waiters.remove(waiter)

    def _call_back(self, fn: Callable[[Any], object]) -> None:
        try:
            fn(self)
        except BaseException:
            # Not even an exit: this may be a thread of the library, which cannot take it.
            log.exception('a done callback of %r failed', self)


class TaskHandle(BaseHandle):
    """The view of a task of an AsyncQueue or a SharedQueue. Can be awaited."""

    __slots__ = ()

    _pending_error = asyncio.InvalidStateError
    _cancelled_error = asyncio.CancelledError

    def __await__(self) -> Generator[Any, None, TaskResult]:
        if self._final is None:
            yield from self._wait().__await__()
        return self.result()

    async def wait(self) -> TaskResult:
        """Waits until the task is over; any event loop.

        A task of the same queue holds no worker while it waits.
        """
        if self._final is None:
            await self._wait()
        return self.result()

    async def _wait(self) -> None:
        queue = self._queue
        own = queue._own_task() if queue is not None else None
        if queue is None or own is None:
            await self._wait_here()
            return
        other: BaseHandle | None = self
        while other is not None:
            if other is own:
                raise RuntimeError('a task would wait for itself')
            other = other._waits_for
        own._waits_for = self
        queue._lend_worker(1)
        try:
            await self._wait_here()
        finally:
            own._waits_for = None
            queue._lend_worker(-1)

    async def _wait_here(self) -> None:
        loop = asyncio.get_running_loop()
        future = loop.create_future()

        def resolve() -> None:
            if not future.done():
                future.set_result(None)

        def wake() -> None:
            try:
                running: asyncio.AbstractEventLoop | None = asyncio.get_running_loop()
            except RuntimeError:
                running = None
            if running is loop:
                resolve()
                return
            try:
                loop.call_soon_threadsafe(resolve)
            except RuntimeError:
                # That loop is closed; nobody waits any more.
                pass

        if self._add_waiter(wake):
            try:
                await future
            finally:
                self._remove_waiter(wake)


class SyncTaskHandle(BaseHandle):
    """The view of a task of a ThreadQueue or a ProcessQueue."""

    __slots__ = ()

    def wait(self, timeout: float | None = None) -> TaskResult:
        """Blocks until the task is over; TimeoutError if that takes longer."""
        if self._final is None:
            queue = self._queue
            if queue is not None and queue._in_own_task():
                queue._wait_in_task(self, timeout)
            else:
                event = threading.Event()
                if self._add_waiter(event.set) and not event.wait(timeout):
                    self._remove_waiter(event.set)
                    if self._final is None:
                        raise TimeoutError('result not ready')
        return self.result()
