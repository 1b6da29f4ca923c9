#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests the programs of examples/vala, in TAP.

Usage: test-vala-examples.py INDEX_PROGRAM SOURCE_ROOT BUILD_ROOT VALAC [NAME=PROGRAM...] -- COMPILER...

What the indexer finds is compared with find and sha256sum. All are also compiled
without a warning, of valac and of the C compiler.
"""
import os
import pathlib
import signal
import subprocess
import sys
import time

import index_utils
from index_utils import Tree, contains, equal, find, new_database, new_folder, popen, rows, run, sha256sum, test, write

SOURCE_ROOT, BUILD_ROOT = map(pathlib.Path, sys.argv[2:4])
VALAC = sys.argv[4]
SEPARATOR = sys.argv.index('--')
PROGRAMS = dict(argument.split('=', 1) for argument in sys.argv[5:SEPARATOR])
COMPILER = sys.argv[SEPARATOR + 1:]
EXAMPLES = SOURCE_ROOT / 'examples'
# In what valac makes there are variables and parameters that are not used, and it
# knows neither const nor volatile.
CC_FLAGS = ['-fsyntax-only', '-Wall', '-Wextra', '-Werror', '-Wno-unused', '-Wno-unused-parameter',
            '-Wno-unused-but-set-variable', '-Wno-incompatible-pointer-types', '-Wno-discarded-qualifiers',
            '-Wno-cast-function-type', '-Wno-address', '-Wno-missing-field-initializers']
BIG = 1 << 40


def example(name, *arguments, status=0):
    done = subprocess.run([PROGRAMS[name], *arguments], env=index_utils.environment(), stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, timeout=index_utils.TIMEOUT, check=False, encoding='utf-8')
    equal(done.returncode, status, f'exit status of {name}, which printed {done.stdout!r}')
    return done.stdout


# The indexer


@test
def indexes_a_tree():
    tree = Tree('tree')
    tree.check_can_fail()
    database = new_database()
    code, out, err = run('--database', database, tree.root)
    equal(code, 1, f'exit status (stderr: {err!r})')
    equal(dict(rows(database)), tree.hashes, 'files')
    failed = {path for path, in rows(database, 'failures', 'path')}
    equal(failed, {tree.unreadable, tree.locked}, 'failures')
    size = sum(os.path.getsize(path) for path in tree.good)
    equal(out, f'{len(tree.good)} files, {size} bytes, {tree.n_folders - 1} folders, 2 failed\n', 'output')
    for path, stored_size, mtime in rows(database, columns='path, size, mtime'):
        info = os.stat(path)
        equal((stored_size, mtime), (info.st_size, int(info.st_mtime)), f'{path}')
    types = {os.path.basename(path): content_type for path, content_type in rows(database, columns='path, content_type')}
    equal((types[b'page.html'], types[b'image.png'], types[b'deep.json']), ('text/html', 'image/png', 'application/json'))
    # Not tried again, because that would be no use.
    equal({attempts for attempts, in rows(database, 'failures', 'attempts')}, {1}, 'attempts')
    tree.unlock()


@test
def indexes_what_is_there():
    # The sources: the input is real.
    folder = os.fsencode(SOURCE_ROOT / 'libosiiso-core')
    database = new_database()
    for workers in ('1', '4', '0'):
        code, out, _ = run('--database', database, '--workers', workers, folder)
        equal(code, 0, 'exit status')
        equal(dict(rows(database)), sha256sum(find(folder, b'-type', b'f')), 'files')
        contains(out, ' 0 failed\n')


@test
def forgets_what_is_gone():
    root = new_folder('gone')
    database = new_database()
    write(os.path.join(root, b'one'), b'1')
    write(os.path.join(root, b'two'), b'2')
    equal(run('--database', database, root)[0], 0, 'exit status')
    os.unlink(os.path.join(root, b'one'))
    equal(run('--database', database, root)[0], 0, 'exit status')
    equal([path for path, _ in rows(database)], [os.path.join(root, b'two')], 'files')


@test
def is_interrupted():
    root = new_folder('interrupted')
    path = os.path.join(root, b'big')
    write(os.path.join(root, b'small'), b'small')
    with open(path, 'wb') as file:
        # It takes hours to read, but no place.
        file.truncate(BIG)
    database = new_database()
    process = popen('--database', database, root)
    while process.poll() is None and not has_open(process.pid, path):
        time.sleep(0.01)
    process.send_signal(signal.SIGINT)
    code, out, err = index_utils.communicate(process)
    equal(code, 130, f'exit status (stderr: {err!r})')
    contains(out, ', stopped\n')
    assert path not in dict(rows(database))


def has_open(pid, path):
    try:
        return any(os.readlink(f'/proc/{pid}/fd/{name}') == os.fsdecode(path) for name in os.listdir(f'/proc/{pid}/fd'))
    except OSError:
        return False


@test
def says_what_is_wrong():
    code, _, err = run('--database', '/nonexistent/index.db', index_utils.scratch)
    equal(code, 2, 'exit status')
    contains(err, '/nonexistent/index.db')
    for arguments in ((), ('one', 'two'), ('--workers', '-1', 'one')):
        code, _, err = run(*arguments)
        equal(code, 2, f'exit status of {arguments}')
        contains(err, 'one folder is wanted')
    database = new_database()
    code, out, _ = run('--database', database, '/nonexistent/folder')
    equal((code, out), (1, '0 files, 0 bytes, 0 folders, 1 failed\n'))
    equal(rows(database, 'failures', 'name'), [('/nonexistent/folder',)])


# The others


@test
def retries():
    equal(example('retries'),
          'who is answered, after 3 attempts\n'
          'what is answered, after 4 attempts\n'
          'why: nobody knows why, after 1\n'
          'where is answered, after 5 attempts\n'
          '3 of 4, with 9 retries\n')


@test
def run_async():
    news, license_ = str(SOURCE_ROOT / 'NEWS'), str(SOURCE_ROOT / 'COPYING')
    counts = {path: pathlib.Path(path).read_bytes().count(b'\n') for path in (news, license_)}
    equal(example('run-async', news, license_), ''.join(f'{n} {path}\n' for path, n in counts.items()))
    equal(example('run-async', '/nonexistent', news, status=1), f'- /nonexistent\n{counts[news]} {news}\n')


@test
def processes():
    paths = [str(SOURCE_ROOT / name) for name in ('NEWS', 'README.md', 'COPYING')]
    counts = {path: len(pathlib.Path(path).read_bytes().split()) for path in paths}
    equal(example('processes', *paths), ''.join(f'{counts[path]} {path}\n' for path in paths))
    equal(example('processes', '/nonexistent', paths[0], status=1), f'- /nonexistent\n{counts[paths[0]]} {paths[0]}\n')


@test
def list_model():
    paths = sorted(str(path) for path in (SOURCE_ROOT / 'examples').glob('*.*'))
    lines = example('list-model', *paths).splitlines()
    equal(lines[:len(paths)], [f'row {i}: {path}' for i, path in enumerate(paths)])
    hashes = {os.fsdecode(path): value for path, value in sha256sum(map(os.fsencode, paths)).items()}
    equal(sorted(lines[len(paths):-1]), [f'{path}: {hashes[path]}' for path in paths])
    equal(lines[-1], 'all is well')
    lines = example('list-model', paths[0], '/nonexistent/file', status=1).splitlines()
    equal(lines[-1], '1 failed')
    assert any(line.startswith('/nonexistent/file: ') for line in lines), lines


@test
def one_thread():
    # With the plugin in Vala.
    equal(example('one-thread'), '100 notes\n')


@test
def compile_without_a_warning():
    flags = subprocess.run(['pkg-config', '--cflags', 'gio-2.0', 'sqlite3'], stdout=subprocess.PIPE, check=True,
                           encoding='utf-8').stdout.split()
    flags += [f'-I{root}/libosiiso-core' for root in (SOURCE_ROOT, BUILD_ROOT)]
    groups = [[path] for path in sorted((EXAMPLES / 'vala').glob('*.vala'))]
    groups += [sorted((EXAMPLES / 'vala/index').glob('*.vala')), [EXAMPLES / 'hello.vala'],
               [EXAMPLES / 'out-of-tree-plugin/context-thread-backend.vala']]
    for number, group in enumerate(groups):
        folder = os.path.join(index_utils.scratch, f'compiled-{number}')
        done = subprocess.run([VALAC, '-C', '--fatal-warnings', f'--directory={folder}', f'--basedir={group[0].parent}',
                               f'--vapidir={BUILD_ROOT}/introspection/vala/vapi', '--pkg=osiiso-1', '--pkg=gio-2.0',
                               '--pkg=sqlite3', '--target-glib=2.74', *map(str, group)],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, encoding='utf-8')
        equal(done.returncode, 0, f'exit status of valac, which says: {done.stdout}')
        made = sorted(map(str, pathlib.Path(folder).glob('*.c')))
        equal(len(made), len(group), 'number of C files')
        done = subprocess.run([*COMPILER, *CC_FLAGS, *flags, *made],
                              stdout=subprocess.PIPE, stderr=subprocess.STDOUT, check=False, encoding='utf-8')
        equal(done.returncode, 0, f'exit status of the C compiler, which says: {done.stdout}')


sys.exit(index_utils.main())
