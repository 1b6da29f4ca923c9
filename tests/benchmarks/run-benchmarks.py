#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the library beside its peers and prints tables and ratios.

Usage: run-benchmarks.py [OPTION...] PROGRAM [PROGRAM...]

Each measurement is a process of its own: PROGRAM CONTESTANT KEY=VALUE...
prints one JSON object of numbers. PROGRAM list prints the contestants that it
has, one per line, so a peer that needs another library is another program.

In each round all contestants run once, one after the other, and ratios are taken
inside a round. A measurement with too much foreign work on the processors is
repeated, as long as patience lasts, and marked otherwise.
"""
import argparse
import json
import os
import sys
import time

# Nothing is written into the folder of the sources.
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import families
import machine
import report


def parse_arguments():
    parser = argparse.ArgumentParser(description='Measures the library beside its peers.')
    parser.add_argument('programs', nargs='+', metavar='PROGRAM')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--family', action='append', metavar='NAME',
                        help='only these, can be repeated: ' + ', '.join(f.name for f in families.FAMILIES))
    where = parser.add_mutually_exclusive_group()
    where.add_argument('--pin', action='store_true', help='one processor for everything, instead of all')
    where.add_argument('--apart', action='store_true',
                       help='threads, work, handles: the first processor for the producer, the others for the workers')
    parser.add_argument('--quick', action='store_true',
                        help='two rounds with few tasks, to see that all of it works; figures mean nothing')
    parser.add_argument('--patience', type=float, default=300, metavar='SECONDS',
                        help='how long to wait, in all, for the machine to be calm')
    parser.add_argument('--json', metavar='FILE', help='write all figures here')
    parser.add_argument('--strict', action='store_true', help='fail if a bar is missed')
    arguments = parser.parse_args()
    known = {f.name for f in families.FAMILIES}
    for name in arguments.family or []:
        if name not in known:
            parser.error(f"there is no family '{name}'")
    if arguments.quick:
        arguments.rounds = 2
        arguments.patience = 0
    return arguments


def note(text):
    if sys.stderr.isatty():
        print('\r\033[K' + text, end='', file=sys.stderr, flush=True)


def run_round(runner, chosen, number, arguments):
    """All measurements once: key to result, and what went wrong."""
    results, skipped, failures = {}, set(), []
    # The work of a task is so many iterations, the same for all in a round.
    rate = runner.run('calibrate', {})['rate']
    for family in chosen:
        for key, measure in family.measures(arguments.quick):
            if measure.optional and not runner.has(measure.contestant):
                skipped.add(key)
                continue
            note(f'round {number + 1} of {arguments.rounds}: {key}')
            if measure.bytes_needed > machine.available_memory() * 0.8:
                skipped.add(key)
                continue
            try:
                results[key] = runner.measure(measure.contestant, dict(measure.params, rate=rate))
            except machine.Failed as error:
                failures.append(str(error))
                print(error, file=sys.stderr)
    note('')
    return results, skipped, failures


def main():
    arguments = parse_arguments()
    chosen = [f for f in families.FAMILIES if not arguments.family or f.name in arguments.family]
    runner = machine.Runner(arguments.programs, cpu=0 if arguments.pin else None, apart=arguments.apart)
    regime = 'one processor' if arguments.pin else 'producer apart' if arguments.apart else 'all processors'
    info = dict(runner.info(), regime=regime,
                processors=1 if arguments.pin else machine.n_processors(), rounds=arguments.rounds,
                machine=machine.model(), kernel=os.uname().release, quick=arguments.quick)

    rounds, skipped, failures = [], set(), []
    begun = time.monotonic()
    for i in range(arguments.rounds):
        # Each round has its share, and what earlier ones left.
        runner.patience += arguments.patience / arguments.rounds
        results, left_out, failed = run_round(runner, chosen, i, arguments)
        if not sys.stderr.isatty() and not arguments.quick:
            print(f'round {i + 1} of {arguments.rounds}: {time.monotonic() - begun:.0f} s', file=sys.stderr)
        rounds.append(results)
        skipped |= left_out
        failures += failed
    info['seconds'] = round(time.monotonic() - begun, 1)

    rows = report.evaluate(families.rows(chosen), rounds)
    report.print_all(info, chosen, rounds, rows)
    if arguments.json:
        with open(arguments.json, 'w', encoding='utf-8') as file:
            json.dump({'info': info, 'rounds': rounds, 'rows': [row.as_dict() for row in rows]}, file, indent=1)

    # A row without a figure is a defect of the benchmark, not a slow library.
    broken = [row for row in rows if not row.ratios and not row.row.keys() & skipped]
    for row in broken:
        print(f'{row.row.name}, {row.row.text}: no figure', file=sys.stderr)
    missed = [row for row in rows if row.row.is_bar and row.verdict == 'MISS']
    return 1 if failures or broken or (arguments.strict and missed) else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except machine.Failed as failure:
        sys.exit(str(failure))
