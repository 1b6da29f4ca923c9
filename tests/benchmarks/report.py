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
    """A row with its ratio in each round that counts."""
    def __init__(self, row, rounds):
        self.row = row
        found = [figures for figures in (self.figures(r) for r in rounds) if figures is not None]
        calm = [f for f in found if f[3] <= MAX_FOREIGN]
        self.n_calm, self.n_rounds = len(calm), len(rounds)
        used = calm if len(calm) >= min(MIN_CALM, self.n_rounds) else found
        self.ours = [f[0] for f in used]
        self.peer = [f[1] for f in used]
        self.ratios = [f[2] for f in used]
        self.ratio = median(self.ratios) if self.ratios else None
        self.verdict = self.judge(used is calm)

    def figures(self, results):
        """Ours, the peer, their ratio and the foreign work; None without one."""
        row = self.row
        parts = [row.value] + ([row.minus] if row.minus else [])
        peers = row.peer if isinstance(row.peer, list) else [row.peer]
        peers = [p for p in peers if not isinstance(p, tuple) or p[0] in results]
        if not peers or any(key not in results for key, _name in parts):
            return None
        ours = results[row.value[0]][row.value[1]] * row.factor
        if row.minus:
            ours -= results[row.minus[0]][row.minus[1]] * row.factor
        peer = min(results[p[0]][p[1]] * row.factor if isinstance(p, tuple) else p for p in peers)
        foreign = max(results[key]['foreign'] for key, _name in parts + [p for p in peers if isinstance(p, tuple)])
        return (ours, peer, ours / peer, foreign) if peer else None

    def judge(self, calm):
        row = self.row
        if self.ratio is None:
            return '-'
        if row.calm and not calm:
            return 'noisy'
        ok = self.ratio >= row.bar if row.at_least else self.ratio <= row.bar
        return 'pass' if ok else 'MISS'

    def as_dict(self):
        return {'name': self.row.name, 'text': self.row.text, 'ours': self.ours, 'peer': self.peer,
                'ratios': self.ratios, 'median': self.ratio, 'bar': self.row.bar,
                'at_least': self.row.at_least, 'is_bar': self.row.is_bar, 'verdict': self.verdict,
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
    lines = [['', '', 'ours', 'peer', 'ratio', 'bar', 'calm', '']]
    for row in rows:
        bar = ('>= ' if row.row.at_least else '<= ') + f'{row.row.bar:g}'
        calm = f'{row.n_calm}/{row.n_rounds}'
        if row.ratio is None:
            lines.append([row.row.name, row.row.text, '-', '-', '-', bar, calm, 'not measured'])
            continue
        ours = f'{number(median(row.ours))} {row.row.unit}'
        peer = '' if row.row.peer == 1 else number(median(row.peer))
        lines.append([row.row.name, row.row.text, ours, peer, spread(row.ratios), bar, calm, row.verdict])
    print()
    print(title)
    print_columns(lines)


def print_all(info, chosen, rounds, rows):
    print(f"libosiiso benchmarks: {info['regime']} ({info['processors']}), GLib {info['glib']}, "
          f"gcc {info['compiler']},")
    print(f"kernel {info['kernel']}, {info['rounds']} rounds in {info['seconds']} s; median [min-max]")
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
    foreign = [result['foreign'] for results in rounds for result in results.values()]
    spoiled = sum(f > MAX_FOREIGN for f in foreign)
    print()
    print(f'{len(foreign)} measurements, {spoiled} with more than {MAX_FOREIGN} of a processor used by others '
          f'(median {median(foreign):.2f})')
