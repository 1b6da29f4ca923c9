# SPDX-License-Identifier: LGPL-2.1-or-later
"""Waits of the override of gi.repository.Osiiso: interrupts, and what is awaited."""
import asyncio
import ctypes
import os
import signal
import subprocess
import sys
import threading

import gi
import glib_loop
import pytest
import uvloop

gi.require_version('Osiiso', '1')
from gi.repository import Gio, GLib, Osiiso  # noqa: E402

# What the programs have in common; the gate is closed until the wait has ended.
PROLOGUE = '''
import asyncio, gi, os, signal, threading, time
gi.require_version('Osiiso', '1')
from gi.repository import Gio, GLib, Osiiso
gate, begun = threading.Event(), threading.Event()
def interrupt():
    begun.wait()
    # The wait begins about now; whether before or after makes no difference.
    time.sleep(.05)
    os.kill(os.getpid(), signal.SIGINT)
threading.Thread(target=interrupt, daemon=True).start()
def elsewhere(make):
    """A queue that belongs to another main context."""
    context = GLib.MainContext.new()
    context.push_thread_default()
    made = []
    def run():
        context.push_thread_default()
        made.append(make())
        context.pop_thread_default()
    context.pop_thread_default()
    thread = threading.Thread(target=run)
    thread.start()
    thread.join()
    return made[0]
'''
QUEUE = '''
queue = {make}
handle = queue.submit(gate.wait)
group = queue.map(1, lambda attempt, *_: None)
queue.start()
'''
EPILOGUE = '''
try:
    begun.set()
    {wait}
except KeyboardInterrupt:
    print('interrupted', gate.is_set(), handle.is_done())
gate.set()
queue.shutdown()
'''
NEW = "Osiiso.Queue(backend_name='thread-pool', workers=1)"
BOUNDED = "Osiiso.Queue(backend_name='thread-pool', workers=1, size=2)"
WAITS = ['queue.run()', 'queue.run_full(0, Osiiso.FailPolicy.CONTINUE)', 'queue.join()', 'queue.shutdown()',
         'handle.wait()', 'handle.result()', 'group.wait()', 'group.next_completed()']
ROOM = ['queue.submit(abs, 1)', 'queue.push(abs, 1)', 'queue.map(abs, [1, 2])',
        'queue.new_group(None).submit(abs, 1)', 'queue.submit(abs, 1, retries=1)', "queue.submit_call('m:f', None)",
        "queue.push_call(Osiiso.Call.new('m:f'), Osiiso.TaskOptions(retries=1))",
        "queue.new_group(None).submit_call('m:f')"]


def run(program):
    done = subprocess.run([sys.executable, '-c', PROLOGUE + program], capture_output=True, text=True, timeout=290)
    assert (done.returncode, done.stderr) == (0, '')
    return done.stdout


@pytest.mark.parametrize('make', [NEW, f'elsewhere(lambda: {NEW})'], ids=['own', 'elsewhere'])
@pytest.mark.parametrize('wait', WAITS)
def test_interrupts(wait, make):
    assert run(QUEUE.format(make=make) + EPILOGUE.format(wait=wait)) == 'interrupted False False\n'


@pytest.mark.parametrize('wait', ROOM)
def test_interrupts_a_wait_for_room(wait):
    assert run(QUEUE.format(make=BOUNDED) + EPILOGUE.format(wait=wait)) == 'interrupted False False\n'


def test_what_was_interrupted_can_be_done_again():
    assert run(QUEUE.format(make=NEW) + '''
try:
    begun.set()
    queue.run()
except KeyboardInterrupt:
    gate.set()
print(queue.run().props.timed_out, handle.result(), queue.get_closed())
''') == 'False True False\n'


def test_a_submit_that_was_interrupted_leaves_nothing():
    assert run(QUEUE.format(make=BOUNDED) + '''
try:
    begun.set()
    queue.submit(print, 'never')
except KeyboardInterrupt:
    gate.set()
queue.shutdown()
''') == ''


def test_interrupts_a_function_on_the_main_loop():
    assert run('''
queue = Osiiso.Queue.new('main-loop')
def spin():
    begun.set()
    while True:
        pass
handle = queue.submit(spin)
try:
    queue.run()
except KeyboardInterrupt:
    print(repr(handle.exception()))
''') == 'KeyboardInterrupt()\n'


@pytest.mark.parametrize('wait', ['pool.join()', 'pool.join(Gio.Cancellable())', 'blocked.wait()'])
def test_interrupts_a_wait_in_a_function_on_the_main_loop(wait):
    assert run(f'''
pool = Osiiso.Queue.new('thread-pool')
blocked = pool.submit(gate.wait)
queue = Osiiso.Queue.new('main-loop')
def wait():
    begun.set()
    {wait}
handle = queue.submit(wait)
try:
    queue.run()
except KeyboardInterrupt:
    print(repr(handle.exception()), blocked.is_done())
gate.set()
pool.shutdown()
''') == 'KeyboardInterrupt() False\n'


def test_interrupts_a_wait_in_a_main_loop():
    # The handler of the main loop ends that, and ours the wait.
    assert run(QUEUE.format(make=NEW) + '''
loop = GLib.MainLoop()
def wait():
    begun.set()
    try:
        queue.run()
    except GLib.Error as error:
        print(error.code)
GLib.idle_add(wait)
try:
    loop.run()
except KeyboardInterrupt:
    print('interrupted', handle.is_done())
gate.set()
''') == 'interrupted False\n'


@pytest.mark.parametrize('wait', WAITS)
def test_other_handlers_may_raise(wait):
    assert run(QUEUE.format(make=NEW) + '''
class Enough(Exception):
    pass
def handler(*_):
    raise Enough
signal.signal(signal.SIGINT, handler)
''' + EPILOGUE.format(wait=wait).replace('KeyboardInterrupt', 'Enough')) == 'interrupted False False\n'


@pytest.mark.parametrize('wait', ['queue.run()', 'handle.wait()', 'queue.join()'])
def test_a_handler_that_returns_ends_nothing(wait):
    assert run(QUEUE.format(make=NEW) + f'''
def handler(*_):
    print('handled')
    gate.set()
signal.signal(signal.SIGINT, handler)
begun.set()
{wait}
print(handle.is_done())
''') == 'handled\nTrue\n'


@pytest.mark.parametrize('wait', [
    lambda queue, handle, group: queue.run(), lambda queue, handle, group: queue.join(),
    lambda queue, handle, group: handle.wait(), lambda queue, handle, group: group.wait()])
def test_threads_can_be_interrupted_too(wait):
    """As far as Python can: by an exception that another thread sends it."""
    queue = Osiiso.Queue(backend_name='thread-pool', workers=1)
    # The first wait starts a thread, and Python may send it the exception instead.
    queue.join()
    gate, begun = threading.Event(), threading.Event()
    handle = queue.submit(gate.wait)
    group = queue.map(abs, [1])
    queue.start()
    ended = []

    def main():
        try:
            begun.set()
            wait(queue, handle, group)
        except KeyboardInterrupt:
            ended.append(handle.is_done())

    thread = threading.Thread(target=main)
    thread.start()
    begun.wait()
    # Once: another one could come when it has ended.
    ctypes.pythonapi.PyThreadState_SetAsyncExc(ctypes.c_ulong(thread.ident), ctypes.py_object(KeyboardInterrupt))
    thread.join()
    gate.set()
    queue.shutdown()
    assert ended == [False]


@pytest.mark.parametrize('wait', ['queue.run', 'queue.shutdown', 'handle.wait', 'group.wait'])
def test_handlers_may_raise_at_any_step(wait):
    done = subprocess.run([sys.executable, os.path.join(os.path.dirname(__file__), 'raise_at_steps.py'), wait],
                          capture_output=True, text=True, timeout=290)
    assert (done.stdout, done.stderr) == ('True\n', '')


@pytest.mark.parametrize('wait', [
    lambda queue: queue.run(), lambda queue: queue.join(), lambda queue: (queue.start(), queue.shutdown())])
def test_signals_come_before_the_end_of_a_wait(wait):
    for _ in range(30):
        queue = Osiiso.Queue.new('thread-pool')
        heard = []
        queue.connect('on-complete', lambda queue, result: heard.append(result.props.status))
        queue.map(abs, range(20))
        wait(queue)
        assert len(heard) == 20
        queue.shutdown()


# What is awaited.

@pytest.fixture
def queue():
    queue = Osiiso.Queue(backend_name='thread-pool', workers=2)
    yield queue
    queue.shutdown(True)


@pytest.mark.parametrize('new_loop', [None, uvloop.new_event_loop, glib_loop.new_event_loop],
                         ids=['asyncio', 'uvloop', 'glib'])
def test_await(queue, new_loop):
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
        summary = await queue.map(abs, [1, 2])
        assert summary.props.succeeded == 2

    with asyncio.Runner(loop_factory=new_loop) as runner:
        runner.run(main())


def test_await_the_calls_of_a_queue(queue):
    async def main():
        handle = await queue.submit_async(pow, 2, 3, retries=1)
        raw = await queue.submit_async(lambda attempt, *_: attempt.return_int(5), options=None)
        summary = await queue.run_async()
        assert (handle.result(), raw.result(), summary.props.succeeded) == (8, 5, 2)
        queue.submit(int, 'x')
        summary = await queue.run_full_async(0, Osiiso.FailPolicy.FAIL_FIRST)
        assert summary.props.failed == 1
        queue.push(abs, 1)
        assert await queue.join_async()
        assert await handle.wait_async()
        async with Osiiso.Queue.new('thread-pool') as other:
            handle = other.submit(abs, -5)
        assert handle.result() == 5 and other.get_closed()
        with pytest.raises(GLib.Error):
            await other.submit_async(abs, 1)

    asyncio.run(main())


def test_await_room_for_pushes_maps_and_members(queue):
    async def main():
        queue.set_size(2)
        group = queue.new_group('members')
        task_id = await queue.push_async(abs, -1)
        member = await group.submit_async(pow, 2, 3)
        mapped = queue.map_async(abs, [-1, -2], name='whole')
        assert task_id > 0 and queue.get_pending_count() + queue.get_active_count() <= 2
        mapped = asyncio.ensure_future(mapped)
        summary = await queue.run_async()
        handles = list(await mapped)
        assert await group and member.result() == 8 and group.get_handle(0) is member
        await queue.join_async()
        assert [handle.result() for handle in handles] == [1, 2] and summary.props.failed == 0
        with pytest.raises(GLib.Error, match='3 tasks can never fit into a queue of size 2'):
            await queue.map_async(abs, [1, 2, 3])

    asyncio.run(main())


def test_await_many_without_a_thread_for_each(queue):
    gate = threading.Event()

    async def main():
        queue.start()
        handles = [queue.submit(gate.wait)] + [queue.submit(abs, i) for i in range(200)]
        blocker = queue.submit(gate.wait)
        tasks = [asyncio.ensure_future(wait(handle)) for handle in [*handles, blocker]]
        await asyncio.sleep(0)
        n_threads = len(os.listdir('/proc/self/task'))
        gate.set()
        values = await asyncio.gather(*tasks)
        assert values[1:-1] == list(range(200))
        return n_threads

    async def wait(handle):
        return await handle

    # Two workers, the one that awaits, this one, timers of the library.
    assert asyncio.run(main()) < 20


def test_an_await_can_be_cancelled(queue):
    gate = threading.Event()

    async def main():
        handle = queue.submit(gate.wait)
        queue.start()
        task = asyncio.ensure_future(queue.join_async())
        await asyncio.sleep(0)
        task.cancel()
        with pytest.raises(asyncio.CancelledError):
            await task
        assert not handle.is_done()
        gate.set()
        assert await handle is True

    asyncio.run(main())


def test_await_on_two_loops(queue):
    async def main():
        return await queue.submit(abs, -1)

    queue.start()
    values = []
    threads = [threading.Thread(target=lambda: values.append(asyncio.run(main()))) for _ in range(3)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert values == [1, 1, 1]


def test_await_needs_a_loop(queue):
    queue.set_workers(1)
    handle = queue.submit(abs, 1)
    with pytest.raises(RuntimeError, match='no running event loop'):
        handle.__await__().send(None)


def test_callbacks_come_in_the_main_loop(queue):
    loop = GLib.MainLoop()
    heard = []

    def done(source, result, *data):
        heard.append((source, source.wait_finish(result), data, threading.get_ident()))
        loop.quit()

    handle = queue.submit(abs, -1)
    handle.wait_async(None, done, 'data')
    loop.run()
    assert heard == [(handle, True, ('data',), threading.get_ident())]


def test_callbacks_of_each_call(queue):
    context = GLib.MainContext.default()
    heard = []

    def until(n):
        while len(heard) < n:
            context.iteration(True)

    group = queue.map(abs, [-1, -2])
    group.wait_async(None, lambda group, result: heard.append(group.wait_finish(result).props.succeeded))
    until(1)
    group.next_completed_async(None, lambda group, result: heard.append(group.next_completed_finish(result)))
    until(2)
    queue.submit_async(abs, -3, callback=lambda queue, result: heard.append(queue.submit_finish(result)))
    until(3)
    queue.run_async(Gio.Cancellable(), lambda queue, result: heard.append(queue.run_finish(result).props.failed))
    until(4)
    queue.join_async(None, lambda queue, result: heard.append(queue.join_finish(result)))
    until(5)
    queue.shutdown_async(True, None, lambda queue, result: heard.append(queue.shutdown_finish(result)))
    until(6)
    assert (heard[0], heard[1] in group[:], heard[2].result()) == (2, True, 3)
    assert heard[3:] == [0, True, True]


def test_a_child_can_await():
    assert run('''
async def main():
    queue = Osiiso.Queue.new('thread-pool')
    queue.start()
    print(await queue.submit(abs, -1), flush=True)
asyncio.run(main())
child = os.fork()
if child == 0:
    signal.alarm(60)
    asyncio.run(main())
    os._exit(0)
print(os.waitpid(child, 0)[1])
''') == '1\n1\n0\n'


@pytest.mark.parametrize('end', ['', 'raise SystemExit(0)', 'queue.cancel()'])
def test_the_interpreter_ends_while_tasks_run(end):
    assert run(f'''
queue = Osiiso.Queue(backend_name='thread-pool', workers=2)
def spin():
    begun.set()
    while True:
        pass
queue.submit(spin)
queue.submit(gate.wait)
queue.submit(print, 'never')
queue.start()
begun.wait()
{end}
''') == ''


def test_signals_still_have_their_handler():
    before = signal.getsignal(signal.SIGINT)
    queue = Osiiso.Queue.new('thread-pool')
    queue.submit(abs, 1).wait()
    queue.run()
    queue.shutdown()
    assert signal.getsignal(signal.SIGINT) is before is signal.default_int_handler
