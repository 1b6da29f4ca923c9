#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Judges what gcovr has counted, for coverage.sh.

Usage: coverage.py COVERAGE-JSON LIST

Prints each line of the scheduler's core and of the parser of frames that no test runs
and that the list does not name, and the figures; the status is 1 below the gate.
"""
import json
import re
import sys

# In percent: what was aimed at. A little more has been reached, and not in every run the
# same: there are threads.
LINES = 98.0
BRANCHES = 95.0
# What has to be tested to the last line, but for those in the list.
STRICT = re.compile(r'/osiiso-(scheduler|ready-list|deadline-heap|rate-limiter|admission|frame)')


def read_list(path):
    """Patterns, each for "file.c:source of the line"."""
    with open(path, encoding='utf-8') as file:
        lines = [line.rstrip('\n') for line in file]
    return [re.compile(line) for line in lines if line and not line.startswith('#')]


class Count:
    def __init__(self):
        self.lines = self.tested = self.branches = self.taken = 0

    def add(self, line):
        self.lines += 1
        self.tested += line['count'] > 0
        self.branches += len(line['branches'])
        self.taken += sum(branch['count'] > 0 for branch in line['branches'])

    def percent(self):
        return 100 * self.tested / max(self.lines, 1), 100 * self.taken / max(self.branches, 1)

    def __str__(self):
        return '%.1f %% of %d lines and %.1f %% of %d branches' % (
            self.percent()[0], self.lines, self.percent()[1], self.branches)


def main():
    with open(sys.argv[1], encoding='utf-8') as file:
        files = json.load(file)['files']
    patterns = read_list(sys.argv[2])
    unused = set(patterns)
    total, strict = Count(), Count()
    n_missing = 0

    for entry in files:
        path = entry['file']
        with open(path, encoding='utf-8') as file:
            source = file.read().split('\n')
        is_strict = STRICT.search(path) is not None
        for line in entry['lines']:
            if line.get('gcovr/noncode'):
                continue
            total.add(line)
            if is_strict:
                strict.add(line)
            if line['count'] > 0:
                continue
            text = source[line['line_number'] - 1].strip()
            named = [p for p in patterns if p.search(path.rsplit('/', 1)[-1] + ':' + text)]
            unused.difference_update(named)
            if not named:
                print('%s:%d: not tested: %s' % (path, line['line_number'], text))
                n_missing += is_strict
    for pattern in sorted(p.pattern for p in unused):
        print('tests/check/coverage.txt: tested now, or not there: %s' % pattern)

    lines, branches = total.percent()
    print('%s; scheduler and frames: %s, %d lines of these are neither tested nor listed'
          % (total, strict, n_missing))
    return 0 if lines >= LINES and branches >= BRANCHES and n_missing == 0 else 1


if __name__ == '__main__':
    sys.exit(main())
