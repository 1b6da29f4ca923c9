# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the index example on pictures, good ones and bad ones; prints TAP.

Usage: test-index-pictures.py PROGRAM SHIPPED_PICTURES built|not-built
"""

import json
import os
import random
import re
import select
import signal
import sqlite3
import struct
import sys
import time

# Nothing is written into the folder of the sources.
sys.dont_write_bytecode = True

from index_utils import (GREY, RGB, RGBA, TIMEOUT, Skip, Terminal, communicate, contains, equal, find, main,
                         new_database, new_folder, png, popen, rows, run, run_json, sha256sum, test, write)

SHIPPED = os.fsencode(os.path.abspath(sys.argv[2]))
BUILT = sys.argv[3] == "built"
COLUMNS = "path, width, height, mean_color"
# What a process ends with that reads beyond the end of a file; with a sanitizer it
# exits.
CRASHED = r"worker \d+ (was killed by signal \d+ \(.*\)|exited with status \d+) while it ran '.*index_picture_measure'"


def pictures_test(function):
    def run_if_built():
        if not BUILT:
            raise Skip("built without gdk-pixbuf")
        function()
    run_if_built.__name__ = function.__name__
    test(run_if_built)


def ppm(width, height, pixels, comment=b""):
    return b"P6\n%s%d %d\n255\n" % (comment, width, height) + pixels


def plain_ppm(width, height, pixels):
    return b"P3\n%d %d\n255\n" % (width, height) + b"\n".join(b"%d" % value for value in pixels) + b"\n"


def bmp(width, height, pixels):
    """Lines come from the bottom up, in multiples of four bytes, blue first."""
    lines = []
    for y in reversed(range(height)):
        line = pixels[y * width * 3:(y + 1) * width * 3]
        line = b"".join(line[x:x + 3][::-1] for x in range(0, len(line), 3))
        lines.append(line + bytes(-len(line) % 4))
    data = b"".join(lines)
    return (struct.pack("<2sIHHI", b"BM", 54 + len(data), 0, 0, 54) +
            struct.pack("<IiiHHIIiiII", 40, width, height, 1, 24, 0, len(data), 0, 0, 0, 0) + data)


def mean_color(pixels, n_channels=3):
    """By the definition: each pixel counts as much as it is opaque."""
    sums, opacities = [0, 0, 0], 0
    for i in range(0, len(pixels), n_channels):
        pixel = pixels[i:i + n_channels]
        opacity = pixel[3] if n_channels == 4 else 255
        color = pixel[:3] if n_channels > 1 else pixel * 3
        sums = [s + c * opacity for s, c in zip(sums, color)]
        opacities += opacity
    if opacities == 0:
        return None
    return "#" + "".join("%02x" % int(s / opacities + 0.5) for s in sums)


def random_pixels(chance, n):
    # Not around the middle: all means would be alike.
    top = chance.randrange(1, 256)
    return bytes(chance.randrange(top) for _ in range(n))


def make_pictures(folder, n, seed=1):
    """Makes pictures of all kinds that can be written here, and returns their rows."""
    chance = random.Random(seed)
    made = []
    for i in range(n):
        width, height = chance.randrange(1, 40), chance.randrange(1, 40)
        area = width * height
        kind = chance.randrange(6)
        n_channels = {0: 1, 1: 4}.get(kind, 3)
        pixels = random_pixels(chance, area * n_channels)
        data, suffix = [
            lambda: (png(width, height, pixels, GREY), b"grey.png"),
            lambda: (png(width, height, pixels, RGBA), b"rgba.png"),
            lambda: (png(width, height, pixels, RGB), b"rgb.png"),
            lambda: (ppm(width, height, pixels, b"# a comment 1 2\n"), b"ppm"),
            lambda: (plain_ppm(width, height, pixels), b"plain.ppm"),
            lambda: (bmp(width, height, pixels), b"bmp"),
        ][kind]()
        path = os.path.join(folder, b"%04d.%s" % (i, suffix))
        write(path, data)
        made.append((path, width, height, mean_color(pixels, n_channels)))
    return made


def check_counts(result, **expected):
    counts = dict(result["pictures"])
    del counts["pixels"]
    wanted = dict({"found": 0, "decoded": 0, "failed": 0, "skipped": 0, "cancelled": 0}, **expected)
    equal(counts, wanted, "counts of pictures")


@pictures_test
def sizes_and_colors():
    folder = new_folder("colors")
    made = make_pictures(folder, 60)
    for name, pixels in ((b"invisible", bytes(16)), (b"opaque", b"\x12\x34\x56\xff" * 4),
                         (b"half", b"\xff\0\0\xff" b"\0\xff\0\0" b"\0\0\xff\xff" b"\0\xff\0\0")):
        path = os.path.join(folder, name + b".png")
        write(path, png(2, 2, pixels, RGBA))
        made.append((path, 2, 2, mean_color(pixels, 4)))
    equal(made[-3][3], None, "colour of what cannot be seen")
    equal(made[-1][3], "#800080", "colour where half can be seen")
    odd = os.path.join(folder, b"caf\xe9\n.png")
    write(odd, png(1, 2, b"\xff\0\0\0\0\xff"))
    made.append((odd, 1, 2, "#800080"))
    write(os.path.join(folder, b"text.txt"), b"P6 is how a picture begins\n")
    database = new_database()
    result = run_json(folder, database)

    equal(rows(database, "pictures", COLUMNS), sorted(made), "rows")
    check_counts(result, found=len(made), decoded=len(made))
    equal(result["pictures"]["pixels"], sum(row[1] * row[2] for row in made), "pixels")
    equal(result["classes"]["image"]["files"], len(made), "files that are images")
    equal(rows(database), sorted(sha256sum(find(folder, b"-type", b"f")).items()), "hashes")
    names = {row[0]: row[1] for row in rows(database, "pictures", "path, name")}
    equal(names[odd], "caf\ufffd\n.png".replace("caf", os.fsdecode(folder) + "/caf"), "a name for people")


@pictures_test
def shipped_pictures():
    database = new_database()
    result = run_json(SHIPPED, database, status=1)
    check_counts(result, found=3, decoded=1, failed=2)
    equal((result["succeeded"], result["failed"]), (3, 0), "files")
    pixels = b"".join(bytes((x * 4, y * 5, 160)) for y in range(48) for x in range(64))
    equal(rows(database, "pictures", COLUMNS),
          [(os.path.join(SHIPPED, b"whole.png"), 64, 48, mean_color(pixels))], "rows")

    crash, cut_off = os.path.join(SHIPPED, b"crash.ppm"), os.path.join(SHIPPED, b"cut-off.png")
    failures = result["failures"]
    equal([(failure["path"], failure["kind"], failure["attempts"]) for failure in failures],
          [(os.fsdecode(crash), "picture", 2), (os.fsdecode(cut_off), "picture", 1)], "failures")
    if not re.match(CRASHED, failures[0]["message"]):
        raise AssertionError("the message of the crash is %r" % failures[0]["message"])
    contains(failures[1]["message"], "PNG")
    equal(rows(database, "failures", "path, kind, attempts"),
          [(crash, "picture", 2), (cut_off, "picture", 1)], "stored failures")

    code, out, _ = run("--database", database, SHIPPED)
    equal(code, 1, "exit status")
    contains(out, "\nPictures: 1 decoded, 2 failed, 0 of kinds without a decoder\n")
    contains(out, "\nFailed: 2 files, folders and pictures\n  %s: worker " % os.fsdecode(crash))
    equal(out.count("attempt"), 2, "failures that are shown")


@pictures_test
def crashes_among_many():
    folder = new_folder("crashes")
    made = make_pictures(folder, 150, seed=2)
    crashes = [os.path.join(folder, b"%04d.crash.ppm" % i) for i in range(0, 150, 30)]
    for path in crashes:
        write(path, ppm(4000, 3000, b""))
    for workers in ("1", "4"):
        database = new_database()
        result = run_json(folder, database, "--workers", workers, status=1)
        equal(rows(database, "pictures", COLUMNS), sorted(made), "rows")
        check_counts(result, found=155, decoded=150, failed=5)
        equal((result["succeeded"], result["failed"], result["cancelled"]), (155, 0, 0), "files")
        equal([os.fsencode(failure["path"]) for failure in result["failures"]], crashes, "failures")
        for failure in result["failures"]:
            if not re.match(CRASHED, failure["message"]) or failure["attempts"] != 2:
                raise AssertionError("a crash is told as %r" % failure)


@pictures_test
def refused_pictures():
    folder = new_folder("refused")
    whole = png(20, 20, bytes(1200))
    bad = {
        b"cut-off.png": whole[:60],
        b"damaged.png": whole[:45] + bytes(10) + whole[55:],
        # Less than a page is missing: nothing crashes, but it is noticed.
        b"short.ppm": ppm(20, 20, bytes(1199)),
        # More than the memory that a worker may have.
        b"huge.ppm": ppm(65535, 65535, b""),
        b"wrong-header.ppm": b"P6\nfour 4\n255\n" + bytes(48),
        b"no-pixels.ppm": b"P6\n0 4\n255\n",
    }
    for name, data in bad.items():
        write(os.path.join(folder, name), data)
    write(os.path.join(folder, b"good.png"), whole)
    # There is a name for that kind, and no decoder in gdk-pixbuf.
    write(os.path.join(folder, b"layers.xcf"), b"gimp xcf v003\0" + bytes(64))
    database = new_database()
    result = run_json(folder, database, status=1)
    check_counts(result, found=len(bad) + 2, decoded=1, failed=len(bad), skipped=1)
    equal({os.path.basename(failure["path"]) for failure in result["failures"]}, {os.fsdecode(name) for name in bad})
    messages = {os.path.basename(failure["path"]): failure["message"] for failure in result["failures"]}
    equal(messages["short.ppm"], "The picture is cut off")
    equal(len(rows(database, "pictures", COLUMNS)), 1, "rows")


@pictures_test
def second_run_replaces_pictures():
    folder = new_folder("again")
    made = make_pictures(folder, 5)
    database = new_database()
    run_json(folder, database)
    os.unlink(made[0][0])
    write(made[1][0], png(3, 1, b"\x10\x20\x30" * 3))
    run_json(folder, database)
    expected = [(made[1][0], 3, 1, "#102030")] + made[2:]
    equal(rows(database, "pictures", COLUMNS), sorted(expected), "rows after a change")

    run_json(folder, database, "--no-pictures")
    equal(rows(database, "pictures", COLUMNS), [], "rows without pictures")


@pictures_test
def database_of_version_1():
    folder = new_folder("version-1")
    made = make_pictures(folder, 3)
    database = new_database()
    run_json(folder, database)
    connection = sqlite3.connect(database)
    connection.executescript("DROP TABLE pictures; PRAGMA user_version = 1")
    connection.close()
    for _ in range(2):
        run_json(folder, database)
        equal(rows(database, "pictures", COLUMNS), sorted(made), "rows")


@test
def without_pictures():
    database = new_database()
    result = run_json(SHIPPED, database, "--no-pictures")
    equal((result["pictures"], result["failures"], result["succeeded"]), (None, [], 3))
    equal(rows(database, "pictures", COLUMNS), [], "rows")
    code, out, _ = run("--database", database, "--no-pictures", SHIPPED)
    equal((code, "Pictures" in out), (0, False))
    if not BUILT:
        equal(run_json(SHIPPED, database)["pictures"], None)
        code, out, _ = run("--database", database, SHIPPED)
        equal(code, 0, "exit status")
        contains(out, "\nPictures: none decoded, because this program was built without gdk-pixbuf\n")


# Interruptions


def make_work(name, n=64):
    """Pictures that take long, and no place on the disk; all of them are black."""
    folder = new_folder(name)
    for i in range(n):
        path = os.path.join(folder, b"%02d.ppm" % i)
        write(path, ppm(5000, 4000, b""))
        os.truncate(path, os.path.getsize(path) + 5000 * 4000 * 3)
    return folder


def list_children(pid):
    children = []
    for entry in os.listdir("/proc"):
        try:
            with open("/proc/%s/stat" % entry, encoding="utf-8", errors="replace") as file:
                if int(file.read().rpartition(")")[2].split()[1]) == pid:
                    children.append(int(entry))
        except (OSError, ValueError, IndexError):
            pass
    return children


def await_worker(process):
    deadline = time.monotonic() + TIMEOUT
    while time.monotonic() < deadline and process.poll() is None:
        children = list_children(process.pid)
        if children:
            return [os.pidfd_open(child) for child in children]
    raise AssertionError("there is no worker")


def check_gone(pidfds):
    for pidfd in pidfds:
        if not select.select([pidfd], [], [], TIMEOUT / 10)[0]:
            raise AssertionError("a worker is still there")
        os.close(pidfd)


def interrupt(name, number, presses=1):
    folder, database = make_work(name), new_database()
    process = popen("--json", "--workers", "1", "--database", database, folder)
    line = process.stderr.readline().decode()
    pidfds = await_worker(process)
    begin = time.monotonic()
    for _ in range(presses):
        process.send_signal(number)
    code, out, _ = communicate(process)
    if time.monotonic() - begin > 5:
        raise AssertionError("it went on for %.1f seconds" % (time.monotonic() - begin))
    check_gone(pidfds)
    for row in rows(database, "pictures", "width, height, mean_color"):
        equal(row, (5000, 4000, "#000000"), "a row")
    return code, line, out, len(rows(database, "pictures", COLUMNS))


@pictures_test
def interruption_and_plain_progress():
    code, line, out, stored = interrupt("interruption", signal.SIGINT)
    equal(code, 130, "exit status")
    match = re.fullmatch(r"\d+/64 files  .+/s  (\d+)/(\d+) pictures  ETA .+\n", line)
    if match is None or int(match[1]) > int(match[2]):
        raise AssertionError("the line is %r" % line)
    result = json.loads(out)
    counts = result["pictures"]
    equal((result["interrupted"], counts["decoded"], counts["failed"], counts["skipped"]), (True, stored, 0, 0))
    equal(counts["found"], counts["decoded"] + counts["cancelled"], "found")
    equal(counts["found"] <= result["succeeded"] < 64, True, "a part was done")


@pictures_test
def other_interruptions():
    equal(interrupt("termination", signal.SIGTERM)[0], 143, "exit status")
    equal(interrupt("impatience", signal.SIGINT, presses=20)[0], 130, "exit status")


@pictures_test
def control_c_on_terminal():
    """All processes in the foreground of the terminal get that; workers are not among them."""
    folder, database = make_work("control-c"), new_database()
    terminal = Terminal("--workers", "2", "--database", database, folder)
    pidfds = await_worker(terminal.process)
    terminal.drawn.wait(TIMEOUT)
    os.write(terminal.master, b"\x03")
    code, output = terminal.finish()
    equal(code, 130, "exit status")
    check_gone(pidfds)
    equal(rows(database, "failures", "path"), [], "failures")


sys.exit(main())
