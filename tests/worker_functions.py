# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions for the tests of workers."""
import os
import signal

from osiiso.worker import current

_set_up = 0


class Refused(Exception):
    """One that cannot be made again from what is pickled."""

    def __init__(self, what, why):
        super().__init__(f'{what}: {why}')


def add(a, b):
    return a + b


async def add_async(a, b):
    return a + b


def echo(value=None):
    return value


def big():
    return 'x' * 1000


def fail():
    raise ValueError('it failed')


def fail_oddly():
    raise Refused('this', 'that')


def leave():
    raise SystemExit(5)


def progress():
    for i in range(1001):
        current.set_progress(i / 1000, 'last' if i == 1000 else 'more')


def progress_in_words(text, n):
    current.set_progress(0.5, text * n)


def gate(path):
    with open(path, encoding='ascii') as file:
        return file.read()


def hang():
    current.set_progress(0, 'hangs')
    while True:
        signal.pause()


def print_line():
    print('printed')


def crash():
    os.kill(os.getpid(), signal.SIGKILL)


def set_up(value):
    global _set_up
    _set_up = value


def get_set_up():
    return _set_up


class Class:
    @staticmethod
    def method():
        return current.function


def task():
    return [current.name, current.attempt, current.index]


def retry_after(seconds):
    current.retry_after(seconds)
    raise ValueError('not yet')


def inherited():
    """What a program that is started here finds."""
    return os.popen('printf %s "${OSIISO_WORKER_FD-nothing}"').read()
