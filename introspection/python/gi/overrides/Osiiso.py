# SPDX-License-Identifier: LGPL-2.1-or-later
"""What makes gi.repository.Osiiso pleasant in Python.

Queue.submit() takes a callable with its arguments, and the options of the task as
keywords. What it returns is the value of the task, and what it raises its failure,
both to be had from the handle as they were. Everything that the library offers
besides is still there: a function that wants its attempt, to report on it, is
submitted with submit(options=...), or with map() and a number.
"""
from __future__ import annotations

import atexit
import functools
import threading
import weakref
from collections.abc import AsyncIterator, Awaitable, Callable, Generator, Iterable, Iterator
from types import TracebackType
from typing import TYPE_CHECKING, Any, Self, overload

from gi.module import get_introspection_module
from gi.overrides import override  # type: ignore[attr-defined]
from gi.repository import Gio, GLib

from ._osiiso_calls import (Call, Cancelled, Invalid, MappedCall, NotSupported, QueueFull, RawCall, TimedOut, die, groups,
                            leave_thread, pythonic, queues, submit)
from ._osiiso_waits import admit, await_call, complete, in_pieces, start_async

if TYPE_CHECKING:
    from gi.repository import Osiiso
else:
    Osiiso = get_introspection_module('Osiiso')

__all__ = ['Cancelled', 'TimedOut', 'QueueFull', 'Invalid', 'NotSupported']


def _options_of(options: dict[str, Any]) -> tuple[Osiiso.TaskOptions | None, type[Call]]:
    """The options of a task, and whether its function wants its attempt."""
    if 'options' in options:
        given = options.pop('options')
        if options:
            raise TypeError(f'options and {", ".join(sorted(options))} cannot be given both')
        return given, RawCall
    return Osiiso.TaskOptions(**options) if options else None, Call


def _register(queue: Osiiso.Queue) -> Osiiso.Queue:
    """Of each queue that is made here."""
    backend: Any = queue.get_backend()
    pins = backend is not None and backend.__gtype__.name == 'OsiisoThreadPoolBackend'
    queues.note(queue, (threading.get_ident(), pins))
    if pins:
        queue.set_thread_end_func(leave_thread)
    return queue


def _queue_of(group: Osiiso.Group) -> Osiiso.Queue | None:
    found = groups.get(group)
    return None if found is None else found()


def _with_room(original: Callable[..., Any]) -> Any:
    """A call that submits one task, and takes the options last."""

    @functools.wraps(original)
    def method(self: Any, *args: Any, **kwargs: Any) -> Any:
        n_given = len(args) + len(kwargs)
        n_known = len(original.get_arguments()) if hasattr(original, 'get_arguments') else n_given
        if 'options' in kwargs:
            given = kwargs.pop('options')
        elif n_given == n_known:
            args, given = args[:-1], args[-1]
        else:
            given = None
        queue = self if isinstance(self, Osiiso.Queue) else _queue_of(self)
        try:
            return admit(queue, 1, given, lambda options: original(self, *args, options=options, **kwargs))
        except GLib.Error as error:
            raise pythonic(error) from None

    return method


def _pins(queue: Osiiso.Queue | None) -> bool:
    return queue is not None and (queues.get(queue) or (0, False))[1]


def _mapped(pins: bool, fn: Any, iterable: Any, args: tuple[Any, ...],
            options: dict[str, Any]) -> tuple[int, Call, Osiiso.TaskOptions | None]:
    given, _ = _options_of(options)
    call: Call
    if callable(fn):
        if args:
            raise TypeError('map() takes one iterable')
        elements = tuple(iterable)
        n, call = len(elements), MappedCall(pins, fn, elements)
    else:
        n, call = fn, RawCall(pins, iterable, args)
    return n, call, given


class Queue(Osiiso.Queue):
    def __init__(self, *args: Any, **kwargs: Any) -> None:
        super().__init__(*args, **kwargs)
        _register(self)

    @classmethod
    def new(cls, backend: str | None = None) -> Osiiso.Queue:
        return _register(Osiiso.Queue.new(backend))

    @classmethod
    def new_with_backend(cls, backend: Osiiso.Backend) -> Osiiso.Queue:
        return _register(Osiiso.Queue.new_with_backend(backend))

    def new_group(self, group_id: str | None = None) -> Osiiso.Group:
        group = super().new_group(group_id)
        groups.note(group, weakref.ref(self))
        return group

    def submit(self, fn: Callable[..., object], *args: Any, **options: Any) -> Osiiso.Handle:
        given, kind = _options_of(options)
        call = kind(_pins(self), fn, args)
        return admit(self, 1, given, lambda options: submit('queue_submit', self, call, options))

    def try_submit(self, fn: Callable[..., object], *args: Any, **options: Any) -> Osiiso.Handle:
        given, kind = _options_of(options)
        return submit('queue_try_submit', self, kind(_pins(self), fn, args), given)

    def push(self, fn: Callable[..., object], *args: Any, **options: Any) -> int:
        given, kind = _options_of(options)
        call = kind(_pins(self), fn, args)
        return admit(self, 1, given, lambda options: submit('queue_push', self, call, options))

    def try_push(self, fn: Callable[..., object], *args: Any, **options: Any) -> int:
        given, kind = _options_of(options)
        return submit('queue_try_push', self, kind(_pins(self), fn, args), given)

    def submit_async(self, fn: Callable[..., object], *args: Any, cancellable: Gio.Cancellable | None = None,
                     callback: Callable[..., object] | None = None, user_data: Iterable[Any] = (),
                     **options: Any) -> Awaitable[Osiiso.Handle]:
        given, kind = _options_of(options)
        call = kind(_pins(self), fn, args)
        return start_async('queue_submit', self, (call, given), cancellable, callback, user_data)

    def push_async(self, fn: Callable[..., object], *args: Any, cancellable: Gio.Cancellable | None = None,
                   callback: Callable[..., object] | None = None, user_data: Iterable[Any] = (),
                   **options: Any) -> Awaitable[int]:
        given, kind = _options_of(options)
        call = kind(_pins(self), fn, args)
        return start_async('queue_push', self, (call, given), cancellable, callback, user_data)

    @overload
    def map(self, fn: Callable[..., object], iterable: Iterable[Any], **options: Any) -> Osiiso.Group: ...

    @overload
    def map(self, fn: int, iterable: Callable[..., object], *args: Any,
            options: Osiiso.TaskOptions | None = None) -> Osiiso.Group: ...

    def map(self, fn: Any, iterable: Any, *args: Any, **options: Any) -> Osiiso.Group:
        """A group of fn(element): tuples are arguments, mappings keywords. Or map(n, fn, ...)."""
        n, call, given = _mapped(_pins(self), fn, iterable, args, options)
        return admit(self, n, given, lambda options: submit('queue_map', self, call, options, n))

    def map_async(self, fn: Any, iterable: Any, *args: Any, cancellable: Gio.Cancellable | None = None,
                  callback: Callable[..., object] | None = None, user_data: Iterable[Any] = (),
                  **options: Any) -> Awaitable[Osiiso.Group]:
        n, call, given = _mapped(_pins(self), fn, iterable, args, options)
        return start_async('queue_map', self, (n, call, given), cancellable, callback, user_data)

    def run(self, cancellable: Gio.Cancellable | None = None) -> Osiiso.RunSummary:
        return complete('queue_run', self, (), cancellable)

    def run_full(self, timeout: float, fail_policy: Osiiso.FailPolicy,
                 cancellable: Gio.Cancellable | None = None) -> Osiiso.RunSummary:
        return complete('queue_run_full', self, (timeout, int(fail_policy)), cancellable)

    def join(self, cancellable: Gio.Cancellable | None = None) -> bool:
        return complete('queue_join', self, (), cancellable)

    def shutdown(self, force: bool = False, cancellable: Gio.Cancellable | None = None) -> bool:
        return complete('queue_shutdown', self, (bool(force),), cancellable)

    def run_async(self, cancellable: Gio.Cancellable | None = None,
                  callback: Callable[..., object] | None = None, *user_data: Any) -> Awaitable[Osiiso.RunSummary]:
        return start_async('queue_run', self, (), cancellable, callback, user_data)

    def run_full_async(self, timeout: float, fail_policy: Osiiso.FailPolicy,
                       cancellable: Gio.Cancellable | None = None,
                       callback: Callable[..., object] | None = None, *user_data: Any) -> Awaitable[Osiiso.RunSummary]:
        return start_async('queue_run_full', self, (timeout, int(fail_policy)), cancellable, callback, user_data)

    def join_async(self, cancellable: Gio.Cancellable | None = None,
                   callback: Callable[..., object] | None = None, *user_data: Any) -> Awaitable[bool]:
        return start_async('queue_join', self, (), cancellable, callback, user_data)

    def shutdown_async(self, force: bool = False, cancellable: Gio.Cancellable | None = None,
                       callback: Callable[..., object] | None = None, *user_data: Any) -> Awaitable[bool]:
        return start_async('queue_shutdown', self, (bool(force),), cancellable, callback, user_data)

    def __len__(self) -> int:
        """How many tasks are there that have not ended."""
        return self.get_active_count() + self.get_pending_count()

    def __bool__(self) -> bool:
        return True

    def __enter__(self) -> Self:
        self.start()
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None,
                 traceback: TracebackType | None) -> None:
        self.shutdown(error is not None)

    async def __aenter__(self) -> Self:
        self.start()
        return self

    async def __aexit__(self, kind: type[BaseException] | None, error: BaseException | None,
                        traceback: TracebackType | None) -> None:
        await self.shutdown_async(error is not None)


for _name in ('submit_call', 'submit_call_full', 'push_call', 'submit_command', 'submit_command_full', 'push_command'):
    setattr(Queue, _name, _with_room(getattr(Osiiso.Queue, _name)))
override(Queue)
__all__.append('Queue')


def _exception_of(ended: Osiiso.Handle | Osiiso.TaskResult) -> BaseException | None:
    """What a task has failed with, as it was raised, or the library's error; or None."""
    error = ended.dup_error()
    if error is None:
        return None
    details = ended.get_error_details()
    return details if isinstance(details, BaseException) else pythonic(error)


class Handle(Osiiso.Handle):
    def wait(self, timeout: float = -1, cancellable: Gio.Cancellable | None = None) -> bool:
        return in_pieces('handle_wait', self, timeout, cancellable)

    def wait_async(self, cancellable: Gio.Cancellable | None = None,
                   callback: Callable[..., object] | None = None, *user_data: Any) -> Awaitable[bool]:
        return start_async('handle_wait', self, (), cancellable, callback, user_data)

    def exception(self) -> BaseException | None:
        """What the task has failed with, as it was raised, or the library's error; or None."""
        return _exception_of(self)

    def result(self, timeout: float = -1) -> Any:
        """Waits for the task; its value, or what it has failed with is raised."""
        if not self.is_done():
            self.wait(timeout)
        error = _exception_of(self)
        if error is not None:
            raise error
        return self.get_value()

    def __await__(self) -> Generator[Any, None, Any]:
        if not self.is_done():
            yield from await_call('handle_wait', self, ()).__await__()
        return self.result()


override(Handle)
__all__.append('Handle')


class TaskResult(Osiiso.TaskResult):
    def exception(self) -> BaseException | None:
        """What the task has failed with, as it was raised, or the library's error; or None."""
        return _exception_of(self)


override(TaskResult)
__all__.append('TaskResult')


class Group(Osiiso.Group):
    def submit(self, fn: Callable[..., object], *args: Any, **options: Any) -> Osiiso.Handle:
        given, kind = _options_of(options)
        queue = _queue_of(self)
        call = kind(_pins(queue), fn, args)
        return admit(queue, 1, given, lambda options: submit('group_submit', self, call, options))

    def submit_async(self, fn: Callable[..., object], *args: Any, cancellable: Gio.Cancellable | None = None,
                     callback: Callable[..., object] | None = None, user_data: Iterable[Any] = (),
                     **options: Any) -> Awaitable[Osiiso.Handle]:
        given, kind = _options_of(options)
        call = kind(_pins(_queue_of(self)), fn, args)
        return start_async('group_submit', self, (call, given), cancellable, callback, user_data)

    def __len__(self) -> int:
        return self.get_n_items()

    def __bool__(self) -> bool:
        return True

    @overload
    def __getitem__(self, index: int) -> Osiiso.Handle: ...

    @overload
    def __getitem__(self, index: slice) -> list[Osiiso.Handle]: ...

    def __getitem__(self, index: int | slice) -> Osiiso.Handle | list[Osiiso.Handle]:
        if isinstance(index, slice):
            return [self[i] for i in range(*index.indices(len(self)))]
        n = len(self)
        handle = self.get_handle(index % n) if -n <= index < n else None
        if handle is None:
            raise IndexError('there is no such member')
        return handle

    def __iter__(self) -> Iterator[Osiiso.Handle]:
        return (self[i] for i in range(len(self)))

    async def __aiter__(self) -> AsyncIterator[Osiiso.Handle]:
        """The members as they finish, each once."""
        while (handle := await self.next_completed_async()) is not None:
            yield handle

    def __await__(self) -> Generator[Any, None, Osiiso.RunSummary]:
        """The summary, when all members have finished."""
        return self.wait_async().__await__()

    def wait(self, timeout: float = -1, cancellable: Gio.Cancellable | None = None) -> Osiiso.RunSummary:
        return in_pieces('group_wait', self, timeout, cancellable)

    def wait_async(self, cancellable: Gio.Cancellable | None = None,
                   callback: Callable[..., object] | None = None, *user_data: Any) -> Awaitable[Osiiso.RunSummary]:
        return start_async('group_wait', self, (), cancellable, callback, user_data)

    def next_completed(self, timeout: float = -1,
                       cancellable: Gio.Cancellable | None = None) -> Osiiso.Handle | None:
        return in_pieces('group_next_completed', self, timeout, cancellable)

    def next_completed_async(self, cancellable: Gio.Cancellable | None = None,
                             callback: Callable[..., object] | None = None, *user_data: Any) -> Awaitable[Osiiso.Handle | None]:
        return start_async('group_next_completed', self, (), cancellable, callback, user_data)


for _name in ('submit_call', 'submit_call_full', 'submit_command', 'submit_command_full'):
    setattr(Group, _name, _with_room(getattr(Osiiso.Group, _name)))
override(Group)
__all__.append('Group')


# The interpreter ends: nobody enters it any more.
atexit.register(die)
