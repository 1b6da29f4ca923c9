# SPDX-License-Identifier: LGPL-2.1-or-later
"""README.md of this folder names tests that exist, and the build knows all of them."""
import ast
import pathlib
import re

import pytest

HERE = pathlib.Path(__file__).parent
TABLE = (HERE / 'README.md').read_text(encoding='utf-8')
FILES = sorted(path.name for path in HERE.glob('test_*.py'))


def names_in(name):
    tree = ast.parse((HERE / name).read_text(encoding='utf-8'))
    return {node.name for node in tree.body if isinstance(node, ast.FunctionDef) and node.name.startswith('test_')}


def test_names_exist():
    tests = {name: names_in(name) for name in FILES}
    named = re.findall(r'`(test_\w+\.py)::(\w+)`', TABLE)
    assert len(named) > 200
    assert [f'{name}::{test}' for name, test in named if test not in tests.get(name, ())] == []


def test_each_row_has_a_test():
    rows = [line for line in TABLE.splitlines() if line.startswith('| ') and not line.startswith(('| what', '| no.'))]
    assert len(rows) > 90
    assert [row for row in rows if '::test_' not in row] == []


def test_weaknesses_have_their_numbers():
    numbers = [int(number) for number in re.findall(r'^\| (\d+) \|', TABLE, re.MULTILINE)]
    elsewhere = [18, 19, 21]
    assert sorted(numbers + elsewhere) == list(range(1, 25))
    of_tests = {int(number) for number in re.findall(r'test_(\d+)_', ' '.join(names_in('test_regressions.py')))}
    assert of_tests <= set(numbers)


@pytest.mark.parametrize('name', FILES)
def test_the_build_knows_it(name):
    assert f"'{name[:-3]}'" in (HERE / 'meson.build').read_text(encoding='utf-8')
    assert name == 'test_table.py' or f'`{name}::' in TABLE
