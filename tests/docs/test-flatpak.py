#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Checks the module for Flatpak that docs/installation.md shows, in TAP.

Usage: test-flatpak.py SOURCE_ROOT SCRATCH_ROOT MESON

What it sets is given to meson, and what it removes is looked for among what would be
installed.
"""
import fnmatch
import json
import pathlib
import re
import subprocess
import sys
import tempfile

ROOT, SCRATCH, MESON = sys.argv[1:]
PAGE = pathlib.Path(ROOT, 'docs', 'installation.md')
PREFIX = '/app'
# What a program needs to run, whatever language it is in.
NEEDED = ('lib/libosiiso-1.so.0', 'lib/osiiso-1/backends/libosiiso-backend-thread-pool.so',
          'lib/girepository-1.0/Osiiso-1.typelib', 'libexec/osiiso-1/osiiso-worker', 'libexec/osiiso-1/osiiso-launch',
          'share/osiiso-1/osiiso.js', 'share/osiiso-1/worker.js')
LIMIT = 250


def snippet():
    blocks = re.findall(r'^```json\n(.*?)^```$', PAGE.read_text(encoding='utf-8'), re.MULTILINE | re.DOTALL)
    assert len(blocks) == 1, f'there are {len(blocks)} blocks of JSON in {PAGE}'
    return json.loads(blocks[0])


def is_module():
    module = snippet()
    known = {'name', 'buildsystem', 'config-opts', 'cleanup', 'sources'}
    assert set(module) == known, f'{set(module) ^ known} are not the keys of a module'
    assert module['name'] == 'libosiiso' and module['buildsystem'] == 'meson'
    for source in module['sources']:
        assert source['type'] in ('archive', 'dir', 'git'), source
        assert len({'path', 'url'} & set(source)) == 1, f'{source} has not one place'
        if source['type'] == 'archive':
            version, = re.findall(r"^  version: '(.*)',$", pathlib.Path(ROOT, 'meson.build').read_text(encoding='utf-8'),
                                  re.MULTILINE)
            assert source.get('path', source.get('url')).endswith(f'libosiiso-{version}.tar.xz'), source


def options_exist():
    text = pathlib.Path(ROOT, 'meson_options.txt').read_text(encoding='utf-8')
    types = dict(re.findall(r"^option\('(\w+)', type: '(\w+)'", text, re.MULTILINE))
    values = {'feature': ('enabled', 'disabled', 'auto'), 'boolean': ('true', 'false')}
    options = snippet()['config-opts']
    assert options
    for option in options:
        name, value = re.fullmatch(r'-D(\w+)=(.+)', option).groups()
        assert name in types, f'{name} is no option of meson_options.txt'
        assert value in values.get(types[name], (value,)), f'{value} is no {types[name]}'


def run(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE,
                          timeout=LIMIT, check=False, encoding='utf-8')
    assert done.returncode == 0, f'{command} ended with {done.returncode}:\n{done.stdout}{done.stderr}'
    return done.stdout


def would_be_installed(module):
    """Paths below the prefix."""
    with tempfile.TemporaryDirectory(prefix='flatpak-', dir=SCRATCH) as folder:
        # As flatpak-builder calls it.
        run(MESON, 'setup', f'{folder}/build', ROOT, f'--prefix={PREFIX}', '--libdir=lib', '--buildtype=debugoptimized',
            *module['config-opts'])
        paths = json.loads(run(MESON, 'introspect', '--installed', f'{folder}/build')).values()
    outside = [path for path in paths if not path.startswith(f'{PREFIX}/')]
    assert not outside, f'{outside} are not below {PREFIX}'
    return {path[len(PREFIX) + 1:] for path in paths}


def is_cleaned(path, pattern):
    """As flatpak-builder has it: a pattern with a slash is a path or a folder of it,
    another one a name."""
    if not pattern.startswith('/'):
        return fnmatch.fnmatch(pathlib.PurePath(path).name, pattern)
    places = [path, *map(str, pathlib.PurePath(path).parents)]
    return any(fnmatch.fnmatch(place, pattern[1:]) for place in places)


def leaves_what_is_needed():
    module = snippet()
    installed = would_be_installed(module)
    for pattern in module['cleanup']:
        assert any(is_cleaned(path, pattern) for path in installed), f'{pattern} removes nothing of {sorted(installed)}'
    left = {path for path in installed if not any(is_cleaned(path, pattern) for pattern in module['cleanup'])}
    for path in NEEDED:
        assert any(place == path or place.startswith(f'{path}.') or f'{place}.0' == path for place in left), \
            f'{path} is not left: {sorted(left)}'
    for path in left:
        assert not path.endswith(('.h', '.pc', '.gir', '.vapi')), f'{path} is left'


def main():
    tests = (is_module, options_exist, leaves_what_is_needed)
    print(f'1..{len(tests)}')
    failed = 0
    for number, test in enumerate(tests, 1):
        try:
            test()
        except (AssertionError, AttributeError, KeyError, ValueError, OSError, subprocess.TimeoutExpired) as error:
            failed += 1
            print(f'not ok {number} - {test.__name__}')
            print(*(f'# {line}' for line in str(error).splitlines()), sep='\n')
        else:
            print(f'ok {number} - {test.__name__}')
    return failed > 0


sys.exit(main())
