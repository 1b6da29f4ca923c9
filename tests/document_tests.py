# SPDX-License-Identifier: LGPL-2.1-or-later
"""What pages that name tests are checked with."""
import re
import subprocess

PATH = re.compile(r'`(/[a-z0-9-]+(?:/[a-z0-9-]+)+)`')
BACKEND = 'main-loop'


def list_cases(program):
    """The paths of all cases of a test program of GTest."""
    command = [program, '-l']
    if 'conformance' in program.name:
        command += ['--backend', BACKEND]
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60,
                            check=True, encoding='utf-8')
    paths = {line for line in result.stdout.splitlines() if line.startswith('/')}
    assert paths, f'{program.name} lists no cases'
    return paths


def tables(text):
    """All tables of a text, as lists of rows, which are lists of cells."""
    found = []
    inside = False
    for line in text.splitlines():
        if line.startswith('|'):
            if not inside:
                found.append([])
            found[-1].append([cell.strip() for cell in line.strip().strip('|').split('|')])
        inside = line.startswith('|')
    return found


def check_paths(text, cases, at_least):
    """Every path in the document is a case, or what several cases begin with."""
    paths = set(PATH.findall(text))
    assert len(paths) >= at_least, f'only {len(paths)} paths were found'
    for path in sorted(paths):
        assert path in cases or any(case.startswith(path + '/') for case in cases), \
            f'there is no test {path}'


def run(name, checks):
    """Runs (name, function, arguments) as TAP; the exit status."""
    print(f'1..{len(checks)}')
    failed = 0
    for number, (check, function, arguments) in enumerate(checks, 1):
        try:
            function(*arguments)
        except AssertionError as error:
            failed += 1
            print(f'not ok {number} /{name}/{check}')
            print(f'# {error}')
        else:
            print(f'ok {number} /{name}/{check}')
    return 1 if failed else 0
