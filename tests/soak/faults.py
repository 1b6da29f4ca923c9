# SPDX-License-Identifier: LGPL-2.1-or-later
"""The tests, F6 to F22: what they run, in short and in full, and their bars."""
import itertools
import json
import os
import re
import shutil
import socket
import subprocess

from soaking import TOP, Bar, Broken, Hang, NotRun, add_up, fault, in_parallel

BACKENDS = ['main-loop', 'subprocess', 'thread-pool']
JOBS = max(2, os.cpu_count() or 1)
# So many at a time that sleep most of the time, each.
SLEEPERS = 16 * JOBS
EXIT_DEADLOCK = 3
# What the C library and GLib keep for each thread until they need it again comes and goes: without it one sees
# whether memory grows.
NO_CACHES = {'G_SLICE': 'always-malloc', 'GLIBC_TUNABLES': 'glibc.malloc.tcache_count=0:glibc.malloc.arena_max=1'}
# All memory that is in use is also touched, where it would be as long as nobody has written to it, and what is free is given
# back: so one sees a growth of a few KiB among buffers of a hundred, which come and go with their workers.
ALL_TOUCHED = {'G_SLICE': 'always-malloc',
               'GLIBC_TUNABLES': f'{NO_CACHES["GLIBC_TUNABLES"]}:glibc.malloc.perturb=85:glibc.malloc.mmap_threshold=131072:'
                                 'glibc.malloc.trim_threshold=131072:glibc.pthread.stack_cache_size=0'}
# A run of the grid takes a second or two, and twenty where many others want processors.
HANG = 120


@fault('F6', 'threads are held up at their locks at random, while tasks of every kind are cancelled',
       Bar('hangs', '==', 0), Bar('broken', '==', 0), Bar('deadlocks_found_of_20', '>=', 19))
def chaos(place):
    """The last bar is about chaos.so itself: that it finds what is there."""
    per_mille = [20, 200]
    workers = place.amount([2], [1, 2, 4, 8])
    seeds = place.amount(1, 200)
    cells = list(itertools.product(range(seeds), per_mille, workers, BACKENDS))
    first = place.seed()

    def cell(number, disturbed, n, backend):
        seed = first + number
        environment = place.environment('check/chaos.so', CHAOS_SEED=seed, CHAOS_PM=disturbed)
        try:
            return place.soak('grid', deadline=HANG, environment=environment, seed=seed, backend=backend, workers=n, n=40)
        except Hang as error:
            place.broken.append(f'{error}, seed {seed}, {disturbed} of 1000')
            return {'hangs': 1}

    def deadlock(number):
        environment = place.environment('check/chaos.so', CHAOS_SEED=first + number, CHAOS_PM=200)
        return place.run([place.build / 'tests' / 'check' / 'chaos-deadlock'], environment=environment).returncode

    found = sum(deadlock(number) == EXIT_DEADLOCK for number in range(20))
    figures = add_up(in_parallel(cell, cells, JOBS if place.short else SLEEPERS))
    return {'runs': len(cells), 'hangs': 0, **figures, 'deadlocks_found_of_20': found}


@fault('F7', 'a worker is killed every 10 ms, whatever it is doing; a window of 64, tasks of 10 µs to 1 ms',
       Bar('lost', '==', 0), Bar('broken', '==', 0), Bar('fds_left', '==', 0), Bar('detection_us_p99', '<=', 5000, True),
       Bar('rss_growth_kib', '<=', 512, True), calm=True)
def killed(place):
    """Broken also means: an attempt was charged for a task that was not running, or not for one that was."""
    environment = place.environment(**NO_CACHES)
    if place.short:
        return place.soak('kill', environment=environment, seed=place.seed(), workers=4, n=40)
    return place.soak('kill', deadline=120, environment=environment, seed=place.seed(), workers=4, seconds=60)


@fault('F8', 'a worker dies at each step of the protocol, in three ways, with 0 B, 64 KiB and 4 MiB, also during a shutdown',
       Bar('broken', '==', 0), Bar('case_ms_max', '<=', 1000, True), calm=True)
def dies(place):
    """Workers that never start are apart, because the library waits longer and longer between attempts."""
    if place.short:
        return place.soak('death', deadline=60, seed=place.seed(), n=7)
    return place.soak('death', deadline=300, seed=place.seed(), n=1, what='all')


@fault('F9', 'one of four workers is stopped in a task with a timeout of 200 ms, twice a second',
       Bar('broken', '==', 0), Bar('timed_out_ms_max', '<=', 420, True), Bar('others_to_calm_p99', '<=', 2, True), calm=True)
def stopped(place):
    """The bar is 220 ms and the grace time of 200 ms."""
    return place.soak('stop', deadline=120, seed=place.seed(), workers=4, n=place.amount(2, 40))


@fault('F10', 'the k-th allocation of 4 KiB or more fails, once or from then on',
       Bar('broken', '==', 0), Bar('crashed', '==', 0), Bar('worker_runs_lost', '==', 0))
def memory(place):
    """In this process GLib ends it, with its message: any other end is a crash of ours. In a worker that costs
    one task its attempt, and the queue goes on."""
    figures = {'runs': 0, 'succeeded': 0, 'ended_by_glib': 0, 'crashed': 0, 'worker_runs': 0, 'worker_runs_lost': 0}
    module = place.build / 'tests' / 'soak' / 'fail-allocations.so'
    program = place.build / 'tests' / 'soak' / 'osiiso-soak'

    def count(backend):
        return place.soak('memory', environment=place.environment('soak/fail-allocations.so'), backend=backend)['allocations']

    def fail(backend, number, more):
        environment = place.environment('soak/fail-allocations.so', FAIL_AT=number, FAIL_MORE=more)
        result = place.run([program, 'memory', f'backend={backend}'], environment=environment)
        figures['runs'] += 1
        if result.returncode == 0:
            figures['succeeded'] += 1
            figures['broken'] = figures.get('broken', 0) + json.loads(result.stdout)['broken']
        elif 'failed to allocate' in result.stderr:
            figures['ended_by_glib'] += 1
        else:
            figures['crashed'] += 1
            place.broken.append(f'allocation {number} of {backend}, {more} more: {result.returncode}: {result.stderr}')

    for backend in BACKENDS:
        for number in range(1, count(backend) + 1):
            if not place.short or number <= 2:
                for more in (0, 1):
                    fail(backend, number, more)
    for number in range(1, place.amount(3, 40)):
        environment = place.environment(FAIL_PRELOAD=module, FAIL_AT=number)
        result = place.soak('memory', environment=environment, backend='subprocess', what='worker')
        figures['worker_runs'] += 1
        figures['worker_runs_lost'] += result['broken'] != 0 or result['started'] == 0
    return figures


def try_limits(place, what, backend, values):
    """Runs a queue with each limit, until there is enough three times; figures."""
    enough = 0
    figures = {'runs': 0, 'refused': 0, 'partly': 0, 'all': 0, 'broken': 0}
    for value in values:
        result = place.soak('limits', what=what, n=value, backend=backend)
        figures['runs'] += 1
        figures['broken'] += result['broken']
        figures['refused' if not result['started'] else 'all' if result['succeeded'] == 20 else 'partly'] += 1
        enough = enough + 1 if result['succeeded'] == 20 else 0
        if enough == 3:
            return figures
    raise Broken(f'{what} of {values[-1]} is not enough for {backend}')


def start_without_thread(place):
    """What a worker program sends and says, and how it ends, when it may have no thread."""
    ours, its = socket.socketpair()
    environment = place.environment(OSIISO_WORKER_FD=its.fileno())
    command = [place.build / 'tests' / 'soak' / 'osiiso-soak', 'lonely', f'what={place.build / "tools" / "osiiso-worker"}']
    with ours, subprocess.Popen(command, env=environment, pass_fds=[its.fileno()], stdin=subprocess.DEVNULL,
                                stderr=subprocess.PIPE) as worker:
        its.close()
        said = worker.stderr.read().decode()
        sent = b''
        while data := ours.recv(4096):
            sent += data
    return sent, said, worker.returncode


@fault('F11', 'RLIMIT_NPROC with every value from 0 on, as another user', Bar('broken', '==', 0))
def no_threads(place):
    """The process of the test itself counts as one. It takes root to become a user who has no others: without, it is
    only seen what becomes of a worker that may have no thread."""
    sent, said, status = start_without_thread(place)
    if sent or status <= 0 or 'thread' not in said:
        raise Broken(f'a worker without a thread sent {sent!r}, said {said!r}, and ended with {status}')
    if os.geteuid() != 0:
        return {'runs': 0}
    values = place.amount([0, 1, 2, 4, 5, 6, 7, 10, 20, 30, 40], range(80))
    return add_up(try_limits(place, 'nproc', backend, values) for backend in BACKENDS)


@fault('F12', 'RLIMIT_NOFILE with every value from 3 on', Bar('broken', '==', 0))
def no_descriptors(place):
    """The main context is there before, as in any application."""
    values = place.amount([3, 5, 8, 11, 14, 18, 22, 40, 60, 80, 100], range(3, 100))
    return add_up(try_limits(place, 'nofile', backend, values) for backend in BACKENDS)


CHECKPOINT = """
import sqlite3, sys
import osiiso
store = osiiso.Checkpoint(sys.argv[1])
before = store.count()
def work(n):
    return 'x' * 200 + str(n)
with osiiso.ThreadQueue(workers=2) as queue:
    handles = queue.map(work, range(2000), checkpoint=store)
    queue.run()
    print(before, store.count(), sum(handle.done() for handle in handles))
"""


def mount(folder):
    """A file system of 1 MiB, of which 64 KiB are left; whether there could be one."""
    command = ['mount', '-t', 'tmpfs', '-o', 'size=1m', 'osiiso-soak', folder]
    if os.geteuid() != 0 or subprocess.run(command, capture_output=True, check=False).returncode != 0:
        return False
    with open(os.path.join(folder, 'filler'), 'wb') as file:
        file.write(bytes((1 << 20) - (64 << 10)))
    return True


def fill_joblog(place, path):
    """Ends with an error that says so; how many lines there are then."""
    command = [place.build / 'tools' / 'osiiso', 'run', '--joblog', path, 'true {}', ':::']
    result = place.run(command + ['x' * 400 + str(n) for n in range(300)], deadline=60)
    if result.returncode in (0, *range(128, 200)) or result.returncode < 0 or 'No space left' not in result.stderr:
        raise Broken(f'with a full joblog: {result.returncode}: {result.stderr[-500:]}')
    if path == '/dev/full':
        return 0
    with open(path, encoding='utf-8') as file:
        lines = file.read().splitlines()
    os.unlink(path)
    return len(lines)


@fault('F13', 'the file system is full in the middle of a joblog, and of a checkpoint', Bar('broken', '==', 0))
def disk_full(place):
    """There is an error that says so; what was written before is whole, and can be gone on with. Where nothing can be
    mounted there is a device that is always full, for the joblog."""
    if not (place.build / 'tools' / 'osiiso').exists():
        raise NotRun('the command line is not built')
    with place.folder() as folder:
        if not mount(folder):
            return {'file_systems': 0, 'joblog_lines': fill_joblog(place, '/dev/full')}
        try:
            lines = fill_joblog(place, os.path.join(folder, 'log'))
            return {'file_systems': 1, 'joblog_lines': lines, **checkpoint(place, os.path.join(folder, 'store'))}
        finally:
            subprocess.run(['umount', folder], check=False)


def checkpoint(place, path):
    """The tasks end, and the rows that were written are there when it is opened again."""
    if not (place.build / 'introspection' / 'Osiiso-1.typelib').exists():
        return {}
    environment = place.environment(GI_TYPELIB_PATH=place.build / 'introspection', PYTHONDONTWRITEBYTECODE=1,
                                    LD_LIBRARY_PATH=place.build / 'libosiiso-core',
                                    PYTHONPATH=f'{TOP / "introspection" / "python"}')
    command = ['/usr/bin/python3', '-c', CHECKPOINT, path]
    result = place.run(command, environment=environment, deadline=60)
    if result.returncode < 0 or (result.returncode != 0 and 'full' not in result.stderr):
        raise Broken(f'with a full checkpoint: {result.returncode}: {result.stderr[-1000:]}')
    os.unlink(os.path.join(os.path.dirname(path), 'filler'))
    again = place.run(command, environment=environment, deadline=60)
    if again.returncode != 0:
        raise Broken(f'with a checkpoint that was full: {again.returncode}: {again.stderr[-1000:]}')
    before, after, done = map(int, again.stdout.split())
    return {'checkpoint_rows_kept': before, 'checkpoint_rows_then': after, 'checkpoint_tasks_lost': 2000 - done}


@fault('F14', 'sockets and pipes take one byte at a time, half of the calls are interrupted, some would block',
       Bar('not_the_same', '==', 0), Bar('broken', '==', 0))
def short_io(place):
    """In this process, in the launcher, and in the workers."""
    environment = place.environment('soak/short-io.so', SHORT_SEED=place.seed())
    return place.soak('echo', deadline=600, environment=environment, seed=place.seed(), n=place.amount(300, 100000))


def fuzz(place, name, seconds, jobs):
    """Runs a fuzzer of the build for so long; the inputs that it made, of all jobs together, and the most memory of one."""
    listed = subprocess.run(['meson', 'introspect', '--tests', place.build], stdout=subprocess.PIPE, check=True).stdout
    command = next((test['cmd'] for test in json.loads(listed) if test['name'] == f'libfuzzer-{name}'), None)
    if command is None:
        raise NotRun('the build has no fuzzers')
    index = next(i for i, word in enumerate(command) if word.endswith('run-fuzzer'))
    result = place.run(command[:index + 1] + [str(seconds)] + command[index + 2:], deadline=seconds + 300,
                       environment=place.environment(OSIISO_FUZZ_JOBS=jobs))
    if result.returncode != 0:
        raise Broken(result.stdout[-3000:])

    def values(key):
        return map(int, re.findall(rf'stat::{key}: *(\d+)', result.stdout))
    return sum(values('number_of_executed_units')), max(values('peak_rss_mb'))


@fault('F15', 'libFuzzer on the parser of frames: the reader alone on all processors, and everything with sanitizers',
       Bar('broken', '==', 0), Bar('executions', '>=', 4e8, True))
def parser(place):
    """In short these are the tests libfuzzer-frame-reader and libfuzzer-frame; the bar is for a release."""
    if shutil.which('clang') is None:
        raise NotRun('there is no clang')
    seconds = place.amount(10, min(600, int(place.minutes * 60 / 3)))
    jobs = place.amount(1, os.cpu_count() or 1)
    executions, rss = fuzz(place, 'frame-reader', seconds, jobs)
    sanitized_executions, sanitized_rss = fuzz(place, 'frame', seconds, 1)
    return {'seconds': seconds, 'jobs': jobs, 'executions': executions, 'peak_rss_mib': rss,
            'sanitized_executions': sanitized_executions, 'sanitized_peak_rss_mib': sanitized_rss}


@fault('F16', 'random operations on a queue and on a model of it', Bar('broken', '==', 0), Bar('differences', '==', 0))
def model(place):
    """Seeds that nobody has seen."""
    first = place.seed() % (1 << 30)
    seeds = place.amount(20, 1000)
    program = place.build / 'tests' / 'test-model'

    def one(seed):
        result = place.run([program, '--seed', seed, '--ops', 1000, '-p', '/model/agrees'])
        if result.returncode != 0:
            place.broken.append(f'test-model --seed {seed} --ops 1000: {result.stdout[-1000:]}')
        return {'differences': result.returncode != 0,
                'operations': int(re.search(r'# (\d+) operations', result.stdout).group(1)) if result.returncode == 0 else 0}

    return {'seeds': seeds, **add_up(in_parallel(one, [(first + i,) for i in range(seeds)], JOBS))}


@fault('F17', 'tasks are cancelled after 0 to 50 µs, or time out', Bar('lost', '==', 0), Bar('broken', '==', 0))
def races(place):
    """Each ends once, and the numbers add up."""
    return place.soak('races', deadline=600, seed=place.seed(), workers=2, n=place.amount(10000, 1000000))


@fault('F18', 'queue, handle and group are dropped in every order, in every callback; a full queue is disposed',
       Bar('broken', '==', 0), Bar('dispose_ms_max', '<=', 100, True), calm=True)
def lifetime(place):
    """Something that is left hangs it. Leaks are what ./bootstrap check looks for."""
    return place.soak('lifetime', deadline=120, seed=place.seed(), n=place.amount(1000, 100000))


@fault('F19', '64 workers of another queue are blocked', Bar('broken', '==', 0), Bar('p50_ratio', '<=', 1.2, True), calm=True)
def isolation(place):
    """From submit to begin, with an idle queue."""
    return place.soak('isolation', deadline=120, n=place.amount(40, 4000))


@fault('F20', 'a mixed load on three backends at the same time; in one of two processes 1 % of all calls of locks and '
       'sockets are disturbed',
       Bar('broken', '==', 0), Bar('tasks', '>=', 1e8, True), Bar('fds_more', '<=', 0, True),
       Bar('samples', '>=', 50, True), Bar('disturbed_samples', '>=', 50, True),
       *(Bar(f'{who}{what}_kib_per_minute', '<=', 1, True)
         for who in ('', 'disturbed_') for what in ('heap_slope', 'rss_slope_low')))
def long_run(place):
    """The slopes are those after five minutes, with the bounds in which they are with 95 %: what is in use is known to less
    than a KiB, but what the program has of the system is not, as there are holes of any size between what is in use. That
    must not be shown to grow. Disturbed threads sleep so much that they do less, in smaller rounds, so that there are
    samples. Larger rounds would leave more memory behind, by chance."""
    def one(per_mille):
        environment = place.environment('check/chaos.so' if per_mille else None, CHAOS_SEED=place.seed(), CHAOS_PM=per_mille,
                                        **ALL_TOUCHED)
        if place.short:
            return place.soak('long', environment=environment, seed=place.seed(), workers=2,
                              n=1 if per_mille else 10)
        return place.soak('long', deadline=place.minutes * 60 + 600, environment=environment, seed=place.seed(), workers=4,
                          n=1 if per_mille else 10, rate=60000, seconds=place.minutes * 60)

    plain, disturbed = in_parallel(one, [(0,), (10,)], 2)
    figures = {**plain, **{f'disturbed_{key}': value for key, value in disturbed.items()}}
    figures.update(tasks=plain['tasks'] + disturbed['tasks'], broken=plain['broken'] + disturbed['broken'],
                   fds_more=max(one['fds'] - one['fds_early'] for one in (plain, disturbed)))
    return figures


@fault('F21', 'an application that forks and execs, has no standard descriptors, 64 at most, and a handler of SIGCHLD',
       Bar('broken', '==', 0), Bar('wrong_status', '==', 0))
def application(place):
    """Its own children end as they should."""
    return place.soak('host', deadline=120, seed=place.seed(), workers=2, n=place.amount(3, 200))


@fault('F22', 'the time of day jumps by a day again and again; the machine sleeps for a day',
       Bar('broken', '==', 0), Bar('late_ms_max', '<=', 20, True), calm=True)
def jumps(place):
    """Broken also means: too early."""
    return place.soak('time', deadline=120, environment=place.environment('soak/false-clock.so'), seed=place.seed(),
                      workers=2, n=place.amount(2, 50))
