# SPDX-License-Identifier: LGPL-2.1-or-later
"""The override of gi.repository.Osiiso."""
import asyncio
import gc
import subprocess
import sys
import threading
import time

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


def test_await(queue):
    async def main():
        queue.start()
        gate = threading.Event()
        waiting = queue.submit(gate.wait)
        assert await queue.submit(abs, -3) == 3
        gate.set()
        assert await waiting is True
        with pytest.raises(ValueError):
            await queue.submit(int, 'x')
        group = queue.map(4, lambda attempt, *_: attempt.return_int(attempt.get_index()))
        assert sorted([handle.result() async for handle in group]) == [0, 1, 2, 3]

    asyncio.run(main())


def test_nothing_is_left(queue):
    def memory():
        gc.collect()
        return int(open('/proc/self/statm').read().split()[1]) * 4

    def work(n):
        for _ in range(n):
            queue.submit(abs, -1)
        queue.run()
        while GLib.MainContext.default().iteration(False):
            pass
        queue.clear_results()

    from gi.overrides import Osiiso as module
    queue.set_keep_results(False)
    for _ in range(4):
        work(5000)
    kept = len(module._layers_of_tasks)
    before = memory()
    for _ in range(4):
        work(5000)
    # A callback for each leaves two megabytes on Debian 12.
    assert memory() - before < 1000
    assert len(module._layers_of_tasks) <= kept < 100


@pytest.mark.parametrize('wait', ['queue.run()', 'queue.join()', 'handle.wait()', 'handle.result()', 'queue.shutdown()',
                                  'group.wait()'])
def test_interrupts(wait):
    code = f'''
import signal, threading, time, os
import gi
gi.require_version('Osiiso', '1')
from gi.repository import Osiiso
queue = Osiiso.Queue(backend_name='thread-pool', workers=1)
gate = threading.Event()
handle = queue.submit(gate.wait)
group = queue.map(1, lambda attempt, *_: None)
queue.start()
start = []
def interrupt():
    start.append(time.monotonic())
    os.kill(os.getpid(), signal.SIGINT)
threading.Timer(.1, interrupt).start()
try:
    {wait}
except KeyboardInterrupt:
    print(time.monotonic() - start[0] < 1)
gate.set()
'''
    done = subprocess.run([sys.executable, '-X', 'faulthandler', '-c', code], capture_output=True, text=True, timeout=60)
    assert (done.returncode, done.stdout, done.stderr) == (0, 'True\n', '')
