# SPDX-License-Identifier: LGPL-2.1-or-later
"""ThreadQueue, and what queues have in common whose calls block."""
import asyncio
import contextvars
import functools
import threading
import time
from queue import SimpleQueue

import pytest

import osiiso


def test_iter_completed_in_order(sync_kind, tmp_path):
    work = sync_kind.work
    with sync_kind.opened(workers=2) as queue:
        slow = queue.submit(work.pass_gate, str(tmp_path / 'gate'), 'slow')
        fast = queue.submit(work.double, 1)
        found = osiiso.iter_completed([slow, fast])
        assert next(found) is fast
        (tmp_path / 'gate').touch()
        assert list(found) == [slow]


def test_iter_completed_timeout(sync_kind):
    with sync_kind.opened(workers=2) as queue:
        slow = queue.submit(sync_kind.work.nap, 300)
        with pytest.raises(TimeoutError, match='handles did not complete within timeout'):
            list(osiiso.iter_completed([slow], timeout=.02))
        group = queue.group([(sync_kind.work.nap, 300), (sync_kind.work.nap, 300)])
        start = time.monotonic()
        for wait in (lambda: group.wait(timeout=.02), lambda: group.values(timeout=.02),
                     lambda: slow.wait(timeout=.02), lambda: list(group.as_completed(timeout=.02))):
            with pytest.raises(TimeoutError):
                wait()
        assert time.monotonic() - start < 60
        queue.shutdown(force=True)
        assert group.wait(timeout=60).cancelled == 2


def test_iter_completed_starts_at_the_first_step(sync_kind):
    with sync_kind.opened(workers=1) as queue:
        handle = queue.submit(sync_kind.work.nap, .05)
        found = osiiso.iter_completed([handle], timeout=60)
        handle.wait()
        assert list(found) == [handle]


def test_waiters_are_all_woken(sync_kind, tmp_path):
    with sync_kind.opened(workers=1) as queue:
        handle = queue.submit(sync_kind.work.pass_gate, str(tmp_path / 'gate'), 5)
        results = []
        threads = [threading.Thread(target=lambda: results.append(handle.wait().value)) for _ in range(4)]
        for thread in threads:
            thread.start()
        (tmp_path / 'gate').touch()
        for thread in threads:
            thread.join()
        assert results == [5] * 4


def test_full_queue_blocks(sync_kind, tmp_path):
    with sync_kind.opened(workers=1, size=2) as queue:
        queue.submit(sync_kind.work.pass_gate, str(tmp_path / 'gate'))
        queue.submit(sync_kind.work.double, 1)
        done = threading.Event()
        handles = []

        def more():
            handles.append(queue.submit(sync_kind.work.double, 2))
            done.set()

        thread = threading.Thread(target=more)
        thread.start()
        assert not done.wait(.1)
        (tmp_path / 'gate').touch()
        assert done.wait(10)
        thread.join()
        assert handles[0].wait().value == 4


def test_full_queue_that_closes(sync_kind, tmp_path):
    queue = sync_kind.new(workers=1, size=1)
    queue.submit(sync_kind.work.pass_gate, str(tmp_path / 'gate'))
    queue.start()
    errors = []

    def more():
        try:
            queue.submit(sync_kind.work.double, 1)
        except osiiso.ClosedError as error:
            errors.append(error)

    thread = threading.Thread(target=more)
    thread.start()
    queue.shutdown(force=True)
    thread.join(10)
    (tmp_path / 'gate').touch()
    assert len(errors) == 1


def test_full_queue_that_was_not_started(sync_kind):
    """It is started: otherwise nobody would make room."""
    queue = sync_kind.new(workers=1, size=2)
    handles = queue.map(sync_kind.work.double, range(6))
    queue.run()
    assert [handle.value() for handle in handles] == [0, 2, 4, 6, 8, 10]
    queue.shutdown()


def test_cancel_from_another_thread(sync_kind):
    queue = sync_kind.new(workers=1)
    handle = queue.submit(sync_kind.work.nap, 300)
    queue.start()
    canceller = threading.Thread(target=queue.cancel)
    canceller.start()
    canceller.join(10)
    assert queue.closed and handle.cancelled()
    assert queue.cancel() is None


def test_infinite_run_ends_by_shutdown(sync_kind):
    queue = sync_kind.new(workers=1, mode='infinite')
    handle = queue.submit(sync_kind.work.double, 1)
    handle.add_done_callback(lambda handle: threading.Thread(target=queue.shutdown).start())
    assert queue.run().values == (2,)
    assert queue.closed


def test_run_while_running(sync_kind, tmp_path):
    queue = sync_kind.new(workers=1)
    queue.submit(sync_kind.work.arrive, str(tmp_path / 'here'), str(tmp_path / 'gate'))
    thread = threading.Thread(target=queue.run)
    thread.start()
    sync_kind.until_written(tmp_path / 'here')
    with pytest.raises(RuntimeError, match='already in progress'):
        queue.run()
    with pytest.raises(RuntimeError, match='cannot reset during run'):
        queue.reset()
    (tmp_path / 'gate').touch()
    thread.join(10)
    queue.shutdown()


def test_awaitables_are_refused(sync_kind):
    queue = sync_kind.new()
    coro = asyncio.sleep(0)
    with pytest.raises(TypeError):
        queue.submit(coro)
    coro.close()


def test_coroutine_functions_are_refused():
    queue = osiiso.ThreadQueue()
    for fn in (asyncio.sleep, functools.partial(functools.partial(asyncio.sleep), 0)):
        for call in (lambda: queue.submit(fn, 0), lambda: queue.map(fn, [0]), lambda: queue.group([(fn, 0)])):
            with pytest.raises(TypeError, match='plain functions'):
                call()


def test_poll_is_still_known(sync_kind):
    sync_kind.new(poll=.05)
    with pytest.raises(ValueError, match='poll must be > 0'):
        sync_kind.new(poll=0)


def test_tmap():
    assert osiiso.tmap(abs, [-2, 1, -3], workers=2) == (2, 1, 3)
    assert osiiso.tmap(pow, [(2, 3), (3, 2)], retries=1, priority=1) == (8, 9)
    with pytest.raises(osiiso.ExecutionError, match=r'1 task\(s\) failed'):
        osiiso.tmap(int, ['1', 'x'])
    with pytest.raises(osiiso.ExecutionError, match=r'1 task\(s\) cancelled'):
        osiiso.tmap(time.sleep, [300], timeout=.02)
    with pytest.raises(TypeError):
        osiiso.tmap(abs, [1], burst=2)


def test_initializer_in_each_worker():
    local = threading.local()
    barrier = threading.Barrier(2)

    def initialize(word):
        local.word = word
        told.append(threading.get_ident())

    def read():
        barrier.wait(10)
        return local.word

    told = []
    with osiiso.ThreadQueue(workers=2, initializer=initialize, initargs=('set',)) as queue:
        handles = [queue.submit(read), queue.submit(read)]
        assert [handle.wait().value for handle in handles] == ['set', 'set']
    assert len(set(told)) == len(told) == 2


@pytest.mark.parametrize('error', [ValueError('no'), SystemExit(1)])
def test_initializer_that_fails(error):
    def initialize():
        raise error

    queue = osiiso.ThreadQueue(workers=2, initializer=initialize)
    handle = queue.submit(abs, 1)
    with pytest.raises(osiiso.ExecutionError):
        queue.run(strict=True)
    assert handle.exception().__cause__ is error
    queue.shutdown(force=True)


def test_threads_keep_what_is_local():
    local = threading.local()

    def count():
        local.n = getattr(local, 'n', 0) + 1
        return local.n

    with osiiso.ThreadQueue(workers=1) as queue:
        assert [queue.submit(count).wait().value for _ in range(3)] == [1, 2, 3]


name = contextvars.ContextVar('name', default='none')


def read_and_set(text):
    before = name.get()
    name.set(text)
    return before


def test_context_variables():
    """They come from the submitter, and no task sees another one's."""
    with osiiso.ThreadQueue(workers=1) as queue:
        first = queue.map(read_and_set, ['a', 'b'])

        def submit():
            name.set('outer')
            return [queue.submit(read_and_set, 'c'), *queue.map(read_and_set, ['d', 'e']),
                    *queue.group([(read_and_set, 'f')])]

        second = contextvars.copy_context().run(submit)
        third = queue.map(read_and_set, ['g', 'h'])
        queue.join()
    assert [handle.value() for handle in first] == ['none', 'none']
    assert [handle.value() for handle in second] == ['outer'] * 4
    assert [handle.value() for handle in third] == ['none', 'none']
    assert name.get() == 'none'


def test_retries_see_no_context_of_an_attempt():
    seen = []

    def attempt():
        seen.append(name.get())
        name.set('attempt')
        if len(seen) < 3:
            raise ValueError

    with osiiso.ThreadQueue(workers=1) as queue:
        queue.submit(attempt, retries=5).wait()
    assert seen == ['none'] * 3


def test_tasks_submit_tasks():
    with osiiso.ThreadQueue(workers=2) as queue:
        def fan_out(depth):
            if depth:
                queue.map(fan_out, [depth - 1] * 2)

        queue.submit(fan_out, 6)
        queue.join()
        assert len(queue.results) == 2 ** 7 - 1


def test_cancel_in_a_task():
    queue = osiiso.ThreadQueue(workers=1)
    threads = SimpleQueue()
    gate = threading.Event()
    handle = queue.submit(lambda: (threads.put(queue.cancel()), gate.wait()))
    queue.run()
    # The run may be over before cancel() has returned.
    threads.get(timeout=60).join(60)
    gate.set()
    assert queue.closed and handle.cancelled()


def test_threads_work_at_the_same_time():
    barrier = threading.Barrier(4)
    with osiiso.ThreadQueue(workers=4) as queue:
        handles = [queue.submit(barrier.wait, 10) for _ in range(4)]
        assert sorted(handle.wait().value for handle in handles) == [0, 1, 2, 3]


def test_workers_by_themselves():
    """Without a number there are enough for some to wait."""
    barrier = threading.Barrier(4)
    with osiiso.ThreadQueue() as queue:
        group = queue.group([(barrier.wait, 10)] * 4)
        assert queue.stats['workers'] <= 4
        assert sorted(group.values()) == [0, 1, 2, 3]
        assert queue.stats['workers'] == 0


def test_full_queue_and_interrupt():
    """A submit that waits for room is interrupted by Ctrl-C, and its task never runs."""
    import _thread
    gate = threading.Event()
    ran = []
    queue = osiiso.ThreadQueue(workers=1, size=1)
    queue.submit(gate.wait)
    queue.start()
    timer = threading.Timer(.05, _thread.interrupt_main)
    timer.start()
    with pytest.raises(KeyboardInterrupt):
        queue.submit(ran.append, 1)
    gate.set()
    queue.join()
    assert ran == [] and len(queue.results) == 1
    queue.shutdown()


@pytest.mark.parametrize('attach', ['wait', 'add_done_callback'])
def test_the_end_while_somebody_begins_to_wait(attach, monkeypatch):
    """The interpreter may switch to the worker inside each call that the waiter makes."""
    from osiiso import handle as module
    with osiiso.ThreadQueue(workers=1) as queue:
        gate = threading.Event()
        handle = queue.submit(gate.wait)
        new = module._Listeners

        def new_after_the_end():
            gate.set()
            while not queue.results:
                time.sleep(0)
            return new()

        monkeypatch.setattr(module, '_Listeners', new_after_the_end)
        if attach == 'wait':
            waiter = threading.Thread(target=handle.wait, daemon=True)
            waiter.start()
            waiter.join(60)
            assert not waiter.is_alive()
        else:
            called = []
            handle.add_done_callback(called.append)
            assert called == [handle]
