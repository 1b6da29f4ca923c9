#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Tests osiiso-backend-conformance itself, in TAP.

Usage: test-conformance.py PROGRAM FAULTY_DIR PLUGIN_SOURCE BUILD_ROOT PREFIX MESON COMPILER...

It has to find what is wrong with the backends in FAULTY_DIR. And it has to work
where it is installed: into a folder of its own in BUILD_ROOT, and with a backend
that is built from PLUGIN_SOURCE with nothing but what was installed.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

PROGRAM, FAULTY_DIR, PLUGIN_SOURCE, BUILD_ROOT, PREFIX, MESON, *COMPILER = sys.argv[1:]

# Fault, the case that finds it, and what it says. Waits that come to nothing are
# given up soon; the last resort is a limit that nothing should come near.
FAULTS = [
    ('blocks', 'wake/once', 'wake() must not block'),
    ('cannot-open', 'open/open', 'open() failed: FaultyBackend could not be opened'),
    ('drops', 'tasks/each-once', 'was dropped without a report'),
    ('ignores-close', 'close/idle', 'osiiso_backend_closed() has to be called'),
    ('never-gone', 'close/force', 'it has a reference too many on itself'),
    ('never-runs', 'tasks/each-once', 'run each with osiiso_attempt_run()'),
    ('no-workers', 'open/describe', 'get_default_workers() returned 0'),
    ('not-initialized', 'init/called', 'the initializer was never called'),
    ('not-released', 'tasks/dropped', 'drop the reference on each attempt'),
    ('runs-twice', 'tasks/deferred', 'call osiiso_attempt_run() once'),
    ('takes-one', 'wake/once', 'after wake(), take until there is NULL'),
    ('wrong-thread', 'tasks/where', 'it has the capability CLOSURES, but ran'),
]
# Of which the library says it by itself, before the case can.
CRITICALS = {'runs-twice'}
GIVE_UP = 5
LIMIT = 300

tests = []


class Skip(Exception):
    pass


def test(function):
    tests.append(function)
    return function


def start(program, *arguments, **variables):
    env = {key: value for key, value in os.environ.items() if not key.startswith('OSIISO_')}
    env.update(variables)
    return subprocess.Popen([program, *arguments], env=env, stdin=subprocess.DEVNULL, text=True,
                            stdout=subprocess.PIPE, stderr=subprocess.PIPE)


def finish(process, status):
    try:
        out, err = process.communicate(timeout=LIMIT)
    except subprocess.TimeoutExpired:
        process.kill()
        raise AssertionError(f'{process.args} did not end')
    assert process.returncode == status, f'{process.args} ended with {process.returncode}:\n{out}{err}'
    return out, err


def run(*arguments, status=0, program=PROGRAM, **variables):
    return finish(start(program, *arguments, **variables), status)


def check_passed(out):
    lines = out.splitlines()
    passed = sum(line.startswith('ok ') for line in lines)
    assert passed > 20 and f'1..{passed}' in lines, f'not all cases have passed:\n{out}'


@test
def usage():
    out, _ = run('--help')
    for word in ('--backend', '--list', '--timeout', 'OSIISO_BACKEND_PATH'):
        assert word in out, f'--help does not name {word}'
    out, _ = run('--list', OSIISO_BACKEND_PATH=FAULTY_DIR)
    assert {fault[0] for fault in FAULTS} <= set(out.split()), out

    for arguments, text in (((), '--backend'),
                            (('--backend',), 'Missing argument'),
                            (('--backend', 'no-such'), "no backend 'no-such'"),
                            (('--backend', 'drops', 'stray'), "'stray' means nothing"),
                            (('--backend', 'drops', '--timeout', '0'), '1 second or more')):
        _, err = run(*arguments, status=2, OSIISO_BACKEND_PATH=FAULTY_DIR)
        assert text in err, f'{arguments}: {err}'


@test
def cases_are_listed():
    out, _ = run('--backend', 'drops', '-l', OSIISO_BACKEND_PATH=FAULTY_DIR)
    for _, case, _ in FAULTS:
        assert f'/conformance/{case}' in out.splitlines(), f'{case} is not in:\n{out}'


@test
def faults_are_found():
    # All at the same time, because each of them makes somebody wait.
    running = [(fault, start(PROGRAM, '--backend', fault[0], '-p', f'/conformance/{fault[1]}',
                             '--timeout', str(GIVE_UP), OSIISO_BACKEND_PATH=FAULTY_DIR))
               for fault in FAULTS]
    for (name, case, text), process in running:
        out, err = finish(process, 1)
        if name not in CRITICALS:
            assert f"backend '{name}' is wrong, in /conformance/{case}:\n" in err, f'{name}: {err}'
        assert text in err, f'{name}: “{text}” is not in:\n{err}'
        assert f'not ok 1 /conformance/{case}' in out, f'{name}: {out}'


@test
def simple_backend_passes():
    # The fixture of the loader's tests takes by itself and runs in wake().
    folder = os.path.dirname(os.path.normpath(FAULTY_DIR))
    out, _ = run('--backend', 'good', '--timeout', '60', OSIISO_BACKEND_PATH=folder)
    check_passed(out)


@test
def one_failure_is_not_the_end():
    out, _ = run('--backend', 'no-workers', '-p', '/conformance/open/describe', '-p', '/conformance/wake/once',
                 status=1, OSIISO_BACKEND_PATH=FAULTY_DIR)
    assert '\nok 2 /conformance/wake/once' in out, out


@test
def installed():
    if not MESON:
        raise Skip('there is no meson to install with')
    folder = pathlib.Path(tempfile.mkdtemp(prefix='installed-', dir=BUILD_ROOT))
    try:
        check_installed(folder)
    finally:
        shutil.rmtree(folder)


def check_installed(folder):
    run('install', '-C', BUILD_ROOT, '--no-rebuild', '--quiet', '--destdir', str(folder), program=MESON)
    prefix = pathlib.Path(f'{folder}{PREFIX}')
    pc_file, = prefix.glob('**/osiiso-1.pc')
    # What was installed there is not in its final place.
    text = pc_file.read_text(encoding='utf-8')
    assert f'prefix={PREFIX}\n' in text, text
    pc_file.write_text(text.replace(f'prefix={PREFIX}\n', f'prefix={prefix}\n'), encoding='utf-8')

    def pkg_config(*arguments):
        out, _ = run(*arguments, 'osiiso-1', program='pkg-config', PKG_CONFIG_PATH=str(pc_file.parent))
        return out.split()

    conformance, = pkg_config('--variable=conformance')
    assert os.access(conformance, os.X_OK), f'{conformance} cannot be run'
    plugins = folder / 'plugins'
    plugins.mkdir()
    run(*COMPILER[1:], '-shared', '-fPIC', '-o', str(plugins / 'libosiiso-backend-lone.so'), PLUGIN_SOURCE,
        *pkg_config('--cflags', '--libs'), program=COMPILER[0])

    # It finds the library by itself, wherever the folder is. A GLib that was built for a sanitizer stays.
    others = [place for place in os.environ.get('LD_LIBRARY_PATH', '').split(':') if not place.startswith(BUILD_ROOT)]

    def conforms(name, **variables):
        out, _ = run('--backend', name, '--timeout', '60', program=conformance, LD_LIBRARY_PATH=':'.join(others), **variables)
        check_passed(out)

    conforms('lone', OSIISO_BACKEND_PATH=str(plugins))
    backends, = pkg_config('--variable=backenddir')
    conforms('thread-pool', OSIISO_BACKEND_PATH=backends)


def main():
    print(f'1..{len(tests)}')
    for number, function in enumerate(tests, 1):
        name = function.__name__.replace('_', '-')
        try:
            function()
            print(f'ok {number} - {name}')
        except Skip as skip:
            print(f'ok {number} - {name} # SKIP {skip}')
        except Exception:
            print(f'not ok {number} - {name}')
            for line in traceback.format_exc().splitlines():
                print('#', line)
        sys.stdout.flush()


main()
