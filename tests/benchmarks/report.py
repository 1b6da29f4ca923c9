# SPDX-License-Identifier: LGPL-2.1-or-later
"""Turns rounds into tables and verdicts."""
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
    def __init__(self, row, rounds):
        self.row = row
        found = [figures for figures in (self.figures(r) for r in rounds) if figures is not None]
        calm = [f for f in found if f[3] <= MAX_FOREIGN]
        self.n_calm, self.n_rounds = len(calm), len(rounds)
        used = calm if len(calm) >= min(MIN_CALM, self.n_rounds) else found
        self.ours = [f[0] for f in used]
        self.peer = [f[1] for f in used]
        self.ratios = [f[2] for f in used]
        self.cpu_ratios = [f[4] for f in used if f[4] is not None]
        self.ratio = median(self.ratios) if self.ratios else None
        self.verdict = self.judge(used is calm)

    def compare(self, results, peers, rename=lambda name: name):
        """Ours, the best peer, and the ratio."""
        row = self.row

        def value_of(what):
            return results[what[0]][rename(what[1])] * row.factor if isinstance(what, tuple) else what

        ours = value_of(row.value) - (value_of(row.minus) if row.minus else 0)
        peer = min(map(value_of, peers))
        return ours, peer, peer / ours if row.efficiency else ours / peer

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
        if row.value[1] == 'wall' and not row.efficiency:
            cpu = self.compare(results, peers, lambda name: 'cpu')[2]
        foreign = max(results[key]['foreign'] for key in row.keys() if key in results)
        return *self.compare(results, peers), foreign, cpu

    def judge(self, calm):
        row = self.row
        if self.ratio is None:
            return 'not measured'
        if row.bar is None:
            return ''
        if row.calm and not calm:
            return 'noisy'
        ok = self.ratio >= row.bar if row.efficiency else self.ratio <= row.bar
        return 'pass' if ok else 'MISS'

    def as_dict(self):
        return {'name': self.row.name, 'text': self.row.text, 'unit': self.row.unit, 'ours': self.ours,
                'peer': self.peer, 'ratios': self.ratios, 'cpu_ratios': self.cpu_ratios, 'median': self.ratio, 'bar': self.row.bar,
                'at_least': self.row.efficiency, 'is_bar': self.row.is_bar, 'verdict': self.verdict,
                'calm': self.n_calm, 'rounds': self.n_rounds}


def evaluate(rows, rounds):
    return [Evaluated(row, rounds) for row in rows]


def print_columns(rows):
    """Lines of cells, each column as wide as it has to be."""
    widths = [max(map(len, column)) for column in zip(*rows)]
    for row in rows:
        print('  '.join(f'{cell:<{width}}' for cell, width in zip(row, widths)).rstrip())


def print_table(table, rounds):
    rows = [['', ''] + [column[0] for column in table.columns]]
    last = None
    for group, label, key in table.lines:
        results = [r[key] for r in rounds if key in r]
        if not results:
            continue
        cells = ['' if group == last else group, label]
        last = group
        for header, name, *factor in table.columns:
            cells.append(spread([r[name] * (factor[0] if factor else 1) for r in results if name in r]))
        rows.append(cells)
    print()
    print(table.title)
    print_columns(rows)


def print_rows(title, rows):
    if not rows:
        return
    lines = [['', '', 'ours', 'peer', 'ratio', 'cpu', 'bar', 'calm', '']]
    for row in rows:
        bar = '' if row.row.bar is None else ('>= ' if row.row.efficiency else '<= ') + f'{row.row.bar:g}'
        calm = f'{row.n_calm}/{row.n_rounds}'
        if row.ratio is None:
            lines.append([row.row.name, row.row.text, '-', '-', '-', '', bar, calm, row.verdict])
            continue
        ours = f'{number(median(row.ours))} {row.row.unit}'
        peer = '' if row.row.peer == 1 else number(median(row.peer))
        cpu = number(median(row.cpu_ratios)) if row.cpu_ratios else ''
        lines.append([row.row.name, row.row.text, ours, peer, spread(row.ratios), cpu, bar, calm, row.verdict])
    print()
    print(title)
    print_columns(lines)


def print_all(info, chosen, rounds, rows):
    print(f"libosiiso benchmarks: {info['regime']} ({info['processors']}), {info['rounds']} rounds in "
          f"{info['seconds']:.0f} s; median [min-max]")
    print(f"GLib {info['glib']}, compiler {info['compiler']}, kernel {info['kernel']}, {info['machine']}")
    if not info['optimised']:
        print('WARNING: built without optimisation; the figures mean nothing')
    if info['sanitised']:
        print('WARNING: built with a sanitizer; the figures mean nothing')
    if info['quick']:
        print('WARNING: a quick run; the figures mean nothing')
    for family in chosen:
        for table in family.tables:
            print_table(table, rounds)
    print_rows('Bars: ratio ours / peer inside a round', [r for r in rows if r.row.is_bar])
    print_rows('For information, not a bar yet', [r for r in rows if not r.row.is_bar])
    for family in chosen:
        for key, measure in family.all_measures.items():
            if not measure.optional and not any(key in r for r in rounds):
                print(f'{key} was not measured')
    foreign = [result['foreign'] for results in rounds for result in results.values()]
    spoiled = sum(f > MAX_FOREIGN for f in foreign)
    print()
    print(f'{len(foreign)} measurements, {spoiled} with more than {MAX_FOREIGN} of a processor used by others '
          f'(median {median(foreign):.2f})')
