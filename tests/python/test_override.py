# SPDX-License-Identifier: LGPL-2.1-or-later
"""The override of gi.repository.Osiiso."""
import concurrent.futures
import queue as stdlib_queue
import threading
import time
import traceback

import gi
import pytest

gi.require_version('Osiiso', '1')
from gi.repository import Gio, GLib, Osiiso  # noqa: E402


@pytest.fixture
def queue():
    queue = Osiiso.Queue(backend_name='thread-pool', workers=2)
    yield queue
    queue.shutdown(True)


def test_it_is_in_use():
    assert Osiiso.Queue.__module__ == 'gi.overrides.Osiiso'
    assert type(Osiiso.Queue.new('thread-pool')) is Osiiso.Queue


def test_arguments_and_value(queue):
    thing = object()
    handles = [queue.submit(pow, 2, 10), queue.submit(lambda: thing), queue.submit(lambda: None),
               queue.submit(lambda: 2 ** 70)]
    queue.run().check()
    assert [handle.result() for handle in handles] == [1024, thing, None, 2 ** 70]
    assert handles[1].result() is thing and handles[0].exception() is None


def test_keywords_are_options(queue):
    calls = []

    def flaky():
        calls.append(1)
        if len(calls) < 3:
            raise ValueError('not yet')
        return len(calls)

    handle = queue.submit(flaky, retries=2, name='flaky', priority=1)
    assert handle.get_name() == 'flaky'
    assert handle.result() == 3 and handle.get_attempts() == 3
    with pytest.raises(TypeError):
        queue.submit(flaky, colour=1)


@pytest.mark.parametrize('error', [ValueError('wrong'), SystemExit(3), KeyboardInterrupt(), ValueError('a\0b')])
def test_exceptions_reach_the_handle(queue, error):
    def work():
        raise error

    handle = queue.submit(work)
    with pytest.raises(type(error)) as raised:
        handle.result()
    assert raised.value is error is handle.exception()
    assert type(error).__name__ in handle.dup_error().message
    assert queue.submit(abs, -1).result() == 1


def test_errors_of_the_library(queue):
    handle = queue.submit(time.sleep, 30, timeout=.01)
    with pytest.raises(GLib.Error) as raised:
        handle.result()
    assert raised.value.matches(Gio.io_error_quark(), Gio.IOErrorEnum.TIMED_OUT)
    queue.shutdown()
    with pytest.raises(GLib.Error) as raised:
        queue.submit(abs, 1)
    assert raised.value.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.CLOSED)


def test_functions_with_attempts(queue):
    handle = queue.submit(lambda attempt, *_: attempt.return_int(7), options=Osiiso.TaskOptions(retries=1))
    group = queue.map(3, lambda attempt, *_: attempt.return_int(attempt.get_index()))
    queue.run().check()
    assert handle.result() == 7
    assert [member.result() for member in group] == [0, 1, 2]


def test_functions_for_the_bare_namespace(queue):
    """What runs without the override runs with it."""
    handle = queue.submit(lambda attempt, nothing: attempt.return_boolean(nothing is None), options=Osiiso.TaskOptions())
    group = queue.map(2, lambda attempt, nothing: attempt.return_boolean(nothing is None))
    other = queue.map(2, lambda attempt, data: attempt.return_int(data), 7)
    queue.run().check()
    assert handle.result() is True
    assert [member.result() for member in (*group, *other)] == [True, True, 7, 7]


def test_groups(queue):
    group = queue.map(3, lambda attempt, *_: attempt.return_int(attempt.get_index()))
    assert len(group) == 3 and group
    queue.run()
    assert [handle.get_index() for handle in group] == [0, 1, 2]
    assert group[-1].get_index() == 2
    with pytest.raises(IndexError):
        group[3]
    assert group.wait().props.succeeded == 3


def test_context_manager():
    with Osiiso.Queue.new('thread-pool') as queue:
        handle = queue.submit(abs, -2)
        assert handle.wait() and handle.result() == 2
    assert queue.get_closed()
    with pytest.raises(ZeroDivisionError):
        with Osiiso.Queue.new('thread-pool') as queue:
            handle = queue.submit(abs, -2, delay=100)
            1 / 0
    assert handle.get_status() == Osiiso.Status.CANCELLED




def test_push(queue):
    seen = []
    assert queue.push(seen.append, 1) and queue.try_push(seen.append, 2, priority=0)
    handle = queue.try_submit(pow, 2, 3)
    summary = queue.run()
    assert handle.result() == 8
    assert sorted(seen) == [1, 2] and summary.props.succeeded == 3


def test_map(queue):
    group = queue.map(pow, [(2, 3), {'base': 2, 'exp': 5}], group_id='powers', retries=1)
    assert [handle.result() for handle in group] == [8, 32] and group.get_group_id() == 'powers'
    assert [handle.result() for handle in queue.map(len, ['abc', [1]])] == [3, 1]
    assert len(queue.map(len, [])) == 0
    with pytest.raises(TypeError):
        queue.map(len, ['a'], ['b'])
    with pytest.raises(TypeError):
        queue.map(len, ['a'], colour=1)


def test_submitting_into_a_group(queue):
    group = queue.new_group('mixed')
    handles = [group.submit(pow, 2, 2), group.submit(abs, -1, name='abs'),
               group.submit(lambda attempt, *_: attempt.return_int(3), options=None)]
    assert [handle.result() for handle in handles] == [handle.result() for handle in group] == [4, 1, 3]
    assert group[:2] == handles[:2] and handles[1].get_name() == 'abs'


def test_only_callables(queue):
    for call in (queue.submit, queue.push, queue.try_submit, queue.try_push, queue.new_group(None).submit):
        with pytest.raises(TypeError, match='callable; got 3'):
            call(3)


def test_options_once(queue):
    with pytest.raises(TypeError, match='retries'):
        queue.submit(abs, 1, options=Osiiso.TaskOptions(), retries=1)


def test_results_of_the_summary(queue):
    error = OSError('gone')

    def fail():
        raise error

    queue.submit(fail)
    summary = queue.run()
    failed = summary.errors().get_item(0)
    assert failed.exception() is error and failed.get_message() == 'OSError: gone'


def test_the_traceback_begins_in_the_function(queue):
    def fail():
        raise ValueError

    for options in ({}, {'options': None}):
        handle = queue.submit(lambda *_: fail(), **options)
        handle.wait()
        frames = traceback.extract_tb(handle.exception().__traceback__)
        assert [frame.name for frame in frames] == ['<lambda>', 'fail']


def test_python_knows_the_errors(queue):
    gate = threading.Event()
    handle = queue.submit(gate.wait)
    queue.start()
    with pytest.raises(TimeoutError) as raised:
        handle.wait(.01)
    assert isinstance(raised.value, GLib.Error)
    with pytest.raises(concurrent.futures.CancelledError):
        handle.wait(-1, cancelled())
    with pytest.raises(ValueError, match='nan'):
        handle.wait(float('nan'))
    handle.cancel()
    with pytest.raises(concurrent.futures.CancelledError) as raised:
        handle.result()
    assert raised.value.matches(Gio.io_error_quark(), Gio.IOErrorEnum.CANCELLED)
    gate.set()
    bounded = Osiiso.Queue(backend_name='thread-pool', size=1)
    bounded.submit(abs, 1)
    with pytest.raises(stdlib_queue.Full):
        bounded.try_submit(abs, 2)
    bounded.shutdown(True)


def test_full_in_the_thread_that_would_make_room():
    queue = Osiiso.Queue(backend_name='main-loop', size=1)
    queue.submit(abs, 1)
    for call in (queue.submit, queue.push, queue.new_group(None).submit):
        with pytest.raises(stdlib_queue.Full):
            call(abs, 1)
    queue.run()
    queue.shutdown()


def test_calls_and_commands():
    with Osiiso.Queue(backend_name='subprocess', workers=1, size=3) as queue:
        options = Osiiso.TaskOptions(name='said')
        handles = [queue.submit_command(['echo', 'a']), queue.submit_command(['cat'], GLib.Bytes(b'b'), options),
                   queue.submit_command(['echo', 'c'], options=options)]
        handles += [queue.new_group(None).submit_command(['echo', str(i)], None, options) for i in range(5)]
        assert [handle.result().dup_stdout_text() for handle in handles] == ['a\n', 'b', 'c\n'] + [
            f'{i}\n' for i in range(5)]
        assert [handle.get_name() for handle in handles[1:]] == ['said'] * 7
    with pytest.raises(GLib.Error, match='not accepting'):
        queue.submit_command(['true'])
    with Osiiso.Queue.new('main-loop') as queue:
        with pytest.raises(NotImplementedError):
            queue.submit_command(['true'])


def test_room_is_waited_for():
    queue = Osiiso.Queue(backend_name='thread-pool', workers=1, size=2)
    handles = [queue.submit(abs, -i) for i in range(20)]
    assert [handle.result() for handle in handles] == list(range(20))
    group = queue.map(abs, [-1, -2])
    assert [handle.result() for handle in group] == [1, 2]
    queue.shutdown()


def cancelled():
    cancellable = Gio.Cancellable()
    cancellable.cancel()
    return cancellable


@pytest.mark.parametrize('wait', [lambda queue, c: queue.run(c), lambda queue, c: queue.join(c),
                                  lambda queue, c: queue.run_full(0, 0, c), lambda queue, c: queue.shutdown(False, c)])
def test_a_cancellable_ends_a_wait(queue, wait):
    gate = threading.Event()
    handle = queue.submit(gate.wait)
    cancellable = Gio.Cancellable()
    queue.submit(cancellable.cancel)
    with pytest.raises(concurrent.futures.CancelledError):
        wait(queue, cancellable)
    assert not handle.is_done()
    gate.set()
    assert handle.result() is True


def test_a_wait_that_could_never_end(queue):
    queue.set_workers(1)
    first = queue.submit(lambda: queue.submit(abs, 1).wait())
    second = queue.submit(lambda: queue.join())
    for handle in (first, second):
        with pytest.raises(GLib.Error) as raised:
            handle.result()
        assert raised.value.matches(Osiiso.queue_error_quark(), Osiiso.QueueError.WOULD_DEADLOCK)


def test_thread_locals_stay(queue):
    queue.set_workers(1)
    local = threading.local()

    def count():
        local.n = getattr(local, 'n', 0) + 1
        return local.n

    assert [handle.result() for handle in [queue.submit(count) for _ in range(5)]] == [1, 2, 3, 4, 5]


def test_signals_in_a_wait(queue):
    names = []
    queue.connect('on-complete', lambda queue, handle: names.append(handle.get_name()))
    queue.submit(abs, 1, name='one')
    queue.run()
    queue.submit(abs, 1, name='two')
    queue.join()
    queue.submit(abs, 1, name='three')
    queue.shutdown()
    assert names == ['one', 'two', 'three']


def test_the_main_loop(queue):
    with Osiiso.Queue.new('main-loop') as here:
        handle = here.submit(threading.get_ident)
        here.run()
        assert handle.result() == threading.get_ident()


def test_len(queue):
    assert len(queue) == 0 and queue
    queue.submit(abs, 1)
    queue.submit(abs, 1, delay=100)
    assert len(queue) == 2
