# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs “osiiso run”: inputs, commands, outputs and their order; prints TAP.

Usage: test-osiiso-run.py PROGRAM
"""

import json
import os
import signal
import subprocess
import sys
import time

from osiiso_cli import (contains, environment, equal, fifo, finish, main, osiiso, path, peak, popen, read, run, test,
                        write)


# Inputs


@test
def inputs_on_the_command_line():
    equal(run("-k", "echo", "{}", ":::", "a", "b c", "")[0], "a\nb c\n\n")


@test
def the_input_comes_last_without_a_place():
    equal(run("-k", "echo", "x", ":::", "a", "b")[0], "x a\nx b\n")


@test
def options_end_at_the_command():
    equal(run("-kj2", "echo", "-j", "--retries", ":::", "a")[0], "-j --retries a\n")
    equal(run("-k", "-j", "2", "--", "echo", "--", ":::", "a")[0], "-- a\n")


@test
def lines_of_standard_input():
    equal(run("-k", "echo", "x", data="a\n\nb c\nlast")[0], "x a\nx \nx b c\nx last\n")
    equal(run("-k", "-r", "echo", "x", data="a\n\nb\n")[0], "x a\nx b\n")


@test
def nul_between_inputs():
    equal(run("-k", "-0", "printf", "<%s>", data="a\nb\0\0c")[0], "<a\nb><><c>")


@test
def nul_in_a_line_is_refused():
    out, err = run("-k", "echo", data="a\nb\0c\nd\n", status=1)
    equal(out, "a\n")
    contains(err, "NUL")


@test
def another_end_of_inputs():
    equal(run("-k", "-d", ",", "echo", data="a b,c\n,,d")[0], "a b\nc\n\n\nd\n")
    equal(run("-kd\\n", "echo", data="a\nb")[0], "a\nb\n")
    equal(run("-k", "--delimiter=\\t", "echo", data="a\tb")[0], "a\nb\n")
    equal(run("-k", "-d", "\\0", "echo", data="a\nb\0c")[0], "a\nb\nc\n")
    file = path("inputs")
    with open(file, "w") as f:
        f.write("a;b;")
    equal(run("-kd;", "echo", "::::", file, ":::", "x")[0], "a x\nb x\n")
    contains(run("-d,", "echo", data="a\0,b", status=1)[1], "has a NUL in it")


@test
def inputs_in_files():
    one = write("one", "a\nb\n")
    two = write("two", "1\n2\n")
    equal(run("-k", "-a", one, "echo")[0], "a\nb\n")
    equal(run("-k", "-a", "-", "echo", data="x\n")[0], "x\n")
    equal(run("-k", "echo", "::::", one, two)[0], "a 1\na 2\nb 1\nb 2\n")
    out, err = run("echo", "::::", one + ".not", status=1)
    equal(out, "")
    contains(err, one + ".not")


@test
def nothing_is_run_without_inputs():
    equal(run("echo"), ("", ""))
    equal(run("echo", ":::"), ("", ""))
    equal(run("-r", "echo", data="\n\n"), ("", ""))
    equal(run("echo", ":::", "a", ":::"), ("", ""))


@test
def inputs_run_as_they_come():
    process = popen("run", "-j1", "echo", "got", stdin=subprocess.PIPE)
    for word in (b"a", b"b"):
        process.stdin.write(word + b"\n")
        process.stdin.flush()
        equal(process.stdout.readline(), b"got " + word + b"\n")
    equal(finish(process), (0, "", ""))


@test
def sources_are_combined():
    equal(run("-k", "echo", ":::", "a", "b", ":::", "1", "2")[0], "a 1\na 2\nb 1\nb 2\n")
    equal(run("-k", "echo", "{2}{1}", ":::", "a", "b", ":::+", "1", "2", "3", ":::", "x", "y")[0],
          "1a\n1a\n2b\n2b\n")


@test
def columns():
    equal(run("-k", "-C", ",", "echo", "{2}-{1}-{3}", data="a,b\nc,d,e\n")[0], "b-a-\nd-c-e\n")
    equal(run("-k", "--colsep", "\\t", "echo", "<{}>", data="a\tb\n")[0], "<a> <b>\n")


@test
def several_inputs_per_job():
    equal(run("-k", "-n2", "echo", "x", data="1\n2\n3\n")[0], "x 1 2\nx 3\n")
    equal(run("-k", "-n", "2", "echo", "<{}>", "{2}", ":::", "a", "b")[0], "<a> <b> b\n")


# Commands


@test
def places():
    equal(run("-k", "echo", "{} {.} {/} {//} {/.} {#}", ":::", "dir/a.tar.gz", "b", "/c.d", "e.f/g")[0],
          "dir/a.tar.gz dir/a.tar a.tar.gz dir a.tar 1\n"
          "b b b . b 2\n"
          "/c.d /c c.d / c 3\n"
          "e.f/g e.f/g g e.f g 4\n")
    equal(run("-k", "echo", "{1/.}{2//}", "{x}", "{0}", "{1", ":::", "a/b.c", ":::", "d/e")[0], "bd {x} {0} {1\n")


@test
def another_text_for_the_place():
    equal(run("-k", "-I", "%", "echo", "a%b", "{}", "{.}", ":::", "x.y")[0], "ax.yb {} x\n")


@test
def a_word_with_a_place_is_a_word():
    equal(run("-k", "printf", "<%s>", "{}", ":::", "a  b", "$HOME", "*", "'\"")[0], "<a  b><$HOME><*><'\">")


@test
def shell():
    names = ("a b", "it's", "$HOME", "*;?", "\\")
    equal(run("-k", "--shell", "printf '<%s>' {} | tr a A", ":::", *names)[0],
          "".join("<%s>" % name.replace("a", "A") for name in names))


@test
def inputs_are_commands_without_a_command():
    equal(run("-k", data="echo a | tr a b\nexit 0\necho 'c  d'\n")[0], "b\nc  d\n")


@test
def not_utf8():
    equal(run("-k", "echo", ":::", "\udcff\udcfe")[0], "\udcff\udcfe\n")
    equal(run("-k", "echo", data="\udcff\n")[0], "\udcff\n")


@test
def jobs_have_an_empty_input_and_no_descriptors():
    equal(run("cat", data="-\nx\n", status=1)[0], "")
    out = run("sh", "-c", "set -- /proc/$$/fd/*; echo $*", ":::", "x")[0]
    # It may see what it reads the folder with.
    numbers = [name.rpartition("/")[2] for name in out.split()]
    equal(numbers[:3], ["0", "1", "2"])
    equal(len(numbers) <= 4, True, out)


@test
def jobs_have_usual_signals():
    log = path("log")
    run("--joblog", log, "sh", "-c", "kill -PIPE $$", ":::", "a", status=1)
    equal(read(log).splitlines()[1].split("\t")[6:8], ["0", str(int(signal.SIGPIPE))])


@test
def folder():
    os.mkdir(folder := path("folder"))
    equal(run("--workdir", folder, "pwd", "-P", ":::", "-P")[0], folder + "\n")


# Outputs


@test
def outputs_stay_apart():
    out, err = run("-k", "sh", "-c", "echo out $0; echo err $0 >&2", ":::", "a", "b")
    equal(out, "out a\nout b\n")
    equal(err, "err a\nerr b\n")


# Both print twice, the second one in between.
FIRST = "echo a1; echo >{0}; read x <{1}; echo a2"
SECOND = "read x <{0}; echo b1; echo >{1}; echo b2"


@test
def outputs_are_not_mixed():
    fifos = fifo(), fifo()
    out = run("-j2", ":::", FIRST.format(*fifos), SECOND.format(*fifos))[0]
    if out not in ("a1\na2\nb1\nb2\n", "b1\nb2\na1\na2\n"):
        raise AssertionError(out)


@test
def outputs_are_mixed_if_that_is_wanted():
    fifos = fifo(), fifo()
    lines = run("-uj2", ":::", FIRST.format(*fifos), SECOND.format(*fifos))[0].split()
    equal(sorted(lines), ["a1", "a2", "b1", "b2"])
    equal([line for line in lines if line != "b2"], ["a1", "b1", "a2"])


@test
def what_comes_after_ungrouped_output():
    name = path("out")
    with open(name, "w") as f:
        f.write("before\n")
        f.flush()
        run("-u", "echo", ":::", "a", stdout=f)
        f.seek(0, os.SEEK_CUR)
        subprocess.run(["echo", "after"], stdout=f, check=True)
    equal(read(name), "before\na\nafter\n")


@test
def an_output_is_there_when_its_job_ends():
    gate = fifo()
    process = popen("run", "-j2", ":::", "read x <%s; echo first" % gate, "echo second")
    equal(process.stdout.readline(), b"second\n")
    with open(gate, "w") as f:
        f.write("\n")
    equal(finish(process), (0, "first\n", ""))


@test
def lines_are_there_when_they_are_printed():
    gates = [fifo() for _ in range(3)]
    script = "echo out; echo err >&2; read x <%s; echo half | tr -d '\\n'; read x <%s; echo; read x <%s; printf end"
    process = popen("run", "--line-buffer", "--tag", "sh", "-c", script % tuple(gates), ":::", "a")
    equal(process.stdout.readline(), b"a\tout\n")
    equal(process.stderr.readline(), b"a\terr\n")
    for gate in gates[:2]:
        with open(gate, "w") as f:
            f.write("\n")
    equal(process.stdout.readline(), b"a\thalf\n")
    with open(gates[2], "w") as f:
        f.write("\n")
    equal(finish(process), (0, "a\tend", ""))


@test
def many_lines_of_many_jobs():
    folder = os.path.dirname(path("x"))
    script = "i=0; while [ $i -lt 300 ]; do echo $0 $i; echo $0 $i >&2; i=$((i + 1)); done"
    count = path("count")
    out, err = run("--line-buffer", "-j4", "sh", "-c", script, ":::", *map(str, range(20)),
                   env=dict(environment(), TMPDIR=folder))
    expected = sorted("%d %d" % (job, i) for job in range(20) for i in range(300))
    equal(sorted(out.splitlines()), expected)
    equal(sorted(err.splitlines()), expected)
    # One attempt after the other, and one that is ended.
    script = "echo x >>%s; echo line; test $(wc -l <%s) -ge 3" % (count, count)
    out, err = run("--line-buffer", "--retries=4", "sh", "-c", script, ":::", "a",
                   env=dict(environment(), TMPDIR=folder))
    equal(out, "line\n" * 3)
    out, err = run("--line-buffer", "--timeout=1", "sh", "-c", "echo line; exec sleep 1000", ":::", "a", status=1,
                   env=dict(environment(), TMPDIR=folder))
    equal(out in ("", "line\n"), True, out)
    # Nothing is left.
    equal(os.listdir(folder), [])


@test
def lines_for_a_slow_reader():
    process = popen("run", "--line-buffer", "seq", ":::", "400000", "400000")
    numbers = [int(line) for line in process.stdout]
    equal(finish(process)[0], 0)
    equal(len(numbers), 800000)
    equal(sum(numbers), 2 * 400000 * 400001 // 2)


@test
def the_order_can_be_kept():
    gate = fifo()
    equal(run("-kj2", ":::", "read x <%s; echo first" % gate, "echo second; echo >%s" % gate)[0],
          "first\nsecond\n")


@test
def the_order_is_kept_for_many():
    numbers = "".join("%d\n" % i for i in range(500))
    equal(run("-kj8", "echo", data=numbers)[0], numbers)


@test
def tags():
    out, err = run("-k", "--tag", "sh", "-c", "printf '1\\n2'; echo 3 >&2", ":::", "a")
    equal(out, "a\t1\na\t2")
    equal(err, "a\t3\n")


@test
def no_more_output_than_allowed():
    log = path("log")
    out, err = run("--output-limit", "1K", "--joblog", log, "sh", "-c", "head -c 3000 /dev/zero | tr '\\0' x",
                   ":::", "a", status=1)
    equal(out, "x" * 1024)
    contains(err, "1976 bytes of its output are lost")
    equal(len(run("--output-limit=3K", "sh", "-c", "head -c 3000 /dev/zero", ":::", "a")[0]), 3000)


@test
def much_output():
    out = run("-kj2", "head", "-c", "3000000", ":::", "/dev/zero", "/dev/zero")[0]
    equal(len(out), 6000000)


@test
def nobody_reads():
    process = popen("run", "-j2", "echo", stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    process.stdin.write(b"a\n")
    process.stdin.flush()
    process.stdout.readline()
    process.stdout.close()
    process.stdin.write(b"b\n")
    process.stdin.flush()
    process.stdout = None
    # It does not ask for the rest of its inputs.
    equal(process.wait(timeout=60), 128 + signal.SIGPIPE)
    equal(process.stderr.read(), b"")
    process.stdin.close()
    process.stderr.close()


@test
def output_that_cannot_be_written():
    with open("/dev/full", "w") as full:
        code, _, err = osiiso("run", "echo", ":::", "a", stdout=full)
    equal(code, 1)
    contains(err, "No space left")


# Many


@test
def ten_thousand_inputs():
    log = path("log")
    numbers = "".join("%d\n" % i for i in range(1, 10001))
    equal(run("-j4", "--joblog", log, "/bin/true", data=numbers), ("", ""))
    lines = read(log).splitlines()[1:]
    equal(sorted(int(line.split("\t")[0]) for line in lines), list(range(1, 10001)))
    equal({tuple(line.split("\t")[6:8]) for line in lines}, {("0", "0")})


@test
def memory_does_not_grow_with_inputs():
    few = peak("run", "--dry-run", "echo", lines=10000)
    many = peak("run", "--dry-run", "echo", lines=1000000)
    if many > few + 4096:
        raise AssertionError("%d KiB for 10 000 inputs, %d KiB for 1 000 000" % (few, many))


@test
def a_long_input():
    out, err = run("-k", "echo", data="a\n" + "x" * 200000 + "\nb\n", status=1)
    equal(out, "a\nb\n")
    contains(err, "job 2 failed")


# When jobs begin


@test
def an_input_that_is_too_long():
    for text in ("x" * 300000, "é" * 200000):
        out, err = run("true", data=text, status=1)
        equal(out, "")
        contains(err, "…: Cannot start “true”: Argument list too long")
        equal(len(err.encode()) < 1000, True)
        equal(err.encode().decode(errors="replace"), err)


@test
def as_many_jobs_as_wanted():
    # Each waits for all others.
    barrier = [fifo() for _ in range(3)]
    commands = ["echo >%s & read x <%s; wait" % (barrier[i], barrier[(i + 1) % 3]) for i in range(3)]
    run("-j3", ":::", *commands)
    equal(run("-j0", ":::", *commands), ("", ""))


@test
def one_job_at_a_time():
    lock = path("lock")
    out = run("-j1", "sh", "-c", "mkdir %s && rmdir %s" % (lock, lock), data="".join("%d\n" % i for i in range(100)))
    equal(out, ("", ""))


@test
def numbers_of_jobs():
    for value in ("50%", "+1", "-1", "0", "3"):
        equal(run("-j" + value, "echo", ":::", "a")[0], "a\n")


@test
def priorities():
    inputs = write("inputs", "5\tlate\n-1\tearly\n3\tmiddle\n5\tlater\n")
    equal(run("-j1", "--priority-from=1", "-a", inputs, "echo")[0], "early\nmiddle\nlate\nlater\n")
    equal(run("-j1", "--priority-from=2", "-C,", "echo", "{}", "{2}", ":::", "a,9,x", "b,1,y")[0], "b y 1\na x 9\n")
    out, err = run("-kj1", "--priority-from=1", "echo", ":::", "1\ta", "b", "1000\tc", status=1)
    equal(out, "a\n")
    contains(err, "2 of 3 jobs failed")


@test
def priorities_of_inputs_that_come_late():
    """What comes at once is begun in the order of urgency, also when it was waited for."""
    process = popen("run", "-j1", "--priority-from=1", "echo", stdin=subprocess.PIPE)
    while read("/proc/%d/stat" % process.pid).rpartition(")")[2].split()[0] != "S":
        pass
    equal(finish(process, b"7\tlater\n1\tfirst\n"), (0, "first\nlater\n", ""))


@test
def rate():
    begin = time.monotonic()
    run("-j8", "--rate=50", "true", ":::", *"abcdef")
    # The first one does not wait.
    if time.monotonic() - begin < 5 / 50:
        raise AssertionError("six jobs began too early")


# Other


@test
def rehearsal():
    mark = path("mark")
    equal(run("--dry-run", "touch", mark, ":::", "a b", "c\nd", "e'f")[0],
          "touch %s 'a b'\ntouch %s $'c\\nd'\ntouch %s 'e'\\''f'\n" % (mark, mark, mark))
    equal(os.path.exists(mark), False)


@test
def summary():
    out, err = run("-kq", "--json", "sh", "-c", "echo $0; exit $0", ":::", "0", "3", status=1)
    equal(err, "")
    lines = out.splitlines()
    equal(lines[:2], ["0", "3"])
    found = json.loads(lines[2])
    equal({key: found[key] for key in ("total", "succeeded", "failed", "cancelled", "skipped", "exit_status", "signal")},
          {"total": 2, "succeeded": 1, "failed": 1, "cancelled": 0, "skipped": 0, "exit_status": 1, "signal": 0})
    equal([(failure["seq"], failure["exit_status"], failure["attempts"]) for failure in found["failures"]], [(2, 3, 1)])
    name = path("json")
    equal(run("--json=" + name, "echo", ":::", "a")[0], "a\n")
    equal(json.loads(read(name))["succeeded"], 1)


@test
def progress_where_it_is_asked_for():
    equal(run("true", ":::", "a", "b")[1], "")
    contains(run("--progress", "true", ":::", "a", "b")[1], "osiiso run: 2/2 100%")


@test
def bad_values():
    """What was typed, and what should have been."""
    for option, value, expected in (
        ("--jobs", "some", "N, N%, +N or -N"),
        ("--timeout", "soon", "seconds, or a number with s, m, h or d"),
        ("--output-limit", "much", "bytes, or a number with K, M or G"),
        ("--halt", "maybe", "never, soon or now"),
        ("--retries", "-1", "0 or more"),
        ("--backoff", "0.5", "1 or more"),
        ("--jitter", "1.5", "0 to 1"),
        ("--jitter", "nan", "0 to 1"),
        ("--rate", "inf", "0 or more"),
        ("--burst", "0", "1 or more"),
        ("--max-args", "-2", "1 or more"),
        ("--max-args", "0", "1 or more"),
        ("--delimiter", "ab", r"one byte, also as \n, \t or \0"),
        ("--delimiter", "", r"one byte, also as \n, \t or \0"),
        ("--colsep", "", "the text between columns"),
    ):
        out, err = run("%s=%s" % (option, value), "true", ":::", "a", status=2)
        equal(out, "")
        contains(err, "“%s” is no value for %s: it takes %s\n" % (value, option, expected))
    contains(run("--set=nice", "true", ":::", "a", status=2)[1], "“nice” is no value for --set: it takes NAME=VALUE")
    contains(run("--set=size=1", "true", ":::", "a", status=2)[1], "“size=1” names no setting of this backend")
    contains(run("--set=nice=99", "true", ":::", "a", status=2)[1], "“99” is no value for the setting nice")


@test
def options_of_others():
    for option, ours in (("-t", "-v"), ("-L1", "-n"), ("--eta", "--progress"), ("--dryrun", "--dry-run"),
                         ("--wd=/", "--workdir")):
        out, err = run(option, "true", ":::", "a", status=2)
        equal(out, "")
        contains(err, "%s; see %s\n" % (option if option[1] == "-" else option[:2], ours))


@test
def usage():
    for words in (["--nosuch"], ["-j"], ["-jx"], ["--retries=-1"], ["--timeout=never"], ["--halt=later"],
                  ["--resume"], ["-n2", "-C,"], ["--set", "nosuch=1"], ["--set", "grace-time=-1"],
                  ["--output-limit=5X"], ["-uk"], ["--rate=-1"]):
        out, err = run(*words, "true", ":::", "a", status=2)
        equal(out, "")
        contains(err, "osiiso run --help")
    equal(osiiso()[0], 2)
    equal(osiiso("nosuch")[0], 2)
    equal(osiiso("--help")[0], 0)
    contains(osiiso("--version")[1], "osiiso 1.")


sys.exit(main())
