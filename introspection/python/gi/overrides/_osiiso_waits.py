# SPDX-License-Identifier: LGPL-2.1-or-later
"""How the override of gi.repository.Osiiso waits: interruptible, and on a loop of asyncio."""
from __future__ import annotations

import asyncio
import collections
import concurrent.futures
import contextlib
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
                            queues, waits)

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
        threading.Thread(target=wait, name='osiiso-submit', daemon=True).start()
        try:
            while not interrupted.is_cancelled():
                with contextlib.suppress(concurrent.futures.TimeoutError):
                    return future.result(_PIECE) if not future.done() else future.result()
        except BaseException:
            if not future.done():
                cancellable.cancel()
            raise
        cancellable.cancel()


# Waits.

@contextlib.contextmanager
def _linked(cancellable: Gio.Cancellable | None) -> Iterator[Gio.Cancellable]:
    """Gives another cancellable that is cancelled along with that one."""
    own = Gio.Cancellable()
    handler = 0
    if cancellable is not None:
        handler = GObject.Object.connect(cancellable, 'cancelled', lambda *_: own.cancel())
        if cancellable.is_cancelled():
            own.cancel()
    try:
        yield own
    finally:
        if handler:
            GObject.Object.disconnect(cancellable, handler)


@contextlib.contextmanager
def _interruptible(cancellable: Gio.Cancellable | None) -> Iterator[Gio.Cancellable]:
    """Gives a cancellable that Ctrl-C cancels, too; KeyboardInterrupt follows.

    Other handlers of signals may raise what they like in a wait.
    """
    interrupted: list[bool] = []

    def interrupt() -> None:
        interrupted.append(True)
        own.cancel()
        if local.depth:
            # It is in a function that would go on otherwise.
            raise KeyboardInterrupt

    with _linked(cancellable) as own, _ossighelper.register_sigint_fallback(interrupt):
        try:
            yield own
        except GLib.Error:
            # What the interrupt has led to; itself it is raised by the one above.
            if not interrupted:
                raise


@contextlib.contextmanager
def _watched(cancellable: Gio.Cancellable) -> Iterator[None]:
    """Ctrl-C cancels that while the main thread is in the library."""
    here, there = socket.socketpair()
    there.setblocking(False)

    def watch() -> None:
        while received := here.recv(64):
            if signal.SIGINT in received:
                cancellable.cancel()
        here.close()

    before = signal.set_wakeup_fd(there.fileno(), warn_on_full_buffer=False)
    threading.Thread(target=watch, name='osiiso-watch', daemon=True).start()
    try:
        yield
    finally:
        signal.set_wakeup_fd(before)
        there.close()


def _in_task(name: str, instance: GObject.Object, arguments: tuple[Any, ...],
             cancellable: Gio.Cancellable | None) -> Any:
    """Waits in a task: in one piece, because the library tells waits that could never end."""
    if threading.get_ident() != threading.main_thread().ident:
        return call_library(name, instance, *arguments, of(cancellable))
    with _linked(cancellable) as own, _watched(own):
        return call_library(name, instance, *arguments, of(own))


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


def _owns(queue: Osiiso.Queue) -> bool:
    """Whether this is the thread that owns the queue."""
    context = queue.get_context()
    default = GLib.MainContext.get_thread_default() or GLib.MainContext.default()
    return bool(context.is_owner() or context == default or queues.get(of(queue), (0,))[0] == threading.get_ident())


@contextlib.contextmanager
def _context_for(queue: Osiiso.Queue) -> Iterator[GLib.MainContext]:
    """The context that is iterated in a wait for a queue: its own in the thread that owns it."""
    context = queue.get_context()
    if not _owns(queue) or not context.acquire():
        context = GLib.MainContext.new()
        context.acquire()
    context.push_thread_default()
    tick = GLib.timeout_source_new(int(_PIECE * 1000))
    # No callback in Python, which would swallow what a handler of signals raises.
    GObject.source_set_dummy_callback(tick)
    tick.attach(context)
    try:
        yield context
    finally:
        tick.destroy()
        context.pop_thread_default()
        context.release()


def _begin(name: str, instance: GObject.Object, arguments: tuple[Any, ...], cancellable: Gio.Cancellable | None,
           ready: Callable[[GObject.Object, Gio.AsyncResult], object]) -> None:
    number = next(numbers)
    waits[number] = ready
    if name in ('queue_submit', 'queue_push', 'queue_map', 'group_submit'):
        *more, call, options = arguments
        calls[number] = call
        arguments = *more, RUN, number, FORGET, of(options)
    ASYNCS[name](of(instance), *arguments, of(cancellable), READY, number)


def complete(name: str, queue: Osiiso.Queue, arguments: tuple[Any, ...], cancellable: Gio.Cancellable | None) -> Any:
    """Waits with a call that has an asynchronous twin."""
    if is_in_task():
        return _in_task(name, queue, arguments, cancellable)
    results: list[Gio.AsyncResult] = []
    with _interruptible(cancellable) as cancellable, _context_for(queue) as context:
        _begin(name, queue, arguments, cancellable, lambda _, result: results.append(result))
        try:
            while not results:
                context.iteration(True)
        except BaseException:
            cancellable.cancel()
            while not results:
                context.iteration(True)
            raise
        return call_library(name + '_finish', queue, of(results[0]))


class _Service:
    """The thread that hears of the ends of all calls that are awaited.

    They come in a main context, which a loop of asyncio does not have.
    """

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._context: GLib.MainContext | None = None
        self._begin: collections.deque[Callable[[], None]] = collections.deque()

    def call(self, begin: Callable[[], None]) -> None:
        with self._lock:
            if self._context is None:
                self._context = GLib.MainContext.new()
                threading.Thread(target=self._main, args=(self._context,), name='osiiso-await', daemon=True).start()
        self._begin.append(begin)
        self._context.wakeup()

    def _main(self, context: GLib.MainContext) -> None:
        context.push_thread_default()
        while True:
            while self._begin:
                self._begin.popleft()()
            context.iteration(True)


_service = _Service()


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
            loop.call_soon_threadsafe(future.set_exception, error)

    _service.call(begin)
    try:
        result = await future
    except asyncio.CancelledError:
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
    global _service
    _service = _Service()


os.register_at_fork(after_in_child=_forked)
