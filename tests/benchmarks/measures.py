# SPDX-License-Identifier: LGPL-2.1-or-later
"""What measurements, tables and rows are made of."""

# At how many workers things are measured.
WORKERS = (1, 2, 4, 8)

WALL = ('wall ns', 'wall')
CPU = ('cpu ns', 'cpu')
PUSH = ('push ns', 'push')

# Executors that need another library, with what they are called and where they come from.
LIBRARIES = {
    'uv': ('libuv uv_queue_work', 'libuv1-dev'),
    'tbb': ('oneTBB task_group', 'libtbb-dev'),
    'asio': ('Boost.Asio thread_pool', 'libboost-dev'),
    'qt': ('QThreadPool, 4 priorities', 'qt6-base-dev or qtbase5-dev'),
}


def count_of_workers(n):
    return '1 worker' if n == 1 else f'{n} workers'


class Measure:
    """optional: only if a program has the contestant. rounds: in no more rounds than this,
    and only where all processors are used: for what has no row."""
    def __init__(self, contestant, quick=None, bytes_needed=0, optional=False, rounds=None, **params):
        self.contestant = contestant
        self.params = params
        self.quick = quick or {}
        self.bytes_needed = bytes_needed
        self.optional = optional
        self.rounds = rounds

    def smaller(self):
        return Measure(self.contestant, optional=self.optional, rounds=self.rounds, **{**self.params, **self.quick})


class Table:
    """Lines are (group, label, key), columns (header, value[, factor])."""
    def __init__(self, title, columns, lines):
        self.title = title
        self.columns = columns
        self.lines = lines


class Row:
    """A ratio of a value to that of a peer, the best of some peers, or a number.

    value and peer are (key, name), peer may be a list of those, or a number; minus
    is subtracted from the value. Peers of a list may be missing. An efficiency is
    the ratio the other way round, and has to be at least its bar. What says how a
    peer fares has no bar. What needs calm rounds says so. bar_one is the bar for
    one processor, where that is another.
    """
    def __init__(self, name, text, value, peer, bar, unit='', stretch=None, bar_one=None, efficiency=False,
                 calm=False, factor=1, minus=None):
        self.name = name
        self.text = text
        self.value = value
        self.minus = minus
        self.peer = peer
        self.bar = bar
        self.bar_one = bar if bar_one is None else bar_one
        self.stretch = stretch
        self.unit = unit
        self.efficiency = efficiency
        self.calm = calm
        self.factor = factor

    def keys(self):
        peers = self.peer if isinstance(self.peer, list) else [self.peer]
        return {p[0] for p in [self.value, self.minus, *peers] if isinstance(p, tuple)}

    @property
    def is_goal(self):
        """One of those that docs/performance.md has a table of."""
        return self.bar is not None and self.name[0] in 'TMCPI'


class Family:
    """backend: the heading that its tables come under."""
    def __init__(self, name, backend, measures, tables, rows):
        self.name = name
        self.backend = backend
        self.all_measures = measures
        self.tables = tables
        self.rows = rows

    def measures(self, quick):
        for key, measure in self.all_measures.items():
            yield key, measure.smaller() if quick else measure
