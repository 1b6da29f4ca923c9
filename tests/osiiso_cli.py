# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the command line have in common: they print TAP."""

import fcntl
import os
import pty
import shutil
import signal
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback

PROGRAM = os.path.abspath(sys.argv[1])
# Far more than anything here takes, also under a sanitizer on a busy machine.
TIMEOUT = 300

tests = []
scratch = os.path.realpath(tempfile.mkdtemp(prefix="test-osiiso-"))


def test(function):
    tests.append(function)
    return function


def equal(got, expected, what="value"):
    if got != expected:
        raise AssertionError("%s is %r, not %r" % (what, got, expected))


def contains(text, part):
    if part not in text:
        raise AssertionError("%r is not in %r" % (part, text))


def path(name):
    """A new name in a folder that goes away."""
    return os.path.join(tempfile.mkdtemp(dir=scratch), name)


def write(name, data):
    result = path(name)
    with open(result, "w", encoding="utf-8", errors="surrogateescape") as f:
        f.write(data)
    return result


def read(name):
    with open(name, encoding="utf-8", errors="surrogateescape") as f:
        return f.read()


def fifo(name="fifo"):
    """What jobs wait at, until somebody opens the other side: no test needs a clock."""
    result = path(name)
    os.mkfifo(result)
    return result


def environment():
    return dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm", PATH="/usr/bin:/bin")


def popen(*args, **kwargs):
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    kwargs.setdefault("env", environment())
    return subprocess.Popen([PROGRAM, *args], **kwargs)


def finish(process, data=None):
    """The exit status and the two outputs; never leaves the process behind."""
    try:
        out, err = process.communicate(data, timeout=TIMEOUT)
    finally:
        process.kill()
    decode = lambda text: (text or b"").decode("utf-8", "surrogateescape")
    return process.returncode, decode(out), decode(err)


def osiiso(*args, data=None, **kwargs):
    if data is not None:
        kwargs["stdin"] = subprocess.PIPE
        data = data.encode("utf-8", "surrogateescape")
    return finish(popen(*args, **kwargs), data)


def run(*args, status=0, data=None, **kwargs):
    """What “osiiso run” prints, if it exits as it should."""
    code, out, err = osiiso("run", *args, data=data, **kwargs)
    equal(code, status, "exit status (stdout: %r, stderr: %r)" % (out, err))
    return out, err


def has_ended(pid):
    """Waits for it: what was killed runs until the kernel gets to it."""
    give_up = time.monotonic() + TIMEOUT
    while not _is_gone(pid):
        if time.monotonic() > give_up:
            return False
        time.sleep(0.01)
    return True


def _is_gone(pid):
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return True
    # What is left in the table until its parent looks at it runs no more.
    try:
        return read("/proc/%d/stat" % pid).rpartition(")")[2].split()[0] == "Z"
    except (FileNotFoundError, ProcessLookupError):
        return True


def peak(*args, lines):
    """The most memory, in KiB, with that many inputs."""
    env = environment()
    # A sanitizer would keep what is freed.
    env["ASAN_OPTIONS"] = env.get("ASAN_OPTIONS", "") + ":quarantine_size_mb=1"
    producer = subprocess.Popen(["seq", str(lines)], stdout=subprocess.PIPE)
    process = popen(*args, stdin=producer.stdout, stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL, env=env)
    producer.stdout.close()
    _, status, usage = os.wait4(process.pid, 0)
    process.returncode = os.waitstatus_to_exitcode(status)
    producer.wait()
    equal(process.returncode, 0)
    return usage.ru_maxrss


class Terminal:
    """Runs the program on a terminal of 60 columns and collects what it writes."""

    COLUMNS = 60

    def __init__(self, *args):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self.COLUMNS, 0, 0))
        self.output = b""
        self.changed = threading.Condition()
        self.closed = False
        self.process = popen(*args, stdin=slave, stdout=slave, stderr=slave,
                             preexec_fn=lambda: self.own(slave))
        os.close(slave)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    @staticmethod
    def own(slave):
        os.setsid()
        fcntl.ioctl(slave, termios.TIOCSCTTY, 0)

    def read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                # EIO is how a terminal says that the other side is closed.
                data = b""
            with self.changed:
                self.output += data
                self.closed = not data
                self.changed.notify_all()
            if not data:
                break

    def wait_for(self, part):
        with self.changed:
            if not self.changed.wait_for(lambda: part in self.output or self.closed, TIMEOUT):
                raise AssertionError("%r did not come" % part)
            if part not in self.output:
                raise AssertionError("%r is not in %r" % (part, self.output))

    def type(self, text):
        os.write(self.master, text)

    def finish(self):
        try:
            code = self.process.wait(timeout=TIMEOUT)
        finally:
            self.process.kill()
            self.thread.join()
            os.close(self.master)
        return code

    def screen(self):
        """What is left on the screen, as lines."""
        lines = []
        line, column = "", 0
        text = self.output.decode()
        while text:
            if text.startswith("\x1b[K"):
                line, text = line[:column], text[3:]
                continue
            character, text = text[0], text[1:]
            if character == "\n":
                lines.append(line)
                line, column = "", 0
            elif character == "\r":
                column = 0
            else:
                line = line[:column].ljust(column) + character + line[column + 1:]
                column += 1
        return lines + [line]


def too_long(number, frame):
    raise TimeoutError("the test does not end")


def listen():
    """Ignores none of the signals that tests send: children would, too, and never end.

    A shell lets what it runs in the background ignore SIGINT, and nohup(1) SIGHUP.
    """
    signal.signal(signal.SIGINT, signal.default_int_handler)
    for number in (signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP):
        signal.signal(number, signal.SIG_DFL)
    signal.pthread_sigmask(signal.SIG_SETMASK, ())


def main():
    failed = 0
    listen()
    signal.signal(signal.SIGALRM, too_long)
    try:
        print("1..%d" % len(tests))
        for number, function in enumerate(tests, 1):
            name = function.__name__.replace("_", " ")
            signal.alarm(TIMEOUT)
            try:
                function()
                print("ok %d - %s" % (number, name))
            except Exception:
                failed += 1
                print("not ok %d - %s" % (number, name))
                for line in traceback.format_exc().splitlines():
                    print("# " + line.encode("ascii", "backslashreplace").decode())
            sys.stdout.flush()
    finally:
        shutil.rmtree(scratch)
    return 1 if failed else 0
