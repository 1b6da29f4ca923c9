# SPDX-License-Identifier: LGPL-2.1-or-later
"""Draws the figures with gnuplot, as SVG."""
import os
import shutil
import subprocess
from statistics import median

from measures import LIBRARIES, WORKERS

SETTINGS = """\
set terminal svg size 760,420 dynamic font 'sans-serif,12' background 'white'
set output '{output}'
set title '{title}'
set grid ytics lc rgb '#dddddd'
set key outside right top
set style data linespoints
"""

COLORS = ('#1a5fb4', '#26a269', '#813d9c', '#e66100', '#c01c28', '#f5c211', '#63452c', '#000000', '#2ec7e8', '#ff7bb0')


class Drawing:
    """Medians over the rounds of a regime, as series of (x, low, middle, high)."""
    def __init__(self, regime):
        self.rounds = regime.rounds

    def values(self, key, name, factor=1):
        return [r[key][name] * factor for r in self.rounds if key in r and name in r[key]]

    def series(self, points, name):
        """points are (x, key)."""
        found = [(x, self.values(key, name)) for x, key in points]
        return [(x, min(v), median(v), max(v)) for x, v in found if v]


def block(name, lines):
    return f'${name} << EOD\n' + '\n'.join(' '.join(map(str, line)) for line in lines) + '\nEOD\n'


def lines_plot(series, commands):
    """A line for each contestant, with whiskers from the least to the most."""
    series = [(label, points) for label, points in series if points]
    text = ''.join(block(f'data{i}', points) for i, (_label, points) in enumerate(series)) + commands
    parts = []
    for i, (label, _points) in enumerate(series):
        color = f"lc rgb '{COLORS[i % len(COLORS)]}'"
        width = 3 if label.startswith('libosiiso') else 1.5
        parts.append(f"$data{i} using 1:3:2:4 with yerrorbars pt 7 ps 0.3 lw 0.6 {color} notitle")
        parts.append(f"$data{i} using 1:3 with lines lw {width} {color} title '{label}'")
    return text + 'plot ' + ', \\\n  '.join(parts) + '\n' if series else None


def bars_plot(bars, columns, commands):
    """bars are (label, value...)."""
    if not bars:
        return None
    text = block('data', [[f'"{label}"', *values] for label, *values in bars])
    text += commands + "set style data histograms\nset style fill solid 0.8\nset boxwidth 0.9\n"
    text += "set datafile separator whitespace\nset xtics rotate by -35 noenhanced\nset bmargin 7\n"
    parts = [f"$data using {i + 2}:xtic(1) title '{column}'" for i, column in enumerate(columns)]
    return text + 'plot ' + ', '.join(parts) + '\n'


def short(label):
    return label.split()[0].rstrip(',')


def libraries(names):
    return {**names, **{name: short(label) for name, (label, _package) in LIBRARIES.items()}}


def workers_plot(drawing):
    names = libraries({'osiiso-push': 'libosiiso push', 'osiiso-push-everything': 'libosiiso, everything on',
                       'osiiso-map': 'libosiiso map', 'tp': 'GThreadPool', 'tp-struct': 'GThreadPool + struct',
                       'tp-sort': 'GThreadPool sorted'})
    series = [(label, drawing.series([(w, f'noop/{name}/{w}') for w in WORKERS], 'wall')) for name, label in names.items()]
    return lines_plot(series, "set logscale xy\nset xtics (1, 2, 4, 8)\nset xrange [0.9:9]\nset xlabel 'workers'\n"
                              "set ylabel 'ns per task, median and extremes'\n")


def curve_plot(drawing):
    names = libraries({'osiiso': 'libosiiso', 'tp': 'GThreadPool'})
    series = [(label, drawing.series([(10**e, f'curve/{name}/{10**e}') for e in range(3, 8)], 'wall'))
              for name, label in names.items()]
    return lines_plot(series, "set logscale xy\nset format x '10^{%L}'\nset xlabel 'tasks that wait'\n"
                              "set ylabel 'ns per task, pushed and run'\n")


def latency_plot(drawing):
    names = libraries({'osiiso': 'libosiiso', 'tp': 'GThreadPool', 'gtask': 'GTask'})
    bars = []
    for name, label in names.items():
        p50, p99 = (drawing.values(f'idle/{name}', f'start_{q}', 0.001) for q in ('p50', 'p99'))
        if p50:
            bars.append((label, median(p50), median(p99)))
    return bars_plot(bars, ('p50', 'p99'), "set ylabel 'us from submit to start'\nset logscale y\nset yrange [1:*]\n")


def memory_plot(drawing):
    bars = []
    for key, label in (('memory-osiiso-push', 'libosiiso push'), ('memory-tp', 'GThreadPool'),
                       ('memory-tp-struct', 'GThreadPool + struct'), ('memory-osiiso-submit', 'libosiiso submit'),
                       ('memory-gtask', 'GTask'), ('memory-idle', 'g_idle_add'),
                       *((f'curve/{name}/1000000', short(label)) for name, (label, _p) in LIBRARIES.items())):
        values = drawing.values(key, 'bytes')
        if values:
            bars.append((label, median(values)))
    return bars_plot(bars, ('bytes per waiting task',), "set ylabel 'bytes'\nset yrange [0:*]\n")


def goals_plot(regimes):
    """How near each goal is to its bar: below 1 it is met."""
    names, bars = [], {}
    for regime in regimes:
        for row in regime.rows:
            if row.row.is_goal and row.ratio:
                label = f'{row.row.name} {row.row.text}'
                if label not in bars:
                    names.append(label)
                near = row.bar / row.ratio if row.row.efficiency else row.ratio / row.bar
                bars.setdefault(label, {})[regime.name] = near
    if not names:
        return None
    text = "set terminal svg size 760,900 dynamic font 'sans-serif,11' background 'white'\nset logscale x\n"
    text += f"set yrange [{len(names)}:-1]\nset xlabel 'ratio / bar: left of 1 is met'\nset key bottom left\n"
    text += 'set ytics (' + ', '.join(f"'{label}' {i}" for i, label in enumerate(names)) + ') noenhanced\n'
    text += "set arrow from 1, graph 0 to 1, graph 1 nohead lc rgb '#888888'\nset grid xtics ytics lc rgb '#eeeeee'\n"
    parts = []
    for i, regime in enumerate(regimes):
        text += block(f'goals{i}', [(bars[label][regime.name], k) for k, label in enumerate(names) if regime.name in bars[label]])
        parts.append(f"$goals{i} using 1:2 with points pt {7 if i == 0 else 6} ps 0.7 title '{regime.name}'")
    return text + 'plot ' + ', '.join(parts) + '\n'


def draw(folder, regimes):
    """Writes them; (title, file name) of each, none without gnuplot."""
    gnuplot = shutil.which('gnuplot')
    if gnuplot is None:
        print('no plots: gnuplot is not here (gnuplot-nox)')
        return []
    os.makedirs(folder, exist_ok=True)
    drawing = Drawing(regimes[0])
    plots = {
        'bench-workers': ('Tasks that do nothing, by workers', workers_plot(drawing)),
        'bench-curve': ('Cost of a task, by how many wait', curve_plot(drawing)),
        'bench-latency': ('Idle workers: from submit to start', latency_plot(drawing)),
        'bench-memory': ('Memory of a task that waits', memory_plot(drawing)),
        'bench-goals': ('Goals', goals_plot(regimes)),
    }
    written = []
    for name, (title, commands) in plots.items():
        if commands is None:
            continue
        path = os.path.join(folder, name + '.svg')
        script = SETTINGS.format(output=path.replace("'", "''"), title=title) + commands
        subprocess.run([gnuplot], input=script, text=True, check=True)
        tidy(path)
        written.append((title, name + '.svg'))
    print(f'plots in {folder}: ' + ', '.join(name for _title, name in written))
    return written


def tidy(path):
    """No white space at the ends of lines, and a licence."""
    with open(path, encoding='utf-8') as file:
        lines = [line.rstrip() for line in file]
    lines.insert(1, '<!-- SPDX-License-Identifier: LGPL-2.1-or-later -->')
    with open(path, 'w', encoding='utf-8') as file:
        file.write('\n'.join(lines).rstrip() + '\n')
