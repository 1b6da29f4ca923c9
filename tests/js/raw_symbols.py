#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Compares what the module uses of the raw namespace with what is there, in TAP.

Usage: raw_symbols.py SOURCE_FOLDER GIR TYPE_SAMPLE SCRATCH

The GIR says what is there. Where ts-for-gir is found, the types that it makes of the GIR
have to let TYPE_SAMPLE pass, too.
"""
import os
import pathlib
import re
import shutil
import subprocess
import sys
import traceback
import xml.etree.ElementTree

SOURCE_FOLDER, GIR, TYPE_SAMPLE, SCRATCH = (pathlib.Path(name).resolve() for name in sys.argv[1:])
CORE = '{http://www.gtk.org/introspection/core/1.0}'
TS_FOR_GIR = os.environ.get('TS_FOR_GIR') or shutil.which('ts-for-gir')
LIMIT = 300
# Of which class the variables of the module are.
VARIABLES = {
    'Queue': r'(?:this\.core|this\._core|\bcore)',
    'WorkerChannel': r'\bchannel',
    'Backend': r'\bcore\.backend',
}
QUEUE_FILES = ('tokens.js', 'queue.js', 'calls.js')
# What GJS adds.
GOBJECT = {'connect', 'disconnect', 'constructor', 'emit'}

tests = []


def test(function):
    tests.append(function)
    return function


class Namespace:
    def __init__(self, path):
        root = xml.etree.ElementTree.parse(path).getroot().find(f'{CORE}namespace')
        self.members = {}
        self.names = set()
        for element in root:
            name = element.get('name')
            self.names.add(name)
            self.members[name] = found = set()
            for child in element:
                if child.get('introspectable') == '0' or child.get('name') is None:
                    continue
                kind = child.tag.removeprefix(CORE)
                if kind in ('method', 'constructor', 'function', 'virtual-method', 'property'):
                    found.add(child.get('name').replace('-', '_'))
                elif kind == 'member':
                    found.add(child.get('name').upper())


namespace = Namespace(GIR)
sources = {path.name: re.sub(r'^\s*//.*$', '', path.read_text(encoding='utf-8'), flags=re.MULTILINE)
           for path in sorted(SOURCE_FOLDER.glob('*.js'))}


def underscored(name):
    return re.sub(r'([A-Z])', lambda match: '_' + match.group(1).lower(), name)


@test
def names_of_the_namespace():
    n = 0
    for file, text in sources.items():
        for name, member in re.findall(r'\bOsiiso\.([A-Z]\w*)(?:\.([A-Za-z]\w*))?', text):
            n += 1
            assert name in namespace.names, f'{file} uses Osiiso.{name}, which is not there'
            if member not in ('', 'prototype'):
                assert member in namespace.members[name], f'{file} uses Osiiso.{name}.{member}, which is not there'
        for names in re.findall(r'const \{([^}]*)\} = Osiiso;', text):
            for name in re.split(r'[\s,]+', names.strip()):
                assert name in namespace.names, f'{file} uses Osiiso.{name}, which is not there'
                for member in re.findall(rf'\b{name}\.([A-Z_]+)\b', text):
                    assert member in namespace.members[name], f'{file} uses {name}.{member}, which is not there'
                n += 1
    assert n > 40, f'only {n} uses were found'


@test
def members_of_objects():
    n = 0
    for file, text in sources.items():
        for kind, variable in VARIABLES.items():
            if kind == 'Queue' and file not in QUEUE_FILES:
                continue
            if kind == 'Queue' and file == 'calls.js':
                # There 'core' alone is a handle.
                variable = r'(?:this\._tokens|tokens)\.core'
            for member in re.findall(variable + r'\.(\w+)\b', text):
                if member in GOBJECT or (file == 'core-options.js'):
                    continue
                n += 1
                assert underscored(member) in namespace.members[kind], f'{file} uses {member} of a {kind}, which is not there'
    assert n > 30, f'only {n} uses were found'


def types_by_ts_for_gir():
    tool = TS_FOR_GIR
    beside = pathlib.Path(tool).parent / 'tsc'
    compiler = str(beside) if beside.exists() else shutil.which('tsc')
    folder = SCRATCH / 'ts-for-gir'
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    subprocess.run([tool, 'generate', 'Osiiso-1', '-g', GIR.parent, '-g', '/usr/share/gir-1.0', '-o', folder / 'types',
                    '--ignoreVersionConflicts'], check=True, timeout=LIMIT, cwd=folder, stdin=subprocess.DEVNULL,
                   stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
    shutil.copy(TYPE_SAMPLE, folder / 'sample.ts')
    (folder / 'module').symlink_to(SOURCE_FOLDER)
    done = subprocess.run([compiler, '--strict', '--noEmit', '--skipLibCheck', '--target', 'es2022', '--module', 'es2022',
                           '--moduleResolution', 'bundler', '--lib', 'es2022', 'sample.ts', 'types/index.d.ts'], cwd=folder,
                          timeout=LIMIT, check=False, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE,
                          stderr=subprocess.STDOUT, encoding='utf-8')
    assert done.returncode == 0, done.stdout


# Debian does not have it; npm install -g @ts-for-gir/cli does.
if TS_FOR_GIR:
    test(types_by_ts_for_gir)


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


main()
