#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Looks whether GJS finds the module and the override, wherever they are, in TAP.

Usage: places.py SOURCE_ROOT BUILD_ROOT MESON GJS DATADIR LIBDIR BACKENDDIR LIBEXECDIR

Everything is installed below a folder that nobody searches and whose name needs to be
escaped in a URI.
"""
import os
import pathlib
import shutil
import subprocess
import sys
import tempfile
import traceback
import urllib.parse

SOURCE_ROOT, BUILD_ROOT, MESON, GJS, DATADIR, LIBDIR, BACKENDDIR, LIBEXECDIR = sys.argv[1:]
# What would find something in another place.
FOREIGN = ('GI_TYPELIB_PATH', 'GJS_PATH', 'LD_LIBRARY_PATH', 'XDG_DATA_DIRS', 'DESTDIR', 'G_DEBUG', 'MALLOC_CHECK_',
           'G_SLICE', 'OSIISO_BACKEND_PATH', 'OSIISO_LIBEXEC_PATH', 'OSIISO_MODULE_PATH')
LIMIT = 100

scratch = pathlib.Path(tempfile.mkdtemp(prefix='js-places-', dir=BUILD_ROOT))
top = scratch / 'odd prefix, 100%41 ünï'
tests = []


def test(function):
    tests.append(function)
    return function


def below(folder):
    """Where that folder of the prefix is."""
    return pathlib.Path(f'{top}{folder}')


def uri(path):
    return 'file://' + urllib.parse.quote(str(path))


def run(program, folder=scratch, arguments=(), **variables):
    """What a program in JavaScript prints."""
    env = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    # These are places of the prefix, which is not the one that was configured.
    env.update({'OSIISO_BACKEND_PATH': str(below(BACKENDDIR)), 'OSIISO_LIBEXEC_PATH': str(below(LIBEXECDIR)),
                'LC_ALL': 'C.UTF-8'})
    env.update({key: str(value) for key, value in variables.items()})
    file = folder / 'program.js'
    file.write_text(program, encoding='utf-8')
    done = subprocess.run([GJS, *arguments, str(file)], cwd=folder, env=env, stdin=subprocess.DEVNULL,
                          stdout=subprocess.PIPE, stderr=subprocess.PIPE, timeout=LIMIT, check=False, encoding='utf-8')
    assert done.returncode == 0, f'it ended with {done.returncode}:\n{done.stdout}{done.stderr}'
    return done.stdout


WORK = '''
const queue = new Queue();
const group = queue.map(async n => n * n, [1, 2, 3]);
print(await group.values());
'''
# Which library it is, and whether the override is there.
LOOK = '''
import GLib from 'gi://GLib';
const maps = new TextDecoder().decode(GLib.file_get_contents('/proc/self/maps')[1]);
print(maps.split('\\n').find(line => line.includes('libosiiso-1.so')).replace(/^[^/]*/, ''));
print(typeof Osiiso.importModule);
'''


def check(output, library):
    values, found, override = output.splitlines()
    assert values == '1,4,9', values
    assert os.path.samefile(found, library / 'libosiiso-1.so.0'), f'{found} is not in {library}'
    assert override == 'function', override


@test
def installs():
    env = {key: value for key, value in os.environ.items() if key not in FOREIGN}
    subprocess.run([MESON, 'install', '-C', BUILD_ROOT, '--no-rebuild', '--quiet'], check=True, timeout=LIMIT,
                   env=env | {'DESTDIR': str(top)}, stdin=subprocess.DEVNULL, stdout=sys.stderr)


@test
def by_uri_without_a_variable():
    module = uri(below(DATADIR) / 'osiiso-1/osiiso.js')
    output = run(f"import {{Osiiso, Queue}} from '{module}';\n{WORK}{LOOK}", arguments=['-m'])
    check(output, below(LIBDIR))


@test
def by_uri_and_then_raw():
    module = uri(below(DATADIR) / 'osiiso-1/osiiso.js')
    output = run(f"import {{Queue}} from '{module}';\n"
                 f"const Osiiso = (await import('gi://Osiiso?version=1')).default;\n{WORK}{LOOK}", arguments=['-m'])
    check(output, below(LIBDIR))


@test
def main_loop_at_the_top():
    """Promises are settled in a main loop, because the import awaits nothing."""
    module = uri(below(DATADIR) / 'osiiso-1/osiiso.js')
    output = run(f"""import GLib from 'gi://GLib';
import {{Queue}} from '{module}';
const loop = new GLib.MainLoop(null, false);
new Queue().submit(async () => 7).value().then(value => {{ print(value); loop.quit(); }});
loop.run();
""", arguments=['-m'])
    assert output == '7\n', output


def search_variables():
    return {
        'GI_TYPELIB_PATH': below(LIBDIR) / 'girepository-1.0',
        'LD_LIBRARY_PATH': below(LIBDIR),
        'XDG_DATA_DIRS': f'{below(DATADIR)}:/usr/local/share:/usr/share',
    }


@test
def raw_then_module():
    output = run("import Osiiso from 'gi://Osiiso?version=1';\n"
                 f"const {{Queue}} = await Osiiso.importModule();\n{WORK}{LOOK}", arguments=['-m'], **search_variables())
    check(output, below(LIBDIR))


@test
def legacy_script():
    output = run("""imports.gi.versions.Osiiso = '1';
const {GLib, Osiiso} = imports.gi;
const loop = GLib.MainLoop.new(null, false);
Osiiso.importModule().then(({Queue}) => new Queue().submit(() => 'legacy').value()).then(value => {
    print(value);
    loop.quit();
});
loop.run();
""", **search_variables())
    assert output == 'legacy\n', output


@test
def relative_to_a_module_in_the_prefix():
    folder = below(DATADIR) / 'an app, 5% ö'
    folder.mkdir()
    output = run(f"import {{Osiiso, Queue}} from '../osiiso-1/osiiso.js';\n{WORK}{LOOK}", folder=folder, arguments=['-m'])
    check(output, below(LIBDIR))


@test
def copied_into_an_application():
    """Without what the installation says, the environment says where the library is."""
    folder = scratch / 'application'
    shutil.copytree(below(DATADIR) / 'osiiso-1', folder / 'vendor')
    (folder / 'vendor/places.json').unlink()
    output = run(f"import {{Queue, Osiiso}} from './vendor/osiiso.js';\n{WORK}{LOOK}", folder=folder, arguments=['-m'],
                 **search_variables())
    check(output, below(LIBDIR))


@test
def in_a_resource():
    compiler = shutil.which('glib-compile-resources')
    assert compiler, 'there is no glib-compile-resources'
    folder = below(DATADIR) / 'osiiso-1'
    files = ''.join(f'<file>{path.name}</file>' for path in sorted(folder.glob('*.js')))
    (scratch / 'app.xml').write_text(f'<gresources><gresource prefix="/org/example/app">{files}</gresource></gresources>',
                                     encoding='utf-8')
    subprocess.run([compiler, f'--sourcedir={folder}', f'--target={scratch / "app.gresource"}', scratch / 'app.xml'],
                   check=True, timeout=LIMIT, stdin=subprocess.DEVNULL)
    variables = search_variables()
    del variables['XDG_DATA_DIRS']
    output = run(f"""import Gio from 'gi://Gio';
Gio.resources_register(Gio.Resource.load('{scratch / "app.gresource"}'));
const {{Queue}} = await import('resource:///org/example/app/osiiso.js');
{WORK}""", arguments=['-m'], **variables)
    assert output == '1,4,9\n', output


@test
def functions_of_processes():
    module = uri(below(DATADIR) / 'osiiso-1/osiiso.js')
    (scratch / 'work ü.js').write_text('export const twice = x => x * 2;\n', encoding='utf-8')
    output = run(f"""import {{Queue}} from '{module}';
const queue = new Queue({{backend: 'subprocess', workers: 1}});
print(await queue.call('{uri(scratch / 'work ü.js')}', 'twice', [21]).value());
await queue.close();
""", arguments=['-m'])
    assert output == '42\n', output


@test
def build_tree():
    """In the environment of `meson devenv`."""
    built = pathlib.Path(BUILD_ROOT)
    env = {
        'GI_TYPELIB_PATH': built / 'introspection',
        'LD_LIBRARY_PATH': built / 'libosiiso-core',
        'GJS_PATH': pathlib.Path(SOURCE_ROOT) / 'introspection/js',
        'OSIISO_BACKEND_PATH': os.environ['OSIISO_BACKEND_PATH'],
    }
    told = subprocess.run([MESON, 'devenv', '-C', BUILD_ROOT, '--dump'], check=True, timeout=LIMIT,
                          stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, encoding='utf-8').stdout
    for name, value in env.items():
        assert f'{name}=' in told and str(value).split(':')[0] in told, f'meson devenv does not set {name} to {value}'
    output = run("import Osiiso from 'gi://Osiiso?version=1';\n"
                 f"const {{Queue}} = await Osiiso.importModule();\n{WORK}{LOOK}", arguments=['-m'], **env)
    check(output, built / 'libosiiso-core')


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
