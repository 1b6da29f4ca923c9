# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tasks in a main context."""
from measures import CPU, PUSH, WALL, Family, Measure, Row, Table

US = 0.001


def throughput():
    contestants = {
        'loop-osiiso': ('same thread', 'libosiiso push'),
        'loop-idle': ('same thread', 'g_idle_add_full'),
        'loop-osiiso-thread': ('other thread', 'libosiiso push'),
        'loop-invoke': ('other thread', 'g_main_context_invoke_full'),
    }
    measures, lines = {}, []
    for work in (0, 1, 10):
        for contestant, (group, label) in contestants.items():
            key = f'{contestant}/{work}'
            measures[key] = Measure(contestant, n=200_000 // max(1, 4 * work), work=work, rounds=3 if work else None,
                                    quick={'n': 2_000})
            lines.append((f'{work} us, {group}' if work else f'no-op, {group}', label, key))
    lines.sort(key=lambda line: ('no-op', '1 us', '10 us').index(line[0].split(',')[0]))
    rows = [
        Row('C1', 'no-op / g_idle_add_full', ('loop-osiiso/0', 'wall'), ('loop-idle/0', 'wall'), 0.35, 'ns',
            stretch=0.2),
        Row('C1', 'no-op / invoke_full, other thread', ('loop-osiiso-thread/0', 'wall'), ('loop-invoke/0', 'wall'),
            0.30, 'ns', stretch=0.15),
    ]
    return measures, Table('Tasks in a main context, per task', [WALL, CPU, PUSH], lines), rows


def stalls():
    quick = {'n': 5_000}
    measures = {
        'stall/1000': Measure('stall-osiiso', n=100_000, work=1, slice=0.001, quick=quick),
        'stall/200': Measure('stall-osiiso', n=100_000, work=1, slice=0.0002, quick=quick),
        'turn/1000': Measure('turn-osiiso', n=100_000, work=1, slice=0.001, quick=quick),
        'stall/idle': Measure('stall-idle', n=100_000, work=1, rounds=3, quick=quick),
    }
    table = Table('How long another source waits while 100 k x 1 us drain',
                  [('p50 us', 'stall_p50', US), ('p99 us', 'stall_p99', US), ('max us', 'stall_max', US)], [
                      ('slice 1000 us', 'libosiiso, due every 100 us', 'stall/1000'),
                      ('slice 1000 us', 'libosiiso, source always ready', 'turn/1000'),
                      ('slice 200 us', 'libosiiso, due every 100 us', 'stall/200'),
                      ('no slice', 'g_idle_add_full, due every 100 us', 'stall/idle'),
                  ])
    rows = [
        Row('C2', 'longest stall / slice of 1 ms', ('stall/1000', 'stall_max'), 1000, 1.15, 'us', stretch=1.05,
            factor=US, calm=True),
        Row('C2', 'longest turn of a ready source / 1 ms', ('turn/1000', 'turn_max'), 1000, 1.15, 'us', stretch=1.05,
            factor=US, calm=True),
        Row('N4', 'longest stall / slice of 200 us', ('stall/200', 'stall_max'), 200, None, 'us', factor=US),
    ]
    return measures, table, rows


def deadlines():
    contestants = {'deadlines-osiiso': 'libosiiso, delayed tasks', 'deadlines-sources': 'one GSource each'}
    measures = {c: Measure(c, n=100_000, trials=20_000, rounds=None if c == 'deadlines-osiiso' else 3,
                           quick={'n': 5_000, 'trials': 500}) for c in contestants}
    table = Table('An iteration of the loop with 100 k deadlines',
                  [('none ns', 'none'), ('100 k ns', 'many'), ('insert ns', 'push'), ('bytes', 'bytes')],
                  [('ready source', label, c) for c, label in contestants.items()])
    rows = [
        Row('C3', 'iteration, 100 k deadlines / none', ('deadlines-osiiso', 'many'), ('deadlines-osiiso', 'none'),
            1.3, 'ns', stretch=1.1),
        Row('C3', 'the same, one GSource each', ('deadlines-sources', 'many'), ('deadlines-sources', 'none'), None,
            'ns'),
    ]
    return measures, table, rows


def main_context_family():
    measures, tables, rows = {}, [], []
    for part in (throughput(), stalls(), deadlines()):
        measures.update(part[0])
        tables.append(part[1])
        rows += part[2]
    return Family('main-context', 'main-loop', measures, tables, rows)


FAMILIES = [main_context_family()]
