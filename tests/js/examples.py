#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs what README.md and examples/js show of the JavaScript module, in TAP.

Usage: examples.py SOURCE_ROOT GJS

A program of the README has to print what its comments say. One that begins with the name
of a file is that file.
"""
import hashlib
import json
import os
import pathlib
import re
import shutil
import subprocess
import sys
import tempfile
import traceback

SOURCE_ROOT, GJS = pathlib.Path(sys.argv[1]), sys.argv[2]
LIMIT = 80

scratch = pathlib.Path(tempfile.mkdtemp(prefix='js-examples-'))
tests = []


def test(function):
    tests.append(function)
    return function


def run(*arguments, folder=scratch):
    return subprocess.run([GJS, '-m', *map(str, arguments)], cwd=folder, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.PIPE, timeout=LIMIT, check=False, encoding='utf-8')


def expected_output(program):
    """The comments behind calls of print, or below them."""
    return ''.join(f'{text}\n' for text in re.findall(r'(?:^.*\bprint\(.*; |^)// (.*)$', program, re.MULTILINE))


@test
def readme():
    text = (SOURCE_ROOT / 'README.md').read_text(encoding='utf-8')
    blocks = [block for block in re.findall(r'^```js\n(.*?)^```$', text, re.MULTILINE | re.DOTALL)
              if not block.startswith('// SPDX')]
    programs = []
    for block in blocks:
        name = re.match(r'// ([\w-]+\.js)\n', block)
        if name:
            (scratch / name[1]).write_text(block, encoding='utf-8')
        else:
            programs.append(block)
    assert len(programs) >= 2, f'only {len(programs)} programs were found'
    for program in programs:
        file = scratch / 'program.js'
        file.write_text(program, encoding='utf-8')
        done = run(file)
        wanted = expected_output(program)
        assert wanted.count('\n') >= 1, f'nothing is said of what this prints:\n{program}'
        assert (done.returncode, done.stdout) == (0, wanted), \
            f'{program}\nended with {done.returncode} and printed:\n{done.stdout}{done.stderr}\nexpected:\n{wanted}'


def make_tree():
    tree = scratch / 'tree'
    files = {
        'empty': b'',
        'text.txt': b'text\n' * 10,
        'folder/ünï %41 name.md': b'# title\n',
        'folder/below/big.bin': bytes(range(256)) * 3000,
        'folder/below/same.bin': bytes(range(256)) * 3000,
        **{f'many/{n}.txt': f'{n}\n'.encode() * n for n in range(300)},
    }
    for name, content in files.items():
        path = tree / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    (tree / 'link').symlink_to(tree / 'text.txt')
    return tree, files


@test
def folder_index():
    tree, files = make_tree()
    done = run(SOURCE_ROOT / 'examples/js/folder-index.js', '--workers=2', tree)
    assert done.returncode == 0, done.stderr
    found = {entry['path']: entry for entry in map(json.loads, done.stdout.splitlines())}
    assert set(found) == {str(tree / name) for name in files}, set(found) ^ {str(tree / name) for name in files}
    for name, content in files.items():
        entry = found[str(tree / name)]
        assert entry['size'] == len(content), entry
        assert entry['sha256'] == hashlib.sha256(content).hexdigest(), entry
    assert found[str(tree / 'text.txt')]['type'] == 'text/plain'
    total = sum(map(len, files.values()))
    assert done.stderr == f'{len(files)} files, {total} bytes, 0 failures\n', done.stderr


@test
def folder_index_of_a_name_that_is_no_text():
    tree = scratch / 'odd'
    (tree / 'bad').mkdir(parents=True)
    (tree / 'good').write_text('good', encoding='utf-8')
    (pathlib.Path(os.fsdecode(os.fsencode(tree) + b'/bad/not-utf8-\xff'))).write_text('bad', encoding='utf-8')
    done = run(SOURCE_ROOT / 'examples/js/folder-index.js', '--workers=1', tree)
    assert done.returncode == 1, done
    assert [json.loads(line)['path'] for line in done.stdout.splitlines()] == [str(tree / 'good')], done.stdout
    assert done.stderr.startswith(f'{tree / "bad"}: '), done.stderr
    assert done.stderr.endswith('1 files, 4 bytes, 1 failures\n'), done.stderr


@test
def folder_index_arguments():
    for arguments in ([], ['/nowhere'], ['--workers=x', '/'], ['--colour', '/'], ['/usr', '/usr']):
        done = run(SOURCE_ROOT / 'examples/js/folder-index.js', *arguments)
        assert done.returncode == 2, (arguments, done)
        assert re.fullmatch(r"folder-index: .+\n", done.stderr), done.stderr


def main():
    print('TAP version 13')
    print(f'1..{len(tests)}')
    for number, function in enumerate(tests, 1):
        try:
            function()
            print(f'ok {number} - {function.__name__}', flush=True)
        except Exception:
            print(f'not ok {number} - {function.__name__}')
            for line in traceback.format_exc().splitlines():
                print(f'# {line}', flush=True)
    shutil.rmtree(scratch, ignore_errors=True)


main()
