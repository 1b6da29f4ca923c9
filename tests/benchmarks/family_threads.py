# SPDX-License-Identifier: LGPL-2.1-or-later
"""Throughput of tasks on threads."""
from measures import CPU, LIBRARIES, PUSH, WALL, WORKERS, Family, Measure, Row, Table, count_of_workers

OURS = {
    'osiiso-push': 'libosiiso push, 4 priorities',
    'osiiso-push-default': 'libosiiso push, no options',
    'osiiso-push-everything': 'libosiiso push, everything on',
    'osiiso-map': 'libosiiso map, 64 at a time',
    'osiiso-map-signal': 'libosiiso map, with a signal',
}
PEERS = {
    'tp': 'GThreadPool, bare pointer',
    'tp-struct': 'GThreadPool + task struct',
    'tp-sort': 'GThreadPool sorted, 20 k tasks',
    **{name: label for name, (label, _package) in LIBRARIES.items()},
}
# What has rows is measured in all rounds.
IN_ROWS = {'osiiso-push', 'osiiso-map', 'work', *PEERS}
SOME = 3


def measure(contestant, n, workers, quick, **params):
    return Measure(contestant, n=min(n, 20_000) if contestant == 'tp-sort' else n, workers=workers,
                   optional=contestant in LIBRARIES, rounds=None if contestant in IN_ROWS else SOME,
                   quick={'n': quick}, **params)


def noop_family():
    measures, lines, rows = {}, [], []
    for workers in WORKERS:
        for contestant, label in {**OURS, **PEERS}.items():
            key = f'noop/{contestant}/{workers}'
            measures[key] = measure(contestant, 300_000, workers, 2_000)
            lines.append((count_of_workers(workers), label, key))

    def wall(contestant, workers):
        return f'noop/{contestant}/{workers}', 'wall'

    def peers(workers):
        return [wall(peer, workers) for peer in PEERS]

    for workers in (2, 4, 8):
        rows.append(Row('T1', f'no-op / best peer, {workers}w', wall('osiiso-push', workers), peers(workers), 0.75,
                        'ns', stretch=0.45, calm=True))
    rows.append(Row('T2', 'no-op / best peer, 1w', wall('osiiso-push', 1), peers(1), 1.0, 'ns', stretch=0.75,
                    calm=True))
    for workers, bar, stretch in ((1, 0.45, 0.3), (2, 0.25, 0.15), (8, 0.12, 0.06)):
        rows.append(Row('T3', f'no-op / GThreadPool+struct, {workers}w', wall('osiiso-push', workers),
                        wall('tp-struct', workers), bar, 'ns', stretch=stretch))
    for workers in (2, 4, 8):
        rows.append(Row('T4', f'map of 64 / best peer, {workers}w', wall('osiiso-map', workers), peers(workers), 0.4,
                        'ns', stretch=0.22, calm=True))
    rows.append(Row('T11', 'waits per no-op task, 2w', ('noop/osiiso-push/2', 'switches'), 1, 0.03, '', stretch=0.01))
    return Family('threads', 'thread-pool', measures,
                  [Table('Tasks that do nothing, per task', [WALL, CPU, PUSH], lines)], rows)


def work_family():
    measures, lines, rows = {}, [], []
    contestants = {'work': 'the work alone', **OURS, **PEERS}
    for work, n, goal, bar, stretch, least, best in ((1, 100_000, 'T5', 0.92, 0.80, 0.78, 0.88),
                                                     (10, 20_000, 'T6', 1.03, 1.0, 0.92, 0.95)):
        for workers in WORKERS:
            for contestant, label in contestants.items():
                # More threads than processors do not make the work less.
                if contestant in ('osiiso-push-default', 'osiiso-map-signal') or (contestant == 'work' and workers > 2):
                    continue
                key = f'{work}us/{workers}/{contestant}'
                measures[key] = measure(contestant, n, workers, 1_000, work=work)
                if workers != 2:
                    measures[key].rounds = SOME
                    measures[key].params['n'] = min(n // 4, measures[key].params['n'])
                lines.append((f'{work} us, {count_of_workers(workers)}', label, key))
        ours = (f'{work}us/2/osiiso-push', 'wall')
        rows.append(Row(goal, f'{work} us tasks / best peer, 2w', ours,
                        [(f'{work}us/2/{p}', 'wall') for p in PEERS], bar, 'ns', stretch=stretch, calm=True))
        rows.append(Row(goal, f'{work} us tasks, efficiency, 2w', ours, (f'{work}us/2/work', 'wall'), least, 'ns',
                        stretch=best, efficiency=True, calm=True))
    return Family('work', 'thread-pool', measures, [Table('Tasks with work, per task', [WALL, CPU, PUSH], lines)], rows)


def handles_family():
    contestants = {
        'osiiso-submit': 'libosiiso submit, 4 priorities',
        'osiiso-submit-default': 'libosiiso submit, no options',
        'osiiso-submit-signal': 'libosiiso submit, with a signal',
        'osiiso-submit-everything': 'libosiiso submit, everything on',
        'gtask': 'g_task_run_in_thread',
    }
    measures, lines = {}, []
    for workers in WORKERS:
        for contestant, label in contestants.items():
            key = f'handle/{contestant}/{workers}'
            measures[key] = Measure(contestant, n=100_000 if workers == 2 else 30_000, workers=workers,
                                    rounds=None if workers == 2 else SOME, quick={'n': 1_000})
            # Its pool is that of the process, with threads as it likes.
            if contestant == 'gtask' and workers != 2:
                del measures[key]
            else:
                lines.append((count_of_workers(workers), label, key))
    for contestant, label in (('object', 'GObject, made and dropped'), ('osiiso-push', 'libosiiso push')):
        measures[f'handle/{contestant}/2'] = Measure(contestant, n=100_000, workers=2, quick={'n': 1_000})
        lines.insert(-5, ('2 workers', label, f'handle/{contestant}/2'))
    lines.sort(key=lambda line: int(line[2].rsplit('/', 1)[1]))
    gtask = ('handle/gtask/2', 'wall')
    rows = [
        Row('T7', 'handle kept / g_task_run_in_thread', ('handle/osiiso-submit/2', 'wall'), gtask, 0.4, 'ns',
            stretch=0.25),
        Row('T8', 'handle overhead / a GObject', ('handle/osiiso-submit/2', 'wall'), ('handle/object/2', 'wall'), 2.0,
            'ns', stretch=1.2, bar_one=1.35, minus=('handle/osiiso-push/2', 'wall')),
        Row('N3', 'with a signal handler / g_task_run_in_thread', ('handle/osiiso-submit-signal/2', 'wall'), gtask,
            None, 'ns'),
    ]
    return Family('handles', 'thread-pool', measures,
                  [Table('Tasks that do nothing, with a result, per task', [WALL, CPU, PUSH], lines)], rows)


FAMILIES = [noop_family(), work_family(), handles_family()]
