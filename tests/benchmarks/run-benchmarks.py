#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Measures the library beside its peers and prints tables and ratios.

Usage: run-benchmarks.py [OPTION...] [PROGRAM...]

Each measurement is a process of its own: PROGRAM CONTESTANT KEY=VALUE...
prints one JSON object of numbers. PROGRAM list prints the contestants that it
has, one per line, so a peer that needs another library is another program. They
are those of OSIISO_BENCH_PROGRAMS, one per line, unless others are given.

In each round all contestants run once, one after the other, and ratios are taken
inside a round. A measurement with too much foreign work on the processors is
repeated, as long as patience lasts, and marked otherwise.
"""
import argparse
import datetime
import json
import os
import sys
import time

# Nothing is written into the folder of the sources.
sys.dont_write_bytecode = True
sys.path.insert(0, os.path.dirname(os.path.abspath(__file__)))

import document
import families
import machine
import measures
import plots
import report

REGIMES = {'all': 'all processors', 'one': 'one processor', 'apart': 'producer apart'}


def parse_arguments():
    parser = argparse.ArgumentParser(description='Measures the library beside its peers.')
    parser.add_argument('programs', nargs='*', metavar='PROGRAM')
    parser.add_argument('--rounds', type=int, default=7)
    parser.add_argument('--limit', type=float, default=780, metavar='SECONDS',
                        help='begin no round that would end later, once there are three')
    parser.add_argument('--family', action='append', metavar='NAME',
                        help='only these, can be repeated: ' + ', '.join(f.name for f in families.FAMILIES))
    parser.add_argument('--regime', action='append', choices=REGIMES,
                        help='where it runs, can be repeated: on all processors; on one for everything; the producer on '
                             'the first and the workers on the others. The default is all and one')
    parser.add_argument('--quick', action='store_true',
                        help='two rounds with few tasks, to see that all of it works; figures mean nothing')
    parser.add_argument('--patience', type=float, default=120, metavar='SECONDS',
                        help='how long to wait, in all, for the machine to be calm')
    parser.add_argument('--json', metavar='FILE', help='write all figures here')
    parser.add_argument('--plots', metavar='FOLDER', help='write plots here; needs gnuplot')
    parser.add_argument('--document', metavar='FILE', help='put the figures into this page, between its marks')
    parser.add_argument('--from', metavar='FILE', dest='source', help='measure nothing, take the figures of --json')
    parser.add_argument('--strict', action='store_true', help='fail if a bar is missed')
    arguments = parser.parse_args()
    known = {f.name for f in families.FAMILIES}
    for name in arguments.family or []:
        if name not in known:
            parser.error(f"there is no family '{name}'")
    if not arguments.programs:
        arguments.programs = [line for line in os.environ.get('OSIISO_BENCH_PROGRAMS', '').split('\n') if line]
    if not arguments.programs and not arguments.source:
        parser.error('no program to run')
    arguments.regime = arguments.regime or ['all', 'one']
    if arguments.quick:
        arguments.rounds = min(arguments.rounds, 2)
        arguments.patience = 0
    return arguments


def note(text):
    if sys.stderr.isatty():
        print('\r\033[K' + text, end='', file=sys.stderr, flush=True)


def is_wanted(measure, number, arguments, regime):
    if measure.rounds is None:
        return True
    # In a quick run each of them once.
    if regime != 'all' and 'all' in arguments.regime:
        return False
    return number < (1 if arguments.quick else measure.rounds)


def run_round(runner, chosen, number, arguments, regime):
    """All measurements once: key to result, and what went wrong."""
    results, skipped, failures = {}, set(), []
    # The work of a task is so many iterations, the same for all in a round.
    rate = runner.run('calibrate', {})['rate']
    for family in chosen:
        for key, measure in family.measures(arguments.quick):
            if not is_wanted(measure, number, arguments, regime):
                continue
            note(f'round {number + 1} of {arguments.rounds}, {REGIMES[regime]}: {key}')
            if (measure.optional and not runner.has(measure.contestant)) or \
                    measure.bytes_needed > machine.available_memory() * 0.8:
                skipped.add(key)
                continue
            try:
                results[key] = runner.measure(measure.contestant, dict(measure.params, rate=rate))
            except machine.Failed as error:
                failures.append(str(error))
                print(error, file=sys.stderr)
    note('')
    return results, skipped, failures


def run_all(arguments, chosen):
    """Rounds of all regimes in turn."""
    runners = {regime: machine.Runner(arguments.programs, cpu=0 if regime == 'one' else None, apart=regime == 'apart')
               for regime in arguments.regime}
    rounds, skipped, failures = {regime: [] for regime in runners}, set(), []
    begun, patience = time.monotonic(), 0
    for i in range(arguments.rounds):
        elapsed = time.monotonic() - begun
        if i >= 3 and elapsed + elapsed / i > arguments.limit:
            break
        for regime, runner in runners.items():
            # Each round has its share, and what earlier ones left.
            runner.patience = patience + arguments.patience / arguments.rounds / len(runners)
            results, left_out, failed = run_round(runner, chosen, i, arguments, regime)
            patience = runner.patience
            rounds[regime].append(results)
            skipped |= left_out
            failures += failed
        if not sys.stderr.isatty() and not arguments.quick:
            print(f'round {i + 1} of {arguments.rounds}: {time.monotonic() - begun:.0f} s', file=sys.stderr)
    runner = runners[arguments.regime[0]]
    missing = [f'{label} ({package})' for name, (label, package) in measures.LIBRARIES.items() if not runner.has(name)]
    info = dict(runner.info(), rounds=len(rounds[arguments.regime[0]]), processors=machine.n_processors(), machine=machine.model(),
                memory=machine.memory(), kernel=os.uname().release, quick=arguments.quick, missing=missing,
                date=datetime.date.today().isoformat(), seconds=round(time.monotonic() - begun, 1))
    return {'info': info, 'families': [family.name for family in chosen], 'skipped': sorted(skipped),
            'failures': failures, 'rounds': rounds}


def broken_rows(data, regimes):
    """Rows without a figure: a defect of the benchmark, not a slow library."""
    skipped = set(data['skipped'])
    for row in regimes[0].rows:
        if not row.ratios and not row.row.keys() & skipped:
            # What has another family as its peer may have been left out.
            names = {key for name in data['families'] for family in families.FAMILIES if family.name == name
                     for key in family.all_measures}
            if row.row.keys() <= names:
                yield row


def main():
    arguments = parse_arguments()
    if arguments.source:
        with open(arguments.source, encoding='utf-8') as file:
            data = json.load(file)
    else:
        data = run_all(arguments, [f for f in families.FAMILIES if not arguments.family or f.name in arguments.family])
    chosen = [family for family in families.FAMILIES if family.name in data['families']]
    regimes = [report.Regime(REGIMES[name], 1 if name == 'one' else data['info']['processors'], rounds, families.rows(chosen))
               for name, rounds in data['rounds'].items()]

    report.print_all(data['info'], chosen, regimes)
    if arguments.json:
        with open(arguments.json, 'w', encoding='utf-8') as file:
            json.dump({**data, 'rows': {regime.name: [row.as_dict() for row in regime.rows] for regime in regimes}}, file,
                      indent=1)
    drawn = plots.draw(arguments.plots, regimes) if arguments.plots else []
    if arguments.document:
        document.update(arguments.document, data['info'], chosen, regimes, drawn)

    broken = list(broken_rows(data, regimes))
    for row in broken:
        print(f'{row.row.name}, {row.row.text}: no figure', file=sys.stderr)
    missed = [row for regime in regimes for row in regime.rows if row.verdict.startswith('MISS')]
    return 1 if data['failures'] or broken or (arguments.strict and missed) else 0


if __name__ == '__main__':
    try:
        sys.exit(main())
    except machine.Failed as failure:
        sys.exit(str(failure))
