# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs blocks of Python one after another in one name space.

Usage: run-page.py PREAMBLE NUMBER FILE...

Only a failure of the block NUMBER counts; the ones before it have tests of
their own.
"""
import ast
import asyncio
import inspect
import sys
import traceback
import types


def execute(path, names):
    with open(path, encoding='utf-8') as file:
        code = compile(file.read(), path, 'exec', flags=ast.PyCF_ALLOW_TOP_LEVEL_AWAIT)
    if code.co_flags & inspect.CO_COROUTINE:
        asyncio.run(types.FunctionType(code, names)())
    else:
        exec(code, names)  # pylint: disable=exec-used


def main():
    preamble, number, *paths = sys.argv[1:]
    # Workers look for what is pickled in the main module.
    names = sys.modules['__main__'].__dict__
    execute(preamble, names)
    for i, path in enumerate(paths):
        try:
            execute(path, names)
        except Exception:
            traceback.print_exc()
            if i == int(number):
                return 1
    return 0


if __name__ == '__main__':
    sys.exit(main())
