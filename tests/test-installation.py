#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Installs the library into a prefix that nobody searches, and uses it there, in TAP.

Usage: test-installation.py SOURCE_ROOT BUILD_ROOT MESON LANGUAGES COMPILER...

LANGUAGES are those of c, python, js and vala that there is something installed for,
separated by commas. The environment of the programs is what docs/installation.md says
and nothing else. The same is done with BUILD_ROOT, which is not installed.
"""
import json
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback

SOURCE_ROOT, BUILD_ROOT, MESON, LANGUAGES, *COMPILER = sys.argv[1:]
SOURCE_ROOT = pathlib.Path(SOURCE_ROOT)
BUILD_ROOT = pathlib.Path(BUILD_ROOT)
LANGUAGES = LANGUAGES.split(',')
EXAMPLES = SOURCE_ROOT / 'examples'
PYTHON = '/usr/bin/python3'
SQUARES = '0\n1\n4\n9\n16\n'
# Far more than anything here takes, on a machine that does other things too.
LIMIT = 500
# What would find the library in another place.
FOREIGN = ('GI_TYPELIB_PATH', 'GJS_PATH', 'LD_LIBRARY_PATH', 'PKG_CONFIG_PATH', 'PYTHONPATH', 'XDG_DATA_DIRS',
           'DESTDIR', 'MALLOC_CHECK_', 'G_DEBUG', 'G_SLICE')

scratch = pathlib.Path(tempfile.mkdtemp(prefix='installation-', dir=BUILD_ROOT))
prefix = scratch / 'prefix'
tests = []


def test(function=None, language='c'):
    if function is None:
        return lambda found: test(found, language)
    if language in LANGUAGES:
        tests.append(function)
    return function


def clean_environment(**variables):
    env = {key: value for key, value in os.environ.items()
           if not key.startswith(('OSIISO_', 'G_TEST_')) and key not in FOREIGN}
    env.update({key: str(value) for key, value in variables.items()}, PYTHONDONTWRITEBYTECODE='1', LC_ALL='C.UTF-8')
    # A test that runs inside of ninja must not make the inner one wait for it.
    env.pop('MAKEFLAGS', None)
    return env


def installed(*names):
    """What docs/installation.md tells to set, of which a program gets what it needs."""
    lib = prefix / 'lib'
    known = {
        'PKG_CONFIG_PATH': lib / 'pkgconfig',
        'LD_LIBRARY_PATH': lib,
        'GI_TYPELIB_PATH': lib / 'girepository-1.0',
        'PYTHONPATH': next(iter(lib.glob('python3*/*-packages')), ''),
        'XDG_DATA_DIRS': f'{prefix}/share:/usr/local/share:/usr/share',
    }
    return {name: known[name] for name in names}


def run(*command, folder=scratch, **variables):
    done = subprocess.run([str(word) for word in command], cwd=folder, env=clean_environment(**variables),
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=LIMIT, check=False, encoding='utf-8')
    assert done.returncode == 0, f'{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}'
    return done.stdout


def pkg_config(*arguments, **variables):
    return run('pkg-config', *arguments, 'osiiso-1', **(variables or installed('PKG_CONFIG_PATH'))).split()


def write(name, text):
    path = scratch / name
    path.write_text(text, encoding='utf-8')
    return path


def install():
    build = scratch / 'build'
    options = ['-Dexamples=disabled', '-Dbinding_tests=disabled']
    if 'python' in LANGUAGES or 'js' in LANGUAGES:
        options += ['-Dintrospection=enabled', f'-Dvapi={"enabled" if "vala" in LANGUAGES else "disabled"}']
    else:
        options += ['-Dintrospection=disabled', '-Dvapi=disabled']
    run(MESON, 'setup', build, SOURCE_ROOT, f'--prefix={prefix}', '--libdir=lib', '--buildtype=debug', *options)
    # Everything that is installed, and none of the tests beside.
    places = json.loads(run(MESON, 'introspect', '--targets', build))
    wanted = [os.path.relpath(name, build) for target in places if target['installed'] for name in target['filename']]
    run('ninja', '-C', build, *wanted)
    run(MESON, 'install', '-C', build, '--no-rebuild', '--quiet')
    # What is used has to be what was installed.
    shutil.rmtree(build)


@test
def installs():
    install()


@test
def everything_is_there():
    # The table of docs/installation.md.
    wanted = ['lib/libosiiso-1.so', 'lib/pkgconfig/osiiso-1.pc', 'include/osiiso-1/osiiso.h',
              'lib/osiiso-1/backends/libosiiso-backend-thread-pool.so',
              'libexec/osiiso-1/osiiso-worker', 'libexec/osiiso-1/osiiso-launch', 'bin/osiiso',
              'bin/osiiso-backend-conformance', 'share/man/man1/osiiso.1',
              'share/man/man1/osiiso-backend-conformance.1', 'lib/osiiso-1/modules/libosiiso-conformance.so',
              'share/fish/vendor_completions.d/osiiso.fish',
              'share/bash-completion/completions/osiiso', 'share/zsh/site-functions/_osiiso']
    if 'python' in LANGUAGES or 'js' in LANGUAGES:
        wanted += ['share/gir-1.0/Osiiso-1.gir', 'lib/girepository-1.0/Osiiso-1.typelib', 'share/osiiso-1/worker.js',
                   'share/osiiso-1/osiiso.js', 'share/gjs-1.0/overrides/Osiiso.js',
                   'lib/python3*/*-packages/osiiso/__init__.py', 'lib/python3*/*-packages/gi/overrides/Osiiso.py']
    if 'vala' in LANGUAGES:
        wanted += ['share/vala/vapi/osiiso-1.vapi', 'share/vala/vapi/osiiso-1.deps']
    missing = [pattern for pattern in wanted if len(list(prefix.glob(pattern))) != 1]
    assert not missing, f'{missing} is not there'
    # Nothing of ours hides what belongs to others.
    assert not list(prefix.glob('lib/python3*/*-packages/gi/__init__.py'))


@test
def pkg_config_names_what_is_there():
    names = ['backenddir', 'moduledir', 'workerdir', 'conformance']
    names += ['jsworker'] if 'js' in LANGUAGES else []
    names += ['vapidir'] if 'vala' in LANGUAGES else []
    for name in names:
        place, = pkg_config(f'--variable={name}')
        assert place.startswith(f'{prefix}/'), f'{name} is {place}'
        assert os.path.exists(place), f'{name} is {place}, which is not there'
    backends, = pkg_config('--variable=backenddir')
    names = {name.name for name in pathlib.Path(backends).iterdir()}
    assert {f'libosiiso-backend-{name}.so' for name in ('main-loop', 'thread-pool', 'subprocess')} <= names, names
    assert pkg_config('--modversion') and pkg_config('--variable=backend_abi') == ['1']


@test
def tools_work_without_a_variable():
    assert run(prefix / 'bin/osiiso', 'run', '-k', 'echo', ':::', 'a', 'b') == 'a\nb\n'
    names = {line.split()[0] for line in run(prefix / 'bin/osiiso', 'backends').splitlines() if line[:1].isalpha()}
    assert {'main-loop', 'thread-pool', 'subprocess'} <= names, names


@test
def program_in_c():
    flags = pkg_config('--cflags', '--libs')
    run(*COMPILER, '-Wall', '-Werror', EXAMPLES / 'hello.c', '-o', 'hello-c', *flags)
    assert run('./hello-c', **installed('LD_LIBRARY_PATH')) == SQUARES
    # Or with the place in the program.
    libdir, = pkg_config('--variable=libdir')
    run(*COMPILER, EXAMPLES / 'hello.c', '-o', 'hello-c', *flags, f'-Wl,-rpath,{libdir}')
    assert run('./hello-c') == SQUARES


@test(language='python')
def program_in_python():
    raw = installed('GI_TYPELIB_PATH', 'LD_LIBRARY_PATH')
    assert run(PYTHON, EXAMPLES / 'hello.py', **raw) == SQUARES
    script = write('package.py', '''
import osiiso

def main():
    with osiiso.ThreadQueue(workers=2) as queue:
        print(queue.group(abs, [-1, -2]).values())
    with osiiso.ProcessQueue(workers=1) as queue:
        handle = queue.submit(pow, 2, 5)
        queue.run()
        print(handle.value())

if __name__ == '__main__':
    main()
''')
    whole = installed('GI_TYPELIB_PATH', 'LD_LIBRARY_PATH', 'PYTHONPATH')
    found = run(PYTHON, script, **whole)
    assert found == '(1, 2)\n32\n', found
    script = write('raw.py', '''
import gi
gi.require_version('Osiiso', '1')
from gi.repository import Osiiso
with Osiiso.Queue.new('thread-pool') as queue:
    print([handle.result() for handle in queue.map(pow, [(2, 3), (3, 2)])])
''')
    places = installed('GI_TYPELIB_PATH', 'LD_LIBRARY_PATH', 'PYTHONPATH')
    assert run(PYTHON, script, **places) == '[8, 9]\n'
    for name in ('osiiso/py.typed', 'gi-stubs/py.typed', 'gi-stubs/__init__.pyi', 'gi-stubs/repository/__init__.pyi',
                 'gi-stubs/repository/Osiiso.pyi'):
        assert (pathlib.Path(places['PYTHONPATH']) / name).exists(), f'{name} is not there'
    # The override of the raw namespace lies beside the package.
    assert run(PYTHON, EXAMPLES / 'hello.py', **whole) == SQUARES
    script = write('override.py', '''
import gi
gi.require_version('Osiiso', '1')
from gi.repository import Osiiso

queue = Osiiso.Queue.new('thread-pool')
print(queue.submit(pow, 2, 10, retries=2).result())
''')
    assert run(PYTHON, script, **whole) == '1024\n'


@test(language='js')
def program_in_javascript():
    assert run('gjs', '-m', EXAMPLES / 'hello.js', **installed('GI_TYPELIB_PATH', 'LD_LIBRARY_PATH')) == SQUARES
    write('work.js', 'export function square(x) { return x * x; }\n')
    script = write('module.js', f'''
import {{ProcessPool, Queue, resolve}} from 'file://{prefix}/share/osiiso-1/osiiso.js';

const queue = new Queue({{backend: 'main-loop'}});
print(await queue.submit(async () => 6 * 7).value());
await queue.close();

const pool = new ProcessPool({{module: resolve('./work.js', import.meta.url), workers: 1}});
print(await pool.call('square', 12));
await pool.close();
''')
    override = write('override.js', '''
import Osiiso from 'gi://Osiiso?version=1';

const {Queue} = await Osiiso.importModule();
const queue = new Queue({backend: 'main-loop'});
print(await queue.submit(() => 'found').value());
await queue.close();
''')
    raw = installed('GI_TYPELIB_PATH', 'LD_LIBRARY_PATH', 'XDG_DATA_DIRS')
    assert run('gjs', '-m', override, **raw) == 'found\n'
    # The module finds its library by itself, and so do its workers.
    found = run('gjs', '-m', script)
    assert found == '42\n144\n', found


@test(language='vala')
def program_in_vala():
    run('valac', '--fatal-warnings', '-X', '-w', '--pkg', 'osiiso-1', '--pkg', 'gio-2.0', '-o', 'hello-vala',
        EXAMPLES / 'hello.vala', **installed('PKG_CONFIG_PATH', 'XDG_DATA_DIRS'))
    assert run('./hello-vala', **installed('LD_LIBRARY_PATH')) == SQUARES
    # Or with the folder by name, as build systems do it.
    vapidir, = pkg_config('--variable=vapidir')
    run('valac', '--fatal-warnings', '-C', f'--vapidir={vapidir}', '--pkg', 'osiiso-1', '--pkg', 'gio-2.0',
        EXAMPLES / 'hello.vala')


@test
def plugins_are_built_and_found():
    build = scratch / 'plugins'
    names = ['own-thread'] + (['context-thread'] if 'vala' in LANGUAGES else [])
    env = installed('PKG_CONFIG_PATH', 'XDG_DATA_DIRS', 'LD_LIBRARY_PATH')
    run(MESON, 'setup', build, EXAMPLES / 'out-of-tree-plugin', f'--prefix={prefix}', '--libdir=lib', '--werror',
        f'-Dvala={"enabled" if "vala" in LANGUAGES else "disabled"}', **env)
    run('ninja', '-C', build, **env)
    # The conformance test that was installed.
    found = run(MESON, 'test', '-C', build, '--no-rebuild', '--print-errorlogs', **env)
    for name in names:
        assert any(name in line and ' OK ' in line for line in found.splitlines()), found
    run(MESON, 'install', '-C', build, '--no-rebuild', '--quiet', **env)
    listed = run(prefix / 'bin/osiiso', 'backends')
    for name in names:
        assert name in listed, listed


@test
def stack_of_own_thread():
    source = write('stack.c', '''
#include <osiiso.h>
#include <string.h>

#define SIZE (48 * 1024 * 1024)

static void
use_stack (OsiisoAttempt *attempt, gpointer unused)
{
  volatile char big[SIZE];

  for (int i = 0; i < SIZE; i += 4096)
    big[i] = 1;
  osiiso_attempt_return_int (attempt, big[SIZE - 4096]);
}

int
main (void)
{
  g_autoptr (GError) error = NULL;
  g_autoptr (OsiisoBackend) backend = osiiso_backend_create ("own-thread", &error);
  g_autoptr (OsiisoQueue) queue = NULL;
  g_autoptr (OsiisoRunSummary) summary = NULL;

  g_assert_no_error (error);
  queue = osiiso_queue_new_with_backend (backend);
  g_object_set (backend, "stack-size", (guint64) 1, NULL);
  g_assert_false (osiiso_queue_start (queue, &error));
  g_assert_error (error, OSIISO_QUEUE_ERROR, OSIISO_QUEUE_ERROR_INVALID);
  g_print ("%s\\n", error->message);
  g_clear_error (&error);

  g_object_set (backend, "stack-size", (guint64) 64 * 1024 * 1024, NULL);
  osiiso_queue_push (queue, use_stack, NULL, NULL, NULL, &error);
  g_assert_no_error (error);
  summary = osiiso_queue_run (queue, NULL, &error);
  g_assert_no_error (error);
  g_assert_true (osiiso_run_summary_check (summary, &error));
  return 0;
}
''')
    run(*COMPILER, source, '-o', 'stack', *pkg_config('--cflags', '--libs'))
    said = run('./stack', **installed('LD_LIBRARY_PATH'))
    assert said.startswith('stack-size is 1 bytes; it has to be 0, or '), said


# Without installing anything.

def devenv(*command):
    return run(MESON, 'devenv', '-C', BUILD_ROOT, '-w', scratch, *command)


@test
def uninstalled_in_c():
    uninstalled = {'PKG_CONFIG_PATH': BUILD_ROOT / 'meson-uninstalled'}
    flags = pkg_config('--cflags', '--libs', **uninstalled)
    run(*COMPILER, '-Wall', '-Werror', EXAMPLES / 'hello.c', '-o', 'hello-uninstalled', *flags)
    assert devenv('./hello-uninstalled') == SQUARES
    for name in ('backenddir', 'workerdir', 'conformance'):
        place, = pkg_config(f'--variable={name}', **uninstalled)
        assert os.path.exists(place), f'{name} is {place}, which is not there'
    # The environment has that folder too.
    assert devenv('pkg-config', '--variable=workerdir', 'osiiso-1').strip() == str(BUILD_ROOT / 'tools')


@test
def plugins_are_built_uninstalled():
    build = scratch / 'uninstalled-plugins'
    devenv(MESON, 'setup', build, EXAMPLES / 'out-of-tree-plugin', '--werror', '-Dvala=disabled')
    run('ninja', '-C', build)
    found = devenv('env', f'OSIISO_BACKEND_PATH={build}', BUILD_ROOT / 'tests/osiiso-backend-conformance',
                   '--backend', 'own-thread', '-p', '/conformance/wake')
    assert 'ok 1 ' in found and 'not ok' not in found, found


@test(language='python')
def uninstalled_in_python():
    assert devenv(PYTHON, EXAMPLES / 'hello.py') == SQUARES
    assert devenv(PYTHON, '-c', 'import osiiso; print(osiiso.tmap(abs, [-1]))') == '(1,)\n'


@test(language='js')
def uninstalled_in_javascript():
    assert devenv('gjs', '-m', EXAMPLES / 'hello.js') == SQUARES
    script = write('uninstalled.js', f'''
import {{Queue}} from 'file://{SOURCE_ROOT}/introspection/js/osiiso.js';

const queue = new Queue({{backend: 'main-loop'}});
print(await queue.submit(() => 'done').value());
await queue.close();
''')
    assert devenv('gjs', '-m', script) == 'done\n'


@test(language='vala')
def uninstalled_in_vala():
    devenv('sh', '-c', 'valac --fatal-warnings -X -w --pkg osiiso-1 --pkg gio-2.0 '
           f'-o hello-vala-uninstalled {EXAMPLES}/hello.vala')
    assert devenv('./hello-vala-uninstalled') == SQUARES


def main():
    print(f'1..{len(tests)}')
    failed = 0
    try:
        for number, function in enumerate(tests, 1):
            name = function.__name__.replace('_', ' ')
            try:
                function()
                print(f'ok {number} - {name}')
            except Exception:  # whatever it is, the others are tested too
                failed = 1
                print(f'not ok {number} - {name}')
                for line in traceback.format_exc().splitlines():
                    print('#', line)
            sys.stdout.flush()
    finally:
        shutil.rmtree(scratch)
    return failed


sys.exit(main())
