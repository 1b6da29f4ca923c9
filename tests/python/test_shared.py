# SPDX-License-Identifier: LGPL-2.1-or-later
"""SharedQueue: submits from other threads. That it is an AsyncQueue is in test_queues.py."""
import asyncio
import threading

import pytest

import osiiso


async def double(x):
    await asyncio.sleep(0)
    return 2 * x


async def in_thread(fn, *args):
    return await asyncio.get_running_loop().run_in_executor(None, fn, *args)


def test_submit_from_another_thread():
    async def main():
        async with osiiso.SharedQueue(workers=2) as queue:
            handle = await in_thread(queue.submit, double, 4)
            assert isinstance(handle, osiiso.TaskHandle)
            return (await handle).value

    assert asyncio.run(main()) == 8


def test_many_producers():
    async def main():
        async with osiiso.SharedQueue(workers=4) as queue:
            def produce(n):
                return [queue.submit(double, 100 * n + i) for i in range(25)]

            handles = await asyncio.gather(*[in_thread(produce, n) for n in range(8)])
            await queue.join()
            assert all(handle.value() == 2 * (100 * n + i)
                       for n, row in enumerate(handles) for i, handle in enumerate(row))
            assert len(queue.results) == 200

    asyncio.run(main())


def test_batches_from_another_thread():
    async def main():
        async with osiiso.SharedQueue(workers=2) as queue:
            bound = queue.task(priority=1)(double)
            threads = []

            def numbers():
                threads.append(threading.get_ident())
                yield from range(5)

            handles = await in_thread(queue.map, double, numbers())
            assert threads == [threading.get_ident()]
            group = await in_thread(queue.group, [(double, 1), (double, 2)])
            one = await in_thread(bound, 7)
            more = await in_thread(bound.map, [1, 2])
            assert [(await handle).value for handle in handles] == [0, 2, 4, 6, 8]
            assert await group.values() == (2, 4)
            assert (await one).value == 14 and one.priority == 1
            assert [(await handle).value for handle in more] == [2, 4]

    asyncio.run(main())


def test_delay_from_another_thread():
    async def main():
        async with osiiso.SharedQueue(workers=1) as queue:
            handle = await in_thread(lambda: queue.submit(double, 1, delay=.03))
            result = await handle
            assert result.started_at - result.created_at >= .03

    asyncio.run(main())


def test_submit_during_a_run():
    async def main():
        queue = osiiso.SharedQueue(workers=1)
        late = threading.Event()

        async def first():
            await in_thread(late.wait)

        def produce():
            queue.submit(double, 5)
            late.set()

        queue.submit(first)
        run = asyncio.create_task(queue.run())
        await asyncio.sleep(0)
        await in_thread(produce)
        assert (await run).values == (None, 10)

    asyncio.run(main())


def test_errors_come_to_the_caller():
    async def main():
        queue = osiiso.SharedQueue(workers=1, size=1)
        await queue.start()
        with pytest.raises(TypeError, match='Unknown task option'):
            await in_thread(lambda: queue.submit(double, 1, colour=1))
        block = asyncio.Event()
        handle = await in_thread(queue.submit, block.wait)
        with pytest.raises(osiiso.QueueFullError, match=r'queue is full \(1 tasks outstanding\)'):
            await in_thread(queue.submit, double, 1)
        block.set()
        await handle
        await queue.shutdown()
        with pytest.raises(osiiso.ClosedError):
            await in_thread(queue.submit, double, 1)

    asyncio.run(main())


def test_loop_in_the_background():
    """A loop in a thread, as a service of the program; in the end it is gone."""
    queue = osiiso.SharedQueue(workers=4, mode='infinite')
    started = threading.Event()
    told = threading.Semaphore(0)

    async def serve():
        await queue.start()
        started.set()
        await queue.run()

    thread = threading.Thread(target=asyncio.run, args=(serve(),))
    thread.start()
    started.wait()
    handles = [queue.submit(double, i) for i in range(50)]
    for handle in handles:
        handle.add_done_callback(lambda handle: told.release())
    for _ in handles:
        assert told.acquire(timeout=60)
    assert [handle.value() for handle in handles] == [2 * i for i in range(50)]
    queue.cancel().result(timeout=60)
    thread.join(60)
    assert not thread.is_alive() and queue.closed
    with pytest.raises(osiiso.ClosedError):
        queue.submit(double, 1)


def test_cancel_from_another_thread():
    async def main():
        async with osiiso.SharedQueue(workers=2) as queue:
            begun = asyncio.Event()

            async def run():
                begun.set()
                await asyncio.sleep(30)

            delayed = queue.submit(double, 1, delay=30)
            running = queue.submit(run)
            await begun.wait()
            assert await in_thread(delayed.cancel)
            assert await in_thread(running.cancel)
            assert (await delayed).status == (await running).status == 'cancelled'

    asyncio.run(main())


def test_wait_on_another_loop():
    """A handle can be awaited wherever there is a loop."""
    async def main():
        async with osiiso.SharedQueue(workers=1) as queue:
            gate = asyncio.Event()
            handle = queue.submit(gate.wait)

            async def elsewhere():
                return (await handle).value

            other = asyncio.create_task(in_thread(asyncio.run, elsewhere()))
            await asyncio.sleep(.01)
            gate.set()
            assert await other is True

    asyncio.run(main())


def test_context_of_the_caller():
    import contextvars
    name = contextvars.ContextVar('name', default='none')

    async def read():
        return name.get()

    async def main():
        async with osiiso.SharedQueue(workers=1) as queue:
            def submit(text):
                name.set(text)
                return queue.submit(read)

            handles = [await in_thread(submit, text) for text in 'ab']
            return [(await handle).value for handle in handles]

    assert asyncio.run(main()) == ['a', 'b']
