# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the library costs in other languages, beside what these have themselves."""
from measures import CPU, WALL, Family, Measure, Row, Table


def python_family():
    contestants = {
        'thread-map': ('threads', 'ThreadQueue.map'),
        'thread-submit': ('threads', 'ThreadQueue.submit'),
        'executor-map': ('threads', 'ThreadPoolExecutor.map'),
        'executor-submit': ('threads', 'ThreadPoolExecutor.submit'),
        'async-map': ('asyncio', 'AsyncQueue.map'),
        'gather': ('asyncio', 'gather() with a Semaphore'),
        'async-trip': ('asyncio', 'await AsyncQueue.submit, one at a time'),
        'executor-trip': ('asyncio', 'await run_in_executor, one at a time'),
        'process-map': ('processes', 'ProcessQueue.map'),
        'process-submit': ('processes', 'ProcessQueue.submit'),
        'pool-map': ('processes', 'ProcessPoolExecutor.map'),
        'pool-submit': ('processes', 'ProcessPoolExecutor.submit'),
        'multiprocessing-map': ('processes', 'multiprocessing.Pool.map'),
    }
    queues = {'thread': 'ThreadQueue', 'async': 'AsyncQueue', 'process': 'ProcessQueue'}
    few = ('pool-map', 'pool-submit', 'async-trip', 'executor-trip')
    measures = {f'python/{c}': Measure(f'python-{c}', n=4_000 if c in few else 20_000, workers=2, optional=True,
                                       rounds=None if c == 'pool-submit' else 3, quick={'n': 200}) for c in contestants}
    measures |= {f'python/{q}-growth': Measure(f'python-{q}-growth', n=1_000_000, workers=2, optional=True, rounds=1,
                                               quick={'n': 20_000}) for q in queues}
    us = 0.001
    table = Table('Functions in Python that do nothing, 2 workers, all values read, per task',
                  [('wall us', 'wall', us), ('cpu us', 'cpu', us)],
                  [(group, label, f'python/{c}') for c, (group, label) in contestants.items()])

    def row(ours, peer, bar):
        text = f'{contestants[ours][1]} / {contestants[peer][1]}'
        return Row('L1', text, (f'python/{ours}', 'wall'), [(f'python/{peer}', 'wall')], bar, 'us', factor=us)

    rows = [
        row('thread-map', 'executor-map', 1 / 5), row('thread-submit', 'executor-submit', 1 / 2),
        row('async-map', 'gather', 1 / 2), row('async-trip', 'executor-trip', 1.0),
        row('process-map', 'pool-map', 1 / 10), row('process-submit', 'pool-submit', None),
        row('process-map', 'multiprocessing-map', 1.0)]
    # What an implementation in Python alone takes for a task of a map.
    rows += [Row('L3', f'{queues[q]}.map / {in_python} us in Python alone', (f'python/{q}-map', 'wall'), in_python, 1 / 10,
                 'us', factor=us) for q, in_python in (('async', 29), ('thread', 100), ('process', 107))]
    rows += [Row('L4', f'{label}, growth by 1 000 000 tasks whose results are cleared / 2 MB', (f'python/{q}-growth', 'kB'),
                 2000, 1.0, 'kB') for q, label in queues.items()]
    return Family('python', 'Python', measures, [table], rows)


def javascript_family():
    contestants = {
        'queue-all': 'osiiso.js, Promise.all',
        'queue-all/100k': 'the same, 100 000 pending',
        'queue-async': 'the same, an async function that awaits',
        'queue-options': 'the same, with retries, timeout and priority',
        'queue-each': 'osiiso.js, awaited one by one',
        'queue-map': 'osiiso.js, map and values()',
        'promise-async': 'async functions and Promise.all',
        'promise': 'Promise.resolve().then()',
        'push': 'main-loop push, a function in JavaScript',
        'submit': 'main-loop submit, a function in JavaScript',
        'idle': 'GLib.idle_add',
    }
    measures = {}
    for c in contestants:
        name, many = c.split('/') if '/' in c else (c, None)
        with_module = name.startswith(('queue', 'promise'))
        # For a row all rounds are needed.
        measures[f'js/{c}'] = Measure(f'js-{name}', n=100_000 if many else 10_000 if with_module else 20_000, optional=True,
                                      rounds=None if with_module else 3, quick={'n': 200})
    us = 0.001
    table = Table('Functions in JavaScript that do nothing, per task', [('wall us', 'wall', us), ('cpu us', 'cpu', us)],
                  [('one thread', label, f'js/{c}') for c, label in contestants.items()])
    rows = [Row('L2', f'{contestants[ours]} / {contestants[peer]}', (f'js/{ours}', 'wall'), [(f'js/{peer}', 'wall')], None,
                'us', factor=us) for ours, peer in (('push', 'idle'), ('push', 'promise'), ('queue-async', 'promise-async'),
                                                    ('queue-all', 'promise'))]
    rows += [
        Row('J1', 'a task with its promise, 10 000 at a time / 12 us', ('js/queue-all', 'wall'), 12, 1.0, 'us', factor=us),
        Row('J1', 'the same, 100 000 pending / 10 000', ('js/queue-all/100k', 'wall'), ('js/queue-all', 'wall'), 1.6, 'us', factor=us),
    ]
    return Family('javascript', 'JavaScript', measures, [table], rows)


FAMILIES = [python_family(), javascript_family()]
