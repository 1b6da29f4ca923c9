#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the Python package beside concurrent.futures and asyncio.

Usage: bench.py [--quick] [--rounds N] [--strict]

Functions that do nothing, two workers, all values read. In each round everything
runs once, one after the other; ratios are taken inside a round, and the median of
them counts. --strict fails when a bar is missed. bench_processes.py is about
processes. For the build tree run it with 'meson devenv'.
"""
import argparse
import asyncio
import concurrent.futures
import gc
import statistics
import sys
import time

import osiiso

WORKERS = 2


def nothing(x):
    return x


async def anothing(x):
    return x


def executor_map(n):
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as executor:
        assert len(list(executor.map(nothing, range(n)))) == n


def executor_submit(n):
    with concurrent.futures.ThreadPoolExecutor(WORKERS) as executor:
        assert len([future.result() for future in [executor.submit(nothing, i) for i in range(n)]]) == n


def thread_map(n):
    with osiiso.ThreadQueue(workers=WORKERS) as queue:
        handles = queue.map(nothing, range(n))
        queue.join()
        assert len([handle.value() for handle in handles]) == n


def thread_submit(n):
    with osiiso.ThreadQueue(workers=WORKERS) as queue:
        handles = [queue.submit(nothing, i) for i in range(n)]
        queue.join()
        assert len([handle.value() for handle in handles]) == n


async def gather(n):
    semaphore = asyncio.Semaphore(WORKERS)

    async def one(i):
        async with semaphore:
            return await anothing(i)

    assert len(await asyncio.gather(*[asyncio.create_task(one(i)) for i in range(n)])) == n


async def async_map(n):
    async with osiiso.AsyncQueue(workers=WORKERS) as queue:
        handles = queue.map(anothing, range(n))
        await queue.join()
        assert len([handle.value() for handle in handles]) == n


async def executor_trip(n):
    loop = asyncio.get_running_loop()
    for i in range(n):
        await loop.run_in_executor(None, nothing, i)


async def async_trip(n):
    async with osiiso.AsyncQueue(workers=WORKERS) as queue:
        for i in range(n):
            await queue.submit(anothing, i)


# Ours, the peer, how many times faster it has to be, how many tasks.
RACES = [
    ('ThreadQueue.map', thread_map, 'ThreadPoolExecutor.map', executor_map, 5, 20_000),
    ('ThreadQueue.submit', thread_submit, 'ThreadPoolExecutor.submit', executor_submit, 2, 20_000),
    ('AsyncQueue.map', async_map, 'gather, create_task, Semaphore', gather, 2, 20_000),
    ('await AsyncQueue.submit', async_trip, 'await run_in_executor', executor_trip, 1, 2_000),
]


def measure(fn, n):
    """Seconds for each task."""
    gc.collect()
    start = time.perf_counter()
    if asyncio.iscoroutinefunction(fn):
        asyncio.run(fn(n))
    else:
        fn(n)
    return (time.perf_counter() - start) / n


def memory():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * 4


def growth(n):
    """How much larger the process is after n more tasks, in kB."""
    batch = min(n, 10_000)
    with osiiso.ThreadQueue(workers=WORKERS) as queue:
        def run(count):
            for _ in range(count):
                queue.map(nothing, range(batch))
                queue.join()
                queue.clear_results()
            gc.collect()
            return memory()

        before = run(5)
        return run(n // batch) - before


def main():
    parser = argparse.ArgumentParser(description='Measures the Python package beside its peers.')
    parser.add_argument('--quick', action='store_true', help='few tasks, to see that all of it works')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--strict', action='store_true', help='fail when a bar is missed')
    options = parser.parse_args()
    rounds = 1 if options.quick else options.rounds
    missed = 0

    print(f'{"":24} {"us/task":>8}   {"peer":32} {"us/task":>8} {"ratio":>6}  bar')
    for name, ours, peer_name, peer, bar, n in RACES:
        n = n // 20 if options.quick else n
        pairs = [(measure(ours, n), measure(peer, n)) for _ in range(rounds + 1)][1:]
        ratio = statistics.median(theirs / mine for mine, theirs in pairs)
        mine, theirs = (statistics.median(column) * 1e6 for column in zip(*pairs))
        verdict = '' if ratio >= bar else '  missed'
        missed += bool(verdict)
        print(f'{name:24} {mine:8.2f}   {peer_name:32} {theirs:8.2f} {ratio:6.2f}  {bar}{verdict}', flush=True)

    n = 20_000 if options.quick else 1_000_000
    grown = growth(n)
    verdict = '' if grown < 2000 else '  missed'
    missed += bool(verdict)
    print(f'memory after {n} more tasks, their results cleared: {grown:+} kB, bar 2000{verdict}')
    return 1 if missed and options.strict and not options.quick else 0


if __name__ == '__main__':
    sys.exit(main())
