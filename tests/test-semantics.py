#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that docs/semantics.md and the test programs agree, in TAP.

Usage: test-semantics.py SOURCE_ROOT PROGRAM...

Each PROGRAM is a test program of GTest, of which -l lists the cases.
"""
import pathlib
import re
import sys

sys.dont_write_bytecode = True

from document_tests import PATH, check_paths, list_cases, run, tables

DOCUMENT = 'docs/semantics.md'
# The programs whose cases are there for this document.
OWN = 'test-semantics-'
BACKENDS = ('main-loop', 'thread-pool')
# Rows without a test say what there is no code for.
MAX_UNTESTED = 6


def check_complete(text, own_cases):
    """Every case that is there for the document is named in it."""
    paths = set(PATH.findall(text))
    assert own_cases, f'no program is called {OWN}…'
    for case in sorted(own_cases):
        parts = case.split('/')
        parents = {'/'.join(parts[:n]) for n in range(4, len(parts) + 1)}
        assert paths & parents, f'{case} is not in {DOCUMENT}'


def check_backends(own_cases):
    """A case that is there for one backend is there for the other one too."""
    for case in sorted(own_cases):
        base, last = case.rsplit('/', 1)
        if last in BACKENDS:
            for backend in BACKENDS:
                assert f'{base}/{backend}' in own_cases, f'there is no {base}/{backend}'


def check_tables(text):
    """Tables are whole, and almost every row has a test."""
    untested = []
    for table in tables(text):
        for row in table:
            assert len(row) == len(table[0]), f'{len(row)} cells instead of {len(table[0])}: {row}'
        if table[0][-1] == 'test':
            untested += [row[0] for row in table[2:] if not PATH.search(row[-1])]
    assert len(untested) <= MAX_UNTESTED, f'{len(untested)} rows have no test: {untested}'


def check_differences(text):
    """What is said to differ has its reason, and every reason is referred to."""
    used = {int(number) for number in re.findall(r'\*differs\* \((\d+)\)', text)}
    given = {int(number) for number in re.findall(r'^(\d+)\. \*', text, re.MULTILINE)}
    assert used == given, f'the tables refer to {sorted(used)}, the list has {sorted(given)}'


def main():
    root = pathlib.Path(sys.argv[1])
    programs = [pathlib.Path(program) for program in sys.argv[2:]]
    text = (root / DOCUMENT).read_text(encoding='utf-8')
    listed = {program: list_cases(program) for program in programs}
    cases = set().union(*listed.values())
    own_cases = set().union(*(paths for program, paths in listed.items()
                              if program.name.startswith(OWN)))

    checks = [('paths', check_paths, (text, cases, 100)),
              ('complete', check_complete, (text, own_cases)),
              ('backends', check_backends, (own_cases,)),
              ('tables', check_tables, (text,)),
              ('differences', check_differences, (text,))]
    return run('semantics-document', checks)


sys.exit(main())
