#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Contestants in Python, for run-benchmarks.py: one measurement in one process.

Usage: contestants.py list
       contestants.py CONTESTANT [KEY=VALUE...]

Functions that do nothing and whose values are all read. Threads and processes exist
before the measurement begins.
"""
import asyncio
import concurrent.futures
import gc
import json
import multiprocessing
import os
import resource
import sys
import time

try:
    import osiiso
except (ImportError, ValueError):
    osiiso = None


def nothing(x):
    return x


async def anothing(x):
    return x


def measure(run, n):
    """Runs it once for few tasks, then for all, and says what each took."""
    run(min(n, 200))
    cpu, begun = time.process_time(), time.perf_counter()
    run(n)
    wall, cpu = time.perf_counter() - begun, time.process_time() - cpu
    return {'wall': wall * 1e9 / n, 'cpu': cpu * 1e9 / n}


def of_queue(kind, run):
    def contestant(n, workers):
        with getattr(osiiso, kind)(workers=workers) as queue:
            def once(count):
                handles = run(queue, count)
                queue.join()
                assert [handle.value() for handle in handles] == list(range(count))
                queue.clear_results()

            return measure(once, n)

    contestant.needs = kind
    return contestant


def queue_map(queue, n):
    return queue.map(nothing, range(n))


def queue_submit(queue, n):
    return [queue.submit(nothing, i) for i in range(n)]


def of_executor(kind, run):
    def contestant(n, workers):
        with getattr(concurrent.futures, kind)(workers) as executor:
            def once(count):
                assert run(executor, count) == list(range(count))

            return measure(once, n)

    return contestant


def executor_map(executor, n):
    return list(executor.map(nothing, range(n)))


def executor_submit(executor, n):
    return [future.result() for future in [executor.submit(nothing, i) for i in range(n)]]


def multiprocessing_map(n, workers):
    with multiprocessing.Pool(workers) as pool:
        def once(count):
            assert pool.map(nothing, range(count)) == list(range(count))

        return measure(once, n)


def async_map(n, workers):
    async def once(count):
        async with osiiso.AsyncQueue(workers=workers) as queue:
            handles = queue.map(anothing, range(count))
            await queue.join()
            assert [handle.value() for handle in handles] == list(range(count))

    return measure(lambda count: asyncio.run(once(count)), n)


async_map.needs = 'AsyncQueue'


def gather(n, workers):
    async def once(count):
        semaphore = asyncio.Semaphore(workers)

        async def one(i):
            async with semaphore:
                return await anothing(i)

        tasks = [asyncio.create_task(one(i)) for i in range(count)]
        assert await asyncio.gather(*tasks) == list(range(count))

    return measure(lambda count: asyncio.run(once(count)), n)


def async_trip(n, workers):
    async def once(count):
        async with osiiso.AsyncQueue(workers=workers) as queue:
            for i in range(count):
                assert (await queue.submit(anothing, i)).value == i

    return measure(lambda count: asyncio.run(once(count)), n)


async_trip.needs = 'AsyncQueue'


def executor_trip(n, workers):
    async def once(count):
        loop = asyncio.get_running_loop()
        with concurrent.futures.ThreadPoolExecutor(workers) as executor:
            for i in range(count):
                assert await loop.run_in_executor(executor, nothing, i) == i

    return measure(lambda count: asyncio.run(once(count)), n)


def memory():
    """What the process has in memory, in kB."""
    gc.collect()
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * os.sysconf('SC_PAGESIZE') // 1024


def growth(kind):
    """How much larger the process is after n more tasks."""
    def contestant(n, workers):
        batch = min(n, 10_000)
        with getattr(osiiso, kind)(workers=workers) as queue:
            def run(count):
                for _ in range(count):
                    queue.map(nothing, range(batch))
                    queue.join()
                    queue.clear_results()
                return memory()

            before = run(5)
            return {'kB': max(0, run(n // batch) - before)}

    contestant.needs = kind
    return contestant


def async_growth(n, workers):
    async def main():
        batch = min(n, 10_000)
        async with osiiso.AsyncQueue(workers=workers) as queue:
            async def run(count):
                for _ in range(count):
                    queue.map(anothing, range(batch))
                    await queue.join()
                    queue.clear_results()
                return memory()

            before = await run(5)
            return {'kB': max(0, await run(n // batch) - before)}

    return asyncio.run(main())


async_growth.needs = 'AsyncQueue'

CONTESTANTS = {
    'python-thread-map': of_queue('ThreadQueue', queue_map),
    'python-thread-submit': of_queue('ThreadQueue', queue_submit),
    'python-executor-map': of_executor('ThreadPoolExecutor', executor_map),
    'python-executor-submit': of_executor('ThreadPoolExecutor', executor_submit),
    'python-async-map': async_map,
    'python-gather': gather,
    'python-async-trip': async_trip,
    'python-executor-trip': executor_trip,
    'python-thread-growth': growth('ThreadQueue'),
    'python-async-growth': async_growth,
    'python-process-growth': growth('ProcessQueue'),
    'python-process-map': of_queue('ProcessQueue', queue_map),
    'python-process-submit': of_queue('ProcessQueue', queue_submit),
    'python-pool-map': of_executor('ProcessPoolExecutor', executor_map),
    'python-pool-submit': of_executor('ProcessPoolExecutor', executor_submit),
    'python-multiprocessing-map': multiprocessing_map,
}


def is_there(contestant):
    return not hasattr(contestant, 'needs') or hasattr(osiiso, contestant.needs)


def main():
    if sys.argv[1:] == ['list']:
        print('\n'.join(name for name, contestant in CONTESTANTS.items() if is_there(contestant)))
        return
    params = dict(argument.split('=') for argument in sys.argv[2:])
    if 'cpu' in params:
        os.sched_setaffinity(0, {int(params['cpu'])})
    result = CONTESTANTS[sys.argv[1]](int(params.get('n', 1000)), int(params.get('workers', 2)))
    # Processes that are gone by now, with their start, shared among all tasks.
    children = resource.getrusage(resource.RUSAGE_CHILDREN)
    result['children'] = (children.ru_utime + children.ru_stime) * 1e9 / int(params.get('n', 1000))
    print(json.dumps(result))


if __name__ == '__main__':
    main()
