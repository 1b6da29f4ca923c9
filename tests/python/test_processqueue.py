# SPDX-License-Identifier: LGPL-2.1-or-later
"""ProcessQueue: what it has besides that which all queues do."""
import gc
import multiprocessing
import multiprocessing.spawn
import os
import pickle
import signal
import sys
import threading
import time
from functools import partial

import pytest
import work_process as work
from watch import is_alive, read_pid, until

import osiiso


@pytest.fixture
def queue():
    with osiiso.ProcessQueue(workers=1) as queue:
        yield queue


def test_runs_elsewhere(queue):
    pid = queue.submit(work.pid)
    parent = queue.submit(work.ppid)
    assert pid.wait(60).value != os.getpid()
    assert parent.wait(60).value == os.getpid()


def test_worker_is_used_again(queue):
    handles = queue.map(work.pid, range(8))
    assert len({handle.wait(60).value for handle in handles}) == 1


def test_two_workers_at_a_time(tmp_path):
    with osiiso.ProcessQueue(workers=2) as queue:
        first = queue.submit(work.arrive_and_sleep, str(tmp_path / 'a'))
        second = queue.submit(work.arrive_and_sleep, str(tmp_path / 'b'))
        assert read_pid(tmp_path / 'a') != read_pid(tmp_path / 'b')
        assert first.cancel() and second.cancel()


def test_constructor():
    with pytest.raises(ValueError, match='poll must be > 0'):
        osiiso.ProcessQueue(poll=0)
    with pytest.raises(TypeError, match=r"ProcessQueue.__init__\(\) got an unexpected keyword argument 'worker'"):
        osiiso.ProcessQueue(worker=1)
    with osiiso.ProcessQueue(poll=0.05, context=multiprocessing.get_context('spawn'), workers=1) as queue:
        assert queue.submit(abs, -1).wait(60).value == 1


def test_awaitables_are_refused():
    queue = osiiso.ProcessQueue()
    coroutine = work.add_later(1, 2)
    with pytest.raises(TypeError):
        queue.submit(coroutine)
    coroutine.close()


def test_coroutine_functions(queue):
    assert queue.submit(work.add_later, 1, 2).wait(60).value == 3
    assert queue.submit(work.AsyncCallable(), 4).wait(60).value == 5
    assert queue.submit(work.later, 6).wait(60).value == 8
    assert queue.submit(partial(work.add_later, b=5), 1).wait(60).value == 6


@pytest.mark.parametrize('value', [None, 0, 'text', 1.5, b'', [1, [2]], {'a': 1}, (1, 2)])
def test_a_value_is_one_object(queue, value):
    """However it is asked for, and how often."""
    for handle in [queue.submit(lambda_free_identity, value), *queue.map(lambda_free_identity, [(value,)] * 5)]:
        result = handle.wait(60)
        assert handle.value() == value and type(handle.value()) is type(value)
        assert handle.value() is handle.value() is result.value


def test_handles_before_and_after(tmp_path, queue):
    handle = queue.submit(work.arrive_and_sleep, str(tmp_path / 'here'))
    read_pid(tmp_path / 'here')
    assert handle.status == 'running' and handle.attempts == 1 and not handle.done()
    with pytest.raises(TimeoutError, match='result not ready'):
        handle.wait(0.01)
    waiting = queue.submit(work.pid)
    assert waiting.status == 'pending' and waiting.attempts == 0
    assert handle.cancel() and handle.status == 'cancelled'
    result = waiting.wait(60)
    assert result.started_at >= result.created_at and result.finished_at >= result.started_at
    assert result.duration == result.finished_at - result.started_at


# What is sent.

def test_arguments_and_values(queue):
    for value in (None, 0, 2**70, 'ä', [1, (2, {3: 4})], {1: None}, b'', float('inf'), object, work.Counter):
        assert queue.submit(work.get_state, 'nothing').wait(60).value is None
        got = queue.submit(lambda_free_identity, value).wait(60).value
        assert got == value and type(got) is type(value)


def lambda_free_identity(value):
    return value


@pytest.mark.parametrize('size', [0, 1, 65535, 65536, 3 << 20])
def test_large_values(queue, size):
    data = os.urandom(16) * (size // 16) + b'y' * (size % 16)
    assert queue.submit(work.length, data).wait(60).value == size
    assert queue.submit(work.big, size).wait(60).value == b'x' * size


def test_value_is_made_once(queue):
    handle = queue.submit(work.get_state, 'x')
    other = queue.submit(lambda_free_identity, [1])
    handle.wait(60), other.wait(60)
    assert other.value() is other.value() is other.result().value
    assert other.result() == pickle.loads(pickle.dumps(other.result()))


def test_callables_that_change(queue):
    """A function is sent once; an object may be another one each time."""
    counter = work.Counter()
    for n in range(3):
        counter.n = n
        assert queue.submit(counter).wait(60).value == n


def test_many_callables(queue):
    handles = [queue.submit(partial(work.length, b'x' * n)) for n in range(200)]
    handles += [queue.submit(partial(work.length, b'x' * n)) for n in range(200)]
    assert [handle.wait(60).value for handle in handles] == [*range(200), *range(200)]


@pytest.mark.parametrize('how', ['lambda', 'local', 'argument', 'hostile'])
def test_what_cannot_be_pickled(queue, how):
    def local():
        pass

    handle = {
        'lambda': lambda: queue.submit(lambda: 1),
        'local': lambda: queue.submit(local),
        'argument': lambda: queue.submit(work.length, threading.Lock()),
        'hostile': lambda: queue.submit(work.length, work.Hostile()),
    }[how]()
    result = handle.wait(60)
    assert result.status == 'failed' and result.attempts == 1
    assert 'pickle' in result.message
    assert isinstance(result.exception, (pickle.PicklingError, AttributeError, TypeError))
    assert queue.submit(abs, -2).wait(60).value == 2


def test_what_cannot_be_pickled_in_a_map():
    with osiiso.ProcessQueue(workers=1) as queue:
        handles = queue.map(work.length, [b'1', b'22', threading.Lock(), b'4444', b'', b'666666'])
        summary = queue.run()
    assert [handle.status for handle in handles] == ['succeeded'] * 2 + ['failed'] + ['succeeded'] * 3
    assert summary.failed == 1 and handles[5].value() == 6


def test_what_cannot_be_pickled_is_retried():
    retries = []
    queue = osiiso.ProcessQueue(workers=1, on_retry=lambda handle, error: retries.append(type(error)))
    handle = queue.submit(lambda: 1, retries=2)
    summary = queue.run()
    queue.shutdown()
    assert summary.failed == 1 and handle.attempts == 3
    assert retries == [type(handle.exception())] * 2


def test_what_cannot_be_unpickled(queue):
    handle = queue.submit(work.length, work.Sticky())
    assert handle.wait(60).status == 'failed'
    assert type(handle.exception()) is RuntimeError
    assert handle.result().message == 'could not unpickle task in worker: ValueError: not in here'
    pid = queue.submit(work.pid).wait(60).value
    queue.submit(work.length, work.Sticky()).wait(60)
    assert queue.submit(work.pid).wait(60).value == pid


@pytest.mark.parametrize('thing', [None, 5, 'abs'])
def test_what_cannot_be_called(queue, thing):
    handle = queue.submit(thing)
    assert handle.wait(60).message == f'{thing!r} cannot be called'
    assert type(handle.exception()) is TypeError


def test_result_that_cannot_be_pickled(queue):
    handle = queue.submit(work.give_lambda)
    assert handle.wait(60).status == 'failed'
    assert type(handle.exception()) is RuntimeError
    assert handle.result().message.startswith('task result could not be pickled: ')
    assert 'lambda' in handle.result().message


def test_result_that_cannot_be_unpickled(queue):
    handle = queue.submit(work.give_sticky)
    handle.wait(60)
    with pytest.raises(ValueError, match='not in here'):
        handle.value()
    assert queue.submit(abs, -1).wait(60).value == 1


# What goes wrong there.

def test_exceptions(queue):
    handle = queue.submit(work.fail_plain)
    assert handle.wait(60).status == 'failed'
    error = handle.exception()
    assert type(error) is work.Plain and error.args == ('plain', 6) and error.code == 6
    assert handle.result().message == 'plain (6)'
    with pytest.raises(work.Plain) as raised:
        handle.value()
    assert raised.value is error
    assert 'in fail_plain' in str(error.__cause__) and 'work_process.py' in str(error.__cause__)


def test_exception_with_a_cause(queue):
    handle = queue.submit(work.fail_deep)
    handle.wait(60)
    text = str(handle.exception().__cause__)
    assert 'ValueError: not in here' in text and 'direct cause' in text and 'RuntimeError: outer' in text


@pytest.mark.parametrize('fail, message', [('fail_odd', 'Odd: 5: because'), ('fail_hostile', 'ValueError: with luggage')])
def test_exceptions_that_cannot_be_sent(queue, fail, message):
    """The worker says so, and goes on."""
    pid = queue.submit(work.pid).wait(60).value
    handle = queue.submit(getattr(work, fail))
    assert handle.wait(60).message == f'task result could not be pickled: {message}'
    assert type(handle.exception()) is RuntimeError
    assert f'in {fail}' in str(handle.exception().__cause__)
    assert queue.submit(work.pid).wait(60).value == pid


@pytest.mark.parametrize('how, kind', [('exit', SystemExit), ('interrupt', KeyboardInterrupt), ('other', BaseException)])
def test_other_exceptions(queue, how, kind):
    """They end their task, and nothing else."""
    pid = queue.submit(work.pid).wait(60).value
    handle = queue.submit(work.exit_politely, how)
    assert handle.wait(60).status == 'failed' and type(handle.exception()) is kind
    assert queue.submit(work.pid).wait(60).value == pid


def test_death(queue):
    pid = queue.submit(work.pid).wait(60).value
    handle = queue.submit(work.leave, 3)
    assert handle.wait(60).status == 'failed'
    assert type(handle.exception()) is RuntimeError
    assert handle.result().message == 'worker process died (exit code 3)'
    assert queue.submit(work.pid).wait(60).value != pid
    for number in (signal.SIGKILL, signal.SIGSEGV):
        handle = queue.submit(work.die, int(number))
        assert handle.wait(60).message == f'worker process died (exit code -{int(number)})'
    assert queue.submit(abs, -1).wait(60).value == 1


def test_death_and_retry(tmp_path, queue):
    handle = queue.submit(work.leave_once, str(tmp_path / 'seen'), retries=1)
    assert handle.wait(60).value == 'second' and handle.attempts == 2


def test_death_ends_one_task():
    with osiiso.ProcessQueue(workers=1) as queue:
        handles = queue.map(work.leave_at, range(40))
        summary = queue.run()
    assert (summary.succeeded, summary.failed) == (39, 1)
    assert handles[5].result().message == 'worker process died (exit code 9)'
    assert all(handle.attempts == 1 for handle in handles)


def test_timeout_kills(tmp_path, queue):
    path = tmp_path / 'here'
    # On a machine with much else to do the time may be over before the function begins.
    while not (path.exists() and path.read_text().endswith('\n')):
        result = queue.submit(work.arrive_and_sleep, str(path), timeout=1).wait(100)
        assert type(result.exception) is TimeoutError
        assert result.message == "task 'arrive_and_sleep' exceeded 1s timeout"
    pid = read_pid(path)
    until(lambda: not is_alive(pid))
    assert queue.submit(work.pid).wait(60).value != pid


def test_cancel_kills(tmp_path, queue):
    handle = queue.submit(work.arrive_and_sleep, str(tmp_path / 'here'))
    pid = read_pid(tmp_path / 'here')
    assert handle.cancel() is True and handle.cancelled()
    assert handle.result().message == 'cancelled' and handle.attempts == 1
    assert handle.cancel() is False
    until(lambda: not is_alive(pid))
    assert queue.submit(abs, -1).wait(60).value == 1


def test_cancel_of_one_that_ignores_it(tmp_path, queue):
    """SIGTERM is not the end of it."""
    start = time.monotonic()
    handle = queue.submit(work.stubborn, str(tmp_path / 'here'))
    pid = read_pid(tmp_path / 'here')
    assert handle.cancel() is True and handle.done()
    until(lambda: not is_alive(pid))
    assert time.monotonic() - start < 60


def test_forced_shutdown_of_one_that_ignores_it(tmp_path):
    queue = osiiso.ProcessQueue(workers=1).start()
    handle = queue.submit(work.stubborn, str(tmp_path / 'here'))
    pid = read_pid(tmp_path / 'here')
    start = time.monotonic()
    queue.shutdown(force=True)
    assert handle.cancelled()
    until(lambda: not is_alive(pid))
    assert time.monotonic() - start < 60


# Set-up.

def test_initializer():
    with osiiso.ProcessQueue(workers=2, initializer=work.set_state, initargs=('key', 'value')) as queue:
        handles = queue.map(work.get_state, ['key'] * 20)
        assert {handle.wait(60).value for handle in handles} == {'value'}


def test_initializer_that_fails():
    with osiiso.ProcessQueue(workers=1, initializer=work.fail_always) as queue:
        start = time.monotonic()
        handles = queue.map(work.pid, range(5))
        for handle in handles:
            assert handle.wait(60).status == 'failed'
            assert type(handle.exception()) is LookupError and handle.exception().args == ('no set-up',)
        assert time.monotonic() - start < 60


def test_initializer_that_fails_at_first(tmp_path):
    with osiiso.ProcessQueue(workers=1, initializer=work.fail_twice, initargs=(str(tmp_path / 'calls'),)) as queue:
        handle = queue.submit(work.pid, retries=3)
        assert handle.wait(60).status == 'succeeded'


def test_initializer_that_cannot_be_pickled():
    with pytest.raises((pickle.PicklingError, AttributeError)):
        osiiso.ProcessQueue(initializer=lambda: 1)


def test_environment_of_a_task(tmp_path, monkeypatch):
    import sys
    monkeypatch.chdir(tmp_path)
    monkeypatch.setattr(sys, 'path', [*sys.path, '/does/not/exist'])
    with osiiso.ProcessQueue(workers=1) as queue:
        path, folder, argv = queue.submit(work.path_and_folder).wait(60).value
        assert path == sys.path and folder == str(tmp_path) and argv == sys.argv
        assert queue.submit(work.sigint).wait(60).value is True


def test_worker_is_light(queue):
    """What takes long to import is not, unless a task needs it."""
    found = queue.submit(work.modules).wait(60).value
    assert 'gi' not in found and 'multiprocessing' not in found and 'osiiso.base' not in found


def test_descriptors(queue):
    """Only the three that everybody has, and the socket."""
    read, write = os.pipe()
    os.set_inheritable(read, True)
    try:
        with osiiso.ProcessQueue(workers=1) as other:
            found = other.submit(work.open_fds).wait(60).value
    finally:
        os.close(read)
        os.close(write)
    assert {number for number, target in found.items() if '/proc/' not in target} == {0, 1, 2, 3}
    assert found[0] == '/dev/null' and found[3].startswith('socket:')


def test_nothing_is_left():
    def n_fds():
        gc.collect()
        return len(os.listdir('/proc/self/fd'))

    def once():
        with osiiso.ProcessQueue(workers=2) as queue:
            handles = queue.map(work.pid, range(20))
            queue.run()
        return {handle.value() for handle in handles}

    def is_still():
        return n_fds() <= before and not any(is_alive(pid) for pid in pids)

    once()
    time.sleep(0.1)
    before = n_fds()
    threads = threading.active_count()
    pids = set()
    for _ in range(5):
        pids |= once()
    until(is_still)
    until(lambda: gc.collect() >= 0 and threading.active_count() <= threads)


# Hooks and callbacks.

def test_hooks():
    told = []
    queue = osiiso.ProcessQueue(workers=1, on_start=lambda handle: told.append(('start', handle.name, handle.status)),
                                on_retry=lambda handle, error: told.append(('retry', repr(error))),
                                on_complete=lambda result: told.append(('end', result.status)))
    handle = queue.submit(work.exit_politely, 'other', retries=1)
    queue.run()
    queue.shutdown()
    assert told == [('start', 'exit_politely', 'running'), ('retry', "BaseException('base')"),
                    ('start', 'exit_politely', 'running'), ('end', 'failed')]
    assert 'exit_politely' in str(handle.exception().__cause__)


def test_hooks_of_many():
    """All of a task come in order, however many there are at a time."""
    told = {}
    queue = osiiso.ProcessQueue(workers=2, on_start=lambda handle: told.setdefault(handle.name, []).append('start'),
                                on_complete=lambda result: told.setdefault(result.name, []).append(result.status))
    for i in range(500):
        queue.submit(abs, -i, name=str(i))
    cancelled = queue.submit(work.pid, name='late', delay=60)
    cancelled.cancel()
    queue.run()
    queue.shutdown()
    assert told.pop('late') == ['cancelled']
    assert told == {str(i): ['start', 'succeeded'] for i in range(500)}
    assert not queue._by_task


def test_calls_in_a_callback(queue):
    """They come from the thread that tells of ends: it cannot wait for more of them."""
    errors = []
    handles = []
    done = threading.Event()

    def callback(handle):
        for call in (queue.join, queue.run, queue.shutdown, handles[1].wait):
            try:
                call()
            except RuntimeError as error:
                errors.append(error)
        handles.append(queue.submit(abs, -3))
        done.set()

    handles.append(queue.submit(work.pid))
    handles.append(queue.submit(work.compute, 3_000_000))
    handles[0].add_done_callback(callback)
    assert done.wait(60)
    assert len(errors) >= 3
    assert handles[2].wait(60).value == 3


def test_cancel_in_a_callback():
    queue = osiiso.ProcessQueue(workers=1).start()
    threads = []
    done = threading.Event()

    def callback(handle):
        threads.append(queue.cancel())
        done.set()

    queue.submit(work.pid).add_done_callback(callback)
    assert done.wait(60)
    threads[0].join(20)
    assert queue.closed


def test_pmap():
    assert osiiso.pmap(work.compute, [1, 2, 3], workers=2) == (0, 1, 3)
    with pytest.raises(osiiso.ExecutionError):
        osiiso.pmap(work.leave_at, [1, 5], workers=1)
    assert osiiso.pmap(work.get_state, ['a'], initializer=work.set_state, initargs=('a', 'b'), workers=1) == ('b',)


def test_hooks_see_the_attempt_that_they_hear_of():
    seen = []

    def begun(handle):
        while not seen and queue._queue.lookup(handle._task).get_attempts() < 2:
            time.sleep(.001)
        seen.append((handle.attempts, handle.status))

    with osiiso.ProcessQueue(workers=1, on_start=begun) as queue:
        handle = queue.submit(work.fail_plain, retries=1)
        assert handle.wait().attempts == handle.attempts == 2
    assert seen == [(1, 'running'), (2, 'running')]


def test_a_value_that_cannot_be_made_here(queue):
    handle = queue.submit(work.give_strange)
    assert handle.wait(60).status == 'succeeded'
    for _ in range(2):
        with pytest.raises(AttributeError, match='strange'):
            handle.value()


@pytest.mark.parametrize('method', ['spawn', 'forkserver'])
def test_context_whose_workers_are_started_from_scratch(method):
    with osiiso.ProcessQueue(workers=1, context=multiprocessing.get_context(method)) as queue:
        assert queue.submit(work.pid).wait().value != os.getpid()


def test_context_with_an_executable(tmp_path):
    python = tmp_path / 'python'
    python.write_text(f'#!/bin/sh\nOSIISO_TEST_EXECUTABLE="$0" exec {sys.executable} "$@"\n')
    python.chmod(0o755)
    context = multiprocessing.get_context('spawn')
    before = multiprocessing.spawn.get_executable()
    context.set_executable(str(python))
    try:
        with osiiso.ProcessQueue(workers=1, context=context) as queue:
            assert queue.submit(os.getenv, 'OSIISO_TEST_EXECUTABLE').wait().value == str(python)
    finally:
        context.set_executable(before)


def test_contexts_that_are_refused():
    with pytest.raises(ValueError, match="'spawn' or 'forkserver'.*got one for 'fork'"):
        osiiso.ProcessQueue(context=multiprocessing.get_context('fork'))
    with pytest.raises(ValueError, match="got one for 'fork'"):
        osiiso.pmap(abs, [1], context=multiprocessing.get_context('fork'))
    for wrong in ('spawn', 5, object()):
        with pytest.raises(TypeError, match='context must be None or a context of multiprocessing; got '):
            osiiso.ProcessQueue(context=wrong)


def test_an_attempt_that_was_given_back_is_told_once():
    """The core tells of it again when another worker begins it."""
    told = []

    def begun(handle):
        told.append(handle.attempts)
        if len(told) < 9:
            queue._attempt_begins(queue._queue.lookup(handle._task))

    with osiiso.ProcessQueue(workers=1, on_start=begun) as queue:
        queue.submit(work.fail_plain, retries=2).wait()
    assert told == [1, 2, 3]
