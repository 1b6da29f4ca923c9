#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Breaks the core in many places, one at a time, and sees whether the tests notice.

Usage: run-mutants.py BUILD [--number N] [--seed S] [--files PATTERN] [--results FILE]

BUILD is a build folder of a clean checkout that may be spoilt, best with sanitizers,
which see what is not released:

    git clone . /tmp/mutants && cd /tmp/mutants
    meson setup _build -Db_sanitize=address,undefined -Db_lundef=false -Dintrospection=disabled -Dexamples=disabled
    tests/mutants/run-mutants.py _build --number 100

Each mutant is one change in one line of libosiiso-core, drawn from all that the
operators below can do. It is killed if it does not compile, or if a test fails, crashes
or does not end. The tests in QUICK come first; what survives them meets those in SLOW.
What survives those, too, is printed, for somebody to say why: a mutant may do the same
as the original, or a test is missing.
"""
import argparse
import json
import pathlib
import random
import re
import subprocess
import sys
import time

QUICK = '''deadline-heap rate-limiter ready-list record-pool frame task-options task-options-retry attempt call command
  deadline error-details group initializer misuse rate retry-predicate reset run-full run-summary shutdown-timeout signals
  size size-async size-async-pairs submit-cancellable task-list timers token token-call token-take token-tell wait-changes
  wait-cycles would-deadlock semantics-cancellation semantics-order semantics-rate semantics-results semantics-retries
  semantics-run semantics-shutdown semantics-signals semantics-size semantics-states semantics-summary semantics-timeouts
  semantics-workers handle queue queue-lifetime worker-channel locks outbox properties shortages edges
  token-edges callbacks between'''.split()
SLOW = '''backend-loader call-module cancel-cost thread-exit fork token-races ahead regressions promises model
  conformance-main-loop conformance-thread-pool conformance-subprocess subprocess subprocess-failures subprocess-pool
  subprocess-commands wait-contexts adaptive-workers application-hold log'''.split()

# What an operator does to a line: a pattern, and what takes its place.
OPERATORS = {
    '< to <=': (r' < ', ' <= '), '<= to <': (r' <= ', ' < '), '> to >=': (r' > ', ' >= '), '>= to >': (r' >= ', ' > '),
    '== to !=': (r' == ', ' != '), '!= to ==': (r' != ', ' == '), '&& to ||': (r' && ', ' || '), '|| to &&': (r' \|\| ', ' && '),
    'no !': (r'!(?=[a-z])', ''), '++ to --': (r'\+\+', '--'), '-- to ++': (r'--', '++'),
    'no + 1': (r' \+ 1\b', ''), 'no - 1': (r' - 1\b', ''), '+ to -': (r' \+ (?=[a-z])', ' - '),
    'TRUE to FALSE': (r'\bTRUE\b', 'FALSE'), 'FALSE to TRUE': (r'\bFALSE\b', 'TRUE'),
    'no call': (r'^(\s+)[a-z][a-z0-9_]+ \(.*\);$', r'\1;'),
    'no assignment': (r'^(\s+)[a-z][a-zA-Z0-9_>.\[\]-]* [+|&-]?= .*;$', r'\1;'),
    'no return': (r'^(\s+)return;$', r'\1;'),
}
# Lines that check what the caller may not do, that are declarations, or none of the code.
LEFT_OUT = re.compile(r'^\s*(\*|/\*|//|#|static_assert|G_STATIC|g_assert|g_return|g_autoptr|g_autofree|g_warning|g_critical|'
                      r'const |guint |gint |int |char |gboolean |gsize |gint64 |guint64 |double |Osiiso\w+ |G[A-Z]\w+ )')


def mutants_of(path):
    """Yields (line number, operator, old line, new line)."""
    inside = False
    for number, line in enumerate(path.read_text().split('\n')):
        if line == '{':
            inside = True
        elif line == '}':
            inside = False
        elif inside and not LEFT_OUT.match(line):
            for name, (pattern, new) in OPERATORS.items():
                for match in re.finditer(pattern, line):
                    changed = line[:match.start()] + match.expand(new) + line[match.end():]
                    if '"' not in line[:match.start()] or line[:match.start()].count('"') % 2 == 0:
                        yield number, name, line, changed


def test(build, names, multiplier):
    """Returns the first test that did not pass, or None."""
    command = ['meson', 'test', '-C', build, '--no-rebuild', '--num-processes=2', f'--timeout-multiplier={multiplier}', *names]
    with subprocess.Popen(command, stdout=subprocess.PIPE, stderr=subprocess.STDOUT, text=True) as process:
        for line in process.stdout:
            failed = re.search(r'(\S+) +(FAIL|ERROR|TIMEOUT|UNEXPECTEDPASS)\b', line)
            if failed:
                # It ends its tests; what has hung may hang in all of them.
                process.terminate()
                process.communicate()
                return f'{failed[1]} {failed[2]}'
    return 'failed' if process.returncode else None


def judge(build):
    """Returns what has killed the mutant that is in the tree, or None."""
    if subprocess.run(['ninja', '-C', build, '-j2'], stdout=subprocess.DEVNULL).returncode:
        return 'does not compile'
    listed = subprocess.run(['meson', 'test', '-C', build, '--no-rebuild', '--list'], capture_output=True, text=True).stdout
    known = set(re.findall(r'(\S+)$', listed, re.MULTILINE))
    for names, multiplier in ((QUICK, .5), (SLOW, 2)):
        verdict = test(build, [name for name in names if name in known], multiplier)
        if verdict:
            return verdict
    return None


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument('build')
    parser.add_argument('--number', type=int, default=100)
    parser.add_argument('--seed', type=int, default=random.SystemRandom().randrange(2 ** 32))
    parser.add_argument('--files', default='osiiso-*.c')
    parser.add_argument('--skip', type=int, default=0, help='so many of them have been judged')
    parser.add_argument('--minutes', type=float, default=10000)
    parser.add_argument('--results', type=pathlib.Path, default=pathlib.Path('mutants.json'))
    arguments = parser.parse_args()

    core = pathlib.Path(__file__).resolve().parent.parent.parent / 'libosiiso-core'
    found = [(path, *mutant) for path in sorted(core.glob(arguments.files)) for mutant in mutants_of(path)]
    chosen = random.Random(arguments.seed).sample(found, min(arguments.number, len(found)))
    print(f'seed {arguments.seed}: {len(chosen)} of {len(found)} mutants', flush=True)
    verdict = None if arguments.skip else judge(arguments.build)
    if verdict:
        sys.exit(f'The tests fail without any mutant: {verdict}')

    end = time.monotonic() + arguments.minutes * 60
    results = []
    for path, number, operator, old, new in chosen[arguments.skip:]:
        if time.monotonic() > end:
            break
        text = path.read_text()
        lines = text.split('\n')
        lines[number] = new
        path.write_text('\n'.join(lines))
        try:
            verdict = judge(arguments.build)
        finally:
            path.write_text(text)
        results.append({'file': path.name, 'line': number + 1, 'operator': operator, 'old': old.strip(), 'new': new.strip(),
                        'killed': verdict})
        arguments.results.write_text(json.dumps({'seed': arguments.seed, 'mutants': results}, indent=1) + '\n')
        print(f'{path.name}:{number + 1}: {operator}: {old.strip()}: {verdict or "SURVIVED"}', flush=True)

    compiled = [result for result in results if result['killed'] != 'does not compile']
    killed = [result for result in compiled if result['killed']]
    print(f'{len(killed)} of {len(compiled)} mutants killed ({100 * len(killed) / max(1, len(compiled)):.0f} %)')


main()
