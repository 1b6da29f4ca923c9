# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs the index example on made-up trees; prints TAP.

Usage: test-index.py PROGRAM
"""

import json
import os
import re
import signal
import sqlite3
import subprocess
import sys
import time

# Nothing is written into the folder of the sources.
sys.dont_write_bytecode = True

from index_utils import (BIG_SIZE, TIMEOUT, Skip, Terminal, Tree, Work, communicate, contains, drop_override,
                         environment, equal, find, main, new_database, new_folder, popen, rows, run, run_json,
                         scratch, sha256sum, test, write, write_sparse)


# Arguments


@test
def version_and_help():
    code, out, err = run("--version")
    equal((code, err), (0, ""))
    if not re.fullmatch(r"osiiso-index \d+\.\d+\.\d+\n", out):
        raise AssertionError(repr(out))
    code, out, err = run("--help")
    equal((code, err), (0, ""))
    for option in ("--workers", "--timeout", "--no-pictures", "--json", "--database", "FOLDER"):
        contains(out, option)


@test
def bad_arguments():
    folder = os.fsdecode(new_folder("bad"))
    file = os.path.join(folder, "file")
    write(file)
    database = new_database()
    for args in (
            [os.path.join(folder, "missing")], [os.path.join(folder, "two\nlines")], [file], [""], [folder, folder],
            ["--workers", "-1", folder], ["--workers", "x", folder], ["--workers", "nan", folder],
            ["--workers", "99999999999", folder], ["--workers", "1000000", folder], ["--workers"],
            ["--timeout", "-1", folder], ["--timeout", "nan", folder], ["--timeout", "inf", folder],
            ["--timeout", "soon", folder], ["--no-such-option", folder]):
        code, out, err = run("--database", database, *args)
        equal((code, out), (2, ""), "status and stdout of %r" % args)
        if not re.fullmatch(r"osiiso-index: .+\n", err):
            raise AssertionError("stderr of %r is %r" % (args, err))
        if os.path.exists(database):
            raise AssertionError("%r made a database" % args)


@test
def bad_databases():
    folder = os.fsdecode(new_folder("bad-databases"))
    garbage = os.path.join(folder, "garbage")
    write(garbage, b"this is no database, but long enough to look like one\n" * 100)
    foreign = os.path.join(folder, "foreign")
    connection = sqlite3.connect(foreign)
    connection.execute("CREATE TABLE files (path)")
    connection.commit()
    connection.close()
    before = open(foreign, "rb").read()
    newer = os.path.join(folder, "newer")
    run_json(folder, newer)
    connection = sqlite3.connect(newer)
    connection.execute("PRAGMA user_version = 1000")
    connection.commit()
    connection.close()

    for database in (folder, os.path.join(folder, "missing", "db"), garbage, foreign, newer, ""):
        code, out, err = run("--database", database, folder)
        equal((code, out), (2, ""), "status and stdout with %r" % database)
        if not re.fullmatch(r"osiiso-index: .+\n", err):
            raise AssertionError("stderr with %r is %r" % (database, err))
    equal(open(foreign, "rb").read(), before, "the database of another program")


@test
def read_only_database():
    folder = os.fsdecode(new_folder("read-only"))
    database = os.path.join(folder, "db")
    run_json(folder, database)
    os.chmod(database, 0o400)
    probe = subprocess.run(["sh", "-c", ': >>"$0"', database], preexec_fn=drop_override,
                           stderr=subprocess.DEVNULL)
    if probe.returncode == 0:
        raise Skip("this user can write everything")
    code, out, err = run("--database", database, folder)
    equal((code, out, err.count("\n")), (2, "", 1), "result (stderr: %r)" % err)


@test
def default_database():
    cache = os.path.join(scratch, "other-cache")
    folder = new_folder("default-database")
    write(os.path.join(folder, b"file"))
    code, out, err = run(folder, env=environment(XDG_CACHE_HOME=cache))
    equal((code, err), (0, ""))
    database = os.path.join(cache, "osiiso-index", "index.db")
    contains(out, "Database: %s\n" % database)
    equal(len(rows(database)), 1, "number of rows")


# Whole runs


@test
def whole_tree():
    tree = Tree("whole")
    tree.check_can_fail()
    database = new_database()
    result = run_json(tree.root, database, status=1)

    equal(rows(database), sorted(tree.hashes.items()), "rows")
    equal(result["folder"], os.fsdecode(tree.root), "folder")
    equal(result["database"], database, "database")
    equal(result["files"], len(tree.good) + 1, "files")
    equal(result["succeeded"], len(tree.good), "succeeded")
    equal(result["bytes"], sum(os.path.getsize(path) for path in tree.good), "bytes")
    equal((result["failed"], result["cancelled"], result["interrupted"]), (1, 0, False))
    equal(result["symlinks"], 3, "symlinks")
    equal(result["specials"], 2, "specials")
    equal(result["folders_failed"], 1, "folders_failed")
    equal(result["folders"], tree.n_folders - 1, "folders")
    equal(result["retries"], 2, "retries")
    equal(0 < result["duration"] < TIMEOUT, True, "a sensible duration")

    failures = {failure["path"]: failure for failure in result["failures"]}
    equal(set(failures), {os.fsdecode(tree.unreadable), os.fsdecode(tree.locked)}, "failures")
    failure = failures[os.fsdecode(tree.unreadable)]
    equal((failure["kind"], failure["attempts"]), ("file", 3))
    contains(failure["message"], "Permission denied")
    failure = failures[os.fsdecode(tree.locked)]
    equal((failure["kind"], failure["attempts"]), ("folder", 1))
    equal(rows(database, "failures", "path, kind, attempts"),
          [(tree.unreadable, "file", 3), (tree.locked, "folder", 1)], "stored failures")


@test
def rows_in_full():
    tree = Tree("rows")
    tree.unlock()
    database = new_database()
    result = run_json(tree.root, database, "--workers", "1")
    equal(result["failures"], [], "failures")
    stored = rows(database, columns="path, name, size, mtime, content_type, class")
    equal({row[0] for row in stored}, find(tree.root, b"-type", b"f"), "paths")

    counts = {}
    for path, name, size, mtime, content_type, klass in stored:
        status = os.stat(path)
        equal((size, mtime), (status.st_size, int(status.st_mtime)), "size and time of %r" % path)
        try:
            equal(name, path.decode(), "name")
        except UnicodeDecodeError:
            contains(name, "\ufffd")
        count = counts.setdefault(klass, {"files": 0, "bytes": 0})
        count["files"] += 1
        count["bytes"] += size
    equal(result["classes"], counts, "classes")
    equal(sum(count["files"] for count in counts.values()), len(stored), "sum of the classes")

    classes = {os.path.basename(row[0]): row[5] for row in stored}
    equal(classes[b"empty"], "empty")
    equal(classes[b"text.txt"], "text")
    # The rest is known only where the database of content types is.
    if os.path.exists("/usr/share/mime/mime.cache"):
        for name, klass in ((b"image.png", "image"), (b"archive.gz", "archive"), (b"program", "program"),
                            (b"paper.pdf", "document"), (b"deep.json", "text"), (b"page.html", "text")):
            equal(classes[name], klass, "class of %r" % name)


@test
def text_report():
    tree = Tree("text")
    tree.check_can_fail()
    database = new_database()
    code, out, err = run("--database", database, tree.root)
    equal((code, err), (1, ""), "status and stderr")
    contains(out, "Indexed %s: %d files, " % (os.fsdecode(tree.root), len(tree.good)))
    contains(out, "Run Summary: COMPLETED WITH ERRORS")
    contains(out, "\nclass           files         size\ntext ")
    contains(out, "Failed: 2 files, folders and pictures\n  %s: Cannot open: Permission denied (3 attempts)\n"
             % os.fsdecode(tree.unreadable))
    contains(out, "(1 attempt)")
    contains(out, "\nDatabase: %s\n" % database)

    tree.unlock()
    code, out, err = run("--database", database, tree.root, env=environment(LC_ALL="C"))
    equal((code, err), (0, ""), "status and stderr")
    contains(out, "Run Summary: PASSED")
    if "\nFailed:" in out or "?" in out:
        raise AssertionError(out)


@test
def many_failures():
    folder = new_folder("failures")
    names = [b"%02d\x1b[31m" % i for i in range(25)]
    for name in names:
        write(os.path.join(folder, name))
        os.chmod(os.path.join(folder, name), 0)
    Tree.check_can_fail(type("", (), {"unreadable": os.path.join(folder, names[0])}))
    database = new_database()
    code, out, err = run("--database", database, folder)
    equal((code, err), (1, ""))
    equal(out.count("(3 attempts)"), 10, "number of failures shown")
    contains(out, "and 15 more, all in the table 'failures'\n")
    equal(len(rows(database, "failures", "path")), 25, "stored failures")
    if "\x1b" in out:
        raise AssertionError("a file name could control the terminal")


@test
def second_run_replaces():
    base = new_folder("again")
    one, two = os.path.join(base, b"one"), os.path.join(base, b"one0")
    for folder in (one, two):
        for name in (b"kept", b"changed", b"removed"):
            write(os.path.join(folder, name), name)
    database = new_database()
    run_json(one, database)
    run_json(two, database)
    both = sha256sum(find(base, b"-type", b"f"))
    equal(rows(database), sorted(both.items()), "rows of both folders")

    write(os.path.join(one, b"changed"), b"other")
    write(os.path.join(one, b"sub", b"added"), b"new")
    os.unlink(os.path.join(one, b"removed"))
    os.unlink(os.path.join(two, b"removed"))
    result = run_json(one, database)
    equal(result["files"], 3, "files")
    expected = sha256sum(find(one, b"-type", b"f"))
    expected.update((path, both[path]) for path in both if path.startswith(two + b"/"))
    equal(rows(database), sorted(expected.items()), "rows after a change")

    # By another name it is the same folder.
    os.symlink(b"one", os.path.join(base, b"alias"))
    result = run_json(os.path.join(base, b"alias"), database)
    equal(result["folder"], os.fsdecode(one), "folder")
    equal(rows(database), sorted(expected.items()), "rows after another run")


@test
def unwritable_report():
    folder = new_folder("unwritable")
    for args in ([], ["--json"]):
        with open("/dev/full", "wb") as full:
            code, _, err = run("--database", new_database(), *args, folder, stdout=full)
        equal((code, err), (2, "osiiso-index: Cannot write the report\n"))


@test
def empty_folder():
    folder = new_folder("empty")
    result = run_json(folder, new_database())
    equal((result["files"], result["folders"], result["classes"], result["failures"]), (0, 1, {}, []))


@test
def folder_with_odd_name():
    folder = os.path.join(new_folder("odd"), b"caf\xe9\n")
    write(os.path.join(folder, b"file"))
    database = os.path.join(os.fsencode(scratch), b"caf\xe9.db")
    result = run_json(folder, database)
    equal(result["files"], 1, "files")
    contains(result["folder"], "caf\ufffd\n")
    equal(os.path.exists(database), True, "the database exists")


@test
def timeouts():
    folder = new_folder("timeouts")
    write_sparse(os.path.join(folder, b"big"), 8 * BIG_SIZE)
    write(os.path.join(folder, b"small"))
    result = run_json(folder, new_database(), "--timeout", "0.05", status=1)
    equal((result["succeeded"], result["failed"]), (1, 1))
    failure = result["failures"][0]
    equal((failure["path"], failure["attempts"]), (os.fsdecode(os.path.join(folder, b"big")), 3))

    result = run_json(folder, new_database(), "--timeout", "%d" % TIMEOUT)
    equal((result["succeeded"], result["failed"]), (2, 0))


# Terminals and interruptions


@test
def progress_on_terminal():
    work = Work("terminal", n_big=8)
    begin = time.monotonic()
    terminal = Terminal("--workers", "1", "--database", new_database(), work.root)
    code, output = terminal.finish()
    seconds = time.monotonic() - begin
    equal(code, 0, "exit status")

    drawn, _, report = output.rpartition("\r\x1b[K")
    lines = drawn.split("\r\x1b[K")[1:]
    if not lines:
        raise AssertionError("no line was drawn: %r" % output)
    if len(lines) > 10 * seconds + 1:
        raise AssertionError("%d lines in %.1f seconds" % (len(lines), seconds))
    for line in lines:
        if len(line) >= Terminal.COLUMNS or "\n" in line:
            raise AssertionError("a line is too long: %r" % line)
        if not re.match(r"\d+/16 files  [\d.]+", line):
            raise AssertionError("a line is not as expected: %r" % line)
    contains(report, "Indexed ")
    contains(report, "Run Summary: PASSED")


@test
def vanishing_files():
    work = Work("vanishing", n_big=8)
    vanishing = [os.path.join(work.root, b"sub", b"%02d" % i) for i in range(20)]
    for path in vanishing:
        write(path)
    database = new_database()
    # With one worker these come after the big ones, which take longer than the
    # first line of the progress.
    terminal = Terminal("--workers", "1", "--database", database, work.root)
    terminal.drawn.wait(TIMEOUT)
    for path in vanishing:
        os.unlink(path)
    code, output = terminal.finish()
    equal(code, 1, "exit status")
    equal(rows(database), sorted(work.hashes.items()), "rows")
    stored = rows(database, "failures", "path, kind, message, attempts")
    equal([row[0] for row in stored], vanishing, "failures")
    for path, kind, message, attempts in stored:
        equal((kind, attempts), ("file", 3))
        contains(message, "No such file or directory")


def interrupt(work, number, presses=1):
    """Interrupts the program when it reports progress for the first time."""
    database = new_database()
    process = popen("--json", "--workers", "1", "--database", database, work.root)
    line = process.stderr.readline().decode()
    begin = time.monotonic()
    for _ in range(presses):
        process.send_signal(number)
    code, out, err = communicate(process)
    if time.monotonic() - begin > 5:
        raise AssertionError("it went on for %.1f seconds" % (time.monotonic() - begin))
    return code, line, out, rows(database)


@test
def plain_progress_and_interruption():
    work = Work("interruption")
    code, line, out, stored = interrupt(work, signal.SIGINT)
    if not re.fullmatch(r"\d+/128 files  .+  \d+ files/s  .+/s  ETA .+\n", line):
        raise AssertionError("the line is %r" % line)
    equal(code, 130, "exit status")
    work.check_subset(stored)
    result = json.loads(out)
    equal((result["interrupted"], result["files"], result["failed"]), (True, 128, 0))
    equal(result["succeeded"], len(stored), "succeeded")
    equal(result["succeeded"] + result["cancelled"], 128, "succeeded and cancelled")

    code, line, out, stored = interrupt(work, signal.SIGTERM)
    equal(code, 143, "exit status")
    work.check_subset(stored)

    code, line, out, stored = interrupt(work, signal.SIGINT, presses=20)
    equal(code, 130, "exit status")
    work.check_subset(stored)


sys.exit(main())
