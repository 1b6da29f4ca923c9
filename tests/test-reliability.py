#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that docs/reliability.md names tests that there are, in TAP.

Usage: test-reliability.py SOURCE_ROOT PROGRAM...

Each PROGRAM is a test program of GTest, of which -l lists the cases.
"""
import pathlib
import sys

sys.dont_write_bytecode = True

sys.path.insert(0, str(pathlib.Path(__file__).resolve().parent / 'soak'))

import document_tests
import faults  # noqa: F401  (it adds its tests to those of soaking)
import soaking

DOCUMENT = 'docs/reliability.md'
N_PROMISES = 12
N_FAULTS = 22
# The cases that are there for this document.
OWN = '/promises/'


def check_promises(text):
    """All promises are there, in order, each with tests."""
    rows = next(table[2:] for table in document_tests.tables(text) if table[2][0] == 'P1')
    assert [row[0] for row in rows] == [f'P{i + 1}' for i in range(N_PROMISES)], [row[0] for row in rows]
    for row in rows:
        assert len(row) == 3, row
        assert len(document_tests.PATH.findall(row[2])) >= 3, f'{row[0]} has too few tests'


def check_faults(text):
    """All faults are there, in order, and those that ./bootstrap soak knows are those from the sixth on."""
    rows = next(table[2:] for table in document_tests.tables(text) if table[2][0] == 'F1')
    names = [row[0] for row in rows]
    assert names == [f'F{i + 1}' for i in range(N_FAULTS)], names
    assert list(soaking.TESTS) == names[5:], list(soaking.TESTS)


def check_complete(text, cases):
    """Every case that is there for the document is named in it."""
    paths = document_tests.PATH.findall(text)
    own = {case for case in cases if case.startswith(OWN)}
    assert own, f'there is no test {OWN}…'
    for case in sorted(own):
        assert any(case == path or case.startswith(path + '/') for path in paths), f'{case} is not in {DOCUMENT}'


def main():
    root = pathlib.Path(sys.argv[1])
    text = (root / DOCUMENT).read_text(encoding='utf-8')
    cases = set().union(*(document_tests.list_cases(pathlib.Path(program)) for program in sys.argv[2:]))
    return document_tests.run('reliability-document', [
        ('paths', document_tests.check_paths, (text, cases, 60)),
        ('promises', check_promises, (text,)),
        ('faults', check_faults, (text,)),
        ('complete', check_complete, (text, cases)),
    ])


sys.exit(main())
