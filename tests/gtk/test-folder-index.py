#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Uses examples/gtk as a person would, on a screen that nobody sees, in TAP.

Usage: test-folder-index.py NAME=COMMAND...

NAME is the last part of the application's id, or - for none, COMMAND what starts
it. It is told what to do by its actions, which it has on the session bus like
every application of GTK, and by the mouse; its title tells how far it is.
"""
import contextlib
import hashlib
import os
import pathlib
import re
import shlex
import signal
import subprocess
import sys
import tempfile
import time

TIMEOUT = 120
N_ROWS = 20000
# A process for each file takes longer than a thread.
N_ROWS_OF_PROCESSES = 1000
ENVIRONMENT = {
    'GDK_BACKEND': 'x11', 'GSK_RENDERER': 'cairo', 'GTK_A11Y': 'none', 'GSETTINGS_BACKEND': 'memory',
    'LIBGL_ALWAYS_SOFTWARE': '1', 'NO_AT_BRIDGE': '1', 'LC_ALL': 'C.UTF-8', 'GTK_USE_PORTAL': '0',
    'ADW_DISABLE_PORTAL': '1', 'G_DEBUG': 'fatal-criticals',
}


def until(condition, what):
    deadline = time.monotonic() + TIMEOUT
    while True:
        result = condition()
        if result:
            return result
        assert time.monotonic() < deadline, f'this does not happen: {what}'
        time.sleep(0.05)


def output(*command):
    done = subprocess.run(command, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.DEVNULL,
                          timeout=TIMEOUT, check=False, encoding='utf-8')
    return done.stdout


class Program:
    def __init__(self, name, command, scratch):
        self.id = 'org.osiiso.FolderIndex' + ('' if name == '-' else '.' + name)
        self.command = shlex.split(command)
        self.log = scratch / 'log'
        self.process = None

    @contextlib.contextmanager
    def opened(self, folder):
        with open(self.log, 'wb') as log:
            self.process = subprocess.Popen([*self.command, str(folder)], stdin=subprocess.DEVNULL, stdout=log, stderr=log,
                                            start_new_session=True)
        try:
            yield self
        finally:
            with contextlib.suppress(ProcessLookupError):
                os.killpg(self.process.pid, signal.SIGKILL)
            self.process.wait()

    def title(self):
        assert self.process.poll() is None, \
            f'it ended with {self.process.returncode}: {self.log.read_text(errors="replace")[-2000:]}'
        for window in output('xdotool', 'search', '--onlyvisible', '--name', '').split():
            name = output('xdotool', 'getwindowname', window).strip()
            if name == 'Folder Index' or ' files' in name:
                return name
        return ''

    def await_title(self, pattern):
        return until(lambda: re.fullmatch(pattern, self.title()), f'a title {pattern}')

    def activate(self, action):
        output('gdbus', 'call', '--session', '--dest', self.id, '--object-path',
               '/' + self.id.replace('.', '/') + '/window/1', '--method', 'org.gtk.Actions.Activate', action, '[]', '{}')

    def quit(self):
        """As its close button does it."""
        window = output('xdotool', 'search', '--onlyvisible', '--name', ' files').split()[0]
        output('xdotool', 'windowclose', window)


def make_folder(top, n, unreadable=True):
    (top / 'below').mkdir(parents=True)
    for i in range(n):
        (top / ('below' if i % 2 else '.') / f'file {i:05}.txt').write_text(f'{i}\n' * (i % 50))
    if unreadable:
        (top / 'link to nothing').symlink_to('nothing')
    return top


def check_runs(program, scratch):
    folder = make_folder(scratch / 'some', 60)
    with program.opened(folder):
        program.await_title('60 files, 0 failed, 0 cancelled')


def check_stop(program, scratch):
    folder = make_folder(scratch / 'endless', 3)
    with open(folder / 'endless.bin', 'wb') as file:
        file.truncate(1 << 42)
    with program.opened(folder):
        program.await_title('3 of 4 files.*')
        program.activate('stop')
        program.await_title('4 files, 0 failed, 1 cancelled')


def check_pause(program, scratch):
    """What is paused does not end; what goes on does."""
    folder = make_folder(scratch / 'endless-too', 300)
    with program.opened(scratch / 'empty'):
        until(lambda: program.title(), 'a window')
        program.activate('pause')
        output('gdbus', 'call', '--session', '--dest', program.id, '--object-path', '/' + program.id.replace('.', '/'),
               '--method', 'org.freedesktop.Application.Open', f"['{folder.as_uri()}']", '{}')
        program.await_title('0 of .*paused|0 of 300 files.*')
        program.activate('pause')
        program.await_title('300 files, 0 failed, 0 cancelled')


def check_many(program, scratch):
    """As many rows as in a large folder; the view makes widgets only for those that are seen."""
    n = N_ROWS_OF_PROCESSES if program.id.endswith('JavaScript') else N_ROWS
    folder = make_folder(scratch / 'many', n)
    with program.opened(folder):
        program.await_title(f'{n} files, 0 failed, 0 cancelled')
        with open(f'/proc/{program.process.pid}/status', encoding='ascii') as file:
            peak = int(re.search(r'VmHWM:\s+(\d+) kB', file.read())[1])
        print(f'# {n} rows: at most {peak // 1024} MiB')
        assert peak < 800 * 1024, f'{peak} KiB'
        window = output('xdotool', 'search', '--onlyvisible', '--name', ' files').split()[0]
        output('xdotool', 'mousemove', '--window', window, '300', '400', 'click', '--repeat', '200', '--delay', '2', '5')
        program.await_title(f'{n} files, 0 failed, 0 cancelled')


def main():
    if 'OSIISO_TEST_SCREEN' not in os.environ:
        environment = {**os.environ, **ENVIRONMENT, 'OSIISO_TEST_SCREEN': '1'}
        os.execvpe('dbus-run-session', ['dbus-run-session', '--', 'xvfb-run', '-a', '-s', '-screen 0 1100x750x24 -noreset',
                                        sys.executable, *sys.argv], environment)
    checks = [('indexes a folder', check_runs), ('is stopped in the middle of a file', check_stop),
              ('pauses and goes on', check_pause), ('shows many rows', check_many)]
    programs = [argument.split('=', 1) for argument in sys.argv[1:]]
    print(f'1..{len(checks) * len(programs)}')
    failed = 0
    number = 0
    for name, command in programs:
        for what, check in checks:
            number += 1
            with tempfile.TemporaryDirectory() as scratch:
                scratch = pathlib.Path(scratch)
                (scratch / 'empty').mkdir()
                try:
                    check(Program(name, command, scratch), scratch)
                    print(f'ok {number} - {name}: {what}', flush=True)
                except (AssertionError, OSError, subprocess.SubprocessError, IndexError) as error:
                    failed = 1
                    print(f'not ok {number} - {name}: {what}')
                    print('# ' + str(error).replace('\n', '\n# '), flush=True)
    return failed


if __name__ == '__main__':
    sys.exit(main())
