#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks that README.md tells the truth about the tree, in TAP.

Usage: test-readme.py SOURCE_ROOT [LANGUAGE=PROGRAM...]

The programs that the README shows are run as well, for the languages that are
given: PROGRAM is the built program for c and vala, the interpreter for the rest.
For the language console it is the command line, and what it prints is compared.
"""
import os
import pathlib
import re
import subprocess
import sys
import tempfile

EXAMPLES = {
    'c': 'examples/hello.c',
    'python': 'examples/hello.py',
    'js': 'examples/hello.js',
    'vala': 'examples/hello.vala',
}
EXPECTED = '0\n1\n4\n9\n16\n'
COMMANDS = ('./bootstrap run', './bootstrap test')
OTHER_FILES = ('CONTRIBUTING.md', 'SECURITY.md')

FENCE = re.compile(r'^```(\w*)\n(.*?)^```$', re.MULTILINE | re.DOTALL)
LINK = re.compile(r'\]\(([^)#\s]+)[^)]*\)')
# Names in code spans that can only be paths of this tree.
PATH = re.compile(r'`(?!-)([\w.-]+(?:/[\w.-]+)*/|[\w.-]+(?:/[\w.-]+)*\.(?:c|h|in|build|md|py|txt))`')
TOP_FOLDERS = ('.ci', 'docs', 'examples', 'introspection', 'libosiiso-core', 'packaging', 'plugins', 'tests',
               'tools')


def blocks(text):
    """All fenced blocks of a text, as (language, content)."""
    return FENCE.findall(text)


def check_commands(root, readme):
    language, content = blocks(readme)[0]
    assert language == 'sh', f'the first block is “{language}”'
    for line, command in zip(content.splitlines(), COMMANDS):
        assert line.startswith(command), f'“{line}” is not “{command}”'
    # A title, a sentence and the commands: nothing comes before.
    assert readme.index('```sh') < 400, 'the commands are not the first thing'
    assert (root / 'bootstrap').stat().st_mode & 0o111, 'bootstrap cannot be executed'


def check_example(root, readme, language, path):
    wanted = (root / path).read_text(encoding='utf-8')
    found = [content for name, content in blocks(readme) if name == language]
    assert found, f'there is no {language} block'
    assert wanted in found, f'the {language} block is not what is in {path}'


def check_run(root, language, program):
    command = {
        'python': [program, root / EXAMPLES['python']],
        'js': [program, '-m', root / EXAMPLES['js']],
    }.get(language, [program])
    result = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, timeout=60,
                            check=False, encoding='utf-8')
    assert result.returncode == 0, f'the exit status is {result.returncode}'
    assert result.stdout == EXPECTED, f'the output is {result.stdout!r}'


def check_console(readme, program):
    """Each line with a $ is a command, what follows is what it prints."""
    content = ''.join(text for name, text in blocks(readme) if name == 'console')
    pieces = re.findall(r'^\$ (.*)\n((?:(?!\$ ).*\n)*)', content, re.MULTILINE)
    assert len(pieces) > 3, f'only {len(pieces)} commands were found'
    folder = os.path.dirname(os.path.abspath(program))
    environment = dict(os.environ, PATH=f'{folder}:/usr/bin:/bin', LC_ALL='C.UTF-8')
    with tempfile.TemporaryDirectory() as scratch:
        for command, expected in pieces:
            result = subprocess.run(['bash', '-c', command], cwd=scratch, env=environment,
                                    stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                                    stderr=subprocess.STDOUT, timeout=60, check=False,
                                    encoding='utf-8')
            assert result.stdout == expected, f'“{command}” prints {result.stdout!r}'


def check_links(root, name):
    text = (root / name).read_text(encoding='utf-8')
    for target in LINK.findall(text):
        if '://' not in target and not target.startswith('mailto:'):
            assert (root / target).exists(), f'a link leads to {target}, which does not exist'


def check_paths(root, readme):
    """Paths in code spans: of the tree, or of a file of the library or of a backend."""
    names = set(PATH.findall(readme))
    assert len(names) > 10, f'only {len(names)} paths were found'
    for name in sorted(names):
        if name.split('/')[0] in TOP_FOLDERS or '/' not in name:
            places = (root / name, root / 'libosiiso-core' / name, *root.glob(f'plugins/*/{name}'))
            assert any(place.exists() for place in places), f'{name} does not exist'


def check_figures(root, readme):
    """What is between the marks is what the figures of the page make of it."""
    sys.path.insert(0, str(root / 'tests' / 'benchmarks'))
    sys.dont_write_bytecode = True
    import document  # pylint: disable=import-outside-toplevel
    page = (root / 'docs' / 'performance.md').read_text(encoding='utf-8')
    figures = document.readme_figures(page)
    n_rows = figures.count('\n') - 1
    # A peer may have been missing when the page was made.
    assert n_rows >= len(document.README_ROWS) - 2, f'the page has only {n_rows} of the rows of the README'
    assert document.between_marks('README.md', readme, figures) == readme, \
        'README.md has other figures than docs/performance.md: ./bootstrap bench --document makes both'


def main():
    root = pathlib.Path(sys.argv[1])
    readme = (root / 'README.md').read_text(encoding='utf-8')

    cases = [('commands', check_commands, (root, readme))]
    cases += [(f'example/{language}', check_example, (root, readme, language, path))
              for language, path in EXAMPLES.items()]
    programs = dict(argument.split('=', 1) for argument in sys.argv[2:])
    if 'console' in programs:
        cases += [('console', check_console, (readme, programs.pop('console')))]
    cases += [(f'run/{language}', check_run, (root, language, program))
              for language, program in programs.items()]
    cases += [(f'links/{name}', check_links, (root, name))
              for name in ('README.md',) + OTHER_FILES]
    cases += [('paths', check_paths, (root, readme)), ('figures', check_figures, (root, readme))]

    print(f'1..{len(cases)}')
    failed = 0
    for number, (name, function, arguments) in enumerate(cases, 1):
        try:
            function(*arguments)
        except (AssertionError, OSError, LookupError, ValueError,
                subprocess.TimeoutExpired) as error:
            failed += 1
            print(f'not ok {number} /readme/{name}')
            print(f'# {error}')
        else:
            print(f'ok {number} /readme/{name}')
    return 1 if failed else 0


sys.exit(main())
