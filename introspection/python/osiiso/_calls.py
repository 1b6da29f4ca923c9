# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls of functions in worker programs, as ProcessQueue needs them.

Like those in _core, what is called for each task goes through ctypes.
"""
from __future__ import annotations

import ctypes
import struct
from array import array
from typing import Any

from ._core import GLib, _function

__all__ = ['Function', 'TOLD', 'Error', 'try_submit', 'submit_many']

# How the queue tells what a task has ended with: token, task, when it began and ended,
# length of the data, status, attempts, encoding.
TOLD = struct.Struct('=QQqqQIIII')

_pointer = ctypes.c_void_p
try_submit = _function('osiiso_queue_try_submit_token_call', ctypes.c_uint64,
                       _pointer, ctypes.c_uint64, _pointer, ctypes.c_char_p, ctypes.c_size_t, _pointer, _pointer)
_submit_many = _function('osiiso_queue_submit_token_calls', _pointer, _pointer, ctypes.c_uint64, _pointer, _pointer,
                         _pointer, ctypes.c_size_t, _pointer, _pointer, _pointer)
_call_new = _function('osiiso_call_new_bytes', _pointer, ctypes.c_char_p, _pointer)
_call_unref = _function('osiiso_call_unref', None, _pointer)
_call_set_preamble = _function('osiiso_call_set_preamble', None, _pointer, _pointer)
# That library has its dependencies' symbols, too.
_bytes_new = _function('g_bytes_new', _pointer, ctypes.c_char_p, ctypes.c_size_t)
_bytes_unref = _function('g_bytes_unref', None, _pointer)
_free = _function('g_free', None, _pointer)
_object_weak_ref = _function('g_object_weak_ref', None, _pointer, _pointer, _pointer)
_loop_ref = _function('g_main_loop_ref', _pointer, _pointer)
_loop_unref = _function('g_main_loop_unref', None, _pointer)
_quit = ctypes.cast(_function('g_main_loop_quit', None, _pointer), _pointer)


def quit_with(queue: Any, loop: Any) -> None:
    """Ends that loop when the queue of the core is gone.

    Nothing of Python is called then: an exception may be on its way, which PyGObject's
    weak_ref() does not keep. The loop is kept until let_go().
    """
    _object_weak_ref(queue, _quit, _loop_ref(hash(loop)))


def let_go(loop: Any) -> None:
    """Of a loop that was ended."""
    _loop_unref(hash(loop))


class _GError(ctypes.Structure):
    _fields_ = [('domain', ctypes.c_uint32), ('code', ctypes.c_int), ('message', ctypes.c_char_p)]


_error_free = _function('g_error_free', None, ctypes.POINTER(_GError))


class Error:
    """Where a function leaves its error."""

    def __init__(self) -> None:
        self._found = ctypes.POINTER(_GError)()
        self.place = ctypes.addressof(self._found)

    def take(self) -> Any:
        """The error; there has to be one."""
        found = self._found.contents
        error = GLib.Error.new_literal(found.domain, (found.message or b'').decode('utf-8', 'replace'), found.code)
        _error_free(self._found)
        self._found = ctypes.POINTER(_GError)()
        return error


class Function:
    """A pickled function under the name that workers keep it by."""

    __slots__ = ('call', 'pickled', 'kept')

    def __init__(self, name: str, pickled: bytes, kept: Any = None) -> None:
        self.pickled = pickled
        self.kept = kept
        preamble = _bytes_new(pickled, len(pickled))
        # Its own arguments are never used.
        self.call = _call_new(name.encode(), preamble)
        _call_set_preamble(self.call, preamble)
        _bytes_unref(preamble)

    def __del__(self, unref: Any = _call_unref) -> None:
        unref(self.call)


def submit_many(queue: Any, first: int, function: Function, payloads: list[bytes], options: Any) -> list[int] | None:
    """The numbers of the tasks, or None when they were refused."""
    n = len(payloads)
    joined = b''.join(payloads)
    data = _bytes_new(joined, len(joined))
    lengths = array('Q', map(len, payloads))
    try:
        ids = _submit_many(queue, first, function.call, data, lengths.buffer_info()[0], n, options, None, None)
    finally:
        _bytes_unref(data)
    if ids is None:
        return None
    try:
        return list((ctypes.c_uint64 * n).from_address(ids))
    finally:
        _free(ids)
