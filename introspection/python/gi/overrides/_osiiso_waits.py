# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the override of gi.repository.Osiiso waits: interruptible, and on a loop of asyncio."""
from __future__ import annotations

import _thread
import asyncio
import collections
import concurrent.futures
import contextlib
import functools
import os
import signal
import socket
import threading
import time
from collections.abc import Awaitable, Callable, Iterable, Iterator
from typing import TYPE_CHECKING, Any, cast

from gi import _ossighelper
from gi.module import get_introspection_module
from gi.repository import Gio, GLib, GObject

from ._osiiso_calls import (ASYNCS, FORGET, READY, RUN, TimedOut, call_library, calls, is_in_task, local, numbers, of,
                            once_source, queues, waits)

if TYPE_CHECKING:
    from gi.repository import Osiiso
else:
    Osiiso = get_introspection_module('Osiiso')

# How long a wait goes without a look at what has happened in Python, in seconds.
_PIECE = 0.1


def admit(queue: Osiiso.Queue | None, n: int, options: Osiiso.TaskOptions | None,
          submit: Callable[[Osiiso.TaskOptions | None], Any]) -> Any:
    """Calls submit(options), which blocks while the queue is full."""
    if queue is None or is_in_task() or queue.get_size() == 0 or (
            queue.get_active_count() + queue.get_pending_count() + n <= queue.get_size()):
        return submit(options)
    backend = queue.get_backend()
    if backend is None or (backend.get_capabilities() & Osiiso.BackendCapabilities.CLOSURES and _owns(queue)):
        # Nobody would make room.
        return submit(options)
    # Another thread waits: the library cannot tell this one to stop but by a
    # cancellable, which the task keeps.
    cancellable = Gio.Cancellable()
    if options is None:
        options = Osiiso.TaskOptions(cancellable=cancellable)
    elif options.get_cancellable() is None:
        options = options.copy()
        options.set_cancellable(cancellable)
    future: concurrent.futures.Future[Any] = concurrent.futures.Future()

    def wait() -> None:
        try:
            future.set_result(submit(options))
        except BaseException as error:
            future.set_exception(error)

    with _interruptible(None) as interrupted:
        try:
            threading.Thread(target=wait, name='osiiso-submit', daemon=True).start()
            while not interrupted.is_cancelled():
                with contextlib.suppress(concurrent.futures.TimeoutError):
                    return future.result(_PIECE) if not future.done() else future.result()
        except BaseException:
            if not future.done():
                cancellable.cancel()
            raise
        cancellable.cancel()


# Waits.
#
# A handler of signals may raise after any call of a function, and in a thread so may
# PyThreadState_SetAsyncExc(). What has to be undone is therefore done inside the try
# block that undoes it, which then looks whether it was done.

@contextlib.contextmanager
def _linked(cancellable: Gio.Cancellable | None, own: Gio.Cancellable) -> Iterator[None]:
    """Has that one cancelled along with the first."""
    if cancellable is None:
        yield
        return

    def pass_on(*_: object) -> None:
        own.cancel()

    try:
        GObject.Object.connect(cancellable, 'cancelled', pass_on)
        if cancellable.is_cancelled():
            own.cancel()
        yield
    finally:
        with contextlib.suppress(TypeError):
            # Unless it was not connected.
            GObject.Object.disconnect_by_func(cancellable, pass_on)


@contextlib.contextmanager
def _interruptible(cancellable: Gio.Cancellable | None) -> Iterator[Gio.Cancellable]:
    """Gives a cancellable that Ctrl-C cancels, too; KeyboardInterrupt follows.

    Other handlers of signals may raise what they like in a wait.
    """
    own = Gio.Cancellable()
    interrupted: list[bool] = []

    def interrupt() -> None:
        interrupted.append(True)
        own.cancel()
        if local.depth:
            # It is in a function that would go on otherwise.
            raise KeyboardInterrupt

    with _ossighelper.register_sigint_fallback(interrupt), _linked(cancellable, own):
        try:
            yield own
        except GLib.Error:
            # What the interrupt has led to; itself it is raised by the one above.
            if not interrupted:
                raise


def _watch(here: socket.socket, cancellable: Gio.Cancellable) -> None:
    with here:
        while received := here.recv(64):
            if signal.SIGINT in received:
                cancellable.cancel()


_set_wakeup_fd = functools.partial(signal.set_wakeup_fd, warn_on_full_buffer=False)


def _in_task(name: str, instance: GObject.Object, arguments: tuple[Any, ...],
             cancellable: Gio.Cancellable | None) -> Any:
    """Waits in a task: in one piece, because the library tells waits that could never end."""
    if threading.get_ident() != threading.main_thread().ident:
        return call_library(name, instance, *arguments, of(cancellable))
    # The main thread is in the library: another one hears of Ctrl-C, and cancels the wait.
    own = Gio.Cancellable()
    here, there = socket.socketpair()
    there.setblocking(False)
    before: list[int] = []
    with here, there, _linked(cancellable, own):
        try:
            # In one call, so that what was there before is known whatever comes after it.
            before.extend(map(_set_wakeup_fd, (there.fileno(),)))
            threading.Thread(target=_watch, args=(here.dup(), own), name='osiiso-watch', daemon=True).start()
            return call_library(name, instance, *arguments, of(own))
        finally:
            if before:
                signal.set_wakeup_fd(before[0])


def in_pieces(name: str, instance: GObject.Object, timeout: float, cancellable: Gio.Cancellable | None) -> Any:
    """Waits with a call that has a timeout."""
    if is_in_task():
        return _in_task(name, instance, (timeout,), cancellable)
    deadline = time.monotonic() + timeout if timeout >= 0 else float('inf')
    with _interruptible(cancellable) as cancellable:
        while True:
            left = deadline - time.monotonic()
            try:
                return call_library(name, instance, max(0.0, min(_PIECE, left)) if timeout == timeout else timeout,
                                    of(cancellable))
            except TimedOut:
                if left <= _PIECE:
                    raise


def _default() -> GLib.MainContext:
    """The context in which callbacks come that this thread asks for."""
    return GLib.MainContext.get_thread_default() or GLib.MainContext.default()


def _owns(queue: Osiiso.Queue) -> bool:
    """Whether this is the thread that owns the queue."""
    context = queue.get_context()
    return bool(context.is_owner() or context == _default() or (queues.get(queue) or (0,))[0] == threading.get_ident())


def _begin(name: str, instance: GObject.Object, arguments: tuple[Any, ...], cancellable: Gio.Cancellable | None,
           ready: Callable[[GObject.Object, Gio.AsyncResult], object]) -> None:
    number = next(numbers)
    waits[number] = ready
    if name in ('queue_submit', 'queue_push', 'queue_map', 'group_submit'):
        *more, call, options = arguments
        calls[number] = call
        arguments = *more, RUN, number, FORGET, of(options)
    ASYNCS[name](of(instance), *arguments, of(cancellable), READY, number)


class _Service:
    """The thread that begins calls, and hears of their ends, for those who wait for them.

    The ends come in a main context, which a loop of asyncio does not have. Nothing is
    raised in this thread by others.
    """

    def __init__(self) -> None:
        self._context: GLib.MainContext | None = None
        self._begin: collections.deque[Callable[[], None]] = collections.deque()
        self._waking: dict[object, GLib.MainContext] = {}

    def call(self, begin: Callable[[], None]) -> None:
        self._begin.append(begin)
        self.ensure()

    def ensure(self) -> None:
        """Has the thread look what is to be begun."""
        context = self._context
        if context is not None:
            context.wakeup()
        else:
            # One that comes too late goes away again. No Thread, which would be waited for: an
            # exception that is sent to the caller this moment may hit the new one instead.
            _thread.start_new_thread(self._main, ())

    def wake(self, whom: object, context: GLib.MainContext | None) -> None:
        """Wakes up that context again and again, for its thread to look what has happened in Python.

        Only to be called in this thread.
        """
        if context is not None:
            self._waking[whom] = context
        else:
            self._waking.pop(whom, None)

    def _main(self) -> None:
        context = GLib.MainContext.new()
        with _service_lock:
            if self._context is not None:
                self._context.wakeup()
                return
            context.push_thread_default()
            self._context = context
        tick: GLib.Source | None = None
        while True:
            while self._begin:
                self._begin.popleft()()
            if self._waking and tick is None:
                tick = GLib.timeout_source_new(int(_PIECE * 1000))
                # No function, which there would be nothing for.
                GObject.source_set_dummy_callback(tick)
                tick.attach(context)
            elif tick is not None and not self._waking:
                tick.destroy()
                tick = None
            context.iteration(True)
            for other in self._waking.values():
                other.wakeup()


_service_lock = threading.Lock()
_service = _Service()


class _Completion:
    """The end of a call with an asynchronous twin, for a thread that blocks until then."""

    def __init__(self, begin: Callable[[Callable[[GObject.Object, Gio.AsyncResult], object]], None],
                 cancellable: Gio.Cancellable, context: GLib.MainContext | None) -> None:
        self._call = begin
        self._cancellable = cancellable
        self._context = context         # which is to be iterated meanwhile, if any
        self._result: Gio.AsyncResult | None = None
        self._error: Exception | None = None
        self._mark: GLib.Source | None = None   # behind what the context had to tell by then
        self._turn = threading.Lock()   # for whoever begins it, or keeps it from beginning
        self._bell = threading.Lock()
        self._bell.acquire()

    def wait(self) -> Gio.AsyncResult:
        try:
            _service.call(self._begin)
            self._wait()
        except BaseException:
            self._cancellable.cancel()
            if not self._turn.acquire(blocking=False):
                # Then it is not in the way of the next one.
                self._wait()
            raise
        if self._error is not None:
            raise self._error
        assert self._result is not None
        return self._result

    def _begin(self) -> None:
        if not self._turn.acquire(blocking=False):
            return
        _service.wake(self, self._context)
        self._ring()
        try:
            self._call(self._ready)
        except Exception as error:
            self._error = error
            self._ready(None, None)

    def _ready(self, _: object, result: Gio.AsyncResult | None) -> None:
        _service.wake(self, None)
        if self._context is not None:
            self._mark = once_source()
        # Whoever sees it sees the mark as well, and the context wakes up after that.
        self._result = result
        if self._mark is not None:
            self._mark.attach(self._context)
        self._ring()

    def _ring(self) -> None:
        with contextlib.suppress(RuntimeError):
            # It may not have been heard yet.
            self._bell.release()

    def _is_over(self) -> bool:
        return self._result is not None or self._error is not None

    def _wait(self) -> None:
        while not self._turn.locked():
            self._bell.acquire(timeout=_PIECE)
            _service.ensure()
        while not (self._iterate(self._context) if self._context is not None else self._is_over()):
            self._bell.acquire(timeout=_PIECE)

    def _iterate(self, context: GLib.MainContext) -> bool:
        """Iterates it to the end of the call, if no other thread has it; whether it is over."""
        was_owner, before = context.is_owner(), _default()

        def leave() -> None:
            if before != context and _default() == context:
                context.pop_thread_default()
            while not was_owner and context.is_owner():
                context.release()

        try:
            if not was_owner and not context.acquire():
                return self._is_over()
            if before != context:
                context.push_thread_default()
            while not self._is_over() or self._mark is not None and not self._mark.is_destroyed():
                context.iteration(True)
            leave()
            return True
        finally:
            # Or the rest of it.
            leave()


def complete(name: str, queue: Osiiso.Queue, arguments: tuple[Any, ...], cancellable: Gio.Cancellable | None) -> Any:
    """Waits with a call that has an asynchronous twin."""
    if is_in_task():
        return _in_task(name, queue, arguments, cancellable)
    with _interruptible(cancellable) as own:
        result = _Completion(lambda ready: _begin(name, queue, arguments, own, ready), own,
                             queue.get_context() if _owns(queue) else None).wait()
        return call_library(name + '_finish', queue, of(result))


def _resolve(future: asyncio.Future[Gio.AsyncResult], result: Gio.AsyncResult) -> None:
    if not future.done():
        future.set_result(result)


async def await_call(name: str, instance: GObject.Object, arguments: tuple[Any, ...],
                     cancellable: Gio.Cancellable | None = None) -> Any:
    """The result of an asynchronous call, on whatever loop of asyncio runs."""
    loop = asyncio.get_running_loop()
    future: asyncio.Future[Gio.AsyncResult] = loop.create_future()
    own = cancellable or Gio.Cancellable()

    def ready(_: GObject.Object, result: Gio.AsyncResult) -> None:
        with contextlib.suppress(RuntimeError):
            # Unless the loop is closed.
            loop.call_soon_threadsafe(_resolve, future, result)

    def begin() -> None:
        try:
            _begin(name, instance, arguments, own, ready)
        except Exception as error:
            with contextlib.suppress(RuntimeError):
                loop.call_soon_threadsafe(future.set_exception, error)

    try:
        _service.call(begin)
        result = await future
    except BaseException:
        own.cancel()
        raise
    return call_library(name + '_finish', instance, of(result))


def start_async(name: str, instance: GObject.Object, arguments: tuple[Any, ...], cancellable: Gio.Cancellable | None,
                callback: Callable[..., object] | None, data: Iterable[Any]) -> Awaitable[Any]:
    """With a callback as the library has it; without one it is to be awaited."""
    if callback is None:
        return await_call(name, instance, arguments, cancellable)
    hear = callback
    _begin(name, instance, arguments, cancellable, lambda source, result: hear(source, result, *data))
    return cast(Awaitable[Any], None)


def _forked() -> None:
    """In a child process, where no other thread is."""
    global _service, _service_lock
    _service, _service_lock = _Service(), threading.Lock()


os.register_at_fork(after_in_child=_forked)
