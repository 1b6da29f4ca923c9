# SPDX-License-Identifier: LGPL-2.1-or-later
"""The package is typed for whoever installs it, and goes where Python looks."""
import os
import pathlib
import re
import subprocess
import sys

import pytest

SOURCES = pathlib.Path(os.environ['OSIISO_TEST_SOURCE']) / 'introspection/python'
RIGHT = """
import asyncio
import functools

import osiiso


def double(x: int) -> int:
    return 2 * x


async def fetch(name: str) -> str:
    await asyncio.sleep(0)
    return name


def told(result: osiiso.TaskResult) -> None:
    print(result.name, result.status, result.message)


def threads() -> float:
    options = osiiso.TaskOptions(priority=1, retries=2, timeout=5, metadata={'a': 1})
    with osiiso.ThreadQueue(workers=2, rate=100, burst=2, on_complete=told, on_exit='cancel', poll=.1) as queue:
        handle: osiiso.SyncTaskHandle = queue.submit(double, 1, opts=options, name='one')
        handles: list[osiiso.SyncTaskHandle] = queue.map(double, [1, 2], delay=0)
        group: osiiso.SyncTaskGroup = queue.group(functools.partial(double), [(1,), {'x': 2}], group_id='g')
        bound = queue.task(priority=0)(double)
        bound(3, retries=1).add_done_callback(lambda done: print(done.value()))
        summary: osiiso.RunSummary = queue.run(timeout=60, strict=True, fail_policy='fail_first')
        summary.display()
        for done in osiiso.iter_completed([handle, *handles], timeout=1):
            print(done.result().duration + summary.duration)
        print(group.values(timeout=1), queue.stats['pending'], handle.wait(1).value)
    return summary.duration


async def coroutines() -> tuple[object, ...]:
    async with osiiso.AsyncQueue(workers=3) as queue:
        group: osiiso.TaskGroup = queue.group(fetch, ['a', 'b'])
        first: osiiso.TaskResult = await queue.submit(fetch, 'c')
        async for handle in group.as_completed():
            print(handle.name, first.value)
        summary = await queue.run()
        print(summary.ok, [result.task_id for result in summary.errors])
    return await osiiso.amap(fetch, ['x'], workers=1)


def processes() -> None:
    with osiiso.Checkpoint(':memory:') as store, osiiso.ProcessQueue(workers=1, initializer=print) as queue:
        queue.map(double, [1], checkpoint=store, key=str, namespace='n')
        try:
            queue.run().raise_for_errors(include_cancelled=True)
        except osiiso.ExecutionError as error:
            print(error.results)
    print(osiiso.tmap(double, [1]), osiiso.pmap(double, [1]), osiiso.run(coroutines(), use_uvloop=False))
"""
WRONG = {
    'osiiso.ThreadQueue(colour=1)': 'Unexpected keyword argument "colour"',
    'osiiso.ThreadQueue(workers="2")': 'incompatible type "str"',
    'osiiso.ThreadQueue().run(5, True)': 'Too many positional arguments',
    'osiiso.ThreadQueue().submit()': 'Too few arguments',
    'osiiso.ThreadQueue().submit(print).vlaue()': 'has no attribute "vlaue"',
    'osiiso.TaskOptions(retries="many")': 'incompatible type "str"',
    'osiiso.RunSummary.from_results([])': 'Missing named argument',
    'osiiso.Queue()': 'has no attribute "Queue"',
    'x: int = osiiso.ThreadQueue().run()': 'Incompatible types in assignment',
}


@pytest.fixture(scope='module')
def python(tmp_path_factory):
    """An interpreter that has the package where packages are installed."""
    place = tmp_path_factory.mktemp('environment')
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', '--system-site-packages', place], check=True)
    (packages,) = place.glob('lib/python*/site-packages')
    (packages / 'osiiso').symlink_to(SOURCES / 'osiiso')
    return place / 'bin/python'


def check(python, tmp_path, text):
    (tmp_path / 'mypy.ini').write_text('[mypy]\nstrict = True\n')
    (tmp_path / 'program.py').write_text(text)
    environment = {name: value for name, value in os.environ.items() if name not in ('MYPYPATH', 'PYTHONPATH')}
    done = subprocess.run(['/usr/bin/mypy', '--python-executable', python, '--config-file', 'mypy.ini',
                           '--cache-dir', python.parent.parent / 'cache', 'program.py'],
                          cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=290)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    return done.stdout


def test_a_program_that_is_right(python, tmp_path):
    said = check(python, tmp_path, RIGHT)
    assert said.startswith('Success'), said


def test_programs_that_are_wrong(python, tmp_path):
    said = check(python, tmp_path, '\n'.join(['import osiiso', *WRONG]))
    for number, (line, text) in enumerate(WRONG.items(), 2):
        assert text in '\n'.join(re.findall(f'program.py:{number}: error: (.*)', said)), (line, said)


@pytest.mark.skipif(not os.path.exists('/etc/debian_version'), reason='elsewhere other places are searched')
@pytest.mark.parametrize('prefix', ['/usr', '/usr/local'])
def test_installed_where_python_looks(prefix):
    place = subprocess.run([sys.executable, SOURCES / 'package-dir.py', prefix], check=True, capture_output=True,
                           text=True).stdout.strip()
    searched = subprocess.run(['/usr/bin/python3', '-I', '-c', 'import sys; print(*sys.path, sep="\\n")'], check=True,
                              capture_output=True, text=True).stdout.splitlines()
    assert place.startswith(prefix + '/lib/python3') and place.endswith('/dist-packages')
    assert place in searched or not os.path.exists(place)
    assert f'{prefix}/lib/python3' in ''.join(searched)
