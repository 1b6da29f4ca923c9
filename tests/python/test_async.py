# SPDX-License-Identifier: LGPL-2.1-or-later
"""AsyncQueue: what only queues on an event loop do."""
import asyncio
import contextvars
import functools
import threading
import time

import pytest

import osiiso


async def double(x):
    return 2 * x


def test_handles_are_awaitable():
    async def main():
        async with osiiso.AsyncQueue(workers=2) as queue:
            handle = queue.submit(double, 21)
            result = await handle
            assert result.value == 42 and await handle is result
            gate = asyncio.Event()
            handle = queue.submit(gate.wait)
            waiters = [asyncio.create_task(handle.wait()) for _ in range(3)]
            await asyncio.sleep(0)
            gate.set()
            assert [one.value for one in await asyncio.gather(*waiters)] == [True] * 3
            assert [one.value for one in await asyncio.gather(*queue.map(double, [1, 2]))] == [2, 4]

    asyncio.run(main())


def test_waiting_can_be_given_up():
    async def main():
        async with osiiso.AsyncQueue(workers=1) as queue:
            gate = asyncio.Event()
            handle = queue.submit(gate.wait)
            with pytest.raises(TimeoutError):
                await asyncio.wait_for(handle.wait(), .01)
            assert handle.status == 'running'
            gate.set()
            assert (await handle).value is True

    asyncio.run(main())


@pytest.mark.parametrize('function', [osiiso.as_completed, osiiso.AsyncQueue.as_completed])
def test_as_completed(function):
    async def main():
        async with osiiso.AsyncQueue(workers=3) as queue:
            gates = [asyncio.Event() for _ in range(3)]
            handles = [queue.submit(gate.wait) for gate in gates]
            order = [2, 0, 1]
            found = []
            gates[order[0]].set()
            async for handle in function(handles):
                found.append(handles.index(handle))
                if len(found) < 3:
                    gates[order[len(found)]].set()
            assert found == order

    asyncio.run(main())


def test_as_completed_is_given_up():
    async def main():
        async with osiiso.AsyncQueue(workers=1) as queue:
            handles = queue.map(double, range(5))
            async for handle in osiiso.as_completed(handles):
                break
            await queue.join()
            assert all(handle.done() for handle in handles)

    asyncio.run(main())


def test_plain_functions_run_in_threads():
    async def main():
        async with osiiso.AsyncQueue(workers=2) as queue:
            thread = await queue.submit(threading.get_ident)
            assert thread.value != threading.get_ident()
            assert (await queue.submit(functools.partial(int, base=2), '11')).value == 3
            # Of which the value is awaited, if it can be.
            assert (await queue.submit(lambda: double(4))).value == 8
            assert (await queue.submit(functools.partial(double), 4)).value == 8

            def stop():
                raise StopIteration(5)

            assert isinstance((await queue.submit(stop)).exception, RuntimeError)

    asyncio.run(main())


def test_callable_objects():
    class Doubler:
        async def __call__(self, x):
            return 2 * x

    async def main():
        async with osiiso.AsyncQueue(workers=2) as queue:
            handle = queue.submit(Doubler(), 4)
            assert handle.name == 'Doubler' and (await handle).value == 8

    asyncio.run(main())


def test_awaitables():
    async def main():
        async with osiiso.AsyncQueue(workers=2) as queue:
            handle = queue.submit(double(4))
            assert handle.name == 'double' and (await handle).value == 8
            future = asyncio.get_running_loop().create_future()
            handle = queue.submit(future)
            future.set_result(5)
            assert (await handle).value == 5
            assert await queue.group([(double(1),), (double, 2)]).values() == (2, 4)
            coro = double(1)
            with pytest.raises(ValueError, match='retries'):
                queue.submit(coro, retries=1)
            coro.close()

    asyncio.run(main())


def test_full_queue():
    async def main():
        async with osiiso.AsyncQueue(workers=1, size=2) as queue:
            gate = asyncio.Event()
            queue.submit(gate.wait)
            queue.submit(double, 1)
            for call in (lambda: queue.submit(double, 1), lambda: queue.map(double, [1])):
                with pytest.raises(osiiso.QueueFullError, match=r'queue is full \(2 tasks outstanding\)'):
                    call()
            gate.set()
            await queue.join()
            handles = queue.map(double, [1, 2])
            await queue.join()
            assert [handle.value() for handle in handles] == [2, 4]

    asyncio.run(main())


def test_full_queue_takes_all_of_a_map_or_nothing():
    async def main():
        queue = osiiso.AsyncQueue(workers=1, size=3)
        with pytest.raises(osiiso.QueueFullError):
            queue.map(double, range(4))
        assert queue.pending_count == 0
        assert len(queue.map(double, range(3))) == 3
        await queue.shutdown()

    asyncio.run(main())


def test_states_are_checked():
    async def main():
        queue = osiiso.AsyncQueue(workers=1)
        gate = asyncio.Event()
        queue.submit(gate.wait)
        run = asyncio.create_task(queue.run())
        await asyncio.sleep(0)
        with pytest.raises(RuntimeError, match='already in progress'):
            await queue.run()
        with pytest.raises(RuntimeError, match='cannot reset during run'):
            queue.reset()
        gate.set()
        assert (await run).ok
        await queue.shutdown()

    asyncio.run(main())


def test_cancel_of_the_queue():
    async def main():
        queue = osiiso.AsyncQueue(workers=1)
        handle = queue.submit(asyncio.sleep, 30)
        await queue.start()
        task = queue.cancel()
        assert isinstance(task, asyncio.Task)
        await task
        assert queue.closed and handle.cancelled()
        return queue

    assert asyncio.run(main()).cancel() is None
    queue = osiiso.AsyncQueue()
    handle = queue.submit(double, 1)
    assert queue.cancel() is None and handle.cancelled()


def test_cancellation_reaches_the_coroutine():
    async def main():
        told = []

        async def work(gate):
            try:
                gate.set()
                await asyncio.sleep(30)
            except asyncio.CancelledError:
                told.append('cancelled')
                raise

        async with osiiso.AsyncQueue(workers=1) as queue:
            gate = asyncio.Event()
            handle = queue.submit(work, gate)
            await gate.wait()
            assert handle.cancel() and handle.cancelled()
            # The worker is not harmed.
            assert (await queue.submit(double, 1)).value == 2
            assert told == ['cancelled']

    asyncio.run(main())


def test_timeouts_inside_tasks():
    """asyncio.timeout() cancels the task that it is in, which is the worker's."""
    async def main():
        async def work():
            try:
                async with asyncio.timeout(.01):
                    await asyncio.sleep(30)
            except TimeoutError:
                return 'in time'

        async with osiiso.AsyncQueue(workers=1) as queue:
            assert [(await queue.submit(work)).value for _ in range(3)] == ['in time'] * 3

    asyncio.run(main())


name = contextvars.ContextVar('name', default='none')


async def read_and_set(text, suspend):
    before = name.get()
    name.set(text)
    if suspend:
        await asyncio.sleep(0)
    assert name.get() == text
    return before


@pytest.mark.parametrize('suspend', [False, True])
def test_context_variables(suspend):
    """They come from the submitter, and no task sees another one's."""
    async def main():
        async with osiiso.AsyncQueue(workers=2) as queue:
            first = queue.map(read_and_set, [('a', suspend), ('b', suspend), ('c', suspend)])
            await queue.join()

            def submit():
                name.set('outer')
                return [queue.submit(read_and_set, 'c', suspend), *queue.map(read_and_set, [('d', suspend)]),
                        *queue.group([(name.get,), (read_and_set, 'f', suspend)])]

            second = contextvars.copy_context().run(submit)
            third = queue.map(read_and_set, [('g', suspend), ('h', suspend)])
            await queue.join()
            assert [handle.value() for handle in first] == ['none'] * 3
            assert [handle.value() for handle in second] == ['outer'] * 4
            assert [handle.value() for handle in third] == ['none'] * 2

    asyncio.run(main())


def test_no_more_at_a_time_than_workers():
    async def main():
        inside = most = 0

        async def work():
            nonlocal inside, most
            inside += 1
            most = max(most, inside)
            await asyncio.sleep(0)
            inside -= 1

        async with osiiso.AsyncQueue(workers=3) as queue:
            for _ in range(100):
                queue.submit(work)
            await queue.join()
        assert most == 3

    asyncio.run(main())


def test_loop_gets_its_turn():
    """Also while tasks that wait for nothing keep coming."""
    async def main():
        stop = False

        async def again():
            if not stop:
                queue.submit(again)

        async with osiiso.AsyncQueue(workers=1) as queue:
            queue.submit(again)
            start = time.monotonic()
            for _ in range(5):
                await asyncio.sleep(.001)
            stop = True
            assert time.monotonic() - start < 60

    asyncio.run(main())


def test_urgent_tasks_overtake():
    async def main():
        order = []

        async def work(word):
            order.append(word)
            if word == 'first':
                queue.submit(work, 'urgent', priority=0)

        queue = osiiso.AsyncQueue(workers=1)
        queue.map(work, ['first', 'second', 'third'])
        await queue.run()
        assert order == ['first', 'urgent', 'second', 'third']

    asyncio.run(main())


def test_two_queues_on_a_loop():
    async def main():
        first, second = osiiso.AsyncQueue(workers=2), osiiso.AsyncQueue(workers=3)
        first.map(double, range(50))
        second.map(asyncio.sleep, [0] * 50)
        one, other = await asyncio.gather(first.run(), second.run())
        assert one.succeeded == other.succeeded == 50

    asyncio.run(main())


def test_queues_in_threads():
    """Each with a loop of its own."""
    def serve(results):
        async def main():
            async with osiiso.AsyncQueue(workers=2) as queue:
                return await queue.group(double, range(200)).values()

        results.append(asyncio.run(main()))

    results = []
    threads = [threading.Thread(target=serve, args=(results,)) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert results == [tuple(2 * i for i in range(200))] * 4


def test_amap():
    async def main():
        assert await osiiso.amap(double, [3, 1, 2], workers=2) == (6, 2, 4)
        with pytest.raises(osiiso.ExecutionError):
            await osiiso.amap(double, [1, None])
        with pytest.raises(osiiso.ExecutionError, match='cancelled'):
            await osiiso.amap(asyncio.sleep, [30], timeout=.01)

    asyncio.run(main())


def test_workers_may_be_more_while_running():
    async def main():
        async with osiiso.AsyncQueue(workers=1) as queue:
            gates = [asyncio.Event(), asyncio.Event()]
            handles = [queue.submit(gate.wait) for gate in gates]
            queue._queue.set_workers(2)
            gates[1].set()
            assert (await asyncio.wait_for(handles[1].wait(), 10)).value is True
            gates[0].set()

    asyncio.run(main())
