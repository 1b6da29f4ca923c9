# SPDX-License-Identifier: LGPL-2.1-or-later
"""What is measured, how it is shown, and which ratios have a bar."""


class Measure:
    """optional: only if a program has the contestant."""
    def __init__(self, contestant, quick=None, bytes_needed=0, optional=False, **params):
        self.contestant = contestant
        self.params = params
        self.quick = quick or {}
        self.bytes_needed = bytes_needed
        self.optional = optional

    def smaller(self):
        return Measure(self.contestant, optional=self.optional, **{**self.params, **self.quick})


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
    peer fares has no bar.
    """
    def __init__(self, name, text, value, peer, bar, unit='', efficiency=False, is_bar=True, calm=False,
                 factor=1, minus=None):
        self.name = name
        self.text = text
        self.value = value
        self.minus = minus
        self.peer = peer
        self.bar = bar
        self.unit = unit
        self.efficiency = efficiency
        self.is_bar = is_bar
        self.calm = calm
        self.factor = factor

    def keys(self):
        peers = self.peer if isinstance(self.peer, list) else [self.peer]
        return {p[0] for p in [self.value, self.minus, *peers] if isinstance(p, tuple)}


class Family:
    def __init__(self, name, measures, tables, rows):
        self.name = name
        self.all_measures = measures
        self.tables = tables
        self.rows = rows

    def measures(self, quick):
        for key, measure in self.all_measures.items():
            yield key, measure.smaller() if quick else measure


WALL = ('wall ns', 'wall')
CPU = ('cpu ns', 'cpu')
PUSH = ('push ns', 'push')

PUSHERS = {
    'osiiso-push': 'libosiiso push',
    'osiiso-push-default': 'libosiiso push, no options',
    'osiiso-map': 'libosiiso map, 64 at a time',
    'tp': 'GThreadPool, bare pointer',
    'tp-struct': 'GThreadPool + task struct',
    'tp-sort': 'GThreadPool sorted, 20 k tasks',
}
# Of programs that need another library; see docs/performance.md.
OPTIONAL = {
    'uv': 'libuv uv_queue_work',
    'tbb': 'oneTBB task_group',
    'asio': 'Boost.Asio thread_pool',
    'qt': 'QThreadPool, priorities',
}
PUSHERS.update(OPTIONAL)
PEERS = ['tp', 'tp-struct', 'tp-sort', *OPTIONAL]


def count_of_workers(n):
    return '1 worker' if n == 1 else f'{n} workers'


def threads_family():
    measures, lines, rows = {}, [], []
    for workers in (1, 2, 4, 8):
        for contestant, label in PUSHERS.items():
            key = f'noop/{contestant}/{workers}'
            n = 20_000 if contestant == 'tp-sort' else 1_000_000
            measures[key] = Measure(contestant, n=n, workers=workers, optional=contestant in OPTIONAL,
                                    quick={'n': 2_000})
            lines.append((count_of_workers(workers), label, key))

    for workers, bar in ((1, 0.45), (2, 0.25), (8, 0.12)):
        rows.append(Row('T3', f'no-op / GThreadPool+struct, {workers}w', (f'noop/osiiso-push/{workers}', 'wall'),
                        (f'noop/tp-struct/{workers}', 'wall'), bar, 'ns'))
    for workers in (2, 4, 8):
        rows.append(Row('T1', f'no-op / best peer, {workers}w', (f'noop/osiiso-push/{workers}', 'wall'),
                        [(f'noop/{p}/{workers}', 'wall') for p in PEERS], 0.75, 'ns', is_bar=False, calm=True))
    rows.append(Row('T2', 'no-op / best peer, 1w', ('noop/osiiso-push/1', 'wall'),
                    [(f'noop/{p}/1', 'wall') for p in PEERS], 1.0, 'ns', is_bar=False, calm=True))
    rows.append(Row('T4', 'map of 64 / best peer, 2w', ('noop/osiiso-map/2', 'wall'),
                    [(f'noop/{p}/2', 'wall') for p in PEERS], 0.4, 'ns', is_bar=False, calm=True))
    rows.append(Row('T11', 'waits per no-op task, 2w', ('noop/osiiso-push/2', 'switches'), 1, 0.03, '',
                    is_bar=False))
    return Family('threads', measures, [Table('No-op tasks on threads, per task', [WALL, CPU, PUSH], lines)], rows)


def work_family():
    measures, lines, rows = {}, [], []
    contestants = {'work': 'the work alone'}
    contestants.update((c, label) for c, label in PUSHERS.items() if c not in ('osiiso-push-default', 'osiiso-map'))
    for work, n, name, ratio, efficiency in ((1, 100_000, 'T5', 0.92, 0.78), (10, 20_000, 'T6', 1.03, 0.92)):
        for contestant, label in contestants.items():
            key = f'{work}us/{contestant}/2'
            count = min(n, 20_000) if contestant == 'tp-sort' else n
            measures[key] = Measure(contestant, n=count, workers=2, work=work, optional=contestant in OPTIONAL,
                                    quick={'n': 1_000})
            lines.append((f'{work} us, 2 workers', label, key))
        rows.append(Row(name, f'{work} us tasks / best peer, 2w', (f'{work}us/osiiso-push/2', 'wall'),
                        [(f'{work}us/{p}/2', 'wall') for p in PEERS], ratio, 'ns', is_bar=False, calm=True))
        rows.append(Row(name, f'{work} us tasks, efficiency, 2w', (f'{work}us/osiiso-push/2', 'wall'),
                        (f'{work}us/work/2', 'wall'), efficiency, 'ns', efficiency=True, is_bar=False, calm=True))
    return Family('work', measures, [Table('Tasks with work on threads, per task', [WALL, CPU, PUSH], lines)], rows)


def handles_family():
    contestants = {
        'osiiso-submit': 'libosiiso submit',
        'osiiso-submit-default': 'libosiiso submit, no options',
        'osiiso-submit-signal': 'libosiiso submit, with a signal',
        'gtask': 'g_task_run_in_thread',
        'object': 'GObject, made and dropped',
    }
    measures, lines = {}, []
    for contestant, label in contestants.items():
        measures[f'handle/{contestant}'] = Measure(contestant, n=100_000, workers=2, quick={'n': 1_000})
        lines.append(('2 workers', label, f'handle/{contestant}'))
    measures['handle/push'] = Measure('osiiso-push', n=100_000, workers=2, quick={'n': 1_000})
    lines.append(('2 workers', 'libosiiso push', 'handle/push'))
    rows = [
        Row('T7', 'handle kept / g_task_run_in_thread', ('handle/osiiso-submit', 'wall'),
            ('handle/gtask', 'wall'), 0.4, 'ns'),
        Row('T7', 'the same with a signal handler', ('handle/osiiso-submit-signal', 'wall'),
            ('handle/gtask', 'wall'), 0.4, 'ns', is_bar=False),
        Row('T8', 'handle overhead / a GObject', ('handle/osiiso-submit', 'wall'), ('handle/object', 'wall'), 2.0,
            'ns', is_bar=False, minus=('handle/push', 'wall')),
    ]
    return Family('handles', measures, [Table('No-op tasks with a result, per task', [WALL, CPU, PUSH], lines)], rows)


def latency_family():
    measures = {
        'urgent/osiiso': Measure('urgent-osiiso', n=20_000, work=10, workers=2, trials=500,
                                 quick={'n': 2_000, 'trials': 20}),
        'urgent/tp-sort': Measure('urgent-tp-sort', n=20_000, work=10, workers=2, trials=500,
                                  quick={'n': 2_000, 'trials': 5}),
        'urgent/tp': Measure('urgent-tp', n=20_000, work=10, workers=2, trials=5,
                             quick={'n': 2_000, 'trials': 2}),
        'idle/osiiso': Measure('idle-osiiso', workers=2, trials=1000, quick={'trials': 20}),
        'idle/tp': Measure('idle-tp', workers=2, trials=1000, quick={'trials': 20}),
        'isolation/osiiso': Measure('isolation-osiiso', n=64, workers=2, trials=500, quick={'trials': 20}),
        'isolation/gtask': Measure('isolation-gtask', workers=2, trials=100, quick={'trials': 20}),
    }
    start = [('p50 us', 'start_p50', 0.001), ('p99 us', 'start_p99', 0.001), ('max us', 'start_max', 0.001)]
    group = '20 k x 10 us queued'
    tables = [
        Table('From submit to start', start, [
            (group, 'libosiiso, urgent task', 'urgent/osiiso'),
            (group, 'GThreadPool sorted, urgent', 'urgent/tp-sort'),
            (group, 'GThreadPool, first come', 'urgent/tp'),
            ('idle', 'libosiiso', 'idle/osiiso'),
            ('idle', 'GThreadPool', 'idle/tp'),
        ]),
        Table('From submit to start, beside tasks that block', [('alone us', 'alone_p50', 0.001),
                                                                ('beside us', 'beside_p50', 0.001)], [
            ('p50', 'libosiiso, 64 block in a queue', 'isolation/osiiso'),
            ('p50', 'GTask, 10 block', 'isolation/gtask'),
        ]),
    ]
    rows = [
        Row('T10', 'urgent start, p50 / task length', ('urgent/osiiso', 'start_p50'),
            ('urgent/osiiso', 'length_p50'), 1.0, 'us', factor=0.001),
        Row('T10', 'urgent start, p99 / task length', ('urgent/osiiso', 'start_p99'),
            ('urgent/osiiso', 'length_p50'), 3.0, 'us', factor=0.001),
        Row('T10', 'urgent start, p50 / sorted pool', ('urgent/osiiso', 'start_p50'),
            ('urgent/tp-sort', 'start_p50'), 1.0, 'us', factor=0.001, is_bar=False),
        Row('T12', 'idle start, p50 / GThreadPool', ('idle/osiiso', 'start_p50'), ('idle/tp', 'start_p50'), 1.05,
            'us', factor=0.001, is_bar=False, calm=True),
        Row('I1', 'start, p50, beside 64 blocked / alone', ('isolation/osiiso', 'beside_p50'),
            ('isolation/osiiso', 'alone_p50'), 1.2, 'us', factor=0.001, is_bar=False, calm=True),
    ]
    return Family('latency', measures, tables, rows)


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
    measures = {c: Measure(c, n=1_000_000, quick={'n': 20_000}, bytes_needed=500_000_000) for c in contestants}
    tables = [Table('Memory of a task that waits, 1 M of them', [('bytes', 'bytes')],
                    [('resident', label, c) for c, label in contestants.items()])]
    rows = [
        Row('M1', 'bytes per push, 4 priorities', ('memory-osiiso-push', 'bytes'), 1, 96, 'B'),
        Row('M1', 'bytes per push, no options', ('memory-osiiso-push-default', 'bytes'), 1, 96, 'B'),
        Row('M2', 'bytes per kept handle / GTask', ('memory-osiiso-submit', 'bytes'),
            ('memory-gtask', 'bytes'), 0.9, 'B'),
    ]
    return Family('memory', measures, tables, rows)


CURVE = (1_000, 10_000, 100_000, 1_000_000, 10_000_000)


def backlog_family():
    measures, lines = {}, []
    peers = {'backlog-osiiso': 'libosiiso push', 'backlog-tp': 'GThreadPool, bare pointer'}
    for contestant, label in peers.items():
        for pending in (1_000, 1_000_000):
            key = f'{contestant}/{pending}'
            measures[key] = Measure(contestant, pending=pending, repeat=50,
                                    quick={'pending': min(pending, 20_000), 'repeat': 3})
            lines.append((f'{pending:_} pending'.replace('_', ' '), label, key))
    for pending in (1_000, 20_000):
        key = f'backlog-tp-sort/{pending}'
        measures[key] = Measure('backlog-tp-sort', pending=pending, repeat=3, quick={'pending': 1_000, 'repeat': 1})
        lines.append((f'{pending:_} pending'.replace('_', ' '), 'GThreadPool sorted', key))
    lines.sort(key=lambda line: int(line[2].split('/')[1]))

    curve = []
    for n in CURVE:
        key = f'curve/{n}'
        measures[key] = Measure('curve-osiiso', n=n, repeat=max(1, 200_000 // n), workers=2,
                                bytes_needed=n * 400 if n > 1_000_000 else 0,
                                quick={'n': min(n, 20_000), 'repeat': 1})
        curve.append(('2 workers', f'{n:_} tasks'.replace('_', ' '), key))
    measures['cancel'] = Measure('cancel-osiiso', n=100_000, quick={'n': 5_000})

    tables = [
        Table('A push while others wait', [('p50 ns', 'push_p50'), ('p99 ns', 'push_p99')], lines),
        Table('Cost of a task by how many wait: pushed first, then run',
              [PUSH, ('run ns', 'run'), ('total ns', 'wall'), ('bytes', 'bytes')], curve),
        Table('Cancel 100 000 queued tasks one by one', [('calls s', 'cancel'), ('delivered s', 'total')],
              [('in no order', 'libosiiso', 'cancel')]),
    ]
    rows = [
        Row('T9', 'push at 1 M pending / at 1 k', ('backlog-osiiso/1000000', 'push_p50'),
            ('backlog-osiiso/1000', 'push_p50'), 1.5, 'ns'),
        Row('T9', 'sorted pool, at 20 k / at 1 k', ('backlog-tp-sort/20000', 'push_p50'),
            ('backlog-tp-sort/1000', 'push_p50'), None, 'ns', is_bar=False),
        Row('N1', 'cost at 10^7 pending / at 10^4', ('curve/10000000', 'wall'), ('curve/10000', 'wall'), 2.0,
            'ns'),
        Row('N2', 'cancel 100 000 tasks, seconds', ('cancel', 'total'), 1, 0.5, 's'),
    ]
    return Family('backlog', measures, tables, rows)


def main_context_family():
    contestants = {
        'loop-osiiso': ('same thread', 'libosiiso push'),
        'loop-idle': ('same thread', 'g_idle_add_full'),
        'loop-osiiso-thread': ('other thread', 'libosiiso push'),
        'loop-invoke': ('other thread', 'g_main_context_invoke_full'),
    }
    measures = {c: Measure(c, n=200_000, quick={'n': 2_000}) for c in contestants}
    tables = [Table('No-op tasks in a main context, per task', [WALL, CPU, PUSH],
                    [(group, label, c) for c, (group, label) in contestants.items()])]

    stalls = []
    for slice_us in (1000, 200):
        key = f'stall/{slice_us}'
        measures[key] = Measure('stall-osiiso', n=100_000, work=1, slice=slice_us / 1e6, quick={'n': 5_000})
        stalls.append((f'slice {slice_us} us', 'libosiiso, due every 100 us', key))
    measures['turn/1000'] = Measure('turn-osiiso', n=100_000, work=1, slice=0.001, quick={'n': 5_000})
    stalls.append(('slice 1000 us', 'libosiiso, source always ready', 'turn/1000'))
    stalls.sort()
    measures['stall/idle'] = Measure('stall-idle', n=100_000, work=1, quick={'n': 5_000})
    stalls.append(('no slice', 'g_idle_add_full, due every 100 us', 'stall/idle'))
    tables.append(Table('How long another source waits while 100 k x 1 us drain',
                        [('p50 us', 'stall_p50', 0.001), ('p99 us', 'stall_p99', 0.001),
                         ('max us', 'stall_max', 0.001)], stalls))

    deadlines = {'deadlines-osiiso': 'libosiiso, delayed tasks', 'deadlines-sources': 'one GSource each'}
    for contestant in deadlines:
        measures[contestant] = Measure(contestant, n=100_000, trials=20_000, quick={'n': 5_000, 'trials': 500})
    tables.append(Table('An iteration of the loop with 100 k deadlines',
                        [('none ns', 'none'), ('100 k ns', 'many'), ('insert ns', 'push'), ('bytes', 'bytes')],
                        [('ready source', label, c) for c, label in deadlines.items()]))
    rows = [
        Row('C1', 'no-op / g_idle_add_full', ('loop-osiiso', 'wall'), ('loop-idle', 'wall'), 0.35, 'ns'),
        Row('C1', 'no-op / invoke_full, other thread', ('loop-osiiso-thread', 'wall'), ('loop-invoke', 'wall'),
            0.30, 'ns'),
        Row('C2', 'longest stall / slice of 1 ms', ('stall/1000', 'stall_max'), 1000, 1.15, 'us', factor=0.001,
            calm=True),
        Row('C2', 'longest stall / slice of 200 us', ('stall/200', 'stall_max'), 200, 1.15, 'us', factor=0.001,
            calm=True, is_bar=False),
        Row('C2', 'longest turn of a ready source / 1 ms', ('turn/1000', 'stall_max'), 1000, 1.15, 'us',
            factor=0.001, calm=True, is_bar=False),
        Row('C3', 'iteration, 100 k deadlines / none', ('deadlines-osiiso', 'many'), ('deadlines-osiiso', 'none'),
            1.3, 'ns'),
        Row('C3', 'the same, one GSource each', ('deadlines-sources', 'many'), ('deadlines-sources', 'none'), None,
            'ns', is_bar=False),
    ]
    return Family('main-context', measures, tables, rows)


def calls_measures():
    measures, lines = {}, []
    for key, label, contestant, n, params in (
            ('call/1', 'libosiiso, one at a time', 'process-call', 200_000, {'window': 1}),
            ('call/wait', 'libosiiso, submit and wait', 'process-call-wait', 50_000, {}),
            ('ping/1', 'socketpair, one at a time', 'process-ping', 200_000, {'window': 1}),
            ('call/many', 'libosiiso, pipelined', 'process-call', 400_000, {}),
            ('ping/16', 'socketpair, 16 at a time', 'process-ping', 400_000, {'window': 16}),
            ('call/many/2', 'libosiiso, pipelined', 'process-call', 400_000, {'workers': 2})):
        params = {'workers': 1, **params}
        measures[key] = Measure(contestant, n=n, **params, quick={'n': 2_000})
        lines.append((count_of_workers(params['workers']), label, key))
    rows = [
        Row('S1', 'call, one at a time / 50 000 per s', ('call/1', 'wall'), 20_000, 1.0, 'ns'),
        Row('S1', 'call, pipelined / 200 000 per s', ('call/many', 'wall'), 5_000, 1.0, 'ns'),
        Row('S2', 'call, one at a time / socketpair', ('call/1', 'wall'), ('ping/1', 'wall'), None, 'ns', is_bar=False),
        Row('S2', 'submit and wait / socketpair', ('call/wait', 'wall'), ('ping/1', 'wall'), None, 'ns', is_bar=False),
        Row('S2', 'call, pipelined / socketpair by 16', ('call/many', 'wall'), ('ping/16', 'wall'), None, 'ns',
            is_bar=False),
    ]
    table = Table('Calls in worker processes, per call',
                  [WALL, CPU, ('of that workers', 'children'), ('1/s', 'per_s')], lines)
    return measures, [table], rows


def commands_measures():
    peers = {'osiiso': 'libosiiso', 'gsubprocess': 'GSubprocess, 2 at a time', 'run': 'osiiso run -j2',
             'xargs': 'xargs -P2 -n1', 'parallel': 'parallel -j2'}
    measures = {f'command/{peer}': Measure(f'command-{peer}', n=500 if peer == 'parallel' else 5_000, workers=2,
                                           optional=peer in ('run', 'parallel'), quick={'n': 50}) for peer in peers}
    us = 0.001
    table = Table('/bin/true, 2 at a time, per command',
                  [('wall us', 'wall', us), ('cpu us', 'cpu', us), ('of that children', 'children', us), ('1/s', 'per_s')],
                  [('commands', label, f'command/{peer}') for peer, label in peers.items()])
    rows = [Row('S3', f'{label} / {peers[peer]}', (f'command/{ours}', 'wall'), (f'command/{peer}', 'wall'), 1.0, 'us',
                factor=0.001, is_bar=is_bar)
            for ours, label, peer, is_bar in (('run', 'osiiso run', 'xargs', True),
                                              ('run', 'osiiso run', 'parallel', False),
                                              ('osiiso', 'command', 'xargs', False),
                                              ('osiiso', 'command', 'gsubprocess', False))]
    return measures, [table], rows


def replacements_measures():
    quick = {'trials': 3}
    measures = {
        'worker/start': Measure('process-start', workers=1, trials=50, quick=quick),
        'worker/kill': Measure('process-kill', workers=1, trials=100, quick=quick),
        'worker/cancel': Measure('process-cancel', workers=1, trials=20, quick={'trials': 2}),
    }
    ms, lines, rows = 1e-6, [], []
    for key, name, label in (('worker/kill', 'replaced', 'killed, to first answer of the next'),
                             ('worker/cancel', 'replaced', 'cancelled and deaf, the same'),
                             ('worker/cancel', 'gone', 'cancelled and deaf, end beyond grace')):
        rows.append(Row('S4', f'{label} / 50 ms', (key, f'{name}_p50'), 50, 1.0, 'ms', factor=ms))
        rows.append(Row('S4', f'{label}, slowest', (key, f'{name}_max'), 50, 1.0, 'ms', factor=ms, is_bar=False,
                        calm=True))
    columns = {'worker/start': 'no worker yet', 'worker/kill': 'killed', 'worker/cancel': 'cancelled and deaf'}
    for key, label in columns.items():
        lines.append(('1 worker', label, key))
    table = Table('Until a worker has answered', [
        (f'{header} {suffix} ms', f'{name}_{suffix}', ms)
        for header, name in (('start', 'start'), ('replaced', 'replaced'), ('gone after grace', 'gone'))
        for suffix in ('p50', 'max')], lines)
    return measures, [table], rows


def storm_measures():
    measures = {f'storm/{retries}': Measure('process-storm', n=10_000, workers=2, retries=retries, quick={'n': 300})
                for retries in (0, 50)}
    table = Table('Tasks of 150 us, while workers are killed',
                  [(name, name) for name in ('tasks', 'kills', 'attempts', 'failed')] + [('wall us', 'wall', 0.001)],
                  [('2 workers', 'no retries', 'storm/0'), ('2 workers', '50 retries', 'storm/50')])
    rows = [
        Row('S5', 'tasks that did not end once', ('storm/0', 'not_once'), 1, 0),
        Row('S5', 'tasks that ran more than their attempts', ('storm/0', 'again'), 1, 0),
        Row('S5', 'failed tasks that no killed worker was in', ('storm/0', 'strangers'), 1, 0),
        Row('S5', 'with retries: tasks that did not end once', ('storm/50', 'not_once'), 1, 0),
        Row('S5', 'with retries: more runs than attempts', ('storm/50', 'again'), 1, 0),
        Row('S5', 'with retries: more attempts than kills', ('storm/50', 'unpaid'), 1, 0),
        Row('S5', 'with retries: tasks that failed', ('storm/50', 'failed'), 1, 0),
    ]
    return measures, [table], rows


def subprocess_family():
    measures, tables, rows = {}, [], []
    for part in (calls_measures(), commands_measures(), replacements_measures(), storm_measures()):
        measures.update(part[0])
        tables += part[1]
        rows += part[2]
    return Family('subprocess', measures, tables, rows)


FAMILIES = [threads_family(), work_family(), handles_family(), latency_family(), memory_family(), backlog_family(),
            main_context_family(), subprocess_family()]


def rows(chosen):
    return [row for family in chosen for row in family.rows]
