#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the conformance test of each backend in disturbed orders, in TAP.

Usage: test-chaos.py [OPTION...] CHAOS DEADLOCK CONFORMANCE

CHAOS is preloaded, see chaos.c. That it disturbs enough is seen first, with the
program DEADLOCK, which is wrong. A seed that fails is printed; it begins with the
same numbers when it is run again, though the system has a say in the order, too.
"""
import argparse
import concurrent.futures
import os
import subprocess
import sys

BACKENDS = ['main-loop', 'subprocess', 'thread-pool']
# What the threads of a backend and of owners do at the same time.
SHORT = ['/conformance/storms', '/conformance/cancel', '/conformance/close', '/conformance/wake']
EXIT_DEADLOCK = 3
DEADLOCK_SEEDS = 20
DEADLOCK_AT_LEAST = 19
# For a run that never ends; each wait in it gives up earlier, and says for what.
LIMIT = 1500
GIVE_UP = '120'


def numbers(text):
    return [int(part) for part in text.split(',')]


def parse_arguments():
    parser = argparse.ArgumentParser()
    parser.add_argument('chaos')
    parser.add_argument('deadlock')
    parser.add_argument('conformance')
    parser.add_argument('--seeds', type=numbers, default=[1], metavar='N,N…', help='default: 1')
    parser.add_argument('--per-mille', type=int, default=20, help='how many calls are disturbed (default: 20)')
    parser.add_argument('--backend', action='append', choices=BACKENDS, help='can be repeated; default: all')
    parser.add_argument('--jobs', type=int, default=1, metavar='N', help='how many at the same time (default: 1)')
    parser.add_argument('--all-cases', action='store_true', help='not just those with much at the same time')
    return parser.parse_args()


def run(command, chaos, seed, per_mille):
    environment = dict(os.environ, LD_PRELOAD=chaos, CHAOS_SEED=str(seed), CHAOS_PM=str(per_mille))
    return subprocess.run(command, env=environment, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, timeout=LIMIT, encoding='utf-8', errors='replace')


def find_deadlock(options):
    statuses = [run([options.deadlock], options.chaos, seed, 200).returncode
                for seed in range(1, DEADLOCK_SEEDS + 1)]
    found = statuses.count(EXIT_DEADLOCK)
    assert set(statuses) <= {0, EXIT_DEADLOCK}, f'the program ended with {set(statuses)}'
    assert found >= DEADLOCK_AT_LEAST, f'found in {found} runs, and has to be in {DEADLOCK_AT_LEAST}'
    return f'found in {found} of {DEADLOCK_SEEDS} runs'


def conform(options, backend, seed):
    command = [options.conformance, '--backend', backend, '--timeout', GIVE_UP]
    if not options.all_cases:
        for path in SHORT:
            command += ['-p', path]
    result = run(command, options.chaos, seed, options.per_mille)
    lines = result.stdout.splitlines()
    assert result.returncode == 0, f'{result.stdout}ended with {result.returncode}'
    n = sum(line.startswith('ok ') for line in lines)
    assert n >= len(SHORT), 'hardly a case was run'
    return f'{n} cases'


def main():
    options = parse_arguments()
    conformances = [(backend, seed) for backend in options.backend or BACKENDS for seed in options.seeds]
    print(f'1..{len(conformances) + 1}')
    failed = False
    with concurrent.futures.ThreadPoolExecutor(options.jobs) as jobs:
        cases = [('deadlock', jobs.submit(find_deadlock, options))]
        cases += [(f'{backend}/{seed}', jobs.submit(conform, options, backend, seed)) for backend, seed in conformances]
        for i, (name, case) in enumerate(cases, 1):
            try:
                print(f'# {case.result()}')
                print(f'ok {i} /chaos/{name}', flush=True)
            except (AssertionError, subprocess.TimeoutExpired) as error:
                print(''.join(f'# {line}\n' for line in str(error).splitlines()), end='')
                print(f'not ok {i} /chaos/{name}', flush=True)
                failed = True
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
