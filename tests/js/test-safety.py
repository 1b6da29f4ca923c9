# SPDX-License-Identifier: LGPL-2.1-or-later
"""The raw namespace in GJS: whatever is done with it, the process does not die.

    test-safety.py FOLDER GJS

With OSIISO_TEST_LONG=1 each recipe runs ten times with many more tasks, and the fuzzer
runs, too.
"""
import os
import pathlib
import re
import subprocess
import sys
import unittest

HERE = pathlib.Path(__file__).parent
sys.path.insert(0, str(HERE.parent / 'bindings'))
import tap  # noqa: E402

GJS = sys.argv.pop()
IS_LONG = os.environ.get('OSIISO_TEST_LONG', '0') not in ('', '0')
REPETITIONS = 10 if IS_LONG else 1
TASKS = 30000 if IS_LONG else 3000
SEEDS = range(1, 41)
CALLS = 3000
TIMEOUT = 300
# GJS says that when it puts a call off, which comes back then. It is not of interest
# which signals were.
PUT_OFF = re.compile(r'during garbage collection|already disposed|The offending|^== Stack trace|^$|^#\d+ ')


def run(*args):
    environ = {**os.environ, 'G_DEBUG': 'gc-friendly'}
    return subprocess.run([GJS, '-m', *map(str, args)], env=environ, timeout=TIMEOUT, stdin=subprocess.DEVNULL,
                          capture_output=True, text=True, errors='replace')


class TestSafety(unittest.TestCase):
    def check(self, result, what):
        lines = [line for line in result.stderr.splitlines() if not PUT_OFF.search(line)]
        self.assertEqual(result.returncode, 0, f'{what}: status {result.returncode}\n' + '\n'.join(lines[-20:]))
        return lines


def add_recipe(name):
    def test(self):
        for _ in range(REPETITIONS):
            lines = self.check(run(HERE / 'recipes.js', name, TASKS), name)
            self.assertEqual([line for line in lines if 'CRITICAL' in line or 'ERROR' in line], [])
    setattr(TestSafety, f'test_{name}', test)


def fuzz(self):
    for seed in SEEDS:
        # What it does wrong on purpose is complained of.
        self.check(run(HERE / 'fuzz.js', seed, CALLS), f'seed {seed}')


# Not each time, because it takes minutes.
if IS_LONG:
    TestSafety.test_fuzz = fuzz

for recipe in run(HERE / 'recipes.js').stdout.split():
    add_recipe(recipe)

if __name__ == '__main__':
    sys.exit(tap.main())
