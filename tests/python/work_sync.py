# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions for tasks, where each file is a gate or a counter that any process sees."""
import os
import time


def double(x):
    return 2 * x


def add(a, b=10):
    return a + b


def boom(text='boom'):
    raise ValueError(text)


def nap(seconds, value=None):
    time.sleep(seconds)
    return value


def mark(path, word):
    """Appends a line to a file."""
    with open(path, 'a') as file:
        file.write(f'{word}\n')
    return word


def stamp(path):
    """Appends the time of day to a file, and returns it."""
    now = time.time()
    mark(path, repr(now))
    return now


def flaky(path, failures):
    """Raises that often, counted in a file, and then returns how often it was called."""
    mark(path, 'call')
    n = len(open(path).readlines())
    if n <= failures:
        raise ValueError(f'call {n}')
    return n


def pass_gate(path, value=None):
    """Waits until there is that file."""
    while not os.path.exists(path):
        time.sleep(0.002)
    return value


def arrive(here, gate, value=None):
    """Says that it is there, and waits."""
    mark(here, 'here')
    return pass_gate(gate, value)


def identity(x):
    return x


def describe(*args, **kwargs):
    return args, kwargs


def pid():
    return os.getpid()
