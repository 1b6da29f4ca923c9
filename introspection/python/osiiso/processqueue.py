# SPDX-License-Identifier: LGPL-2.1-or-later
"""The queue that runs functions in other processes."""
from __future__ import annotations

import binascii
import inspect
import os
import pickle
import subprocess
import sys
import threading
import time
import types
import weakref
from collections.abc import Callable
from typing import TYPE_CHECKING, Any

from . import _calls, _core, worker
from ._core import GLib, Osiiso
from .base import text_of
from .exceptions import OsiisoError
from .handle import _DEFAULTS, SyncTaskHandle, _attach_lock, arguments_of
from .options import TaskOptions, check_initializer
from .result import Status, TaskResult
from .sync import _LOOK, SyncQueue

# With the package wherever it was found here; what else is looked for elsewhere is
# arranged when the process is set up.
_BOOT = 'import sys; sys.path.insert(0, {folder!r}); from osiiso.worker import main; sys.exit(main())'
_PROTOCOL = pickle.HIGHEST_PROTOCOL
_loads = pickle.loads
# Of those nobody minds to get an equal one.
_SIMPLE = frozenset((int, str, bytes, float, bool))
_BYTES = int(Osiiso.Encoding.BYTES)
_SUCCEEDED = int(Osiiso.Status.SUCCEEDED)
# How many functions a worker keeps; after that their names are used again.
_MAX_FUNCTIONS = 64
_ORIGINAL_DIR = os.getcwd()


class RemoteTraceback(Exception):
    """The text of a traceback from a worker process; the cause of what was raised there."""

    def __init__(self, text: str) -> None:
        super().__init__(text)
        self.text = text

    def __str__(self) -> str:
        return f'\n"""\n{self.text}"""'


class _Handle(SyncTaskHandle):
    """A handle whose value is unpickled when somebody asks for it."""

    __slots__ = ('_raw', '_made', '_pickle_error', '_begun', '_ended')

    _raw: bytes | None
    _made: Any
    _pickle_error: BaseException | None
    _begun: int                          # attempts, as far as was told
    _ended: int                          # those of them that are followed by a retry

    @property
    def _value(self) -> Any:
        raw = self._raw
        return self._made if raw is None else self._keep(_loads(raw))

    @_value.setter
    def _value(self, value: Any) -> None:
        self._made = value

    if not TYPE_CHECKING:
        def __getattr__(self, name: str) -> Any:
            if name == '_value':
                # An AttributeError of the value itself, which has to get out.
                return pickle.loads(self._raw)
            return super().__getattr__(name)

    def value(self) -> Any:
        """What the function has returned; raises what it has raised."""
        if self._final != 'succeeded':
            return super().value()
        # As _value does: many are read, in a loop.
        raw = self._raw
        if raw is None:
            return self._made
        value = _loads(raw)
        if type(value) not in _SIMPLE:
            return self._keep(value)
        self._made = value
        self._raw = None
        return value

    def _keep(self, value: Any) -> Any:
        """The value for everybody, which is the one that was made first."""
        with _attach_lock:
            if self._raw is not None:
                self._made = value
                self._raw = None
        return self._made

    @property
    def status(self) -> Status:
        """pending, running, retrying, succeeded, failed or cancelled."""
        known = self._final or self._state
        if known is not None:
            return known
        return self._queue._status_of(self) if self._queue is not None else 'pending'

    @property
    def attempts(self) -> int:
        """How often it was begun."""
        queue = self._queue
        if self._state is not None:
            # In a hook, of that attempt: by now there may be another one.
            return self._begun
        if self._final is None and queue is not None:
            core = queue._queue.lookup(self._task)
            if core is not None:
                return int(core.get_attempts())
        return self._attempts


_DEFAULTS.update(_raw=None, _made=None, _pickle_error=None, _begun=0, _ended=0)
_Handle.__name__ = _Handle.__qualname__ = 'SyncTaskHandle'


class ProcessQueue(SyncQueue):
    """Runs functions in processes."""

    _handle_class = _Handle
    _max_workers = max(1, min(32, os.cpu_count() or 1))

    def __init__(self, *, workers: int | None = None, size: int = 0, timeout: float | None = None,
                 mode: str = 'finite', fail_policy: str = 'continue', on_timeout: str = 'complete',
                 rate: float | None = None, burst: int = 1,
                 initializer: Callable[..., object] | None = None, initargs: tuple[Any, ...] = (),
                 on_start: Callable[[SyncTaskHandle], object] | None = None,
                 on_complete: Callable[[TaskResult], object] | None = None,
                 on_retry: Callable[[SyncTaskHandle, BaseException], object] | None = None,
                 on_exit: str | None = None, context: Any = None, poll: float | None = None) -> None:
        """``context`` is one of multiprocessing, for how workers are started.

        They are always started from scratch, so it has to be one for 'spawn', whose
        executable is used, or for 'forkserver'. A worker is never forked off this
        process, which has threads: ValueError for 'fork'.
        """
        self._executable = _executable_of(context)
        if poll is not None and not poll > 0:
            raise ValueError('poll must be > 0')
        if worker.preparing:
            raise RuntimeError('a worker process imports the main module of the program that started it, which '
                               "would start workers again; such work belongs behind if __name__ == '__main__':")
        arguments = check_initializer(initializer, initargs)
        self._initializer = None if initializer is None else pickle.dumps((initializer, arguments), _PROTOCOL)
        self._functions: dict[bytes, _calls.Function] = {}
        self._by_fn: dict[Any, _calls.Function] = {}
        self._n_functions = 0
        self._submit_lock = threading.Lock()
        self._by_task: dict[int, SyncTaskHandle] = {}   # for hooks
        self._context = GLib.MainContext.new()
        self._teller = 0                                # the thread that is told of ends
        super().__init__(workers=workers, size=size, timeout=timeout, mode=mode, fail_policy=fail_policy,
                         on_timeout=on_timeout, rate=rate, burst=burst, on_start=on_start, on_complete=on_complete,
                         on_retry=on_retry, on_exit=on_exit)
        self._has_hooks = self._on_start is not None or self._on_retry is not None
        this = weakref.ref(self)

        def ended(tokens: list[int], *_: Any) -> None:
            queue = this()
            if queue is not None and _core.is_alive():
                queue._results_told(tokens)

        def started(_: Any, core: Any) -> None:
            queue = this()
            if queue is not None and _core.is_alive():
                queue._attempt_begins(core)

        def retries(_: Any, core: Any, error: Any) -> None:
            queue = this()
            if queue is not None and _core.is_alive():
                queue._attempt_ended(core, error)

        self._queue.set_completions_func(Osiiso.CompletionFlags(0), ended)
        if self._has_hooks:
            self._queue.connect('on-start', started)
            self._queue.connect('on-retry', retries)
        self._prepare_workers()
        _begin_telling(self)

    def start(self) -> ProcessQueue:
        """Starts the queue; tasks begin. Again after a run, or a failure, too."""
        if not self._live:
            self._prepare_workers()
        return super().start()

    def _run(self, timeout: float | None, core_policy: Any) -> Any:
        if not self._live:
            self._prepare_workers()
        return super()._run(timeout, core_policy)

    def _new_core(self, workers: int) -> Any:
        # Not in the context of other queues: a thread waits for what happens in this one.
        self._context.push_thread_default()
        try:
            return Osiiso.Queue(backend_name='subprocess', workers=workers)
        finally:
            self._context.pop_thread_default()

    def _prepare_workers(self) -> None:
        """Says what workers are started with from now on."""
        sys.modules.setdefault('__mp_main__', sys.modules['__main__'])
        set_up: Any = (worker.prepare, (_preparation(), self._initializer, self._on_retry is not None), {})
        backend = self._queue.get_backend()
        boot = _BOOT.format(folder=os.path.dirname(os.path.dirname(os.path.abspath(worker.__file__))))
        backend.set_property('worker-argv', [self._executable, *subprocess._args_from_interpreter_flags(), '-c', boot])  # type: ignore[attr-defined]
        backend.set_property('setup', GLib.Bytes.new(pickle.dumps(set_up, _PROTOCOL)))

    def _check_callable(self, fn: Any, options: TaskOptions) -> None:
        if inspect.isawaitable(fn):
            raise TypeError(f'a ProcessQueue runs functions, and coroutine functions; got the awaitable {fn!r}')

    # Into the core.

    def _function_of(self, fn: Any) -> _calls.Function:
        function = self._by_fn.get(fn) if type(fn) is types.FunctionType else None
        if function is not None:
            return function
        pickled = pickle.dumps(fn, _PROTOCOL)
        with self._submit_lock:
            function = self._functions.get(pickled)
            if function is None:
                number = self._n_functions
                self._n_functions += 1
                if len(self._functions) >= _MAX_FUNCTIONS:
                    self._functions.pop(next(iter(self._functions)))
                    self._by_fn = {}
                function = self._functions[pickled] = _calls.Function(f'#{number % _MAX_FUNCTIONS}', pickled, fn)
            if type(fn) is types.FunctionType:
                # Others may change.
                self._by_fn[fn] = function
        return function

    def _encode(self, handle: Any) -> tuple[_calls.Function, bytes]:
        """The function of a task and its arguments, for a worker."""
        try:
            return self._function_of(handle._fn), pickle.dumps(arguments_of(handle._call), _PROTOCOL)
        except Exception as error:
            # It fails like others, and when it is its turn.
            handle._pickle_error = error
            told = type(error), str(error)
            return self._function_of(worker.fail), pickle.dumps(((RuntimeError(f'{told[0].__name__}: {told[1]}'),), {}))

    def _submit_all(self, handles: list[Any]) -> list[Any]:
        if self._size or len(handles) < 4 or self._has_hooks or not self._submit_batch(handles):
            for handle in handles:
                self._admit(handle)
        return handles

    def _submit_batch(self, handles: list[Any]) -> bool:
        """All or none; False when they are not alike."""
        self._check_usable()
        options, fn = handles[0]._options, handles[0]._fn
        dumps = pickle.dumps
        try:
            function = self._function_of(fn)
            # What is no tuple, nor more than that, can go by itself.
            payloads = [dumps(call if type(call) is int or type(call) is str else arguments_of(call), _PROTOCOL)
                        for call in [handle._call for handle in handles if handle._fn is fn]]
        except Exception:
            return False
        if len(payloads) != len(handles):
            return False
        core_options = self._core_pair(options)
        first = self._first_token()
        self._prepare(handles, options)
        table = self._table
        table.update(enumerate(handles, first))
        for token, handle in enumerate(handles, first):
            handle._token = token
        tasks = _calls.submit_many(self._pointer, first, function, payloads, core_options[1])
        if tasks is None:
            for handle in handles:
                table.pop(handle._token, None)
            # One of them finds out why.
            return False
        for handle, task in zip(handles, tasks):
            handle._task = task
        return True

    def _admit(self, handle: Any) -> None:
        self._check_usable()
        options = handle._options
        last = self._last
        if options is not last[0]:
            last = self._last = (options, *self._core_pair(options))
        if options.delay is not None or options.run_at is not None:
            self._prepare((handle,), options)
        function, payload = self._encode(handle)
        token = handle._token = next(self._tokens)
        self._table[token] = handle
        try:
            if not self._try_admit(handle, function, payload, last[2]):
                self._admit_call_slowly(handle, function, payload, last[2])
        except BaseException:
            self._table.pop(token, None)
            raise

    def _try_admit(self, handle: Any, function: _calls.Function, payload: bytes, options: Any,
                   error: Any = None) -> bool:
        arguments = self._pointer, handle._token, function.call, payload, len(payload), options, error
        if not self._has_hooks:
            task = _calls.try_submit(*arguments)
            if task:
                handle._task = task
            return bool(task)
        with self._submit_lock:
            # Whoever is told that it begins looks it up.
            task = _calls.try_submit(*arguments)
            if task:
                handle._task = task
                self._by_task[task] = handle
        return bool(task)

    def _admit_call_slowly(self, handle: Any, function: _calls.Function, payload: bytes, options: Any) -> None:
        """Blocks until there is room, or says why there is none."""
        while True:
            n_settled = self._n_settled()
            refusal = _calls.Error()
            if self._try_admit(handle, function, payload, options, refusal.place):
                return
            error = refusal.take()
            if not error.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.FULL):
                raise self._translate(error)
            # Otherwise nobody would make room.
            self.start()
            if self._in_own_task():
                # This thread tells of ends, which it does not have to for that.
                time.sleep(_LOOK)
                continue
            with self._settled:
                self._n_waiting += 1
                try:
                    self._settled.wait_for(lambda: self._n_settled() > n_settled, _LOOK)
                finally:
                    self._n_waiting -= 1

    # Out of it.

    def reset(self) -> None:
        """Opens a queue that was shut down, or is at rest, as if it were new."""
        super().reset()
        # Those that were waiting are cancelled, and that is told.
        with self._settled:
            self._n_waiting += 1
            try:
                self._settled.wait_for(lambda: not self._table, 5)
            finally:
                self._n_waiting -= 1
            self._results.clear()

    def _after_close(self) -> None:
        if not self._in_own_task():
            # They are over, and are being told of.
            self._wait_for_settled(30)
        self._closed = True
        self._live = False

    def _cancel_handle(self, handle: Any) -> bool:
        core = self._queue.lookup(handle._task)
        if core is None or not core.cancel():
            return False
        if core.get_status() == Osiiso.Status.CANCELLED:
            # It is told as well, but whoever cancels expects it to be over.
            handle._attempts = int(core.get_attempts())
            self._settle_cancelled(handle)
        return True

    def _settle_cancelled(self, handle: Any) -> None:
        self._by_task.pop(handle._task, None)
        self._settle(handle, 'cancelled', None, None,
                     'cancelled' if handle._attempts else 'cancelled before execution')

    def _status_of(self, handle: Any) -> Status:
        core = self._queue.lookup(handle._task)
        if core is None:
            return 'pending'
        status = core.get_status()
        if status == Osiiso.Status.RUNNING:
            return 'running'
        return 'retrying' if status == Osiiso.Status.RETRYING else 'pending'

    def _results_told(self, tokens: list[int]) -> None:
        told = self._queue.dup_told_results()
        if told is None:
            return
        data = told.get_data()
        table = self._table
        pop, get = table.pop, table.get
        place = len(tokens) * _calls.TOLD.size
        ends = _calls.TOLD.iter_unpack(memoryview(data)[:place])
        n_done = 0
        append = self._results.append
        is_quick = self._on_complete is None and not self._has_hooks
        for token, task, started, finished, length, status, attempts, encoding, _ in ends:
            start = place
            place += length
            if is_quick and status == _SUCCEEDED:
                handle: Any = pop(token, None)
                if handle is None:
                    continue
                handle._attempts = attempts
                handle._started = started / 1e6
                if length:
                    handle._raw = data[start:place]
                else:
                    handle._raw = handle._made = None
                handle._finished = finished / 1e6
                handle._final = 'succeeded'
                handle._call = None
                if handle._listeners is not None:
                    handle._tell()
                append(handle)
                n_done += 1
                continue
            handle = get(token)
            if handle is None:
                continue
            handle._task = task
            handle._attempts = attempts
            if started:
                handle._started = started / 1e6
            error: BaseException | None = None
            if status == _SUCCEEDED:
                if length:
                    handle._raw = data[start:place]
            elif status != _core.CANCELLED:
                error = self._failure(handle, data[start:place] if encoding == _BYTES else b'')
            handle._finished = finished / 1e6
            self._settle_told(handle, status, error)
        if n_done and self._n_waiting:
            with self._settled:
                self._settled.notify_all()

    def _settle_told(self, handle: Any, status: int, error: BaseException | None) -> None:
        with self._submit_lock:
            self._by_task.pop(handle._task, None)
        if status == _SUCCEEDED:
            self._settle(handle, 'succeeded', None, None, '')
        elif error is None:
            self._settle_cancelled(handle)
        else:
            self._settle(handle, 'failed', None, error, text_of(error))

    def _failure(self, handle: Any, details: bytes) -> BaseException:
        if handle._pickle_error is not None:
            return handle._pickle_error  # type: ignore[no-any-return]
        if details:
            error = _unpickle_error(details)
            if error is not None:
                return error
        core = self._queue.lookup(handle._task)
        if core is None:
            return OsiisoError('the task was lost')
        return self._error_of(handle, core.dup_error(), core)

    def _error_of(self, handle: Any, error: Any, core: Any) -> BaseException:
        """What an error of the core is here."""
        if error is None:
            return OsiisoError('the task was lost')
        if error.matches(_core.Gio.io_error_quark(), _core.Gio.IOErrorEnum.TIMED_OUT):
            return self._timeout_error(handle)
        message, mark, pickled = error.message.partition(worker._MARK)
        if mark:
            made = _unpickle_error(binascii.a2b_base64(pickled))
            if made is not None:
                return made
        if error.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.CRASHED):
            return _crash_error(message, core.dup_error_details() if core is not None else None)
        return RuntimeError(message)

    def _attempt_begins(self, core: Any) -> None:
        with self._submit_lock:
            handle: Any = self._by_task.get(core.get_task_id())
        if handle is None or handle._begun > handle._ended:
            # Or it had been given to a worker that did not get to it; it is still the same attempt.
            return
        handle._begun += 1
        if self._on_start is not None:
            self._hook_in('running', self._on_start, handle)

    def _attempt_ended(self, core: Any, error: Any) -> None:
        with self._submit_lock:
            handle: Any = self._by_task.get(core.get_task_id())
        if handle is None:
            return
        handle._ended += 1
        if self._on_retry is not None:
            failure = handle._pickle_error or self._error_of(handle, error, None)
            self._hook_in('retrying', self._on_retry, handle, failure)

    def _hook_in(self, state: Status, hook: Callable[..., object], handle: Any, *arguments: Any) -> None:
        # What has become of it since is told later.
        handle._state = state
        self._hook(hook, handle, *arguments)
        handle._state = None

    # In hooks and callbacks, which are called by the thread that is told of ends.

    def _own_task(self) -> Any:
        return None

    def _in_own_task(self) -> bool:
        return threading.get_ident() == self._teller

    def _wait_in_task(self, handle: SyncTaskHandle, timeout: float | None) -> None:
        raise RuntimeError('a callback of the queue would wait for what only comes after it')


def _unpickle_error(data: bytes) -> BaseException | None:
    """An exception of a worker, with its traceback there as the cause."""
    try:
        error = pickle.loads(data)
    except Exception:
        return None
    if not isinstance(error, BaseException):
        return None
    text = getattr(error, 'worker_traceback', '')
    if text:
        try:
            error.__cause__ = RemoteTraceback(text)
        except Exception:
            pass
    return error


def _crash_error(message: str, details: Any) -> BaseException:
    found = details.unpack() if isinstance(details, GLib.Variant) else {}
    code = found.get('exit-status')
    if code is None and 'signal' in found:
        code = -found['signal']
    error = RuntimeError(f'worker process died (exit code {code})')
    error.__cause__ = OsiisoError(message)
    return error


def _preparation() -> dict[str, Any]:
    """What a worker has to know of this process; see worker.prepare()."""
    main = sys.modules['__main__']
    name = getattr(getattr(main, '__spec__', None), 'name', None)
    path = None
    if name is None:
        path = getattr(main, '__file__', None)
        if path is not None:
            path = os.path.normpath(os.path.join(_ORIGINAL_DIR, path))
            if not os.path.isfile(path):
                path = None
    elif name == '__main__' or name.endswith('.__main__'):
        # A package that is run; what it runs is not defined there.
        name = None
    sys_path = [os.path.abspath(entry) if entry == '' else entry for entry in sys.path]
    return {'sys_path': sys_path, 'sys_argv': list(sys.argv), 'dir': os.getcwd(), 'main_name': name, 'main_path': path}


def _executable_of(context: Any) -> str:
    """The interpreter that a context of multiprocessing starts."""
    if context is None:
        return sys.executable
    get_start_method = getattr(context, 'get_start_method', None)
    if not callable(get_start_method):
        raise TypeError(f'context must be None or a context of multiprocessing; got {context!r}')
    method = get_start_method()
    if method not in ('spawn', 'forkserver'):
        raise ValueError("context must be one for 'spawn' or 'forkserver', because workers are started from scratch; "
                         f'got one for {method!r}')
    from multiprocessing import spawn
    return os.fsdecode(spawn.get_executable())


def _begin_telling(queue: ProcessQueue) -> None:
    loop = GLib.MainLoop.new(queue._context, True)
    _calls.quit_with(queue._pointer, loop)
    thread = threading.Thread(target=_tell, args=(queue._context, loop), name='osiiso-results', daemon=True)
    thread.start()
    queue._teller = thread.ident or 0


def _tell(context: Any, loop: Any) -> None:
    """The thread in which a queue is told of ends, as long as there is that queue."""
    is_running = loop.is_running
    while is_running() and _core.is_alive():
        context.iteration(True)
    while _core.is_alive() and context.iteration(False):
        pass
    if _core.is_alive():
        # Whoever has quit it is through with it, as the context had to be locked since.
        _calls.let_go(loop)
