# SPDX-License-Identifier: LGPL-2.1-or-later
"""What makes gi.repository.Osiiso pleasant in Python.

Queue.submit() takes a callable with its arguments, and the options of the task as
keywords. What it returns is the value of the task, and what it raises its failure,
both to be had from the handle as they were. Everything that the library offers
besides is still there: a function that wants to see its attempt is submitted with
Queue.push() or Queue.map(), or with submit(options=...).
"""
import asyncio
import contextlib
import threading
import time
import weakref

from gi import _ossighelper
from gi.module import get_introspection_module
from gi.overrides import override
from gi.repository import Gio, GLib

Osiiso = get_introspection_module('Osiiso')
__all__ = []

# In seconds.
_PIECE = 0.1

_DOMAIN = GLib.quark_from_string('osiiso-python')


@contextlib.contextmanager
def _interruptible(cancellable):
    """Lets Ctrl-C end a call that blocks in the main thread, with KeyboardInterrupt."""
    cancellable = cancellable or Gio.Cancellable()
    if threading.current_thread() is not threading.main_thread():
        yield cancellable
        return
    interrupted = []

    def interrupt():
        interrupted.append(True)
        cancellable.cancel()

    with _ossighelper.register_sigint_fallback(interrupt), _ossighelper.wakeup_on_signal():
        try:
            yield cancellable
        except GLib.Error:
            # What the interrupt has led to; itself it is raised by the one above.
            if not interrupted:
                raise


def _wait(wait, timeout, cancellable):
    """The same for a wait that has a timeout: it is made in short pieces."""
    if threading.current_thread() is not threading.main_thread():
        return wait(timeout, cancellable)
    deadline = time.monotonic() + timeout if timeout >= 0 else float('inf')
    with _interruptible(cancellable) as cancellable:
        while True:
            left = deadline - time.monotonic()
            try:
                return wait(max(0.0, min(_PIECE, left)), cancellable)
            except GLib.Error as error:
                if left <= _PIECE or not error.matches(Gio.io_error_quark(), Gio.IOErrorEnum.TIMED_OUT):
                    raise


class _Layer:
    """The functions, arguments, values and exceptions of one queue's tasks.

    The queue knows them by tokens: one callback of Python for all of them, where a
    callback for each costs memory that PyGObject before 3.44 never gives back.
    """

    def __init__(self):
        self._lock = threading.Lock()
        self._last = 0
        self._calls = {}        # by token
        self._outcomes = {}     # by task: the value, the exception
        self._queue = None

    def attach(self, queue):
        self._queue = weakref.ref(queue)
        queue.set_runner(self._run)

    def submit(self, queue, fn, args, options):
        with self._lock:
            self._last = token = self._last + 1
        # It must not be over before there is a handle: afterwards it cannot be found.
        gate = threading.Lock()
        with gate:
            self._calls[token] = fn, args, gate
            try:
                task = queue.submit_token(token, options)
            except BaseException:
                del self._calls[token]
                raise
            handle = queue.lookup(task)
            _layers_of_tasks[hash(handle)] = self, task
            handle.weak_ref(self._forget, hash(handle), token, task)
        return handle

    def outcome(self, task):
        return self._outcomes.get(task, (None, None))

    def _forget(self, place, token, task):
        _layers_of_tasks.pop(place, None)
        self._calls.pop(token, None)
        self._outcomes.pop(task, None)

    def _run(self, token, task, attempt, *_):
        queue = _find_queue(self)
        call = self._calls.get(token)
        if queue is None or call is None:
            return task
        fn, args, gate = call
        with gate:
            pass
        try:
            value = fn(*args)
        except BaseException as error:
            # Not even an exit may leave this thread, which cannot take it.
            self._outcomes[task] = None, error
            queue.token_failed(task, attempt, _DOMAIN, 0, f'{type(error).__name__}: {error}'.replace('\0', '?'), -1)
        else:
            self._outcomes[task] = value, None
            queue.token_done(task, attempt)
        return task


# By the place of the object, because an attribute of a wrapper would cost each
# worker a turn with the interpreter's lock.
_layers = {}
_layers_of_tasks = {}


def _find_queue(layer):
    return layer._queue() if layer._queue is not None else None


def _forget_layer(place):
    _layers.pop(place, None)


def _layer_of(queue):
    place = hash(queue)
    layer = _layers.get(place)
    if layer is None:
        layer = _layers[place] = _Layer()
        layer.attach(queue)
        queue.weak_ref(_forget_layer, place)
    return layer


class Queue(Osiiso.Queue):
    def submit(self, fn, *args, **options):
        if 'options' in options:
            # As the library has it: the function gets its attempt.
            return super().submit(fn, *args, **options)
        return _layer_of(self).submit(self, fn, args, Osiiso.TaskOptions(**options) if options else None)

    def run(self, cancellable=None):
        with _interruptible(cancellable) as cancellable:
            return super().run(cancellable)

    def run_full(self, timeout, fail_policy, cancellable=None):
        with _interruptible(cancellable) as cancellable:
            return super().run_full(timeout, fail_policy, cancellable)

    def join(self, cancellable=None):
        with _interruptible(cancellable) as cancellable:
            return super().join(cancellable)

    def shutdown(self, force=False, cancellable=None):
        with _interruptible(cancellable) as cancellable:
            return super().shutdown(force, cancellable)

    def __enter__(self):
        self.start()
        return self

    def __exit__(self, kind, error, traceback):
        self.shutdown(error is not None)


Queue = override(Queue)
__all__.append('Queue')


class Handle(Osiiso.Handle):
    def wait(self, timeout=-1, cancellable=None):
        return _wait(super().wait, timeout, cancellable)

    def exception(self):
        """What the task has failed with, as it was raised, or the library's error; or None."""
        layer, task = _layers_of_tasks.get(hash(self), (None, None))
        error = self.dup_error()
        if error is not None and layer is not None and error.matches(_DOMAIN, 0):
            return layer.outcome(task)[1] or error
        return error

    def result(self, timeout=-1):
        """Waits for the task; its value, or what it has failed with is raised."""
        if not self.is_done():
            self.wait(timeout)
        error = self.exception()
        if error is not None:
            raise error
        layer, task = _layers_of_tasks.get(hash(self), (None, None))
        return self.get_value() if layer is None else layer.outcome(task)[0]

    def __await__(self):
        yield from _call_in_thread(lambda: Osiiso.Handle.wait(self, -1, None), self.is_done).__await__()
        return self.result()


Handle = override(Handle)
__all__.append('Handle')


async def _call_in_thread(call, is_over):
    """A thread waits, so that any event loop will do."""
    if is_over():
        return None
    loop = asyncio.get_running_loop()
    future = loop.create_future()

    def resolve(value, error):
        if future.done():
            pass
        elif error is not None:
            future.set_exception(error)
        else:
            future.set_result(value)

    def wait():
        value = failure = None
        try:
            value = call()
        except BaseException as error:
            failure = error
        with contextlib.suppress(RuntimeError):
            # Unless the loop is closed.
            loop.call_soon_threadsafe(resolve, value, failure)

    threading.Thread(target=wait, name='osiiso-wait', daemon=True).start()
    return await future


class Group(Osiiso.Group):
    def __len__(self):
        return self.get_n_items()

    def __bool__(self):
        return True

    def __getitem__(self, index):
        n = len(self)
        if not -n <= index < n:
            raise IndexError('there is no such member')
        return self.get_handle(index % n)

    def __iter__(self):
        return (self.get_handle(i) for i in range(len(self)))

    async def __aiter__(self):
        """The members as they finish, each once."""
        while True:
            handle = await _call_in_thread(lambda: Osiiso.Group.next_completed(self, -1, None), lambda: False)
            if handle is None:
                return
            yield handle

    def wait(self, timeout=-1, cancellable=None):
        return _wait(super().wait, timeout, cancellable)

    def next_completed(self, timeout=-1, cancellable=None):
        return _wait(super().next_completed, timeout, cancellable)


Group = override(Group)
__all__.append('Group')
