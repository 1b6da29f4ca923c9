#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs what docs/reliability.md calls F6 to F22, and prints a table.

What is to be told apart: a figure that misses its bar, and something broken, which
must never be. The status is 1 if there was either. Bars of time are for a machine that
does nothing else.
"""
import argparse
import datetime
import json
import pathlib
import sys
import threading
import time

sys.dont_write_bytecode = True
sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent))

import faults  # noqa: F401  (it adds the tests)
import soaking

# It takes most of the time, and little of the processors.
LONG = 'F20'


def parse_arguments():
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0])
    parser.add_argument('--build', required=True, metavar='FOLDER', help='the build folder')
    parser.add_argument('--seed', type=int, help='what random numbers begin with (default: the time)')
    parser.add_argument('--minutes', type=float, default=30, help=f'how long {LONG} runs (default: 30)')
    parser.add_argument('--only', metavar='F7,F9', help='not all of them')
    parser.add_argument('--short', action='store_true', help='little of each, and no bars of time')
    parser.add_argument('--tap', action='store_true', help='print TAP')
    parser.add_argument('--json', type=pathlib.Path, metavar='FILE', help='where all figures go')
    options = parser.parse_args()
    names = options.only.split(',') if options.only else list(soaking.TESTS)
    for name in names:
        if name not in soaking.TESTS:
            parser.error(f'there is no test "{name}", only {", ".join(soaking.TESTS)}')
    options.tests = [soaking.TESTS[name] for name in names]
    if options.seed is None:
        options.seed = time.time_ns() // 1000 % (1 << 31)
    return options


def format_number(value):
    return f'{value:.0f}' if value == int(value) else f'{value:.3g}' if abs(value) < 100 else f'{value:.1f}'


def describe(result):
    """Lines for the table."""
    verdict = 'not run' if result['not_run'] else 'pass' if result['passed'] else 'MISS'
    yield f'{result["test"]:<4} {verdict:<7} {result["seconds"]:7.1f} s  {result["title"]}'
    if result['not_run']:
        yield f'     not run: {result["not_run"]}'
    figures = ', '.join(f'{key} {format_number(value)}' for key, value in result['figures'].items())
    if figures:
        yield f'     {figures}'
    if result['bars']:
        yield f'     bars: {"; ".join(result["bars"])}'
    for missed in result['missed']:
        yield f'     missed: {missed}'
    for broken in result['broken']:
        for line in f'broken: {broken}'.splitlines():
            yield f'     {line}'


class Printer:
    """Prints results as they come, from any thread."""

    def __init__(self, options):
        self.tap = options.tap
        self.results = []
        self.lock = threading.Lock()

    def add(self, result):
        with self.lock:
            self.results.append(result)
            for line in describe(result):
                print(f'# {line}' if self.tap else line)
            if self.tap:
                skipped = f' # SKIP {result["not_run"]}' if result['not_run'] else ''
                print(f'{"ok" if result["passed"] else "not ok"} {len(self.results)} '
                      f'/soak/{result["test"].lower()}{skipped}')
            sys.stdout.flush()


def run(tests, options, printer):
    for test in tests:
        begun = time.monotonic()
        result = soaking.run(test, options.build, options.seed, options.short, options.minutes)
        result['seconds'] = round(time.monotonic() - begun, 1)
        printer.add(result)


def run_all(options, printer):
    """Those that measure time first, and the long one beside the others."""
    if options.short:
        run(options.tests, options, printer)
        return
    run([test for test in options.tests if test.calm], options, printer)
    others = [test for test in options.tests if not test.calm and test.name != LONG]
    long = threading.Thread(target=run, args=([test for test in options.tests if test.name == LONG], options, printer))
    long.start()
    run(others, options, printer)
    long.join()


def main():
    options = parse_arguments()
    printer = Printer(options)
    begun = datetime.datetime.now().astimezone()
    if options.tap:
        print(f'1..{len(options.tests)}')
    print(f'{"# " if options.tap else ""}seed {options.seed}, {begun:%d %B %Y %H:%M}', flush=True)
    run_all(options, printer)
    if options.json:
        options.json.write_text(json.dumps({'seed': options.seed, 'begun': begun.isoformat(), 'short': options.short,
                                            'results': printer.results}, indent=1) + '\n', encoding='utf-8')
    failed = [result['test'] for result in printer.results if not result['passed']]
    if not options.tap:
        print(f'{len(printer.results) - len(failed)} of {len(printer.results)} tests passed'
              + (f'; not: {", ".join(failed)}' if failed else ''))
    return 1 if failed else 0


if __name__ == '__main__':
    sys.exit(main())
