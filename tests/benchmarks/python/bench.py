#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the Python package beside concurrent.futures, asyncio and multiprocessing.

Usage: bench.py [--quick] [--rounds N] [--only TEXT] [--strict]

Functions that do nothing, two workers, all values read. In each round everything
runs once, one after the other; ratios are taken inside a round, and the median of
them counts. "cpu" is the ratio of processor times, of all threads and processes,
which other work on the machine disturbs less. Threads are started inside the measured time, worker processes before
it, ours and theirs. --strict fails when a bar is missed. For the build tree run it
with 'meson devenv'.
"""
import argparse
import asyncio
import concurrent.futures
import contextlib
import gc
import glob
import multiprocessing
import os
import platform
import statistics
import sys
import time

import gi
from gi.repository import GLib

import osiiso

WORKERS = 2
# What an implementation in Python alone takes for a task of a map, in microseconds.
IN_PYTHON = {'AsyncQueue.map': 29, 'ThreadQueue.map': 100, 'ProcessQueue.map': 107}


def nothing(x):
    return x


async def anothing(x):
    return x


def loop(n):
    for _ in range(n):
        pass
    return n


# Threads.

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


# Coroutines.

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


# Processes, which are there already.

processes = contextlib.ExitStack()
opened = {}


def the(kind, *args, **options):
    """The queue or pool of that kind, with its processes at work."""
    if kind not in opened:
        opened[kind] = processes.enter_context(kind(*args, **options))
        list(opened[kind].map(nothing, range(100)))
    return opened[kind]


def prepare_processes():
    the(osiiso.ProcessQueue, workers=WORKERS).join()
    the(concurrent.futures.ProcessPoolExecutor, WORKERS)
    the(multiprocessing.Pool, WORKERS)


def process_map(n, fn=nothing, arguments=range):
    queue = the(osiiso.ProcessQueue)
    handles = queue.map(fn, arguments(n))
    queue.join()
    assert len([handle.value() for handle in handles]) == n
    queue.clear_results()


def process_executor_map(n):
    assert len(list(the(concurrent.futures.ProcessPoolExecutor).map(nothing, range(n)))) == n


def pool_map(n, fn=nothing, arguments=range):
    assert len(the(multiprocessing.Pool).map(fn, arguments(n))) == n


def some_work(n):
    return [10_000] * n


def process_map_work(n):
    process_map(n, loop, some_work)


def pool_map_work(n):
    pool_map(n, loop, some_work)


# Ours, the peer, how many times faster it has to be or None for information, how many
# tasks, and how many the peer gets.
RACES = [
    ('ThreadQueue.map', thread_map, 'ThreadPoolExecutor.map', executor_map, 5, 20_000, 1),
    ('ThreadQueue.submit', thread_submit, 'ThreadPoolExecutor.submit', executor_submit, 2, 20_000, 1),
    ('AsyncQueue.map', async_map, 'gather, create_task, Semaphore', gather, 2, 20_000, 1),
    ('await AsyncQueue.submit', async_trip, 'await run_in_executor', executor_trip, 1, 2_000, 1),
    ('ProcessQueue.map', process_map, 'ProcessPoolExecutor.map', process_executor_map, 10, 20_000, 4),
    ('ProcessQueue.map', process_map, 'Pool.map', pool_map, 1, 20_000, 1),
    ('ProcessQueue.map, a loop', process_map_work, 'Pool.map, the same loop', pool_map_work, None, 2_000, 1),
]


def processor_time():
    """What this process and those that it has started have used, in seconds."""
    used = time.process_time()
    for children in glob.glob('/proc/self/task/*/children'):
        for pid in read(children).split():
            for thread in glob.glob(f'/proc/{pid}/task/*/schedstat'):
                used += int((read(thread) or '0').split()[0]) / 1e9
    return used


def read(path):
    """What is in a file, if it is still there."""
    with contextlib.suppress(OSError), open(path) as file:
        return file.read()
    return ''


def measure(fn, n):
    """Microseconds for each task, and of processor time."""
    gc.collect()
    used = processor_time()
    start = time.perf_counter()
    if asyncio.iscoroutinefunction(fn):
        asyncio.run(fn(n))
    else:
        fn(n)
    elapsed = time.perf_counter() - start
    return elapsed / n * 1e6, (processor_time() - used) / n * 1e6


def memory():
    with open('/proc/self/statm') as file:
        return int(file.read().split()[1]) * 4


def growth(queue, n):
    """How much larger the process is after n more tasks, in kB."""
    batch = min(n, 10_000)

    def run(count):
        for _ in range(count):
            queue.map(nothing, range(batch))
            queue.join()
            queue.clear_results()
        gc.collect()
        return memory()

    before = run(5)
    return run(n // batch) - before


async def growth_of_loop(n):
    """The same for a queue of coroutines."""
    batch = min(n, 10_000)
    async with osiiso.AsyncQueue(workers=WORKERS) as queue:
        async def run(count):
            for _ in range(count):
                queue.map(anothing, range(batch))
                await queue.join()
                queue.clear_results()
            gc.collect()
            return memory()

        before = await run(5)
        return await run(n // batch) - before


def print_machine():
    """What the figures were measured on."""
    name = platform.processor() or platform.machine()
    with contextlib.suppress(OSError), open('/proc/cpuinfo') as file:
        name = next((line.partition(':')[2].strip() for line in file if line.startswith('model name')), name)
    print(f'{len(os.sched_getaffinity(0))} processors of {name}, load {os.getloadavg()[0]:.1f}; '
          f'Python {platform.python_version()}, PyGObject {gi.__version__}, '
          f'GLib {GLib.MAJOR_VERSION}.{GLib.MINOR_VERSION}.{GLib.MICRO_VERSION}')


class Verdicts:
    """Counts what was missed."""

    def __init__(self):
        self.missed = 0

    def of(self, is_met):
        self.missed += not is_met
        return 'pass' if is_met else 'MISS'


def race(rounds, is_quick, only, verdicts):
    print(f'{"us for each task":24} {"ours":>7}   {"peer":30} {"":>7} {"ratio":>6} {"least":>6} {"most":>6} {"cpu":>6}  bar')
    for name, ours, peer_name, peer, bar, n, part in RACES:
        if only not in name:
            continue
        if name.startswith('Process'):
            prepare_processes()
        n = n // 20 if is_quick else n
        pairs = [(*measure(ours, n), *measure(peer, n // part)) for _ in range(rounds + 1)][1:]
        ratios = [theirs / mine for mine, _, theirs, _ in pairs]
        ratio = statistics.median(ratios)
        used = statistics.median(theirs / mine for _, mine, _, theirs in pairs)
        mine, _, theirs, _ = (statistics.median(column) for column in zip(*pairs))
        verdict = 'for information' if bar is None else f'{bar} {verdicts.of(ratio >= bar)}'
        print(f'{name:24} {mine:7.2f}   {peer_name:30} {theirs:7.2f} {ratio:6.2f} {min(ratios):6.2f} {max(ratios):6.2f}'
              f' {used:6.2f}  {verdict}', flush=True)
        if bar is not None and name in IN_PYTHON and peer is not pool_map:
            least = IN_PYTHON[name] / mine
            print(f'{"":24} {"":7}   {"written in Python alone":30} {IN_PYTHON[name]:7.2f} {least:6.2f} {"":20}'
                  f'  10 {verdicts.of(least >= 10)}')


def main():
    parser = argparse.ArgumentParser(description='Measures the Python package beside its peers.')
    parser.add_argument('--quick', action='store_true', help='few tasks, to see that all of it works')
    parser.add_argument('--rounds', type=int, default=9)
    parser.add_argument('--only', default='', help='only rows whose name has that in it')
    parser.add_argument('--strict', action='store_true', help='fail when a bar is missed')
    options = parser.parse_args()
    verdicts = Verdicts()

    print_machine()
    with processes:
        race(1 if options.quick else options.rounds, options.quick, options.only, verdicts)
        opened.clear()
    n = 20_000 if options.quick else 1_000_000
    for kind in ('ThreadQueue', 'AsyncQueue', 'ProcessQueue'):
        if options.only not in kind:
            continue
        if kind == 'AsyncQueue':
            grown = asyncio.run(growth_of_loop(n))
        else:
            with getattr(osiiso, kind)(workers=WORKERS) as queue:
                grown = growth(queue, n)
        print(f'{kind}: {grown:+} kB after {n} more tasks, their results cleared; bar 2000 {verdicts.of(grown < 2000)}',
              flush=True)
    return 1 if verdicts.missed and options.strict and not options.quick else 0


if __name__ == '__main__':
    sys.exit(main())
