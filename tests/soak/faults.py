# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests, F6 to F22: what they run, in short and in full, and their bars."""
import itertools
import os

from soaking import Bar, Hang, add_up, fault, in_parallel

BACKENDS = ['main-loop', 'subprocess', 'thread-pool']
JOBS = max(2, os.cpu_count() or 1)
EXIT_DEADLOCK = 3


@fault('F6', 'threads are held up at their locks at random, while tasks of every kind are cancelled',
       Bar('hangs', '==', 0), Bar('broken', '==', 0), Bar('deadlocks_found_of_20', '>=', 19))
def chaos(place):
    """The last bar is about chaos.so itself: that it finds what is there."""
    per_mille = [20, 200]
    workers = place.amount([2], [1, 2, 4, 8])
    seeds = place.amount(1, 200)
    cells = list(itertools.product(range(seeds), per_mille, workers, BACKENDS))
    first = place.seed()

    def cell(number, disturbed, n, backend):
        seed = first + number
        environment = place.environment('check/chaos.so', CHAOS_SEED=seed, CHAOS_PM=disturbed)
        try:
            return place.soak('grid', environment=environment, seed=seed, backend=backend, workers=n, n=40)
        except Hang as error:
            place.broken.append(f'{error}, seed {seed}, {disturbed} of 1000')
            return {'hangs': 1}

    def deadlock(number):
        environment = place.environment('check/chaos.so', CHAOS_SEED=first + number, CHAOS_PM=200)
        return place.run([place.build / 'tests' / 'check' / 'chaos-deadlock'], environment=environment).returncode

    found = sum(deadlock(number) == EXIT_DEADLOCK for number in range(20))
    figures = add_up(in_parallel(cell, cells, JOBS))
    return {'runs': len(cells), 'hangs': 0, **figures, 'deadlocks_found_of_20': found}
