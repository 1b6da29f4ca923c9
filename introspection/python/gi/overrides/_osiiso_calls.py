# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls of the library that the override of gi.repository.Osiiso makes by itself.

Callbacks are few here and for ever: one for each kind, with a number that stands for
what is to be called. PyGObject before 3.44 never frees a callback that was made for
one call.
"""
from __future__ import annotations

import concurrent.futures
import ctypes
import itertools
import queue
import threading
import traceback
import weakref
from collections.abc import Callable, Mapping, Sequence
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from gi import _gobject
from gi.module import get_introspection_module
from gi.repository import Gio, GLib, GObject

if TYPE_CHECKING:
    from gi.repository import Osiiso
else:
    Osiiso = get_introspection_module('Osiiso')

_DOMAIN = GLib.quark_from_string('osiiso-python')


# Errors of the library are GLib.Error, and what Python calls them besides.

class Cancelled(GLib.Error, concurrent.futures.CancelledError):
    """A task, or a wait, was cancelled."""


class TimedOut(GLib.Error, TimeoutError):
    """A task, or a wait, took longer than its timeout."""


class QueueFull(GLib.Error, queue.Full):
    """There is no room in the queue."""


class Invalid(GLib.Error, ValueError):
    """A value is out of its range."""


class NotSupported(GLib.Error, NotImplementedError):
    """The backend cannot run what was submitted."""


_GIO, _OWN = Gio.io_error_quark(), Osiiso.queue_error_quark()
_ERRORS = {
    (_GIO, int(Gio.IOErrorEnum.CANCELLED)): Cancelled,
    (_GIO, int(Gio.IOErrorEnum.TIMED_OUT)): TimedOut,
    (_OWN, int(Osiiso.QueueError.FULL)): QueueFull,
    (_OWN, int(Osiiso.QueueError.INVALID)): Invalid,
    (_OWN, int(Osiiso.QueueError.NOT_SUPPORTED)): NotSupported,
}


def pythonic(error: GLib.Error) -> GLib.Error:
    kind = _ERRORS.get((GLib.quark_from_string(error.domain), error.code))
    return error if kind is None else kind(error.message, error.domain, error.code)


# The library itself, for calls with a callback.

Osiiso.Queue
_library = ctypes.CDLL('libosiiso-1.so.0')
_gobject_library = ctypes.CDLL('libgobject-2.0.so.0')
_pointer = ctypes.c_void_p


class _CError(ctypes.Structure):
    _fields_ = [('domain', ctypes.c_uint32), ('code', ctypes.c_int), ('message', ctypes.c_char_p)]


def _function(name: str, result: Any, *arguments: Any, library: Any = _library) -> Any:
    function = getattr(library, name)
    function.restype = result
    function.argtypes = arguments
    return function


_g_error_free = _function('g_error_free', None, _pointer)
_g_object_unref = _function('g_object_unref', None, _pointer, library=_gobject_library)
# With the interpreter's lock, without which a queue that is listed cannot go away.
_queue_cancel = _function('osiiso_queue_cancel', None, _pointer, library=ctypes.PyDLL('libosiiso-1.so.0'))

# All that may be interrupted is called without PyGObject, which makes its exceptions
# where the handler of a signal may raise another one.
_BOOLEAN, _DOUBLE = ctypes.c_int, ctypes.c_double
_SIGNATURES: list[tuple[str, Any, list[Any]]] = [
    ('queue_submit', _pointer, [_pointer] * 4),
    ('queue_try_submit', _pointer, [_pointer] * 4),
    ('queue_push', ctypes.c_uint64, [_pointer] * 4),
    ('queue_try_push', ctypes.c_uint64, [_pointer] * 4),
    ('queue_map', _pointer, [ctypes.c_uint, *[_pointer] * 4]),
    ('group_submit', _pointer, [_pointer] * 4),
    ('queue_submit_finish', _pointer, [_pointer]),
    ('queue_push_finish', ctypes.c_uint64, [_pointer]),
    ('queue_map_finish', _pointer, [_pointer]),
    ('group_submit_finish', _pointer, [_pointer]),
    ('queue_run', _pointer, [_pointer]),
    ('queue_run_finish', _pointer, [_pointer]),
    ('queue_run_full', _pointer, [_DOUBLE, ctypes.c_int, _pointer]),
    ('queue_run_full_finish', _pointer, [_pointer]),
    ('queue_join', _BOOLEAN, [_pointer]),
    ('queue_join_finish', _BOOLEAN, [_pointer]),
    ('queue_shutdown', _BOOLEAN, [ctypes.c_int, _pointer]),
    ('queue_shutdown_finish', _BOOLEAN, [_pointer]),
    ('handle_wait', _BOOLEAN, [_DOUBLE, _pointer]),
    ('handle_wait_finish', _BOOLEAN, [_pointer]),
    ('group_wait', _pointer, [_DOUBLE, _pointer]),
    ('group_wait_finish', _pointer, [_pointer]),
    ('group_next_completed', _pointer, [_DOUBLE, _pointer]),
    ('group_next_completed_finish', _pointer, [_pointer]),
]
_CALLS = {name: _function('osiiso_' + name, result, _pointer, *arguments, _pointer)
          for name, result, arguments in _SIGNATURES}
# With cancellable, callback and number.
_ASYNC_SIGNATURES: list[tuple[str, list[Any]]] = [
    ('queue_run', []),
    ('queue_run_full', [ctypes.c_double, ctypes.c_int]),
    ('queue_join', []),
    ('queue_shutdown', [ctypes.c_int]),
    ('queue_submit', [_pointer] * 4),
    ('queue_push', [_pointer] * 4),
    ('queue_map', [ctypes.c_uint, *[_pointer] * 4]),
    ('group_submit', [_pointer] * 4),
    ('handle_wait', []),
    ('group_wait', []),
    ('group_next_completed', []),
]
ASYNCS = {name: _function(f'osiiso_{name}_async', None, _pointer, *more, *[_pointer] * 3)
          for name, more in _ASYNC_SIGNATURES}


def of(thing: Any) -> Any:
    """Where a GObject is."""
    return None if thing is None else hash(thing)


_source_set_callback = _function('g_source_set_callback', None, *[_pointer] * 4, library=_gobject_library)
_source_is_destroyed = ctypes.cast(_gobject_library.g_source_is_destroyed, _pointer)


def once_source() -> GLib.Source:
    """A source that is destroyed by being dispatched, and calls nothing in Python."""
    source = GLib.idle_source_new()
    source.set_priority(GLib.PRIORITY_DEFAULT)
    # It is not yet, which is False, and that destroys it.
    _source_set_callback(of(source), _source_is_destroyed, of(source), None)
    return source


def _api(index: int, *types: Any) -> Any:
    """One function of what PyGObject offers to extensions, in the order of pygobject.h."""
    get = ctypes.pythonapi.PyCapsule_GetPointer
    get.restype, get.argtypes = _pointer, [ctypes.py_object, ctypes.c_char_p]
    functions = get(_gobject._PyGObject_API, b'gobject._PyGObject_API')
    address: Any = (_pointer * (index + 1)).from_address(functions)[index]
    return ctypes.PYFUNCTYPE(*types)(address)


_wrap_object = _api(3, ctypes.py_object, _pointer)
_wrap_boxed = _api(17, ctypes.py_object, ctypes.c_size_t, _pointer, ctypes.c_int, ctypes.c_int)
_attempt_class: Any = Osiiso.Attempt
_ATTEMPT = hash(_attempt_class.__gtype__)

_ensure = _function('PyGILState_Ensure', ctypes.c_int, library=ctypes.pythonapi)
_release = _function('PyGILState_Release', None, ctypes.c_int, library=ctypes.pythonapi)

T = TypeVar('T')

numbers = itertools.count(1)
calls: dict[int, Call] = {}     # functions of tasks, until the library needs them no more
waits: dict[int, Callable[[GObject.Object, Gio.AsyncResult], object]] = {}     # what hears of the end of a call


class Places(Generic[T]):
    """What is known of objects of the library, by their places, as long as they are there.

    Something else may be at a place later. No callback takes out what is gone: PyGObject
    calls it even while an exception is on its way, and then the interpreter crashes.
    """

    def __init__(self) -> None:
        self._found: dict[int, tuple[Callable[[], object], T]] = {}
        self._limit = 64

    def note(self, instance: GObject.Object, value: T) -> None:
        if len(self._found) >= self._limit:
            for place in set(self._found).difference(self.list()):
                self._found.pop(place, None)
            self._limit = max(64, 2 * len(self._found))
        weak: Any = instance
        self._found[of(instance)] = weak.weak_ref(), value

    def get(self, instance: Any) -> T | None:
        found = self._found.get(of(instance))
        return None if found is None or found[0]() is None else found[1]

    def list(self) -> list[int]:
        """The places of those that are there."""
        return [place for place, (weak, _) in list(self._found.items()) if weak() is not None]


# In which thread queues were made, and whether their workers are pinned.
queues: Places[tuple[int, bool]] = Places()
groups: Places[weakref.ref[Osiiso.Queue]] = Places()    # their queue, weakly
_alive = True


class _Local(threading.local):
    depth = 0       # how many tasks this thread is in
    state: int | None = None    # of the interpreter, when the thread is pinned
    is_known = False


local = _Local()


def is_foreign() -> bool:
    """Whether this is a thread that Python has not made, such as a worker."""
    threads: Any = threading
    thread = threads._active.get(threading.get_ident())
    return thread is None or isinstance(thread, threads._DummyThread)


def is_in_task() -> bool:
    """Whether a wait is one in a task, as far as is known; tasks of others are in threads of the library.

    Threads of the package osiiso wait for another one, which can be interrupted.
    """
    return local.depth > 0 or is_foreign() or threading.current_thread().name.startswith('osiiso-')


def _value(thing: object) -> GObject.Value:
    value = GObject.Value()
    value.init(GObject.TYPE_PYOBJECT)
    value.set_boxed(thing)
    return value


@ctypes.CFUNCTYPE(None, _pointer, _pointer)
def _run(pointer: int, number: int) -> None:
    call = calls.get(number) if _alive else None
    if call is None:
        return
    if not local.is_known:
        local.is_known = True
        if call.pins and is_foreign():
            # A thread of the library has an interpreter's state for one call only,
            # unless it is inside one more: that is slow and loses thread-locals.
            local.state = _ensure()
    attempt = _wrap_boxed(_ATTEMPT, pointer, True, True)
    depth = local.depth
    try:
        try:
            local.depth = depth + 1
            value = call.run(attempt)
        finally:
            # From here on an interrupt raises nothing, which would be lost with the end.
            local.depth = depth
        if value is not None:
            attempt.return_value(_value(value))
    except BaseException as error:
        # Not even an exit may leave this thread, which cannot take it.
        local.depth = depth
        call.trim(error)
        text = f'{type(error).__name__}: {error}'.replace('\0', '?')
        attempt.return_error_details(GLib.Error.new_literal(_DOMAIN, text, 0), _value(error))
    finally:
        attempt = None


def leave_thread(*_: Any) -> None:
    """The end of a thread, also the one that the end of the interpreter is.

    Of all these PyGObject has to call this one, which sees then that it is too late.
    """
    state, local.state = local.state, None
    if state is not None and _alive:
        _release(state)


@ctypes.CFUNCTYPE(None, _pointer, _pointer, _pointer)
def _ready(source: int, result: int, number: int) -> None:
    wait = waits.pop(number, None)
    if wait is not None and _alive:
        wait(_wrap_object(source), _wrap_object(result))


def _keep(callback: Any) -> int | None:
    """Where a callback is, which nothing frees any more: threads may be in it to the very end."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(callback))
    return ctypes.cast(callback, _pointer).value


# No function of Python, in which a handler of signals could raise.
_forget = ctypes.CFUNCTYPE(None, _pointer)(calls.pop)

RUN, FORGET, READY = map(_keep, (_run, _forget, _ready))


class Call:
    """A function with its arguments."""

    __slots__ = ('pins', '_fn', '_args')

    def __init__(self, pins: bool, fn: Callable[..., object], args: Sequence[Any]) -> None:
        if not callable(fn):
            raise TypeError(f'a task must be callable; got {fn!r}')
        self.pins = pins
        self._fn = fn
        self._args = args

    def run(self, attempt: Osiiso.Attempt) -> object:
        return self._fn(*self._args)

    def trim(self, error: BaseException) -> None:
        """Leaves out what is of here: it has the attempt, which will have the error."""
        inner = error.__traceback__ and error.__traceback__.tb_next
        if inner is not None:
            inner.tb_frame.clear()
            inner = inner.tb_next
        error.__traceback__ = inner


class RawCall(Call):
    """One that reports on its attempt by itself."""

    __slots__ = ()

    def __init__(self, pins: bool, fn: Callable[..., object], args: Sequence[Any]) -> None:
        # With no data there is a None in their place, as in all callbacks of PyGObject.
        super().__init__(pins, fn, args or (None,))

    def run(self, attempt: Osiiso.Attempt) -> object:
        self._fn(attempt, *self._args)
        return None

    def trim(self, error: BaseException) -> None:
        super().trim(error)
        # They have it too.
        traceback.clear_frames(error.__traceback__)


class MappedCall(Call):
    """One function with the arguments of many tasks."""

    __slots__ = ()

    def run(self, attempt: Osiiso.Attempt) -> object:
        element = self._args[attempt.get_index()]
        if isinstance(element, Mapping):
            return self._fn(**element)
        return self._fn(*element) if isinstance(element, tuple) else self._fn(element)


def call_library(name: str, instance: GObject.Object, *arguments: Any) -> Any:
    function = _CALLS[name]
    failure = _pointer()
    made = function(of(instance), *arguments, ctypes.addressof(failure))
    if failure.value:
        error = _CError.from_address(failure.value)
        kind = _ERRORS.get((error.domain, error.code), GLib.Error)
        domain, message, code = GLib.quark_to_string(error.domain), error.message.decode(errors='replace'), error.code
        _g_error_free(failure)
        raise kind(message, domain, code)
    if function.restype is not _pointer:
        return made if function.restype is not _BOOLEAN else bool(made)
    if made is None:
        return None
    try:
        return _wrap_object(made)
    finally:
        _g_object_unref(made)


def submit(name: str, instance: GObject.Object, call: Call, options: Osiiso.TaskOptions | None, *more: Any) -> Any:
    number = next(numbers)
    calls[number] = call
    return call_library(name, instance, *more, RUN, number, FORGET, of(options))


def die() -> None:
    """Nobody enters the interpreter any more."""
    global _alive
    for place in queues.list():
        _queue_cancel(place)
    _alive = False
