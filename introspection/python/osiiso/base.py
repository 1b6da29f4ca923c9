# SPDX-License-Identifier: LGPL-2.1-or-later
"""What all queues are: submitting, and what the core is asked for."""
from __future__ import annotations

import _thread
import atexit
import inspect
import itertools
import logging
import os
import threading
import time
import types
import weakref
from collections.abc import Callable, Iterable, Mapping
from contextvars import Context, copy_context
from typing import TYPE_CHECKING, Any, Generic, TypeVar

from . import _core
from ._core import GLib, Osiiso
from .bound import BoundTask
from .exceptions import ClosedError, OsiisoError, QueueFullError
from .handle import BaseHandle, Call
from .options import DEFAULT_OPTIONS, TaskOptions, check_callable, check_numbers, merge_options
from .result import RunSummary, Status, TaskResult

if TYPE_CHECKING:
    from .checkpoint import Checkpoint

log = logging.getLogger('osiiso')

H = TypeVar('H', bound=BaseHandle)
G = TypeVar('G')

MODES = {'finite': Osiiso.Mode.FINITE, 'infinite': Osiiso.Mode.INFINITE}
FAIL_POLICIES = {'continue': Osiiso.FailPolicy.CONTINUE, 'fail_first': Osiiso.FailPolicy.FAIL_FIRST}
TIMEOUT_POLICIES = {'complete': Osiiso.TimeoutPolicy.COMPLETE, 'cancel': Osiiso.TimeoutPolicy.CANCEL}
# What the first version of this interface called them.
OLD_TIMEOUT_POLICIES = {'complete_priority': 'complete', 'cancel': 'cancel'}

# The tokens of a map are consecutive; each map has a range of its own above those of
# single tasks.
_MAP_TOKENS = 1 << 56
_MAP_SHIFT = 32

_FORKED = 'the queue belongs to the process that made it; make another one after fork()'

# What the core counts with has 32 bits.
_MAX_COUNT = (1 << 32) - 1

# How many tokens are taken at a time.
MAX_TAKEN = 64

# How many different options have a twin in the core at a time.
_MAX_OPTIONS = 512

_all_queues: weakref.WeakSet[BaseQueue[Any, Any]] = weakref.WeakSet()


def text_of(error: BaseException) -> str:
    """``str(error)``, also for those that cannot say it."""
    try:
        return str(error)
    except Exception:
        return type(error).__name__


def _in_order(handles: list[H]) -> list[H]:
    """In the order in which the tasks ended: what a failure has cancelled is told of before it."""
    if any(handle._final == 'cancelled' for handle in handles):
        handles.sort(key=lambda handle: handle._finished)
    return handles


def _choose(choices: Mapping[str, Any], what: str, value: Any) -> Any:
    try:
        return choices[value]
    except (KeyError, TypeError):
        raise ValueError(f'{what} must be one of {", ".join(map(repr, choices))}; got {value!r}') from None


def _call_with(element: Any, context: Context | None) -> Any:
    """What a handle keeps to call its function with that element of a map."""
    if isinstance(element, Mapping):
        return Call((), dict(element), context)
    args = tuple(element) if isinstance(element, tuple) else (element,)
    return args if context is None else Call(args, {}, context)


class BaseQueue(Generic[H, G]):
    """The part of a queue that does not depend on where tasks run."""

    _handle_class: type[H]
    _group_class: Callable[[str, Iterable[H]], G]
    _max_workers: int

    def __init__(self, *, workers: int | None = None, size: int = 0, timeout: float | None = None,
                 mode: str = 'finite', fail_policy: str = 'continue', on_timeout: str = 'complete',
                 rate: float | None = None, burst: int = 1,
                 on_start: Callable[[H], object] | None = None,
                 on_complete: Callable[[TaskResult], object] | None = None,
                 on_retry: Callable[[H, BaseException], object] | None = None,
                 on_exit: str | None = None) -> None:
        for name, value in (('workers', workers), ('size', size), ('timeout', timeout), ('rate', rate), ('burst', burst)):
            if value is not None and not hasattr(value, '__float__'):
                raise TypeError(f'{name} must be a number, not {value!r}')
        for name, hook in (('on_start', on_start), ('on_complete', on_complete), ('on_retry', on_retry)):
            check_callable(name, hook)
        if workers is not None and not workers > 0:
            raise ValueError('workers must be > 0')
        if not size >= 0:
            raise ValueError('size must be >= 0')
        if timeout is not None and not timeout > 0:
            raise ValueError('timeout must be > 0')
        if rate is not None and not rate > 0:
            raise ValueError('rate must be > 0')
        if not burst >= 1:
            raise ValueError('burst must be >= 1')
        for name, value in (('workers', workers), ('size', size), ('burst', burst)):
            if value is not None and value > _MAX_COUNT:
                raise ValueError(f'{name} must be at most {_MAX_COUNT}; got {value!r}')
        if on_exit is not None:
            on_timeout = _choose(OLD_TIMEOUT_POLICIES, 'on_exit', on_exit)
        core_mode = _choose(MODES, 'mode', mode)
        core_fail_policy = _choose(FAIL_POLICIES, 'fail_policy', fail_policy)
        core_on_timeout = _choose(TIMEOUT_POLICIES, 'on_timeout', on_timeout)

        self._workers = workers
        self._size = size
        self._timeout = timeout
        self._mode = mode
        self._fail_policy = fail_policy
        self._on_start = on_start
        self._on_complete = on_complete
        self._on_retry = on_retry

        self._table: dict[int, H] = {}        # of the tasks that are not over, by token
        self._results: list[H] = []           # of those that are, in that order
        self._n_cleared = 0                   # results that were dropped
        self._tokens = itertools.count(1)
        self._maps = itertools.count()
        self._group_numbers = itertools.count(1)
        self._options: dict[Any, tuple[Any, Any]] = {}
        # The options of the last submit, and what stands for them: one tuple, so that
        # threads never see parts of two.
        self._last: tuple[TaskOptions, Any, Any] = (DEFAULT_OPTIONS, None, None)
        self._in_hooks: set[int] = set()      # tokens of those whose on_complete goes on
        self._settled = threading.Condition() # told when somebody waits for results
        self._n_waiting = 0
        self._live = False                    # started, and not over
        self._running = False
        self._closed = False
        self._pid = os.getpid()               # 0 when that was another process
        self._hindered = False                # a submit has to look why

        self._set_up()
        _core.dispatch()
        self._queue: Any = _core.make_owned(self._new_core, workers or 0)
        self._pointer = _core.pointer_to(self._queue)
        self._slots = _core.Slots(self._pointer, 4 + 3 * MAX_TAKEN)
        self._queue.set_keep_results(False)
        self._queue.set_size(size)
        self._queue.set_mode(core_mode)
        self._queue.set_fail_policy(core_fail_policy)
        self._queue.set_on_timeout(core_on_timeout)
        if timeout is not None and timeout != float('inf'):
            self._queue.set_timeout(timeout)
        if rate is not None and rate != float('inf'):
            self._queue.set_burst(burst)
            self._queue.set_rate(rate)
        # Tasks are not kept alive by what the core calls, nor is the queue.
        this = weakref.ref(self)

        def ended(tokens: list[int], statuses: list[int], *_: Any) -> None:
            queue = this()
            if queue is None:
                return
            try:
                queue._tokens_ended(tokens, statuses)
            except KeyboardInterrupt:
                # It would be lost on its way through the library, and so would the end.
                queue._tokens_ended(tokens, statuses)
                _thread.interrupt_main()

        self._queue.set_completions_func(
            Osiiso.CompletionFlags.ANY_THREAD | Osiiso.CompletionFlags.SKIP_SUCCEEDED, ended)
        _all_queues.add(self)
        self._finalizer = weakref.finalize(self, _release, [self._queue])
        self._finalizer.atexit = False

    # For the subclasses to say.

    def _set_up(self) -> None:
        """Sets what has to be there before the queue of the core."""

    def _new_core(self, workers: int) -> Any:
        """Makes the queue of the core, with its runner."""
        raise NotImplementedError

    def _check_callable(self, fn: Any, options: TaskOptions) -> None:
        """Raises for what the queue cannot run."""

    def _own_task(self) -> H | None:
        """The task of this queue that the caller is in."""
        return None

    def _in_own_task(self) -> bool:
        return self._own_task() is not None

    def _wait_in_task(self, handle: Any, timeout: float | None) -> None:
        """Blocks there until the task of that handle is over."""
        raise NotImplementedError

    # Submitting.

    def submit(self, fn: Callable[..., Any], /, *args: Any, opts: TaskOptions | None = None,
               **overrides: Any) -> H:
        """Submits ``fn(*args)``; the keywords are fields of TaskOptions."""
        options = merge_options(opts, overrides) if overrides or opts else DEFAULT_OPTIONS
        self._check_callable(fn, options)
        # As its __init__() does.
        handle_class = self._handle_class
        handle = handle_class.__new__(handle_class)
        handle._queue = self
        handle._fn = fn
        context = copy_context()
        handle._call = Call(args, {}, context) if context else args
        handle._options = options
        handle._created = time.perf_counter()
        handle._final = None
        handle._listeners = None
        handle._result = None
        self._admit(handle)
        return handle

    def map(self, fn: Callable[..., Any], iterable: Iterable[Any], *, opts: TaskOptions | None = None,
            checkpoint: Checkpoint | None = None, key: Callable[[Any], object] | None = None,
            namespace: str | None = None, **overrides: Any) -> list[H]:
        """Submits ``fn`` for each element.

        A mapping gives keyword arguments, a tuple positional ones, anything else is
        the one argument.
        """
        options = merge_options(opts, overrides) if overrides or opts else DEFAULT_OPTIONS
        self._check_callable(fn, options)
        if checkpoint is not None:
            from .resume import map_with_checkpoint
            return map_with_checkpoint(self, fn, iterable, options, checkpoint, key, namespace)
        return self._submit_all(self._handles_for(fn, iterable, options))

    def group(self, tasks: Any, iterable: Iterable[Any] | None = None, *, group_id: str | None = None,
              opts: TaskOptions | None = None, checkpoint: Checkpoint | None = None,
              key: Callable[[Any], object] | None = None, namespace: str | None = None, **overrides: Any) -> G:
        """Submits a batch with one id.

        Either one callable and what to call it with, as for ``map()``, or tuples of a
        callable and its arguments.
        """
        options = merge_options(opts, overrides)
        name = group_id or options.group_id or f'group-{next(self._group_numbers)}'
        options = options.replace(group_id=name)
        if checkpoint is not None:
            from .resume import group_with_checkpoint
            handles = group_with_checkpoint(self, tasks, iterable, options, checkpoint, key, namespace, group_id)
        elif iterable is not None:
            self._check_callable(tasks, options)
            handles = self._submit_all(self._handles_for(tasks, iterable, options))
        else:
            handles = self._submit_all(self._handles_of(tasks, options))
        return self._group_class(name, handles)

    def task(self, opts: TaskOptions | None = None, **overrides: Any) -> Callable[[Callable[..., Any]], BoundTask[H, G]]:
        """A decorator: calling the function submits it."""
        options = merge_options(opts, overrides)

        def bind(fn: Callable[..., Any]) -> BoundTask[H, G]:
            return BoundTask(self, fn, options)

        return bind

    # What there is.

    @property
    def active_count(self) -> int:
        """How many tasks are being run."""
        return int(self._queue.get_active_count())

    @property
    def pending_count(self) -> int:
        """How many tasks wait."""
        return int(self._queue.get_pending_count())

    @property
    def closed(self) -> bool:
        """Whether the queue was shut down."""
        return self._closed

    @property
    def results(self) -> tuple[TaskResult, ...]:
        """All results so far, in the order in which the tasks ended."""
        return tuple(handle.result() for handle in _in_order(self._results[:]))

    @property
    def stats(self) -> dict[str, Any]:
        """The counts, at one glance."""
        return {
            'pending': self.pending_count,
            'active': self.active_count,
            'scheduled': int(self._queue.get_scheduled_count()),
            'completed': len(self._results),
            'workers': self._count_workers(),
            'closed': self._closed,
        }

    def reset(self) -> None:
        """Opens a queue that was shut down, or is at rest, as if it were new."""
        self._check_usable()
        if self._running:
            raise RuntimeError('cannot reset during run()')
        try:
            self._queue.reset()
        except GLib.Error as error:
            if error.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.BUSY):
                raise RuntimeError('cannot reset while workers are running — call shutdown() first') from None
            raise self._translate(error) from None
        self._closed = self._live = False
        with self._settled:
            self._results.clear()
            self._n_cleared = 0

    def clear_results(self) -> None:
        """Forgets the results so far."""
        with self._settled:
            # Others may append meanwhile.
            n = len(self._results)
            del self._results[:n]
            self._n_cleared += n

    def _count_workers(self) -> int:
        if not self._live:
            return 0
        workers = int(self._queue.get_workers())
        if self._workers is not None:
            return workers
        # They are there from the start, but only so many are in use.
        least = 1 if self._mode == 'infinite' else 0
        return max(least, min(workers, self.active_count + self.pending_count - int(self._queue.get_scheduled_count())))

    # Into the core.

    def _handles_for(self, fn: Callable[..., Any], iterable: Iterable[Any], options: TaskOptions) -> list[H]:
        handle_class = self._handle_class
        now = time.perf_counter()
        context = copy_context() or None
        handles: list[H] = []
        append = handles.append
        new = handle_class.__new__
        for element in iterable:
            # As its __init__() does; a call for each costs as much as all the rest.
            handle = new(handle_class)
            handle._queue = self
            handle._fn = fn
            kind = type(element)
            if context is None and (kind is int or kind is str or kind is tuple):
                handle._call = element
            else:
                handle._call = _call_with(element, context)
            handle._options = options
            handle._created = now
            handle._final = None
            handle._listeners = None
            handle._result = None
            append(handle)
        return handles

    def _handles_of(self, tasks: Iterable[Any], options: TaskOptions) -> list[H]:
        now = time.perf_counter()
        context = copy_context()
        handles: list[H] = []
        for entry in tasks:
            if not isinstance(entry, tuple) or not entry or not (callable(entry[0]) or inspect.isawaitable(entry[0])):
                raise TypeError('each group entry must be a tuple of (callable, *args)')
            self._check_callable(entry[0], options)
            args = tuple(entry[1:])
            handles.append(self._handle_class(self, entry[0], Call(args, {}, context) if context else args, options, now))
        return handles

    def _submit_all(self, handles: list[H]) -> list[H]:
        """All or none of them, unless the queue has a size."""
        if self._size or len(handles) < 4:
            for handle in handles:
                self._admit(handle)
            return handles
        self._check_usable()
        options = handles[0]._options
        first = self._first_token()
        self._prepare(handles, options)
        table = self._table
        table.update(enumerate(handles, first))
        for token, handle in enumerate(handles, first):
            handle._token = token
        try:
            tasks = self._queue.submit_tokens(first, len(handles), self._core_options(options))
        except GLib.Error as error:
            for handle in handles:
                table.pop(handle._token, None)
            raise self._translate(error) from None
        for handle, task in zip(handles, tasks):
            handle._task = task
        return handles

    def _admit(self, handle: H) -> None:
        if self._hindered:
            self._check_usable()
        options = handle._options
        last = self._last
        if options is not last[0]:
            last = self._last = (options, *self._core_pair(options))
        if options.delay is not None or options.run_at is not None:
            self._prepare((handle,), options)
        token = handle._token = next(self._tokens)
        self._table[token] = handle
        task = _core.submit_token(self._pointer, token, last[2], None)
        if task == 0:
            try:
                task = self._admit_slowly(handle, token)
            except BaseException:
                self._table.pop(token, None)
                raise
        handle._task = task

    def _admit_slowly(self, handle: H, token: int) -> int:
        """The same, to find out why it was refused; or to wait for room."""
        try:
            return int(self._queue.try_submit_token(token, self._core_options(handle._options)))
        except GLib.Error as error:
            raise self._translate(error) from None

    def _prepare(self, handles: Iterable[H], options: TaskOptions) -> None:
        when: float | None = None
        if options.delay is not None:
            when = time.perf_counter() + options.delay
        elif options.run_at is not None:
            when = time.perf_counter() + max(0.0, options.run_at - time.time())
        if when is not None:
            for handle in handles:
                handle._scheduled_for = when

    def _first_token(self) -> int:
        """The first of consecutive tokens that nobody else has."""
        return _MAP_TOKENS + (next(self._maps) << _MAP_SHIFT)

    def _core_limit(self, timeout: float | None) -> float:
        """The time limit of a run, where 0 is none; here it is over at once."""
        limit = self._timeout if timeout is None else timeout
        return 0.0 if limit is None or limit == float('inf') else max(limit, 1e-6)

    def _check_usable(self) -> None:
        if self._pid == 0:
            raise RuntimeError(_FORKED)

    def _core_options(self, options: TaskOptions) -> Any:
        return self._core_pair(options)[0]

    def _core_pair(self, options: TaskOptions) -> tuple[Any, Any]:
        """The options of the core that stand for these, and where they are."""
        key = (options.priority, options.must_complete, options.timeout, options.retries, options.retry_delay,
               options.backoff, options.delay, options.run_at, options.detached)
        if key == _DEFAULT_KEY:
            return None, None
        pair = self._options.get(key)
        if pair is None:
            pair = self._new_core_options(options)
            if len(self._options) >= _MAX_OPTIONS:
                # Others may be in use by ctypes this moment; they live on in the tuple.
                self._options = {}
            self._options[key] = pair
        return pair

    def _new_core_options(self, options: TaskOptions) -> tuple[Any, Any]:
        check_numbers(options)
        if not -128 <= options.priority <= 127 or int(options.priority) != options.priority:
            raise ValueError(f'priority must be a whole number from -128 to 127; got {options.priority!r}')
        core = Osiiso.TaskOptions()
        core.set_priority(int(options.priority))
        core.set_must_complete(bool(options.must_complete))
        core.set_detached(bool(options.detached))
        core.set_retries(min(int(options.retries), 0x7fffffff))
        core.set_retry_delay(options.retry_delay)
        core.set_backoff(options.backoff)
        if options.timeout is not None and options.timeout != float('inf'):
            core.set_timeout(options.timeout)
        if options.delay:
            core.set_delay(options.delay)
        if options.run_at is not None:
            # 0 is none there, and all of the past is now.
            core.set_run_at(max(options.run_at, 1.0))
        return core, _core.pointer_to(core)

    def _translate(self, error: GLib.Error) -> BaseException:
        """What this package raises for an error of the core."""
        if error.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.CLOSED):
            return ClosedError('queue is not accepting tasks')
        if error.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.FULL):
            return QueueFullError(f'queue is full ({self._size} tasks outstanding)')
        if error.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.WOULD_DEADLOCK):
            return RuntimeError(error.message)
        if error.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.INVALID):
            return ValueError(error.message)
        return OsiisoError(error.message)

    def _cancel_handle(self, handle: Any) -> bool:
        core = self._queue.lookup(handle._task)
        return core is not None and bool(core.cancel())

    # Out of it.

    def _hook(self, hook: Callable[..., object], *arguments: Any) -> None:
        try:
            hook(*arguments)
        except BaseException:
            # Not even an exit: this may be a thread of the library, which cannot take it.
            log.exception('the hook %r failed', hook)

    def _begin_attempt(self, handle: H, task_id: int, attempt: int) -> None:
        """For attempts of which something is to be told."""
        handle._task = task_id
        failure = handle._failure
        if attempt > 1 and (failure is None or failure[0] != attempt - 1) and self._on_retry is not None:
            # The one before did not fail by itself.
            self._hook(self._on_retry, handle, self._timeout_error(handle))
        if self._on_start is not None:
            self._hook(self._on_start, handle)

    def _timeout_error(self, handle: H) -> TimeoutError:
        return TimeoutError(f"task '{handle.name}' exceeded {handle._options.timeout or 0:g}s timeout")

    def _running_status(self, handle: H) -> Status:
        core = self._queue.lookup(handle._task)
        return 'retrying' if core is not None and core.get_status() == Osiiso.Status.RETRYING else 'running'

    def _attempt_failed(self, handle: H, task_id: int, attempt: int, error: BaseException) -> None:
        """Reports what a task has raised; the end follows, or a retry."""
        handle._task = task_id
        options = handle._options
        if handle._final is not None or handle._attempts != attempt:
            return
        if options.timeout is not None and self._running_status(handle) == 'retrying':
            # It has timed out meanwhile.
            return
        if attempt <= options.retries:
            handle._state = 'retrying'
            if self._on_retry is not None:
                self._hook(self._on_retry, handle, error)
        handle._failure = (attempt, error)
        if attempt > options.retries:
            # What that ends is told before it, and has ended after it.
            handle._finished = time.perf_counter()
        message = f'{type(error).__name__}: {text_of(error)}'.encode('utf-8', 'replace').replace(b'\0', b'?')
        _core.token_failed(self._pointer, task_id, attempt, _core.ERROR_DOMAIN, 0, message, -1.0)

    def _tokens_ended(self, tokens: Iterable[int], statuses: Iterable[int]) -> None:
        """The core tells of ends that are not successes; it knows them just now."""
        ends: list[tuple[H, Status, BaseException | None, str]] = []
        for token, status in zip(tokens, statuses):
            handle = self._table.get(token)
            if handle is None:
                continue
            if status == _core.CANCELLED:
                ends.append((handle, 'cancelled', None,
                             'cancelled' if handle._attempts else 'cancelled before execution'))
            elif status == _core.FAILED:
                failure = handle._failure
                if failure is not None and failure[0] == handle._attempts:
                    error = failure[1]
                else:
                    error = self._core_failure(handle)
                ends.append((handle, 'failed', error, text_of(error)))
        self._settle_ends(ends)

    def _settle_ends(self, ends: Iterable[tuple[H, Status, BaseException | None, str]]) -> None:
        for handle, final, error, message in ends:
            self._settle(handle, final, None, error, message)

    def _core_failure(self, handle: H) -> BaseException:
        """Why a task has failed of which its function did not tell."""
        core = self._queue.lookup(handle._task)
        error = core.dup_error() if core is not None else None
        if error is not None and error.matches(_core.Gio.io_error_quark(), _core.Gio.IOErrorEnum.TIMED_OUT):
            return self._timeout_error(handle)
        return OsiisoError(error.message if error is not None else 'the task was lost')

    def _settle(self, handle: H, final: Status, value: Any, error: BaseException | None, message: str) -> None:
        """The end of a task, for everybody here; once for each."""
        if self._table.pop(handle._token, None) is None:
            return
        handle._failure = None
        if handle._attempts == 0 and type(handle._fn) is types.CoroutineType:
            # It will never be awaited, and shall not complain of that.
            handle._fn.close()
        handle._finish(final, value, error, message, handle._finished or time.perf_counter())
        self._settled_one(handle)

    def _settle_success(self, handle: H, value: Any, when: float) -> None:
        """The same for what most tasks come to, when the core has accepted it."""
        if self._table.pop(handle._token, None) is None:
            return
        handle._value = value
        handle._finished = when
        handle._final = 'succeeded'
        # Neither the arguments nor the context are needed any more.
        handle._call = None
        self._tell_success(handle)

    def _tell_success(self, handle: H) -> None:
        if handle._listeners is not None:
            handle._tell()
        self._settled_one(handle)

    def _settled_one(self, handle: H) -> None:
        if self._on_complete is None:
            self._results.append(handle)
        else:
            self._in_hooks.add(handle._token)
            self._results.append(handle)
            self._hook(self._on_complete, handle.result())
            self._in_hooks.discard(handle._token)
        if self._n_waiting:
            with self._settled:
                self._settled.notify_all()

    def _wait_for_settled(self, timeout: float | None = None) -> None:
        """Until everything is told that the core has counted as over."""
        target = int(self._queue.get_completed_count())
        if self._n_settled() >= target:
            return
        with self._settled:
            self._n_waiting += 1
            try:
                self._settled.wait_for(lambda: self._n_settled() >= target, timeout)
            finally:
                self._n_waiting -= 1

    def _n_settled(self) -> int:
        return len(self._results) + self._n_cleared - len(self._in_hooks)

    def _summary(self, first: int, start: float, timed_out: bool) -> RunSummary:
        handles = _in_order(self._results[max(0, first - self._n_cleared):])
        return RunSummary.from_results((handle.result() for handle in handles if not handle._options.detached),
                                       run_start=start, timed_out=timed_out)


def _release(queues: list[Any]) -> None:
    """A queue is gone, and with it its tasks."""
    queue = queues.pop()
    if queue is not None and _core.is_alive():
        queue.cancel()
        del queue
        _core.dispatch()


class _Lost:
    """In place of a queue of the core whose threads are in another process."""

    def __getattr__(self, name: str) -> Any:
        raise RuntimeError(_FORKED)


def _forget_all() -> None:
    """In a child process: the threads of the queues are not here.

    Their locks may be held for ever, so nothing of them may even be freed.
    """
    _core.renew_context()
    for queue in list(_all_queues):
        _core.keep_for_ever(queue._queue)
        queue._finalizer.detach()
        queue._pid = 0
        queue._hindered = True
        queue._queue = _Lost()


def _stop_all() -> None:
    """The interpreter ends: nobody enters it any more.

    By then all threads that it waits for are over.
    """
    for queue in list(_all_queues):
        if queue._pid != 0:
            queue._queue.cancel()
    _core.die()


os.register_at_fork(after_in_child=_forget_all)
atexit.register(_stop_all)

_DEFAULT_KEY = (3, False, None, 0, 0.0, 1.0, None, None, False)
