# SPDX-License-Identifier: LGPL-2.1-or-later
"""Calls in worker processes, and commands."""
from measures import CPU, WALL, Family, Measure, Row, Table, count_of_workers

US = 0.001


def calls_measures():
    measures, lines = {}, []
    for key, label, contestant, n, params in (
            ('call/1', 'libosiiso, one at a time', 'process-call', 200_000, {'window': 1}),
            ('call/wait', 'libosiiso, submit and wait', 'process-call-wait', 50_000, {}),
            ('ping/1', 'socketpair, one at a time', 'process-ping', 200_000, {'window': 1}),
            ('call/many', 'libosiiso, pipelined', 'process-call', 400_000, {}),
            ('ping/16', 'socketpair, 16 at a time', 'process-ping', 400_000, {'window': 16}),
            ('call/many/2', 'libosiiso, pipelined', 'process-call', 400_000, {'workers': 2}),
            ('call/64/2', 'libosiiso, 64 at a time', 'process-call', 400_000, {'workers': 2, 'window': 64}),
            ('call/empty/2', 'libosiiso, 64 at a time, no arguments', 'process-call-empty', 400_000,
             {'workers': 2, 'window': 64}),
            ('ping/32', 'socketpair, 32 at a time', 'process-ping', 400_000, {'window': 32})):
        params = {'workers': 1, **params}
        measures[key] = Measure(contestant, n=n // 2, **params, quick={'n': 2_000})
        lines.append((count_of_workers(params['workers']), label, key))
    rows = [
        Row('S1', 'call, one at a time / 50 000 per s', ('call/1', 'wall'), 20_000, 1.0, 'ns'),
        Row('S1', 'call, pipelined / 200 000 per s', ('call/many', 'wall'), 5_000, 1.0, 'ns'),
        Row('S2', 'call, one at a time / socketpair', ('call/1', 'wall'), ('ping/1', 'wall'), None, 'ns'),
        Row('S2', 'submit and wait / socketpair', ('call/wait', 'wall'), ('ping/1', 'wall'), None, 'ns'),
        Row('S2', 'call, pipelined / socketpair by 16', ('call/many', 'wall'), ('ping/16', 'wall'), None, 'ns'),
        Row('P1', 'no-op, 64 at a time, 2w / Python ProcessPool', ('call/empty/2', 'wall'), ('python/pool-submit', 'wall'),
            1 / 200, 'ns', stretch=1 / 350),
        Row('P1', 'the same / socketpair, 32 at a time', ('call/empty/2', 'wall'), ('ping/32', 'wall'), 3.5, 'ns',
            stretch=2.5),
    ]
    table = Table('Calls in worker processes, per call',
                  [WALL, CPU, ('of that workers', 'children'), ('1/s', 'per_s')], lines)
    return measures, [table], rows


def commands_measures():
    peers = {'osiiso': 'libosiiso', 'gsubprocess': 'GSubprocess, 2 at a time', 'run': 'osiiso run -j2',
             'xargs': 'xargs -P2 -n1', 'parallel': 'parallel -j2'}
    measures = {f'command/{peer}': Measure(f'command-{peer}', n=200 if peer == 'parallel' else 2_000, workers=2,
                                           rounds=3 if peer in ('parallel', 'gsubprocess') else None,
                                           optional=peer in ('run', 'parallel'), quick={'n': 50}) for peer in peers}
    us = 0.001
    table = Table('/bin/true, 2 at a time, per command',
                  [('wall us', 'wall', us), ('cpu us', 'cpu', us), ('of that children', 'children', us), ('1/s', 'per_s')],
                  [('commands', label, f'command/{peer}') for peer, label in peers.items()])
    rows = [Row('S3', f'{label} / {peers[peer]}', (f'command/{ours}', 'wall'), (f'command/{peer}', 'wall'), 1.0 if has_bar else None,
                'us', factor=0.001)
            for ours, label, peer, has_bar in (('run', 'osiiso run', 'xargs', True),
                                              ('run', 'osiiso run', 'parallel', False),
                                              ('osiiso', 'command', 'xargs', False),
                                              ('osiiso', 'command', 'gsubprocess', False))]
    return measures, [table], rows


def replacements_measures():
    quick = {'trials': 3}
    measures = {
        'worker/spawn': Measure('process-spawn', trials=50, quick=quick),
        'worker/large': Measure('process-kill', workers=1, trials=50, ballast=2**30, bytes_needed=2 * 2**30,
                                quick={'trials': 3, 'ballast': 2**24}),
        'worker/start': Measure('process-start', workers=1, trials=50, rounds=3, quick=quick),
        'worker/kill': Measure('process-kill', workers=1, trials=50, quick=quick),
        'worker/cancel': Measure('process-cancel', workers=1, trials=5, rounds=3, quick={'trials': 2}),
    }
    ms, lines, rows = 1e-6, [], []
    for key, name, label in (('worker/kill', 'replaced', 'killed, to first answer of the next'),
                             ('worker/cancel', 'replaced', 'cancelled and deaf, the same'),
                             ('worker/cancel', 'gone', 'cancelled and deaf, end beyond grace')):
        rows.append(Row('S4', f'{label} / 50 ms', (key, f'{name}_p50'), 50, 1.0, 'ms', factor=ms))
        rows.append(Row('S4', f'{label}, slowest', (key, f'{name}_max'), 50, None, 'ms', factor=ms))
    replaced = ('worker/kill', 'replaced_p50')
    rows += [
        Row('P4', 'worker replaced / kill and posix_spawn', replaced, ('worker/spawn', 'replaced_p50'), 1.5, 'ms',
            stretch=1.2, factor=ms),
        Row('P4', 'the same, parent of 1 GiB / small parent', ('worker/large', 'replaced_p50'), replaced, 1.3, 'ms',
            stretch=1.2, factor=ms),
    ]
    columns = {'worker/start': 'no worker yet', 'worker/kill': 'killed', 'worker/large': 'killed, parent of 1 GiB',
               'worker/spawn': 'killed, by posix_spawn alone', 'worker/cancel': 'cancelled and deaf'}
    for key, label in columns.items():
        lines.append(('1 worker', label, key))
    table = Table('Until a worker has answered', [
        (f'{header} {suffix} ms', f'{name}_{suffix}', ms)
        for header, name in (('start', 'start'), ('replaced', 'replaced'), ('gone after grace', 'gone'))
        for suffix in ('p50', 'max')], lines)
    return measures, [table], rows


def storm_measures():
    measures = {f'storm/{retries}': Measure('process-storm', n=10_000, workers=2, retries=retries, rounds=3, quick={'n': 300})
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


def idle_measures():
    measures = {
        'trip/osiiso': Measure('process-trip', workers=1, trials=1000, quick={'trials': 20}),
        'trip/ping': Measure('process-ping-trip', trials=1000, quick={'trials': 20}),
        'process/10us': Measure('process-work', workers=2, n=20_000, work=10, quick={'n': 500}),
        'process/1us': Measure('process-work', workers=2, n=50_000, work=1, rounds=3, quick={'n': 500}),
        'process/bare/10us': Measure('work', workers=2, n=20_000, work=10, quick={'n': 500}),
    }
    tables = [
        Table('A call every 300 us, until its answer is there', [('p50 us', 'trip_p50', US), ('p99 us', 'trip_p99', US)], [
            ('1 worker', 'libosiiso, submit and wait', 'trip/osiiso'),
            ('1 worker', 'socketpair', 'trip/ping'),
        ]),
        Table('Calls that work, 2 workers, per call', [WALL, CPU], [
            ('1 us', 'libosiiso', 'process/1us'),
            ('10 us', 'libosiiso', 'process/10us'),
            ('10 us', 'the work alone, on two threads', 'process/bare/10us'),
        ]),
    ]
    rows = [
        Row('P2', '10 us calls, efficiency, 2w', ('process/10us', 'wall'), ('process/bare/10us', 'wall'), 0.88, 'ns',
            stretch=0.92, efficiency=True),
        Row('P3', 'idle round trip / socketpair', ('trip/osiiso', 'trip_p50'), ('trip/ping', 'trip_p50'), 1.3, 'us',
            stretch=1.1, factor=US),
    ]
    return measures, tables, rows


def subprocess_family():
    measures, tables, rows = {}, [], []
    for part in (calls_measures(), idle_measures(), commands_measures(), replacements_measures(), storm_measures()):
        measures.update(part[0])
        tables += part[1]
        rows += part[2]
    return Family('subprocess', 'subprocess', measures, tables, rows)


FAMILIES = [subprocess_family()]
