# SPDX-License-Identifier: LGPL-2.1-or-later
"""The types of gi.repository.Osiiso: what a program may do with it, and what not."""
import os
import pathlib
import re
import subprocess
import sys

import gi
import pytest

gi.require_version('Osiiso', '1')
from gi.repository import Osiiso  # noqa: E402

SOURCES = pathlib.Path(os.environ['OSIISO_TEST_SOURCE']) / 'introspection/python'
STUBS = pathlib.Path(os.environ['OSIISO_TEST_STUBS'])
CONFIG = """[mypy]
strict = True
python_version = 3.11
"""
RIGHT = """
import gi
gi.require_version('Osiiso', '1')
from gi.repository import Gio, Osiiso


def work(queue: Osiiso.Queue) -> int:
    handle = queue.submit(pow, 2, 10, retries=2)
    group = queue.map(abs, [1, -2])
    raw = queue.map(2, lambda attempt, *_: attempt.return_int(1), options=Osiiso.TaskOptions(retries=1))
    summary: Osiiso.RunSummary = queue.run(Gio.Cancellable())
    print(summary.props.succeeded, [member.get_index() for member in group], raw[0].result(), len(raw))
    first: Osiiso.Handle = group[0]
    some: list[Osiiso.Handle] = group[:1]
    print(some)
    if handle.get_status() == Osiiso.Status.SUCCEEDED:
        return int(str(handle.result()))
    return first.get_priority()


async def wait(queue: Osiiso.Queue) -> None:
    async with queue:
        value = await queue.submit(abs, 1)
        summary = await queue.run_async()
        print(value, summary.get_ok())
        async for handle in queue.map(abs, [1]):
            print(handle.get_name())
    with queue as same:
        try:
            same.submit(abs, -1).wait(2.5)
        except (Osiiso.TimedOut, Osiiso.Cancelled):
            pass


work(Osiiso.Queue(backend_name='thread-pool', workers=3))
"""
# Each with what is said of it.
WRONG = {
    'queue.submit(3)': 'incompatible type "int"; expected "Callable',
    'queue.map([1])': 'No overload variant',
    'Osiiso.Queue(colour=3)': 'Unexpected keyword argument "colour"',
    "queue.lookup('x')": 'expected "int"',
    'queue.lookup(3).get_name()': 'Item "None"',
    'queue.run_full()': 'Missing positional arguments',
    "queue.set_workers('many')": 'expected "int"',
    "Osiiso.Command.new(3)": 'expected "Sequence[str]"',
    'int(queue.get_context)': 'No overload variant',
}


@pytest.fixture(scope='module')
def python(tmp_path_factory):
    """An interpreter that has the stubs where packages are installed."""
    place = tmp_path_factory.mktemp('environment')
    subprocess.run([sys.executable, '-m', 'venv', '--without-pip', '--system-site-packages', place], check=True)
    (packages,) = place.glob('lib/python*/site-packages')
    installed = packages / 'gi-stubs'
    (installed / 'repository').mkdir(parents=True)
    for path in ('__init__.pyi', 'py.typed', 'repository/__init__.pyi'):
        (installed / path).write_text((SOURCES / 'gi-stubs' / path).read_text())
    (installed / 'repository/Osiiso.pyi').write_text(STUBS.read_text())
    return place / 'bin/python'


def check(python, tmp_path, *arguments):
    (tmp_path / 'mypy.ini').write_text(CONFIG)
    environment = {name: value for name, value in os.environ.items() if name not in ('MYPYPATH', 'PYTHONPATH')}
    done = subprocess.run(['/usr/bin/mypy', '--python-executable', python, '--config-file', tmp_path / 'mypy.ini',
                           '--cache-dir', python.parent.parent / 'cache', *arguments],
                          cwd=SOURCES, env=environment, capture_output=True, text=True, timeout=290)
    assert done.returncode in (0, 1) and not done.stderr, done.stderr
    return done.stdout


def test_a_program_that_is_right(python, tmp_path):
    (tmp_path / 'right.py').write_text(RIGHT)
    assert check(python, tmp_path, tmp_path / 'right.py').startswith('Success')


def test_programs_that_are_wrong(python, tmp_path):
    lines = ['from gi.repository import Osiiso', 'queue = Osiiso.Queue.new()', *WRONG]
    (tmp_path / 'wrong.py').write_text('\n'.join(lines))
    said = check(python, tmp_path, tmp_path / 'wrong.py')
    for number, (line, text) in enumerate(WRONG.items(), 3):
        of_line = '\n'.join(re.findall(f'wrong.py:{number}: error: (.*)', said))
        assert text in of_line, (line, said)


def test_the_override(python, tmp_path):
    said = check(python, tmp_path, '--explicit-package-bases', '--allow-subclassing-any', '--allow-untyped-decorators',
                 '--no-warn-return-any', *sorted((SOURCES / 'gi/overrides').glob('*.py')))
    assert said.startswith('Success'), said


def test_everything_is_there():
    """What the stubs name exists, and what there is has a name there."""
    stubs = STUBS.read_text()
    classes = re.findall(r'^class (\w+)', stubs, re.MULTILINE)
    for name in classes:
        body = re.search(rf'^class {name}\b.*\n((?:    .*\n|\n(?=    ))*)', stubs, re.MULTILINE).group(1)
        for member in re.findall(r'^    (?:async )?def (\w+)', body, re.MULTILINE):
            assert hasattr(getattr(Osiiso, name), member), (name, member)
    for name in dir(Osiiso):
        if not name.startswith('_') and not name.endswith('Class'):
            assert re.search(rf'^(?:class |def )?{name}\b', stubs, re.MULTILINE), name
