# SPDX-License-Identifier: LGPL-2.1-or-later
"""The code of the documents of the first version, unchanged.

Each file in documents/ has the blocks of one document. Behind the title of a block
is how it is meant to be run: with which queue ``q``, or as a program. Names that a
document takes for granted are functions and data from here.
"""
import ast
import asyncio
import inspect
import pathlib
import re
import subprocess
import sys
import types

import pytest

import osiiso

FOLDER = pathlib.Path(__file__).parent / 'documents'


def blocks():
    for path in sorted(FOLDER.glob('*.txt')):
        for part in re.split(r'(?m)^## ', path.read_text())[1:]:
            title, code = part.split('\n', 1)
            name, ways = title.rsplit(': ', 1)
            for way in ways.split():
                yield pytest.param(way, code, id=f'{path.stem}: {name}, {way}')


def plain(*args, **kwargs):
    return args, kwargs


async def coroutine(*args, **kwargs):
    await asyncio.sleep(0)
    return args, kwargs


FUNCTIONS = ['fetch_user', 'download', 'fetch', 'add', 'request', 'process_record', 'extract', 'transform', 'load',
             'compute_stats', 'write_file', 'write_row', 'read_file', 'work']


def names(fn, queue):
    return {**dict.fromkeys(FUNCTIONS, fn), 'osiiso': osiiso, 'AsyncQueue': osiiso.AsyncQueue, 'q': queue,
            'urls': ['a', 'b'], 'url': 'a', 'records': [{'a': 1}], 'raw_records': [1], 'destination': 'there',
            'tasks': [(fn, 1)], 'retry_opts': osiiso.TaskOptions(retries=3), 'path': 'file', 'data': [1], 'row': (1,),
            'paths': ['a', 'b'], 'group': queue.group(fn, [1, 2], group_id='given') if queue is not None else None,
            '__name__': '__main__'}


@pytest.mark.parametrize('way, code', blocks())
def test_block(way, code, tmp_path, capsys):
    if way == 'signature':
        check_signature(code)
    elif way == 'program' or way == 'process':
        if way == 'process':
            if not hasattr(osiiso, 'ProcessQueue'):
                return
            code = 'import osiiso\npaths = ["a", "b"]\n' + code + '    assert summary.ok, summary\n'
        program = tmp_path / 'program.py'
        program.write_text(code)
        done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
        assert done.returncode == 0 and done.stderr == '', done.stderr
    elif way == 'thread':
        given = names(plain, osiiso.ThreadQueue(workers=2))
        exec(compile(code, 'block', 'exec'), given)
        check(given)
        given['q'].shutdown()
        assert all(result.status == 'succeeded' for result in given['q'].results)
    elif way == 'async':
        asyncio.run(run_async(code))
    else:
        given = {'osiiso': osiiso, 'main': lambda: asyncio.sleep(0, 5)}
        exec(code, given)
        assert given['result'] == 5


async def run_async(code):
    given = names(coroutine, osiiso.AsyncQueue(workers=2))
    given['handles'] = given['q'].map(coroutine, [1, 2])
    await given['q'].start()
    flags = ast.PyCF_ALLOW_TOP_LEVEL_AWAIT
    value = types.FunctionType(compile(code, 'block', 'exec', flags=flags), given)()
    if inspect.isawaitable(value):
        await value
    check(given)
    await given['q'].shutdown()
    assert all(result.status == 'succeeded' for result in given['q'].results)


def check(given):
    """What the code has left is of the kind that it says."""
    for name, kind in {'summary': osiiso.RunSummary, 'group_summary': osiiso.RunSummary, 'values': tuple,
                       'cancelled': int, 'count': int, 'result': osiiso.TaskResult}.items():
        assert isinstance(given.get(name, kind.__new__(kind)), kind)
    if 'summary' in given:
        assert given['summary'].failed == given['summary'].cancelled == 0


def check_signature(code):
    """All that it shows is there, with the same default value, or one that means the same."""
    name, rest = code.split('(', 1)
    tree = ast.parse(f'def {name}({rest.strip()}: pass').body[0]
    parameters = inspect.signature(getattr(osiiso, name)).parameters
    for argument, default in zip(tree.args.kwonlyargs, tree.args.kw_defaults):
        parameter = parameters[argument.arg]
        assert parameter.kind is parameter.KEYWORD_ONLY
        assert parameter.default == ast.literal_eval(default) or argument.arg == 'on_exit'


def readme_blocks():
    text = pathlib.Path(__file__).parents[2].joinpath('README.md').read_text(encoding='utf-8')
    found = [code for code in re.findall(r'(?ms)^```python\n(.*?)^```', text) if 'import osiiso' in code]
    assert len(found) >= 2
    return found


@pytest.mark.parametrize('code', readme_blocks())
def test_readme(code, tmp_path):
    """It prints what the comments say."""
    program = tmp_path / 'program.py'
    program.write_text(code)
    done = subprocess.run([sys.executable, program], capture_output=True, text=True, timeout=60)
    assert done.stderr == ''
    assert done.stdout.splitlines() == re.findall(r'(?m)^ *print\(.*\) +# (.*)$', code)
