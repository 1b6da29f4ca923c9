#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the checkers, one after the other, and prints a line about each.

Usage: run-checks.py [CHECKER...]

All by default, in the order of their price. What one prints goes into
_build-check-NAME.log; its last line is repeated here. One that fails does not
keep the others from running. The status is 1 if any failed.
"""
import argparse
import os
import pathlib
import subprocess
import sys
import time

TOP = pathlib.Path(__file__).resolve().parent.parent.parent
# What it is for, the script and its arguments.
CHECKERS = {
    'asan-gcc': ('addresses, leaks, undefined behaviour; all tests of the core', 'asan.sh', 'gcc'),
    'asan-clang': ('the same with clang', 'asan.sh', 'clang'),
    'analyzer': ('the analyzer of gcc', 'analyzer.sh'),
    'cppcheck': ('cppcheck', 'cppcheck.sh'),
    'clang-tidy': ('clang-tidy and the analyzer of clang', 'clang-tidy.sh'),
    'tsan-core': ('races in what does without GLib, each test twenty times', 'tsan.sh', 'core'),
    'tsan': ('races, with a GLib that is built for it; all tests of the core', 'tsan.sh', 'all'),
    'chaos': ('the conformance test of each backend in disturbed orders of threads', 'chaos.sh'),
    'memcheck': ('memory, leaks and descriptors, with valgrind', 'memcheck.sh'),
    'helgrind': ('races and orders of locks in what does without GLib, with valgrind', 'helgrind.sh'),
    'coverage': ('how much the tests run, and whether that is enough', 'coverage.sh'),
}


def run(name):
    _purpose, script, *arguments = CHECKERS[name]
    build = f'_build-check-{name}'
    log = TOP / f'{build}.log'
    # Nothing of another build may be found, nor another interpreter.
    environment = {k: v for k, v in os.environ.items()
                   if k not in ('CC', 'CFLAGS', 'LDFLAGS', 'LD_PRELOAD', 'LD_LIBRARY_PATH')}
    environment['BUILD'] = build
    begun = time.monotonic()
    with open(log, 'w', encoding='utf-8') as output:
        status = subprocess.run(['sh', f'tests/check/{script}', *arguments], cwd=TOP, env=environment,
                                stdin=subprocess.DEVNULL, stdout=output, stderr=subprocess.STDOUT).returncode
    seconds = time.monotonic() - begun
    lines = log.read_text(encoding='utf-8', errors='replace').split('\n')
    last = next((line for line in reversed(lines) if line.strip()), 'it said nothing')
    print(f'{"pass" if status == 0 else "FAIL"}  {name:<11} {seconds:6.0f} s  {last}', flush=True)
    if status != 0:
        print(f'      see {log}', flush=True)
    return status == 0


def main():
    listed = ''.join(f'  {name:<12}{purpose}\n' for name, (purpose, *_script) in CHECKERS.items())
    parser = argparse.ArgumentParser(description=__doc__.split('\n', maxsplit=1)[0],
                                     epilog='checkers, in the order of their price:\n' + listed,
                                     formatter_class=argparse.RawDescriptionHelpFormatter)
    parser.add_argument('checkers', nargs='*', metavar='CHECKER', help='all by default')
    names = parser.parse_args().checkers or list(CHECKERS)
    for name in names:
        if name not in CHECKERS:
            parser.error(f'there is no checker "{name}", only {", ".join(CHECKERS)}')
    passed = [run(name) for name in names]
    print(f'{sum(passed)} of {len(passed)} checkers passed')
    return 0 if all(passed) else 1


if __name__ == '__main__':
    sys.exit(main())
