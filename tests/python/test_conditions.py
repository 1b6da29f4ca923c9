# SPDX-License-Identifier: LGPL-2.1-or-later
"""The ends of interpreters, processes and loops; forks; queues that are dropped."""
import subprocess
import sys
import textwrap
import time

import pytest

HEAD = '''
import asyncio, gc, os, sys, threading, time
import osiiso
'''


def run(code, status=0):
    """Runs a program, which has to end by itself and quickly."""
    start = time.monotonic()
    done = subprocess.run([sys.executable, '-X', 'faulthandler', '-c', HEAD + textwrap.dedent(code)],
                          capture_output=True, text=True, timeout=100)
    assert done.returncode == status, done.stderr
    assert time.monotonic() - start < 60
    return done


ENDS = {
    'running': 'queue.submit(time.sleep, 100); queue.start(); time.sleep(.02)',
    'queued': 'queue.map(time.sleep, [100] * 10); queue.start()',
    'never-started': 'queue.map(time.sleep, [100] * 10)',
    'delayed': 'queue.submit(time.sleep, 1, delay=100); queue.start()',
    'endless': 'def f():\n    while True: pass\nqueue.submit(f); queue.submit(f); queue.start(); time.sleep(.02)',
    'waiting': 'h = queue.submit(time.sleep, 100); queue.submit(lambda: h.wait()); queue.start(); time.sleep(.02)',
    'submitting': 'def f(): queue.submit(f)\nqueue.submit(f); queue.submit(f); queue.start(); time.sleep(.05)',
    'full': ('q = osiiso.ThreadQueue(workers=1, size=1); q.submit(time.sleep, 100); q.start()\n'
             'def more():\n    try: q.submit(abs, 1)\n    except osiiso.ClosedError: pass\n'
             'threading.Thread(target=more, daemon=True).start(); time.sleep(.02)'),
    'waited-for': ('queue.submit(time.sleep, 100)\n'
                   'threading.Thread(target=queue.run, daemon=True).start(); time.sleep(.02)'),
    'in-a-hook': ('q = osiiso.ThreadQueue(workers=1, on_start=lambda h: time.sleep(100)); q.submit(abs, 1); q.start()\n'
                  'time.sleep(.02)'),
}


@pytest.mark.parametrize('name', ENDS)
def test_interpreter_ends(name):
    done = run('queue = osiiso.ThreadQueue(workers=2)\n' + ENDS[name])
    assert done.stderr == '' and done.stdout == ''


@pytest.mark.parametrize('end, status', [('sys.exit(3)', 3), ('1 / 0', 1)])
def test_interpreter_ends_with_a_status(end, status):
    run(f'queue = osiiso.ThreadQueue(workers=1); queue.submit(time.sleep, 100); queue.start(); {end}', status)


def test_threads_of_the_program_may_go_on():
    done = run('''
        def work():
            time.sleep(.1)
            with osiiso.ThreadQueue(workers=2) as queue:
                print(queue.submit(abs, -4).wait().value)

        threading.Thread(target=work).start()
        ''')
    assert done.stdout == '4\n'


LOOPS = {
    'suspended': 'queue.map(asyncio.sleep, [100] * 5)',
    'busy': 'async def f(_):\n        while True: await asyncio.sleep(0)\n    queue.map(f, range(5))',
    'submitting': 'async def f(): queue.submit(f)\n    queue.submit(f)',
    'stubborn': ('async def f():\n        try: await asyncio.sleep(100)\n        except asyncio.CancelledError: return 1\n'
                 '    queue.submit(f); queue.submit(f); queue.submit(f)'),
}


@pytest.mark.parametrize('name', LOOPS)
@pytest.mark.parametrize('uvloop', [False, True])
def test_loop_ends_with_live_work(name, uvloop):
    done = run(f'''
async def main():
    global queue, handles
    queue = osiiso.AsyncQueue(workers=2)
    {LOOPS[name]}
    await queue.start()
    await asyncio.sleep(.02)

osiiso.run(main(), use_uvloop={uvloop})
# Nobody was left running.
assert queue.active_count == 0, queue.stats
''')
    assert done.stderr == ''


def test_run_that_is_given_up():
    done = run('''
        async def main():
            queue = osiiso.AsyncQueue(workers=2)
            handle = queue.submit(asyncio.sleep, 100)
            run = asyncio.ensure_future(queue.run())
            while handle.status == 'pending':
                await asyncio.sleep(.001)
            try:
                await asyncio.wait_for(run, .02)
            except TimeoutError:
                print(handle.status)
            return handle

        print(asyncio.run(main()).status)
        ''')
    assert done.stdout == 'running\ncancelled\n' and done.stderr == ''


def test_interrupt_of_a_wait():
    """Ctrl-C ends a wait at once, whatever waits."""
    for wait in ('queue.run()', 'queue.join()', 'handle.wait()', 'queue.shutdown()', 'list(group.as_completed())'):
        done = run(f'''
            import signal
            queue = osiiso.ThreadQueue(workers=1)
            handle = queue.submit(time.sleep, 100)
            group = queue.group(time.sleep, [100])
            queue.start()
            signal.setitimer(signal.ITIMER_REAL, .05)
            signal.signal(signal.SIGALRM, signal.default_int_handler)
            start = time.monotonic()
            try:
                {wait}
            except KeyboardInterrupt:
                print(time.monotonic() - start < 20)
            queue.cancel()
            ''')
        assert done.stdout == 'True\n', wait
        assert done.stderr == ''


def test_fork():
    done = run('''
        queue = osiiso.ThreadQueue(workers=2)
        queue.map(abs, range(10))
        queue.run()
        queue.start()
        child = os.fork()
        if child == 0:
            for use in (lambda: queue.submit(abs, 1), lambda: queue.stats, queue.run, queue.start, queue.shutdown):
                try:
                    use()
                except RuntimeError as error:
                    assert 'after fork' in str(error)
                else:
                    os._exit(3)
            other = osiiso.ThreadQueue(workers=2)
            group = other.group(abs, [-1, -2])
            assert other.run().ok and group.values() == (1, 2)
            del queue
            gc.collect()
            sys.exit(7)
        assert os.waitstatus_to_exitcode(os.waitpid(child, 0)[1]) == 7
        assert queue.submit(abs, -5).wait().value == 5
        queue.shutdown()
        ''')
    assert done.stderr == ''


def test_multiprocessing_beside_a_queue():
    run('''
        import multiprocessing
        with osiiso.ThreadQueue(workers=2) as queue:
            queue.map(abs, range(100))
            with multiprocessing.get_context('fork').Pool(2) as pool:
                assert pool.map(abs, [-1, -2]) == [1, 2]
            queue.join()
        ''')


COUNT = '''
def threads():
    return len(os.listdir('/proc/self/task'))

def memory():
    return int(open('/proc/self/statm').read().split()[1]) * 4
'''


def test_dropped_queues_leave_nothing():
    run(COUNT + '''
def drop(n):
    for i in range(n):
        queue = osiiso.ThreadQueue(workers=2)
        queue.map(abs, range(5))
        queue.start()
        queue.submit(abs, 1).wait()
        queue.submit(abs, 1, delay=1000)
    queue = None
    gc.collect()
    deadline = time.monotonic() + 60
    while threads() > 3 and time.monotonic() < deadline:
        # Some were still at work the last time.
        gc.collect()
        time.sleep(.01)
    assert threads() <= 3, threads()

drop(300)
growths = []
for _ in range(4):
    before = memory()
    drop(300)
    growths.append(memory() - before)
# What PyGObject 3.42 itself leaks for each queue is about one kilobyte. More than that
# comes from threads that come and go, but not each time.
assert min(growths) < 2000, growths
assert not osiiso.base._all_queues
''')


def test_dropped_queues_of_a_loop_leave_nothing():
    run(COUNT + '''
async def drop(n):
    for i in range(n):
        queue = osiiso.AsyncQueue(workers=2)
        queue.map(asyncio.sleep, [0] * 5)
        await queue.start()
        await queue.submit(asyncio.sleep, 0)
        queue.submit(asyncio.sleep, 0, delay=1000)
    queue = None
    await asyncio.sleep(.01)
    gc.collect()

async def main():
    await drop(300)
    growths = []
    for _ in range(4):
        before = memory()
        await drop(300)
        growths.append(memory() - before)
    assert min(growths) < 1500, growths
    assert not osiiso.base._all_queues
    assert threads() <= 3, threads()

asyncio.run(main())
''')


def test_queue_that_a_task_drops():
    """The last reference goes in one of its own threads."""
    run(COUNT + '''
ended = threading.Semaphore(0)
for i in range(50):
    queue = osiiso.ThreadQueue(workers=2)
    begun, gate = threading.Event(), threading.Event()
    queue.submit(lambda begun=begun, gate=gate: (begun.set(), gate.wait(), ended.release()))
    queue.start()
    begun.wait()
    del queue
    gate.set()
for i in range(50):
    assert ended.acquire(timeout=60)
deadline = time.monotonic() + 60
while threads() > 1 and time.monotonic() < deadline:
    time.sleep(.01)
    gc.collect()
assert threads() == 1, threads()
''')


@pytest.mark.parametrize('kind', ['ThreadQueue', 'AsyncQueue', 'ProcessQueue'])
def test_memory_stays_the_same(kind):
    run(COUNT + f'''
async def awork(x): pass

def cycle(queue, n):
    for _ in range(n):
        if type(queue) is not osiiso.AsyncQueue:
            queue.map(abs, range(5000))
            queue.join()
        else:
            async def run():
                queue.map(awork, range(5000))
                await queue.join()
            runner.run(run())
        queue.clear_results()
    gc.collect()
    return memory()

with asyncio.Runner() as runner:
    queue = osiiso.{kind}(workers=2)
    growths, before = [], cycle(queue, 10)
    for _ in range(2):
        after = cycle(queue, 10)
        growths.append(after - before)
        before = after
    # Of 50 000 tasks.
    assert min(growths) < 1000, growths
''')


def test_cycles_are_collected():
    """A task whose value is its own queue does not keep that alive."""
    run('''
        import weakref
        queue = osiiso.ThreadQueue(workers=1)
        queue.submit(lambda: queue)
        handle = queue.submit(lambda queue: queue, queue)
        queue.run()
        gone = weakref.ref(queue)
        del queue, handle
        gc.collect()
        assert gone() is None
        ''')
