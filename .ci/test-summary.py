#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Counts the results of a test run and says whether it is good enough.

Usage: test-summary.py STATUS [TESTLOG.json...]

STATUS is the exit status of 'meson test', the others are the logs that it
wrote. A test program that speaks TAP counts once per case in it, any other
counts once. A case that is skipped, or marked TODO, is a failure, unless it is
in ALLOWED_SKIPS: a missing part must not pass for a working one.

The last line of the output is 'N passed, M failed', with ', K skipped' added if
allowed skips were met. The exit status is 0 only if nothing failed.
"""
import json
import re
import sys

# Cases that may be skipped: 'program: case', as printed below.
ALLOWED_SKIPS = frozenset()

PLAN = re.compile(r'1\.\.(\d+)\s*(?:#\s*(SKIP\b.*))?$', re.IGNORECASE)
CASE = re.compile(r'(not )?ok\b\s*\d*\s*(?:- )?(.*?)\s*(?:#\s*(SKIP|TODO)\b.*)?$',
                  re.IGNORECASE)


def cases_of(test):
    """Yields (case, outcome) of one entry of the log."""
    result = test['result']
    lines = test.get('stdout', '').splitlines()
    plans = [match for match in map(PLAN.match, lines) if match]
    seen_failure = False

    if plans and result != 'EXPECTEDFAIL':
        for match in filter(None, map(CASE.match, lines)):
            failed, case, directive = match.groups()
            if directive:
                yield case, 'skipped'
            elif failed:
                seen_failure = True
                yield case, 'failed'
            else:
                yield case, 'passed'
        if plans[0].group(2):
            yield 'everything', 'skipped'
    elif result in ('OK', 'EXPECTEDFAIL'):
        yield 'exit status', 'passed'
    elif result == 'SKIP':
        yield 'exit status', 'skipped'

    # A crash, a time-out or a plan that was not kept shows in no line of TAP.
    if result not in ('OK', 'EXPECTEDFAIL', 'SKIP') and not seen_failure:
        yield 'the program itself, ' + result.lower(), 'failed'


def main():
    status = int(sys.argv[1])
    counts = {'passed': 0, 'failed': 0, 'skipped': 0}
    bad = []

    for path in sys.argv[2:]:
        try:
            log = open(path, encoding='utf-8')
        except FileNotFoundError:
            continue
        with log:
            for line in log:
                test = json.loads(line)
                for case, outcome in cases_of(test):
                    where = f"{test['name'].split(' / ')[-1]}: {case}"
                    if outcome == 'skipped' and where not in ALLOWED_SKIPS:
                        outcome = 'failed'
                        bad.append(f'skipped, which is not allowed: {where}')
                    elif outcome == 'failed':
                        bad.append(f'failed: {where}')
                    counts[outcome] += 1

    if not any(counts.values()):
        bad.append('no test was run')
    elif status != 0 and not bad:
        bad.append(f"'meson test' ended with status {status}")

    print('\nOne count per case of a TAP program, one per other test:')
    for line in bad:
        print(line)
    print('{passed} passed, {failed} failed'.format(**counts)
          + (', {skipped} skipped'.format(**counts) if counts['skipped'] else ''))
    return 1 if bad else 0


sys.exit(main())
