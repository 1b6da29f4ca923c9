# SPDX-License-Identifier: LGPL-2.1-or-later
"""The C library, as the queues need it.

Most of it is reached through introspection. The few calls that are made for each
task go through ctypes instead, which keeps the interpreter's lock: introspection
gives it up around every call, and then each task costs a switch to the thread that
has just been woken. This is safe because the library calls nobody while it holds a
lock of its own.
"""
from __future__ import annotations

import ctypes
import threading
from array import array
from collections.abc import Callable
from typing import Any, TypeVar

T = TypeVar('T')

try:
    import gi
except ImportError as error:  # pragma: no cover
    raise ImportError('osiiso needs PyGObject for this Python; on Debian it is in the package python3-gi '
                      'and belongs to /usr/bin/python3') from error

gi.require_version('Osiiso', '1')
from gi.repository import Gio, GLib, GObject, Osiiso  # noqa: E402

__all__ = ['Gio', 'GLib', 'GObject', 'Osiiso', 'Slots', 'pointer_to', 'submit_token', 'token_done',
           'token_failed', 'pin_thread', 'unpin_thread', 'STATUS_NAMES', 'FAILED', 'CANCELLED', 'ERROR_DOMAIN']

# The typelib has loaded it; this finds the same one by its soname.
Osiiso.Queue
_library = ctypes.PyDLL('libosiiso-1.so.0')


def _function(name: str, result: Any, *arguments: Any) -> Any:
    function = getattr(_library, name)
    function.restype = result
    function.argtypes = arguments
    return function


submit_token = _function('osiiso_queue_try_submit_token', ctypes.c_uint64,
                         ctypes.c_void_p, ctypes.c_uint64, ctypes.c_void_p, ctypes.c_void_p)
token_done = _function('osiiso_queue_token_done', ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint)
token_failed = _function('osiiso_queue_token_failed', ctypes.c_int, ctypes.c_void_p, ctypes.c_uint64, ctypes.c_uint,
                         ctypes.c_uint32, ctypes.c_int, ctypes.c_char_p, ctypes.c_double)
tokens_done = _function('osiiso_queue_tokens_done', ctypes.c_uint, ctypes.c_void_p, ctypes.c_void_p, ctypes.c_size_t)
# With no list of the types of arguments: these are addresses that are made once.
exchange_tokens = _library.osiiso_queue_exchange_tokens
exchange_tokens.restype = ctypes.c_uint
exchange_token = _library.osiiso_queue_exchange_token_slots
exchange_token.restype = ctypes.c_int

ERROR_DOMAIN: int = GLib.quark_from_string('osiiso-python')

FAILED = int(Osiiso.Status.FAILED)
CANCELLED = int(Osiiso.Status.CANCELLED)
STATUS_NAMES = {int(Osiiso.Status.SUCCEEDED): 'succeeded', FAILED: 'failed', CANCELLED: 'cancelled'}


def pointer_to(instance: GObject.Object) -> ctypes.c_void_p:
    """Where a GObject is; the caller keeps the object."""
    return ctypes.c_void_p(hash(instance))


class Slots:
    """What goes into an exchange of tokens and comes out of it; see osiiso-token.h."""

    __slots__ = ('slots', 'address')

    def __init__(self, queue: ctypes.c_void_p, n: int) -> None:
        # Its length never changes, so it stays where it is.
        self.slots = array('Q', (queue.value or 0, *[0] * (n - 1)))
        self.address = ctypes.c_void_p(self.slots.buffer_info()[0])


def keep_for_ever(something: object) -> None:
    """Nothing frees that object any more, not even the end of the process."""
    ctypes.pythonapi.Py_IncRef(ctypes.py_object(something))


# The main context that owns the queues. Nothing in it is waited for, so nobody needs
# to run a main loop; but what a queue leaves there keeps that queue alive, and its
# threads.
_context = GLib.MainContext.new()
# Whoever makes a queue has the context for himself; what is dispatched may make one.
_context_lock = threading.RLock()


def make_owned(make: Callable[..., T], *arguments: Any) -> T:
    """``make(*arguments)``, for queues that this package owns."""
    with _context_lock:
        context = _context
        if not context.acquire():
            # Somebody else is in it, who did not ask; this queue gets one of its own.
            context = GLib.MainContext.new()
            context.acquire()
        context.push_thread_default()
        try:
            return make(*arguments)
        finally:
            context.pop_thread_default()
            context.release()


def dispatch() -> None:
    """Does what queues have left to be done. Any thread, at any time."""
    if not _alive:
        return
    lock = _context_lock
    acquired: list[bool] = []
    try:
        # In one call: an interrupt may come between two.
        acquired.extend(map(lock.acquire, (False,)))
        while acquired[0] and _context.iteration(False):
            pass
    finally:
        if acquired and acquired[0]:
            lock.release()


def renew_context() -> None:
    """In a child process: somebody may have been using the context."""
    global _context, _context_lock
    keep_for_ever(_context)
    _context, _context_lock = GLib.MainContext.new(), threading.RLock()


_alive = True


def is_alive() -> bool:
    """Whether Python may still be entered from the library's threads."""
    return _alive


def die() -> None:
    """The interpreter is about to end."""
    global _alive
    _alive = False


# A thread that the library made gets a new state of the interpreter for each call,
# which costs 4 microseconds and forgets what threading.local() keeps, unless it is
# inside one more Ensure.
_ensure = ctypes.pythonapi.PyGILState_Ensure
_ensure.restype = ctypes.c_int
_ensure.argtypes = []
_release = ctypes.pythonapi.PyGILState_Release
_release.restype = None
_release.argtypes = [ctypes.c_int]


def pin_thread() -> int:
    """Keeps the interpreter's state of this thread until ``unpin_thread()``."""
    return _ensure()  # type: ignore[no-any-return]


def unpin_thread(state: int) -> None:
    """Ends what ``pin_thread()`` began, in the same thread."""
    _release(state)
