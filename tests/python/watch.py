# SPDX-License-Identifier: LGPL-2.1-or-later
"""Watching processes from outside."""
import time


def is_alive(pid):
    """Whether it runs; one that only waits for its parent does not."""
    try:
        with open(f'/proc/{pid}/stat') as file:
            return file.read().rpartition(')')[2].split()[0] not in 'ZX'
    except (FileNotFoundError, ProcessLookupError):
        # The second, when it goes between the opening and the reading.
        return False


def until(condition, seconds=60):
    deadline = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < deadline, 'this does not happen'
        time.sleep(0.002)


def read_pid(path):
    until(lambda: path.exists() and path.read_text().endswith('\n'))
    return int(path.read_text())
