# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns rounds into tables and verdicts."""
from itertools import groupby
from statistics import median

from machine import MAX_FOREIGN

# Fewer calm rounds than this say nothing about what needs them.
MIN_CALM = 3


def number(value):
    """Short, with as many digits as mean something."""
    if value == 0:
        return '0'
    size = abs(value)
    if size >= 100:
        return f'{value:.0f}'
    if size >= 10:
        return f'{value:.1f}'
    if size >= 0.01:
        return f'{value:.2f}'
    return f'{value:.1g}' if size >= 0.0001 else '0'


def spread(values):
    if not values:
        return '-'
    return f'{number(median(values))} [{number(min(values))}-{number(max(values))}]'


class Evaluated:
    """A row with its ratio in each round that counts.

    cpu_ratios are the same of processor time, where wall time is compared: foreign
    work disturbs that less.
    """
    def __init__(self, row, rounds, one_processor=False):
        self.row = row
        self.bar = row.bar_one if one_processor else row.bar
        found = [figures for figures in (self.figures(r) for r in rounds) if figures is not None]
        calm = [f for f in found if f[3] <= MAX_FOREIGN]
        self.n_calm, self.n_rounds = len(calm), len(found)
        self.is_calm = len(calm) >= min(MIN_CALM, self.n_rounds)
        used = calm if self.is_calm else found
        self.ours = [f[0] for f in used]
        self.peer = [f[1] for f in used]
        self.ratios = [f[2] for f in used]
        self.cpu_ratios = [f[4] for f in used if f[4] is not None]
        self.ratio = median(self.ratios) if self.ratios else None
        self.verdict = self.judge()

    def compare(self, results, peers, rename=lambda name: name):
        """Ours, the best peer, and the ratio."""
        row = self.row

        def value_of(what):
            return results[what[0]][rename(what[1])] * row.factor if isinstance(what, tuple) else what

        ours = value_of(row.value) - (value_of(row.minus) if row.minus else 0)
        peer = min(map(value_of, peers))
        # Of the processor time of few tasks there may be none.
        over, under = (peer, ours) if row.efficiency else (ours, peer)
        return ours, peer, over / under if under else float('inf')

    def figures(self, results):
        """Ours, the peer, their ratio, the foreign work, and the ratio of processor
        time, if any; None without figures."""
        row = self.row

        def is_there(what):
            return not isinstance(what, tuple) or what[0] in results

        peers = list(filter(is_there, row.peer if isinstance(row.peer, list) else [row.peer]))
        if not peers or not is_there(row.value) or not is_there(row.minus):
            return None
        cpu = None
        if row.value[1] == 'wall' and not row.efficiency and all(isinstance(p, tuple) for p in peers):
            cpu = self.compare(results, peers, lambda name: 'cpu')[2]
            cpu = cpu if cpu < float('inf') else None
        foreign = max(results[key]['foreign'] for key in row.keys() if key in results)
        return *self.compare(results, peers), foreign, cpu

    def meets(self, bar):
        return self.ratio >= bar if self.row.efficiency else self.ratio <= bar

    def judge(self):
        if self.ratio is None:
            return 'not measured'
        if self.bar is None:
            return ''
        verdict = 'pass' if self.meets(self.bar) else 'MISS'
        if self.row.stretch is not None and self.meets(self.row.stretch):
            verdict = 'pass, and more'
        return verdict + ' (noisy)' if self.row.calm and not self.is_calm else verdict

    def as_dict(self):
        return {'name': self.row.name, 'text': self.row.text, 'unit': self.row.unit, 'ours': self.ours,
                'peer': self.peer, 'ratios': self.ratios, 'cpu_ratios': self.cpu_ratios, 'median': self.ratio,
                'bar': self.bar, 'stretch': self.row.stretch, 'at_least': self.row.efficiency,
                'is_goal': self.row.is_goal, 'verdict': self.verdict, 'calm': self.n_calm, 'rounds': self.n_rounds}


class Regime:
    """How everything was placed, with what came out."""
    def __init__(self, name, processors, rounds, rows):
        self.name = name
        self.processors = processors
        self.rounds = rounds
        self.rows = [Evaluated(row, rounds, processors == 1) for row in rows]

    @property
    def short(self):
        return '1 cpu' if self.processors == 1 else f'{self.processors} cpus'


def table_cells(table, rounds):
    """The lines of a table that have figures, with the header."""
    cells, last = [['', '', *(column[0] for column in table.columns)]], None
    for group, label, key in table.lines:
        results = [r[key] for r in rounds if key in r]
        if not results:
            continue
        cells.append(['' if group == last else group, label])
        last = group
        for _header, name, *factor in table.columns:
            cells[-1].append(spread([r[name] * (factor[0] if factor else 1) for r in results if name in r]))
    return cells if len(cells) > 1 else []


def bar_of(row, bar):
    return '' if bar is None else ('>= ' if row.efficiency else '<= ') + number(bar)


def row_cells(regimes, wanted):
    """A line for each row and regime, with the header."""
    cells = [['', '', 'processors', 'ours', 'peer', 'ratio', 'cpu', 'bar', 'stretch', 'calm', '']]
    last = None
    for rows in zip(*(regime.rows for regime in regimes)):
        for regime, row in zip(regimes, rows):
            if not wanted(row.row) or (row.ratio is None and row is not rows[0]):
                continue
            is_new = row.row is not last
            last = row.row
            cells.append([row.row.name if is_new else '', row.row.text if is_new else '', regime.short])
            figures = ['-', '-', '-', '']
            if row.ratio is not None:
                figures = [f'{number(median(row.ours))} {row.row.unit}',
                           '' if row.row.peer == 1 else number(median(row.peer)), spread(row.ratios),
                           number(median(row.cpu_ratios)) if row.cpu_ratios else '']
            cells[-1] += [*figures, bar_of(row.row, row.bar), bar_of(row.row, row.row.stretch),
                          f'{row.n_calm}/{row.n_rounds}', row.verdict]
    return cells if len(cells) > 1 else []


def print_cells(sections):
    """Sections of lines, each column as wide as it has to be in all of them."""
    lines = [line for _title, cells in sections for line in cells]
    widths = {}
    for line in lines:
        for i, cell in enumerate(line):
            widths[i] = max(widths.get(i, 0), len(cell))
    for title, cells in sections:
        if title:
            print(f'-- {title}')
        for line in cells:
            print('  '.join(f'{cell:<{widths[i]}}' for i, cell in enumerate(line)).rstrip())


def print_backends(chosen, regime):
    """One table for each backend."""
    for backend, families in groupby(chosen, lambda family: family.backend):
        sections = [(table.title, table_cells(table, regime.rounds)) for family in families for table in family.tables]
        sections = [section for section in sections if section[1]]
        if sections:
            print()
            print(f'== {backend}, {regime.name}: median [min-max]')
            print_cells(sections)


def print_rows(title, regimes, wanted):
    cells = row_cells(regimes, wanted)
    if cells:
        print()
        print(f'== {title}')
        print_cells([('', cells)])


def print_info(info):
    print(f"libosiiso benchmarks: {info['rounds']} rounds in {info['seconds']:.0f} s, {info['date']}")
    print(f"GLib {info['glib']}, compiler {info['compiler']}, kernel {info['kernel']}, {info['machine']}, "
          f"{info['processors']} processors, {info['memory']} of memory")
    print('Peers that are not here: ' + (', '.join(info['missing']) or 'none'))
    if not info['optimised']:
        print('WARNING: built without optimisation; the figures mean nothing')
    if info['sanitised']:
        print('WARNING: built with a sanitizer; the figures mean nothing')
    if info['quick']:
        print('WARNING: a quick run; the figures mean nothing')


def print_all(info, chosen, regimes):
    print_info(info)
    for regime in regimes:
        print_backends(chosen, regime)
    print_rows('Goals: ratio ours / peer inside a round', regimes, lambda row: row.is_goal)
    print_rows('Other bars', regimes, lambda row: row.bar is not None and not row.is_goal)
    print_rows('For information', regimes, lambda row: row.bar is None)
    print()
    for regime in regimes:
        foreign = [result['foreign'] for results in regime.rounds for result in results.values()]
        if foreign:
            spoiled = sum(f > MAX_FOREIGN for f in foreign)
            print(f'{regime.name}: {len(foreign)} measurements, {spoiled} with more than {MAX_FOREIGN} of a processor '
                  f'used by others (median {median(foreign):.2f})')
    goals = [row for regime in regimes for row in regime.rows if row.row.is_goal and row.ratio is not None]
    passed = sum(row.meets(row.bar) for row in goals)
    print(f'goals: {passed} of {len(goals)} met')
