# SPDX-License-Identifier: LGPL-2.1-or-later
"""Ends a wait by an exception at each step at which a handler of signals may raise one.

Prints what the wait has left behind: nothing, if all is well. The steps are those of
the override itself, and of what it enters and leaves the context of a wait with.
"""
import dis
import faulthandler
import signal
import sys
import threading

import gi

gi.require_version('Osiiso', '1')
from gi.repository import GLib, Osiiso  # noqa: E402

WAITS = {
    'queue.run': lambda queue, handle, group: queue.run(),
    'queue.shutdown': lambda queue, handle, group: queue.shutdown(),
    'handle.wait': lambda queue, handle, group: handle.wait(),
    'group.wait': lambda queue, handle, group: group.wait(),
}
FILES = ('_osiiso_waits.py', '_osiiso_calls.py', 'overrides/Osiiso.py', 'contextlib.py', '_ossighelper.py',
         'threading.py')
# Behind these the interpreter looks for signals.
LOOKS = {dis.opmap[name] for name in ('RESUME', 'CALL', 'CALL_FUNCTION_EX', 'JUMP_BACKWARD') if name in dis.opmap}
# How many steps are tried in a wait that goes on.
N_BLOCKED = 3


class Enough(Exception):
    pass


class Stepper:
    """Raises at that step."""

    def __init__(self, n):
        self.left = n
        self.where = None
        self._last = {}

    def trace(self, frame, event, _):
        code = frame.f_code
        if self.where or not code.co_filename.endswith(FILES):
            return None
        frame.f_trace_lines, frame.f_trace_opcodes = False, True
        if event == 'call':
            self._last[frame] = None
        elif event == 'opcode':
            last, self._last[frame] = self._last[frame], code.co_code[frame.f_lasti]
            if last in LOOKS:
                self.left -= 1
                if self.left == 0:
                    self.where = f'{code.co_filename}:{frame.f_lineno}'
                    raise Enough
        return self.trace


def try_step(wait, n, blocks):
    """Whether there is such a step."""
    gate = threading.Event()
    queue = Osiiso.Queue(backend_name='thread-pool', workers=1)
    handle = queue.submit(gate.wait)
    group = queue.map(abs, [1])
    queue.start()
    if not blocks:
        gate.set()
    stepper = Stepper(n)
    ended = None
    sys.settrace(stepper.trace)
    try:
        wait(queue, handle, group)
    except BaseException as error:
        ended = error
    finally:
        sys.settrace(None)
    left = []
    if GLib.MainContext.get_thread_default() is not None:
        left.append('a context')
    if GLib.MainContext.default().is_owner():
        left.append('an acquired context')
    if signal.set_wakeup_fd(-1) != -1:
        left.append('a file descriptor that is woken')
    if stepper.where and not isinstance(ended, Enough):
        left.append(repr(ended))
    gate.set()
    if not queue.get_closed():
        queue.shutdown()
    if left:
        print(stepper.where, *left, sep='; ')
    return stepper.where is not None


def main():
    faulthandler.dump_traceback_later(250, exit=True)
    # With one of its own nothing is done for Ctrl-C.
    signal.signal(signal.SIGINT, lambda *_: None)
    wait = WAITS[sys.argv[1]]
    n = 1
    while try_step(wait, n, False):
        n += 1
    n_blocked = 1
    while n_blocked < n + N_BLOCKED and try_step(wait, n_blocked, True):
        n_blocked += 1
    print(n > 20 and n_blocked > 20)


main()
