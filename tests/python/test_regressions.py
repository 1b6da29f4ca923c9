# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the pure-Python package got wrong: where it blocked for ever, and where it was slow.

The numbers are those of the list of its weaknesses. Each test ends by itself, or the
program is broken in that way again.
"""
import asyncio
import inspect
import threading
import time

import pytest

import osiiso


async def fail():
    raise ValueError('wrong')


async def quick(x=None):
    return x


def within(seconds, coro):
    """A run of the loop that must not take longer."""
    return asyncio.run(asyncio.wait_for(coro, seconds))


def test_1_fail_first_with_two_workers():
    async def main():
        for _ in range(50):
            queue = osiiso.AsyncQueue(workers=2, fail_policy='fail_first')
            queue.submit(fail)
            handles = queue.map(quick, range(4))
            summary = await queue.run()
            assert summary.failed == 1
            assert all(handle.done() for handle in handles)

    within(60, main())


def test_1_cancel_before_the_first_step():
    async def main():
        async with osiiso.AsyncQueue(workers=2) as queue:
            for _ in range(50):
                handles = queue.map(quick, range(6))
                for turns in range(3):
                    await asyncio.sleep(0)
                    handles[turns].cancel()
                await queue.join()
                assert all(handle.done() for handle in handles)

    within(60, main())


def test_2_run_that_is_given_up():
    async def main():
        queue = osiiso.AsyncQueue(workers=2)
        queue.map(asyncio.sleep, [100] * 4)
        with pytest.raises(TimeoutError):
            await asyncio.wait_for(queue.run(), .02)

    within(60, main())


@pytest.mark.parametrize('workers', [None, 1])
def test_3_delayed_must_complete_after_a_timeout(workers):
    delay = .1

    async def main():
        queue = osiiso.AsyncQueue(workers=workers)
        handle = queue.submit(quick, 5, delay=delay, must_complete=True)
        summary = await queue.run(timeout=delay / 10)
        assert handle.value() == 5
        return summary.timed_out

    def main_with_threads():
        queue = osiiso.ThreadQueue(workers=workers)
        handle = queue.submit(abs, -5, delay=delay, must_complete=True)
        summary = queue.run(timeout=delay / 10)
        assert handle.value() == 5
        return summary.timed_out

    # A machine that does nothing for so long gets to the run too late.
    while not within(60, main()):
        delay *= 2
    while not main_with_threads():
        delay *= 2


class Odd(BaseException):
    pass


@pytest.mark.parametrize('error', [SystemExit(3), KeyboardInterrupt(), Odd(), GeneratorExit()])
def test_4_any_exception_ends_its_task_only(error):
    def work():
        raise error

    async def awork():
        raise error

    async def awork_late():
        await asyncio.sleep(0)
        raise error

    queue = osiiso.ThreadQueue(workers=1)
    handles = [queue.submit(work), queue.submit(abs, -1)]
    summary = queue.run()
    assert summary.failed == 1 and handles[0].exception() is error and handles[1].value() == 1

    async def main():
        queue = osiiso.AsyncQueue(workers=1)
        handles = [queue.submit(awork), queue.submit(awork_late), queue.submit(quick, 1)]
        summary = await queue.run()
        assert summary.failed == 2 and handles[0].exception() is handles[1].exception() is error
        assert handles[2].value() == 1

    if not isinstance(error, GeneratorExit):
        within(60, main())


def test_5_none_is_no_sentinel():
    queue = osiiso.ThreadQueue(workers=1)
    handle = queue.submit(None)
    assert queue.run().failed == 1 and isinstance(handle.exception(), TypeError)

    async def main():
        queue = osiiso.AsyncQueue(workers=1)
        queue.submit(None)
        assert (await queue.run()).failed == 1

    within(60, main())


def test_6_a_task_submits_into_its_own_full_queue():
    queue = osiiso.ThreadQueue(workers=1, size=1)
    handle = queue.submit(lambda: queue.submit(abs, 1))
    assert queue.run().failed == 1
    assert isinstance(handle.exception(), RuntimeError)


def test_7_shutdown_in_a_task():
    async def main():
        for force in (True, False):
            queue = osiiso.AsyncQueue(workers=2)

            async def work():
                await queue.shutdown(force=force)

            handle = queue.submit(work)
            other = queue.submit(asyncio.sleep, .01)
            await queue.run()
            if force:
                assert handle.cancelled() and other.cancelled()
            else:
                assert isinstance(handle.exception(), RuntimeError) and other.value() is None

    within(60, main())


@pytest.mark.parametrize('call', ['run', 'join', 'shutdown'])
def test_7_a_task_waits_for_its_queue(call):
    queue = osiiso.ThreadQueue(workers=2)
    handle = queue.submit(lambda: getattr(queue, call)())
    queue.run()
    assert isinstance(handle.exception(), RuntimeError)

    async def main():
        queue = osiiso.AsyncQueue(workers=2)

        async def work():
            await getattr(queue, call)()

        handle = queue.submit(work)
        await queue.run()
        assert isinstance(handle.exception(), RuntimeError)

    within(60, main())


def test_8_a_second_event_loop():
    queue = osiiso.AsyncQueue(workers=2)

    async def main(x):
        handle = queue.submit(quick, x)
        await queue.run()
        return (await handle).value

    assert asyncio.run(main(1)) == 1
    queue.reset()
    assert asyncio.run(main(2)) == 2
    assert asyncio.run(main(3)) == 3


def test_8_what_waited_goes_on_elsewhere():
    queue = osiiso.AsyncQueue(workers=1)
    handles = []

    async def begin():
        handles.extend([queue.submit(asyncio.sleep, 100), queue.submit(quick, 5)])
        await queue.start()
        await asyncio.sleep(.01)

    async def go_on():
        await queue.join()

    asyncio.run(begin())
    within(60, go_on())
    assert handles[0].cancelled() and handles[1].value() == 5


def test_9_infinite_and_fail_first():
    queue = osiiso.ThreadQueue(workers=1, mode='infinite', fail_policy='fail_first')
    queue.submit(int, 'x')
    assert queue.run().failed == 1

    async def main():
        queue = osiiso.AsyncQueue(workers=1, mode='infinite', fail_policy='fail_first')
        queue.submit(fail)
        assert (await queue.run()).failed == 1

    within(60, main())


def test_13_cancel_finds_every_task():
    """Also one that is just being taken: a cancel that is False means that it was over."""
    queue = osiiso.ThreadQueue(workers=2)
    queue.start()
    for _ in range(200):
        handle = queue.submit(abs, 1)
        cancelled = handle.cancel()
        handle.wait()
        assert handle.cancelled() == cancelled or handle.status == 'succeeded'
    queue.shutdown()
    assert queue.pending_count == queue.active_count == 0


def test_14_coroutines_are_closed():
    """Those that were cancelled before their first step; nobody is warned of them."""
    async def main():
        async with osiiso.AsyncQueue(workers=1) as queue:
            waiting, delayed = quick(1), quick(2)
            handles = [queue.submit(waiting), queue.submit(delayed, delay=1000)]
            assert all(handle.cancel() for handle in handles)
            await queue.join()
            assert [handle.status for handle in handles] == ['cancelled'] * 2
            assert inspect.getcoroutinestate(waiting) == inspect.getcoroutinestate(delayed) == inspect.CORO_CLOSED

    within(60, main())


def test_14_threads_take_no_object_that_is_a_coroutine_function():
    class Callable:
        async def __call__(self):
            return 1

    with osiiso.ThreadQueue(workers=1) as queue:
        with pytest.raises(TypeError, match='plain functions'):
            queue.submit(Callable())


@pytest.mark.filterwarnings('error')
@pytest.mark.parametrize('fn', [lambda: quick(1), lambda *_: quick(2)])
def test_14_threads_take_no_function_that_returns_a_coroutine(fn):
    with osiiso.ThreadQueue(workers=1) as queue:
        handle = queue.submit(fn)
        error = handle.wait().exception
        assert handle.status == 'failed' and isinstance(error, TypeError) and 'one was returned by <function' in str(error)
        retried = queue.submit(fn, retries=1)
        assert retried.wait().attempts == 2 and retried.status == 'failed'
        with pytest.raises(osiiso.ExecutionError):
            queue.group(fn, [1, 2, 3, 4, 5]).values()


def test_15_map_gives_all_or_nothing():
    async def main():
        queue = osiiso.AsyncQueue(size=2)
        with pytest.raises(osiiso.QueueFullError):
            queue.map(quick, range(3))
        assert queue.stats['pending'] == 0

    within(60, main())


def test_20_cancelling_one_by_one():
    queue = osiiso.ThreadQueue(workers=1)
    handles = queue.map(abs, range(20000))
    start = time.process_time()
    for handle in reversed(handles):
        assert handle.cancel()
    # It took the square of their number: for so many a quarter of an hour.
    assert time.process_time() - start < 60
    assert queue.pending_count == 0


def test_23_waits_hold_no_worker():
    async def main():
        queue = osiiso.AsyncQueue(workers=1)
        retried = queue.submit(fail, retries=1, retry_delay=100)
        other = queue.submit(quick, 1)
        await queue.start()
        assert (await other).value == 1 and retried.status == 'retrying'
        await queue.shutdown(force=True)

    within(60, main())


def test_tasks_that_wait_for_each_other():
    """A task that waits holds no worker on a loop; one that waits for itself is told."""
    async def main():
        async with osiiso.AsyncQueue(workers=1) as queue:
            async def depth(n):
                return 1 + (await queue.submit(depth, n - 1)).value if n else 0

            assert (await queue.submit(depth, 20)).value == 20
            assert queue.stats['workers'] == 1
            handles = []

            async def wait(i):
                return await handles[i]

            handles += [queue.submit(wait, 1), queue.submit(wait, 0)]
            results = [await handle for handle in handles]
            assert sorted(result.status for result in results) == ['failed', 'succeeded']

    within(60, main())


def test_a_thread_waits_for_a_task_that_never_comes():
    queue = osiiso.ThreadQueue(workers=1)

    def work():
        return queue.submit(abs, -3).wait().value

    handle = queue.submit(work)
    queue.run()
    assert isinstance(handle.exception(), RuntimeError)
    queue = osiiso.ThreadQueue(workers=2)
    assert queue.start().submit(lambda: queue.submit(abs, -3).wait().value).wait().value == 3
    queue.shutdown()


def test_counts_are_never_negative():
    counts = []
    queue = osiiso.ThreadQueue(workers=2, on_complete=lambda _: counts.append((queue.pending_count,
                                                                               queue.active_count)))
    queue.map(abs, range(50))
    queue.run()
    assert len(counts) == 50 and min(min(pair) for pair in counts) >= 0


def test_hooks_see_the_result():
    seen = []
    queue = osiiso.ThreadQueue(workers=1, on_complete=lambda result: seen.append(result in queue.results))
    queue.map(abs, range(5))
    queue.run()
    assert seen == [True] * 5


def test_run_waits_for_hooks():
    gate = threading.Event()
    told = []

    def hook(result):
        gate.wait()
        told.append(result.value)

    queue = osiiso.ThreadQueue(workers=2, on_complete=hook)
    queue.map(abs, range(4))
    threading.Timer(.02, gate.set).start()
    queue.run()
    assert sorted(told) == [0, 1, 2, 3]


def test_an_exception_survives_the_end_of_a_queue(kind):
    """What a function has on its stack goes while the exception leaves it."""
    def fail(names):
        return kind.new(workers=1), names.missing

    for _ in range(20):
        with pytest.raises(AttributeError, match='missing'):
            fail(())
