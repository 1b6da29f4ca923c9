# SPDX-License-Identifier: LGPL-2.1-or-later
"""Functions for worker processes, of the kinds that make trouble."""
import asyncio
import os
import signal
import sys
import time

state = {}


class Odd(Exception):
    """Cannot be made again from its args."""

    def __init__(self, code, reason):
        super().__init__(f'{code}: {reason}')
        self.code = code


class Plain(Exception):
    """One with something of its own."""

    def __init__(self, message, code):
        super().__init__(message, code)
        self.code = code

    def __str__(self):
        return f'{self.args[0]} ({self.code})'


class Sticky:
    """Goes out, and does not come in."""

    def __reduce__(self):
        return refuse, ()


class Hostile:
    def __reduce__(self):
        raise TypeError('cannot be pickled, it says')


class AsyncCallable:
    async def __call__(self, x):
        await asyncio.sleep(0)
        return x + 1


class Counter:
    def __init__(self):
        self.n = 0

    def __call__(self):
        return self.n


def refuse():
    raise ValueError('not in here')


def pid(*_):
    return os.getpid()


def ppid():
    return os.getppid()


def leave(status):
    os._exit(status)


def die(number):
    os.kill(os.getpid(), number)
    time.sleep(30)


def leave_once(path):
    if not os.path.exists(path):
        with open(path, 'w'):
            pass
        os._exit(7)
    return 'second'


def leave_at(x):
    if x == 5:
        os._exit(9)
    return x


def exit_politely(how):
    raise {'exit': SystemExit(3), 'interrupt': KeyboardInterrupt(), 'other': BaseException('base')}[how]


def fail_odd():
    raise Odd(5, 'because')


def fail_plain():
    raise Plain('plain', 6)


def fail_hostile():
    error = ValueError('with luggage')
    error.luggage = Hostile()
    raise error


def fail_deep():
    try:
        refuse()
    except ValueError as error:
        raise RuntimeError('outer') from error


def give_lambda():
    return lambda: 1


def give_sticky():
    return Sticky()


def big(n):
    return b'x' * n


def length(data):
    return len(data)


def later(x):
    """What calls it gets a coroutine."""
    return add_later(x, 2)


async def add_later(a, b):
    await asyncio.sleep(0)
    return a + b


def stubborn(path):
    """Does not listen to SIGTERM."""
    signal.signal(signal.SIGTERM, signal.SIG_IGN)
    with open(path, 'w') as file:
        file.write(f'{os.getpid()}\n')
    time.sleep(300)


def arrive_and_sleep(path):
    with open(path, 'w') as file:
        file.write(f'{os.getpid()}\n')
    time.sleep(300)


def set_state(key, value):
    state[key] = value


def get_state(key):
    return state.get(key)


def fail_twice(path):
    with open(path, 'a') as file:
        file.write('call\n')
    if len(open(path).readlines()) <= 2:
        raise ValueError('set-up')


def fail_always():
    raise LookupError('no set-up')


def open_fds():
    found = {}
    for name in os.listdir('/proc/self/fd'):
        try:
            found[int(name)] = os.readlink(f'/proc/self/fd/{name}')
        except OSError:
            pass
    return found


def path_and_folder():
    return sys.path, os.getcwd(), sys.argv


def sigint():
    return signal.getsignal(signal.SIGINT) == signal.SIG_IGN


def modules():
    return set(sys.modules)


def say(text):
    print(text, flush=True)


def compute(n):
    total = 0
    for i in range(n):
        total += i
    return total


def refuse_to_be_made():
    raise AttributeError('too strange')


class Strange:
    def __reduce__(self):
        return refuse_to_be_made, ()


def give_strange():
    return Strange()
