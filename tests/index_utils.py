# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the index example share."""

import ctypes
import fcntl
import hashlib
import json
import os
import pty
import re
import shutil
import signal
import socket
import sqlite3
import struct
import subprocess
import sys
import tempfile
import termios
import threading
import time
import traceback
import zlib

PROGRAM = os.path.abspath(sys.argv[1])
# Far more than anything here takes, also under a sanitizer on a busy machine.
TIMEOUT = 120
BIG_SIZE = 64 * 1024 * 1024

scratch = os.path.realpath(tempfile.mkdtemp(prefix="test-index-"))
tests = []


class Skip(Exception):
    pass


def test(function):
    tests.append(function)
    return function


def equal(got, expected, what="value"):
    if got != expected:
        raise AssertionError("%s is %r, not %r" % (what, got, expected))


def contains(text, part):
    if part not in text:
        raise AssertionError("%r is not in %r" % (part, text))


# Running the program


def environment(**changes):
    env = dict(os.environ, LC_ALL="C.UTF-8", TERM="xterm",
               XDG_CACHE_HOME=os.path.join(scratch, "cache"))
    env.update(changes)
    return env


libc = ctypes.CDLL(None, use_errno=True)


def drop_override():
    """Makes root obey file modes, in the program that is executed next."""
    PR_CAPBSET_DROP, CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH = 24, 1, 2
    if os.geteuid() == 0:
        for capability in (CAP_DAC_OVERRIDE, CAP_DAC_READ_SEARCH):
            libc.prctl(PR_CAPBSET_DROP, capability, 0, 0, 0)


def popen(*args, **kwargs):
    kwargs.setdefault("stdin", subprocess.DEVNULL)
    kwargs.setdefault("stdout", subprocess.PIPE)
    kwargs.setdefault("stderr", subprocess.PIPE)
    kwargs.setdefault("env", environment())
    kwargs.setdefault("preexec_fn", drop_override)
    return subprocess.Popen([PROGRAM, *args], **kwargs)


def communicate(process):
    """The exit status and the two outputs; never leaves the process behind."""
    try:
        out, err = process.communicate(timeout=TIMEOUT)
    except subprocess.TimeoutExpired:
        process.kill()
        process.communicate()
        raise
    return process.returncode, (out or b"").decode(), (err or b"").decode()


def run(*args, **kwargs):
    return communicate(popen(*args, **kwargs))


def run_json(folder, database, *args, status=0):
    code, out, err = run("--json", "--database", database, *args, folder)
    equal(code, status, "exit status (stderr: %r)" % err)
    return json.loads(out)


def new_folder(name):
    path = os.path.join(scratch, name)
    os.mkdir(path)
    return os.fsencode(path)


def new_database():
    return tempfile.mktemp(prefix="index-", suffix=".db", dir=scratch)


def write(path, data=b"some text\n"):
    os.makedirs(os.path.dirname(path), exist_ok=True)
    with open(path, "wb") as f:
        f.write(data)


def write_sparse(path, size=BIG_SIZE):
    """A file that takes time to hash, but no place on the disk."""
    with open(path, "wb") as f:
        f.truncate(size)


# Kinds of PNG, with the number of bytes per pixel.
GREY, RGB, RGBA = (0, 1), (2, 3), (6, 4)


def png(width, height, pixels, kind=RGB):
    def chunk(name, data):
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    color_type, stride = kind[0], width * kind[1]
    lines = b"".join(b"\0" + pixels[y * stride:(y + 1) * stride] for y in range(height))
    return (b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", struct.pack(">IIBBBBB", width, height, 8, color_type, 0, 0, 0)) +
            chunk(b"IDAT", zlib.compress(lines)) + chunk(b"IEND", b""))


# What ought to come out


def find(folder, *expression):
    out = subprocess.run([b"find", folder, *expression, b"-print0"],
                         stdout=subprocess.PIPE, check=True).stdout
    return set(out.split(b"\0")[:-1])


def sha256sum(paths):
    out = subprocess.run([b"sha256sum", b"-z", b"--", *sorted(paths)],
                         stdout=subprocess.PIPE, check=True).stdout
    return {line[66:]: line[:64].decode() for line in out.split(b"\0")[:-1]}


def rows(database, table="files", columns="path, sha256"):
    connection = sqlite3.connect(database)
    try:
        equal(connection.execute("PRAGMA integrity_check").fetchone(), ("ok",), "integrity")
        return connection.execute("SELECT %s FROM %s ORDER BY path" % (columns, table)).fetchall()
    finally:
        connection.close()


class Tree:
    """All that a tree can have, with what the program should make of it."""

    def __init__(self, name):
        self.root = new_folder(name)
        self.text = os.path.join(self.root, b"a", b"text.txt")
        self.unreadable = os.path.join(self.root, b"a", b"unreadable.txt")
        self.locked = os.path.join(self.root, b"locked")

        write(self.text, b"hello\n")
        write(os.path.join(self.root, b"empty"), b"")
        write(os.path.join(self.root, b"a/b/c/d/e/f/deep.json"), b'{"deep": true}\n')
        write(os.path.join(self.root, b"a/b/page.html"), b"<!DOCTYPE html><title>x</title>\n")
        write(os.path.join(self.root, b"a/image.png"), png(1, 1, bytes(3)))
        write(os.path.join(self.root, b"a/archive.gz"), b"\x1f\x8b\x08\0" + bytes(64))
        write(os.path.join(self.root, b"a/program"), b"\x7fELF\x02\x01\x01" + bytes(9) + b"\x02\0\x3e\0" + bytes(44))
        write(os.path.join(self.root, b"a/paper.pdf"), b"%PDF-1.4\n%\xe2\xe3\n")
        write(os.path.join(self.root, b"a/data.bin"), bytes(range(256)) * 40)
        write(os.path.join(self.root, b"big"), os.urandom(1024) * (20 * 1024))
        # As long as a chunk, and one byte to both sides.
        for size in (256 * 1024 - 1, 256 * 1024, 256 * 1024 + 1):
            write(os.path.join(self.root, b"sizes", str(size).encode()), os.urandom(size))
        # More than one batch of a listing.
        for i in range(600):
            write(os.path.join(self.root, b"many", b"%03d.txt" % i), b"%d\n" % i)

        for name in ("caf\u00e9.txt", "\u65e5\u672c\u8a9e.txt", "new\nline.txt", "escape\x1b[31m.txt",
                     " blank .txt", "quote'\".txt", "-dash", "\\back"):
            write(os.path.join(self.root, b"names", name.encode()), name.encode())
        write(os.path.join(self.root, b"names", b"caf\xe9.txt"), b"latin-1")
        write(os.path.join(self.root, b"names", b"\xff\xfe", b"inside.txt"), b"inside")

        os.mkdir(os.path.join(self.root, b"nothing"))
        os.symlink(b"..", os.path.join(self.root, b"a", b"loop"))
        os.symlink(b"text.txt", os.path.join(self.root, b"a", b"link"))
        os.symlink(b"/nowhere", os.path.join(self.root, b"a", b"dangling"))
        os.mkfifo(os.path.join(self.root, b"a", b"pipe"))
        with socket.socket(socket.AF_UNIX) as s:
            s.bind(os.path.join(self.root, b"a", b"socket"))

        write(self.unreadable, b"secret")
        write(os.path.join(self.locked, b"inside.txt"), b"secret")
        self.good = find(self.root, b"-type", b"f") - {
            self.unreadable, os.path.join(self.locked, b"inside.txt")}
        self.hashes = sha256sum(self.good)
        self.n_folders = len(find(self.root, b"-type", b"d"))
        os.chmod(self.unreadable, 0)
        os.chmod(self.locked, 0)

    def check_can_fail(self):
        """Root may read everything, unless it can be kept from that."""
        probe = subprocess.run(["cat", self.unreadable], preexec_fn=drop_override,
                               stdout=subprocess.DEVNULL, stderr=subprocess.DEVNULL)
        if probe.returncode == 0:
            raise Skip("this user can read everything")

    def unlock(self):
        os.chmod(self.unreadable, 0o644)
        os.chmod(self.locked, 0o755)


class Work:
    """A tree that takes many seconds with one worker."""

    def __init__(self, name, n_big=64):
        self.root = new_folder(name)
        self.hashes = {}
        zeros = hashlib.sha256(bytes(BIG_SIZE)).hexdigest()
        small = hashlib.sha256(b"small").hexdigest()
        for i in range(n_big):
            path = os.path.join(self.root, b"big-%03d" % i)
            write_sparse(path)
            self.hashes[path] = zeros
            path = os.path.join(self.root, b"small-%03d" % i)
            write(path, b"small")
            self.hashes[path] = small

    def check_subset(self, stored):
        for path, sha256 in stored:
            equal(sha256, self.hashes.get(path), "hash of %r" % path)
        if len(stored) >= len(self.hashes):
            raise AssertionError("all %d files were done before the interruption" % len(stored))

# Terminals


class Terminal:
    """Runs the program on a terminal of 60 columns and collects what it writes."""

    COLUMNS = 60

    def __init__(self, *args):
        self.master, slave = pty.openpty()
        fcntl.ioctl(slave, termios.TIOCSWINSZ, struct.pack("HHHH", 24, self.COLUMNS, 0, 0))
        self.output = b""
        self.drawn = threading.Event()
        self.process = popen(*args, stdin=slave, stdout=slave, stderr=slave, preexec_fn=self.take_terminal)
        os.close(slave)
        self.thread = threading.Thread(target=self.read)
        self.thread.start()

    @staticmethod
    def take_terminal():
        drop_override()
        os.setsid()
        fcntl.ioctl(0, termios.TIOCSCTTY, 0)

    def read(self):
        while True:
            try:
                data = os.read(self.master, 65536)
            except OSError:
                # EIO is how a terminal says that the other side is closed.
                data = b""
            if not data:
                break
            self.output += data
            if b" files  " in self.output:
                self.drawn.set()
        self.drawn.set()

    def finish(self):
        try:
            code = self.process.wait(timeout=TIMEOUT)
        finally:
            self.process.kill()
            self.thread.join()
            os.close(self.master)
        return code, self.output.decode()


def main():
    failed = 0
    try:
        print("1..%d" % len(tests))
        for number, function in enumerate(tests, 1):
            name = function.__name__.replace("_", " ")
            try:
                function()
                print("ok %d - %s" % (number, name))
            except Skip as reason:
                print("ok %d - %s # SKIP %s" % (number, name, reason))
            except Exception:
                failed += 1
                print("not ok %d - %s" % (number, name))
                for line in traceback.format_exc().splitlines():
                    print("# " + line.encode("ascii", "backslashreplace").decode())
            sys.stdout.flush()
    finally:
        for folder, names, _ in os.walk(scratch):
            for name in names:
                if not os.path.islink(os.path.join(folder, name)):
                    os.chmod(os.path.join(folder, name), 0o700)
        shutil.rmtree(scratch)
    return 1 if failed else 0
