# SPDX-License-Identifier: LGPL-2.1-or-later
"""ProcessQueue beside concurrent.futures and multiprocessing: microseconds for a task.

bench_processes.py [TASKS [ROUNDS]]

Two workers, functions that do nothing, all results read. Workers exist before the
clock starts. Each line is the median of the rounds, which take turns, and the best.
"""
import concurrent.futures
import multiprocessing
import statistics
import sys
import time

import osiiso

WORKERS = 2


def nothing(x):
    return x


def osiiso_map(queue, n):
    return [handle.wait().value for handle in queue.map(nothing, range(n))]


def osiiso_submit(queue, n):
    handles = [queue.submit(nothing, i) for i in range(n)]
    return [handle.wait().value for handle in handles]


def osiiso_trips(queue, n):
    return [queue.submit(nothing, i).wait().value for i in range(n)]


def futures_map(executor, n):
    return list(executor.map(nothing, range(n)))


def futures_submit(executor, n):
    futures = [executor.submit(nothing, i) for i in range(n)]
    return [future.result() for future in futures]


def futures_trips(executor, n):
    return [executor.submit(nothing, i).result() for i in range(n)]


def pool_map_single(pool, n):
    return pool.map(nothing, range(n), chunksize=1)


def pool_map(pool, n):
    return pool.map(nothing, range(n))


def pool_trips(pool, n):
    return [pool.apply(nothing, (i,)) for i in range(n)]


def main():
    n = int(sys.argv[1]) if len(sys.argv) > 1 else 20000
    rounds = int(sys.argv[2]) if len(sys.argv) > 2 else 5
    with osiiso.ProcessQueue(workers=WORKERS) as queue, \
            concurrent.futures.ProcessPoolExecutor(WORKERS) as executor, multiprocessing.Pool(WORKERS) as pool:
        cases = [
            ('ProcessQueue.map', osiiso_map, queue, n),
            ('ProcessQueue.submit', osiiso_submit, queue, n),
            ('ProcessQueue, one at a time', osiiso_trips, queue, n // 50),
            ('ProcessPoolExecutor.map', futures_map, executor, n // 4),
            ('ProcessPoolExecutor.submit', futures_submit, executor, n // 4),
            ('ProcessPoolExecutor, one at a time', futures_trips, executor, n // 50),
            ('Pool.map, chunksize 1', pool_map_single, pool, n),
            ('Pool.map, its own chunksize', pool_map, pool, n),
            ('Pool.apply, one at a time', pool_trips, pool, n // 50),
        ]
        times = {name: [] for name, *_ in cases}
        for number in range(rounds + 1):
            for name, run, where, n_tasks in cases:
                start = time.perf_counter()
                values = run(where, n_tasks)
                elapsed = time.perf_counter() - start
                assert values == list(range(n_tasks))
                queue.clear_results()
                if number > 0:
                    times[name].append(elapsed / n_tasks * 1e6)
    for name, found in times.items():
        print(f'{name:36} {statistics.median(found):8.2f} {min(found):8.2f}')
    ratio = statistics.median(times['ProcessPoolExecutor.map']) / statistics.median(times['ProcessQueue.map'])
    print(f'ProcessQueue.map is {ratio:.1f} times as fast as ProcessPoolExecutor.map')


if __name__ == '__main__':
    main()
