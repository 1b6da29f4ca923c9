# SPDX-License-Identifier: LGPL-2.1-or-later
"""How long tasks wait, and what those cost that wait."""
from measures import LIBRARIES, PUSH, Family, Measure, Row, Table

US = 0.001


def latency_family():
    quick = {'n': 2_000, 'trials': 20}
    idle = {'osiiso': 'libosiiso', 'tp': 'GThreadPool', 'gtask': 'g_task_run_in_thread',
            **{name: label for name, (label, _package) in LIBRARIES.items()}}
    measures = {
        'urgent/osiiso': Measure('urgent-osiiso', n=20_000, work=10, workers=2, trials=500, quick=quick),
        'urgent/qt': Measure('urgent-qt', n=20_000, work=10, workers=2, trials=500, optional=True, quick=quick),
        'urgent/tp-sort': Measure('urgent-tp-sort', n=20_000, work=10, workers=2, trials=500, quick=quick),
        'urgent/tp': Measure('urgent-tp', n=20_000, work=10, workers=2, trials=5, rounds=3,
                             quick={'n': 500, 'trials': 2}),
        'isolation/osiiso': Measure('isolation-osiiso', trials=1000, quick={'trials': 20}),
        'isolation/gtask': Measure('isolation-gtask', trials=200, rounds=3, quick={'trials': 20}),
    }
    for name in idle:
        measures[f'idle/{name}'] = Measure(f'idle-{name}', workers=2, trials=1000 if name in ('osiiso', 'tp') else 500,
                                           rounds=None if name in ('osiiso', 'tp') else 3, optional=name in LIBRARIES,
                                           quick={'trials': 50})
    tables = [
        Table('From submit to start', [('p50 us', 'start_p50', US), ('p99 us', 'start_p99', US)], [
            ('most urgent, behind 20 k x 10 us', 'libosiiso', 'urgent/osiiso'),
            ('most urgent, behind 20 k x 10 us', 'QThreadPool, priorities', 'urgent/qt'),
            ('most urgent, behind 20 k x 10 us', 'GThreadPool sorted', 'urgent/tp-sort'),
            ('most urgent, behind 20 k x 10 us', 'GThreadPool', 'urgent/tp'),
            *(('idle workers', label, f'idle/{name}') for name, label in idle.items()),
        ]),
        Table('From submit to start, beside tasks that block',
              [('alone us', 'alone_p50', US), ('beside us', 'beside_p50', US)], [
                  ('p50', 'libosiiso, 64 block in a queue', 'isolation/osiiso'),
                  ('p50', 'g_task_run_in_thread, 10 block', 'isolation/gtask'),
              ]),
    ]
    p50 = ('urgent/osiiso', 'start_p50')
    length = ('urgent/osiiso', 'length_p50')
    rows = [
        Row('T10', 'urgent start, p50 / task length', p50, length, 1.0, 'us', factor=US),
        Row('T10', 'urgent start, p99 / task length', ('urgent/osiiso', 'start_p99'), length, 3.0, 'us', factor=US),
        Row('T10', 'urgent start, p50 / Qt priority', p50, [('urgent/qt', 'start_p50')], 1.0, 'us', stretch=0.7,
            factor=US),
        Row('T12', 'idle start, p50 / GThreadPool', ('idle/osiiso', 'start_p50'), ('idle/tp', 'start_p50'), 1.05, 'us',
            stretch=1.0, factor=US, calm=True),
        Row('I1', 'start, p50, beside 64 blocked / alone', ('isolation/osiiso', 'beside_p50'),
            ('isolation/osiiso', 'alone_p50'), 1.2, 'us', stretch=1.05, factor=US, calm=True),
    ]
    return Family('latency', 'thread-pool', measures, tables, rows)


def memory_family():
    contestants = {
        'memory-osiiso-push': 'libosiiso push, 4 priorities',
        'memory-osiiso-push-default': 'libosiiso push, no options',
        'memory-tp': 'GThreadPool, bare pointer',
        'memory-tp-struct': 'GThreadPool + task struct',
        'memory-osiiso-submit': 'libosiiso submit, handle kept',
        'memory-gtask': 'GTask + task struct',
        'memory-idle': 'g_idle_add_full',
    }
    measures = {c: Measure(c, n=1_000_000, rounds=3 if c == 'memory-idle' else None, quick={'n': 20_000},
                           bytes_needed=500_000_000) for c in contestants}
    tables = [Table('Memory of a task that waits, 1 M of them', [('bytes', 'bytes')],
                    [('resident', label, c) for c, label in contestants.items()])]
    rows = [
        Row('M1', 'bytes per push, 4 priorities', ('memory-osiiso-push', 'bytes'), 1, 96, 'B', stretch=72),
        Row('M1', 'bytes per push, no options', ('memory-osiiso-push-default', 'bytes'), 1, 96, 'B', stretch=72),
        Row('M2', 'bytes per kept handle / GTask', ('memory-osiiso-submit', 'bytes'), ('memory-gtask', 'bytes'), 0.9,
            'B', stretch=0.7),
    ]
    return Family('memory', 'thread-pool', measures, tables, rows)


CURVE = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)
# A push into QThreadPool takes longer the more others wait; with 10^7 it would take minutes.
CURVE_MOST = {'qt': 1_000_000}


def with_spaces(n):
    return f'{n:_}'.replace('_', ' ')


def curve_measures():
    contestants = {'osiiso': 'libosiiso push', 'tp': 'GThreadPool, bare pointer',
                   **{name: label for name, (label, _package) in LIBRARIES.items()}}
    measures, lines = {}, []
    for n in CURVE:
        for name, label in contestants.items():
            if n > CURVE_MOST.get(name, n):
                continue
            key = f'curve/{name}/{n}'
            in_rows = name == 'osiiso' and n in (10_000, 10_000_000)
            measures[key] = Measure(f'curve-{name}', n=n, repeat=max(1, 100_000 // n), workers=2,
                                    optional=name in LIBRARIES, rounds=None if in_rows else 1 if n > 1_000_000 else 3,
                                    bytes_needed=n * 400 if n > 1_000_000 else 0,
                                    quick={'n': min(n, 20_000), 'repeat': 1})
            lines.append((f'{with_spaces(n)} tasks', label, key))
    return measures, Table('Cost of a task by how many wait: pushed first, then run by 2 workers',
                           [PUSH, ('run ns', 'run'), ('total ns', 'wall'), ('bytes', 'bytes')], lines)


def backlog_family():
    measures, lines = {}, []
    for contestant, label in (('backlog-osiiso', 'libosiiso push'), ('backlog-tp', 'GThreadPool, bare pointer')):
        for pending in (1_000, 1_000_000):
            key = f'{contestant}/{pending}'
            measures[key] = Measure(contestant, pending=pending, repeat=50,
                                    rounds=None if contestant == 'backlog-osiiso' else 3,
                                    quick={'pending': min(pending, 20_000), 'repeat': 3})
            lines.append((f'{with_spaces(pending)} pending', label, key))
    for pending in (1_000, 20_000):
        key = f'backlog-tp-sort/{pending}'
        measures[key] = Measure('backlog-tp-sort', pending=pending, repeat=3, rounds=3,
                                quick={'pending': 1_000, 'repeat': 1})
        lines.append((f'{with_spaces(pending)} pending', 'GThreadPool sorted', key))
    lines.sort(key=lambda line: int(line[2].split('/')[1]))

    curve, curve_table = curve_measures()
    measures.update(curve)
    measures['cancel'] = Measure('cancel-osiiso', n=100_000, quick={'n': 5_000})

    tables = [
        Table('A push while others wait', [('p50 ns', 'push_p50'), ('p99 ns', 'push_p99')], lines),
        curve_table,
        Table('Cancel 100 000 queued tasks one by one', [('calls s', 'cancel'), ('delivered s', 'total')],
              [('in no order', 'libosiiso', 'cancel')]),
    ]
    rows = [
        Row('T9', 'push at 1 M pending / at 1 k', ('backlog-osiiso/1000000', 'push_p50'),
            ('backlog-osiiso/1000', 'push_p50'), 1.5, 'ns', stretch=1.1),
        Row('T9', 'GThreadPool sorted, at 20 k / at 1 k', ('backlog-tp-sort/20000', 'push_p50'),
            ('backlog-tp-sort/1000', 'push_p50'), None, 'ns'),
        Row('N1', 'cost at 10^7 pending / at 10^4', ('curve/osiiso/10000000', 'wall'),
            ('curve/osiiso/10000', 'wall'), 2.0, 'ns'),
        Row('N2', 'cancel 100 000 tasks, seconds', ('cancel', 'total'), 1, 0.5, 's'),
    ]
    return Family('backlog', 'thread-pool', measures, tables, rows)


FAMILIES = [latency_family(), memory_family(), backlog_family()]
