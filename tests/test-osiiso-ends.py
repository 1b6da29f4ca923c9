# SPDX-License-Identifier: LGPL-2.1-or-later
"""How jobs of “osiiso run” fail, and how runs end: signals, joblogs, terminals; prints TAP.

Usage: test-osiiso-ends.py PROGRAM
"""

import json
import os
import signal
import subprocess
import sys
import time

from osiiso_cli import (TIMEOUT, Terminal, contains, equal, fifo, finish, has_ended, listen, main, path, popen, read,
                        run, test, write)


def entries(log):
    """The lines of a joblog, as (number, exit status, signal, command)."""
    header, *lines = read(log).splitlines()
    equal(header, "Seq\tHost\tStarttime\tJobRuntime\tSend\tReceive\tExitval\tSignal\tCommand")
    return [(int(fields[0]), int(fields[6]), int(fields[7]), fields[8])
            for fields in (line.split("\t", 8) for line in lines)]


def release(gate):
    with open(gate, "w") as f:
        f.write("\n")


def arrived(gate):
    """Waits for a job that writes there, and returns what it writes."""
    with open(gate) as f:
        return f.read().strip()


# Failures


@test
def failures_show_in_the_status():
    out, err = run("-k", "sh", "-c", "echo $0; exit $0", ":::", "0", "7", "1", status=1)
    equal(out, "0\n7\n1\n")
    equal(err, "osiiso run: 2 of 3 jobs failed\n")
    equal(run("-q", "false", ":::", "a", status=1), ("", ""))
    contains(run("-v", "false", ":::", "a", status=1)[1], "job 1 failed: false a: false: Child process exited with code 1")


@test
def a_missing_command():
    log = path("log")
    out, err = run("--joblog", log, "nosuchprogram", ":::", "a", "b", status=127)
    equal(err, "osiiso run: nosuchprogram: there is no such program\n")
    equal(os.path.exists(log), False)
    out, err = run("-kj1", "--joblog", log, "{}", "x", ":::", "/nonexistent/a", "/etc/passwd", "echo", status=1)
    equal(out, "x\n")
    contains(err, "No such file")
    equal([entry[:3] for entry in entries(log)], [(1, 127, 0), (2, 126, 0), (3, 0, 0)])


@test
def what_is_no_program():
    for name in ("/etc/passwd", "/etc"):
        equal(run(name, ":::", "a", status=126), ("", "osiiso run: %s: it cannot be executed\n" % name))
    equal(run("/nonexistent", ":::", "a", status=127)[1], "osiiso run: /nonexistent: there is no such program\n")


@test
def a_line_that_no_shell_looks_at():
    hint = "osiiso run: a command in one word is a line for sh only with --shell\n"
    equal(run("echo x", ":::", "a", status=127)[1], "osiiso run: echo x: there is no such program\n" + hint)
    err = run("echo {}", ":::", "a", "b", status=1)[1]
    equal(err.count(hint), 1)
    equal(err.endswith(hint), True)
    equal(hint in run("nosuch{}", ":::", "a", status=1)[1], False)
    equal(run("--shell", "echo {}", ":::", "a"), ("a\n", ""))


@test
def a_killed_job():
    log = path("log")
    out, err = run("-kj1", "--joblog", log, "sh", "-c", "test $0 = a || kill -9 $$; echo $0", ":::", "b", "a", status=1)
    equal(out, "a\n")
    contains(err, "killed by signal 9")
    equal([entry[:3] for entry in entries(log)], [(1, 0, 9), (2, 0, 0)])


@test
def retries():
    count = path("count")
    script = "echo x >>%s; test $(wc -l <%s) -ge $0" % (count, count)
    out, err = run("--retries", "4", "--json", "-v", "sh", "-c", script, ":::", "3")
    equal(json.loads(out)["retries"], 2)
    contains(err, "job 1 is tried again")
    run("--retries", "2", "--retry-delay=0.01", "--backoff=2", "--max-retry-delay=1", "sh", "-c", script, ":::", "9",
        status=1)
    equal(len(read(count)), 2 * (3 + 3))


@test
def a_job_that_takes_too_long():
    log = path("log")
    pid = path("pid")
    out, err = run("--timeout=0.2", "--joblog", log, "sh", "-c", "echo $$ >%s; exec sleep 1000" % pid, ":::", "a",
                   status=1)
    contains(err, "timeout")
    equal(entries(log)[0][1:3], (-1, int(signal.SIGTERM)))
    equal(has_ended(int(read(pid))), True)


def state(pid):
    with open("/proc/%d/stat" % pid, encoding="utf-8") as f:
        return f.read().rpartition(")")[2].split()[0]


@test
def jobs_stop_and_go_on_with_the_program():
    pid = fifo()
    gate = fifo()
    process = popen("run", "-j1", "sh", "-c", "echo $$ >%s; while ! read x <%s; do :; done; echo done" % (pid, gate),
                    ":::", "a")
    with open(pid, encoding="ascii") as f:
        job = int(f.read())
    for _ in range(3):
        process.send_signal(signal.SIGTSTP)
        equal(os.WIFSTOPPED(os.waitpid(process.pid, os.WUNTRACED)[1]), True)
        # It has stopped before, or is about to.
        end = time.monotonic() + TIMEOUT
        while state(job) != "T" and time.monotonic() < end:
            os.sched_yield()
        equal(state(job), "T")
        process.send_signal(signal.SIGCONT)
        while state(job) == "T" and time.monotonic() < end:
            os.sched_yield()
        equal(state(job) != "T", True)
    with open(gate, "w", encoding="ascii") as f:
        f.write("\n")
    equal(finish(process), (0, "done\n", ""))


@test
def the_first_failure_ends_the_rest():
    began = fifo()
    pid = path("pid")
    mark = path("mark")
    log = path("log")
    commands = ["read x <%s; exit 3" % began, "echo $$ >%s; echo >%s; exec sleep 1000" % (pid, began), "touch " + mark]
    out, err = run("-j2", "--fail-first", "--json", "--joblog", log, ":::", *commands, status=1)
    equal(has_ended(int(read(pid))), True)
    equal(os.path.exists(mark), False)
    equal([entry[:3] for entry in entries(log)], [(1, 3, 0)])
    summary = json.loads(out)
    equal((summary["failed"], summary["cancelled"]), (1, 1))


@test
def the_first_failure_begins_nothing_more():
    began, gate = fifo(), fifo()
    mark = path("mark")
    process = popen("run", "-j2", "-v", "--halt=soon", ":::", "read x <%s; exit 3" % began,
                    "echo >%s; read x <%s; echo whole" % (began, gate), "touch " + mark)
    line = b""
    while b"failed" not in line:
        line = process.stderr.readline()
        equal(bool(line), True)
    release(gate)
    code, out, _ = finish(process)
    equal((code, out), (1, "whole\n"))
    equal(os.path.exists(mark), False)


@test
def what_waits_for_an_attempt_is_halted_too():
    process = popen("run", "-v", "--halt=soon", "--retries=1", "--retry-delay=1h", "--priority-from=1", "false",
                    stdin=subprocess.PIPE)
    process.stdin.write(b"1\ta\n")
    process.stdin.flush()
    while b"is tried again" not in process.stderr.readline():
        pass
    process.stdin.write(b"no priority\n")
    process.stdin.flush()
    code, _, err = finish(process)
    equal(code, 1)
    contains(err, "1 of 2 jobs failed")


# Joblog


@test
def the_joblog():
    log = path("log")
    run("-kj1", "--joblog", log, "sh", "-c", "printf 12345; exit $0", ":::", "0", "3", status=1)
    equal(entries(log), [(1, 0, 0, "sh -c 'printf 12345; exit $0' 0"), (2, 3, 0, "sh -c 'printf 12345; exit $0' 3")])
    fields = read(log).splitlines()[1].split("\t")
    equal(fields[1], ":")
    equal(fields[4:6], ["0", "5"])
    if not (float(fields[2]) > 1.5e9 and 0 <= float(fields[3]) < 60):
        raise AssertionError(fields)
    run("-kj1", "--joblog", log, "echo", "x\ty", ":::", "a\nb")
    equal(entries(log), [(1, 0, 0, "echo $'x\\ty' $'a\\nb'")])


@test
def resuming():
    log = path("log")
    count = path("count")
    words = ["-kj1", "--joblog", log, "sh", "-c", "echo $0 >>%s; test $0 != b -o -e %s.ok" % (count, count),
             ":::", "a", "b", "c"]
    run("--resume", *words, status=1)
    equal(read(count), "a\nb\nc\n")
    run("--resume", *words, "d")
    equal(read(count), "a\nb\nc\nd\n")
    run("--resume-failed", *words, "d", status=1)
    equal(read(count), "a\nb\nc\nd\nb\n")
    write_mark = open(count + ".ok", "w")
    write_mark.close()
    run("--resume-failed", *words, "d")
    run("--resume-failed", *words, "d")
    equal(read(count), "a\nb\nc\nd\nb\nb\n")
    equal([entry[:2] for entry in entries(log)], [(1, 0), (2, 1), (3, 0), (4, 0), (2, 1), (2, 0)])


@test
def resuming_a_joblog_that_was_cut():
    log = path("log")
    run("-kj1", "--joblog", log, "echo", ":::", "a", "b")
    os.truncate(log, os.path.getsize(log) - 3)
    equal(run("-kj1", "--joblog", log, "--resume", "echo", ":::", "a", "b", "c")[0], "b\nc\n")
    equal(run("-kj1", "--joblog", log, "--resume", "echo", ":::", "a", "b", "c", "d")[0], "d\n")


@test
def what_is_no_joblog_stays():
    log = write("log", "precious\n")
    out, err = run("--joblog", log, "--resume", "echo", ":::", "a", status=1)
    equal(out, "")
    contains(err, "is no joblog")
    equal(read(log), "precious\n")


@test
def a_joblog_that_cannot_be_written():
    mark = path("mark")
    out, err = run("--joblog", "/dev/full", "-j1", "touch", mark, ":::", "a", status=1)
    contains(err, "No space left")
    equal(os.path.exists(mark), False)
    run("--joblog", "/nonexistent/log", "touch", mark, ":::", "a", status=1)
    equal(os.path.exists(mark), False)


# Signals


def two_sleepers(*options):
    """Two jobs that run, a third one that waits: (process, pids, mark of the third)."""
    gates = fifo(), fifo()
    mark = path("mark")
    process = popen("run", "-j2", *options, ":::", *("echo $$ >%s; exec sleep 1000" % gate for gate in gates),
                    "touch " + mark)
    return process, [int(arrived(gate)) for gate in gates], mark


@test
def tests_can_send_signals_wherever_they_run():
    # Else a test that sends one waits forever for a program that ignores it, as it should.
    sent = {signal.SIGINT, signal.SIGTERM, signal.SIGHUP, signal.SIGTSTP}

    def start():
        for number in sent:
            signal.signal(number, signal.SIG_IGN)
        signal.pthread_sigmask(signal.SIG_BLOCK, sent)
        listen()

    status = subprocess.run(["cat", "/proc/self/status"], preexec_fn=start, stdout=subprocess.PIPE, text=True,
                            check=True).stdout
    fields = dict(line.split(":", 1) for line in status.splitlines())
    for field in ("SigIgn", "SigBlk"):
        mask = int(fields[field], 16)
        equal([number for number in sent if mask & 1 << number - 1], [], field)


@test
def signals_end_everything():
    for number in (signal.SIGINT, signal.SIGTERM, signal.SIGHUP):
        process, pids, mark = two_sleepers()
        process.send_signal(number)
        code, out, err = finish(process)
        equal((code, out, err), (128 + number, "", ""))
        equal([has_ended(pid) for pid in pids], [True, True])
        equal(os.path.exists(mark), False)


@test
def interrupted_jobs_can_clean_up():
    began, told = fifo(), fifo()
    process = popen("run", "sh", "-c", "trap 'echo clean >%s; exit' TERM; echo >%s; while :; do sleep 0.01; done"
                    % (told, began), ":::", "a")
    arrived(began)
    process.send_signal(signal.SIGINT)
    equal(arrived(told), "clean")
    equal(finish(process)[0], 130)


@test
def a_second_signal_kills():
    began, told = fifo(), fifo()
    process = popen("run", "--set", "grace-time=3600", "sh", "-c",
                    "trap 'echo no >%s' TERM; sh -c 'trap \"\" TERM; while :; do sleep 0.01; done' & echo $$ $! >%s; "
                    "while :; do sleep 0.01; done" % (told, began), ":::", "a")
    pids = [int(pid) for pid in arrived(began).split()]
    process.send_signal(signal.SIGINT)
    equal(arrived(told), "no")
    process.send_signal(signal.SIGINT)
    equal(finish(process)[0], 130)
    equal([has_ended(pid) for pid in pids], [True, True])


@test
def what_was_interrupted_can_be_resumed():
    log = path("log")
    began = fifo()
    words = ["-kj1", "--joblog", log, "sh", "-c", "echo $0; test -e $0 || { echo >%s; exec sleep 1000; }" % began, ":::"]
    late = path("late")
    process = popen("run", *words, "/", late, "/dev")
    arrived(began)
    process.send_signal(signal.SIGINT)
    equal(finish(process)[:2], (130, "/\n"))
    equal([entry[:3] for entry in entries(log)], [(1, 0, 0)])
    open(late, "w").close()
    equal(run("--resume", *words, "/", late, "/dev")[0], late + "\n/dev\n")


@test
def a_reader_that_is_stuck():
    began = fifo()
    process = popen("run", ":::", "head -c 1000000 /dev/zero", "echo >%s; exec sleep 1000" % began)
    arrived(began)
    process.send_signal(signal.SIGTERM)
    equal(process.wait(60), 128 + signal.SIGTERM)
    process.stdout.close()
    process.stderr.close()


@test
def an_input_that_never_comes():
    process = popen("run", "echo", stdin=subprocess.PIPE)
    process.stdin.write(b"a\n")
    process.stdin.flush()
    equal(process.stdout.readline(), b"a\n")
    process.send_signal(signal.SIGINT)
    equal(process.wait(60), 130)
    process.stdin.close()
    process.stdin = None
    finish(process)


@test
def an_input_of_several_that_never_comes():
    # All of them are read before the first job begins.
    process = popen("run", "echo", "::::", "-", ":::", "b", stdin=subprocess.PIPE)
    process.stdin.write(b"a\n")
    process.stdin.flush()
    end = time.monotonic() + TIMEOUT
    while not listens(process.pid, signal.SIGINT) and time.monotonic() < end:
        os.sched_yield()
    process.send_signal(signal.SIGINT)
    equal(process.wait(60), 130)
    process.stdin.close()
    process.stdin = None
    equal(finish(process)[1:], ("", ""))


def listens(pid, number):
    caught = dict(line.split(":", 1) for line in read("/proc/%d/status" % pid).splitlines())["SigCgt"]
    return bool(int(caught, 16) & 1 << number - 1)


@test
def a_signal_that_is_ignored():
    gate, began = fifo(), fifo()
    process = popen("run", "sh", "-c", "echo >%s; read x <%s; echo done" % (began, gate), ":::", "a",
                    preexec_fn=lambda: signal.signal(signal.SIGHUP, signal.SIG_IGN))
    arrived(began)
    process.send_signal(signal.SIGHUP)
    release(gate)
    equal(finish(process), (0, "done\n", ""))


# Terminals


@test
def progress_on_a_terminal():
    gate = fifo()
    terminal = Terminal("run", "-kj1", "--shell", "test {} = b && read x <%s; echo out {}" % gate, ":::", "a", "b", "c")
    terminal.wait_for(b"1/3 33%  1 running  ETA")
    release(gate)
    equal(terminal.finish(), 0)
    # It has left nothing behind.
    equal(terminal.screen(), ["out a", "out b", "out c", ""])


@test
def progress_fits_the_terminal():
    gate = fifo()
    terminal = Terminal("run", "-j1", "-q", "--shell", "test {} = 5 && read x <%s; false" % gate, ":::", *"12345")
    terminal.wait_for(b"4 failed")
    release(gate)
    equal(terminal.finish(), 1)
    if max(len(line) for line in terminal.screen()) >= Terminal.COLUMNS:
        raise AssertionError(terminal.screen())


@test
def progress_spares_an_open_line():
    # What has no end of line is not overwritten, however long that takes.
    gate = fifo()
    terminal = Terminal("run", "-kj1", "--shell", "printf {}; test {} != b || read x <%s" % gate, ":::", "a", "b", "c")
    terminal.wait_for(b"a")
    release(gate)
    equal(terminal.finish(), 0)
    equal(terminal.screen(), ["abc"])


@test
def progress_of_what_is_interrupted():
    # What was ended is not done, while one that does not listen keeps us.
    began, gate = fifo("began"), fifo("gate")
    terminal = Terminal("run", "-j1", "--set=grace-time=3600", "--shell",
                        "trap '' TERM; echo >%s; read x <%s; true" % (began, gate), ":::", "a", "b")
    arrived(began)
    terminal.type(b"\x03")
    terminal.wait_for(b"0/2 0%  0 running  2 cancelled")
    release(gate)
    equal(terminal.finish(), 130)
    equal(b"100%" in terminal.output, False)


@test
def no_progress_if_it_is_not_wanted():
    terminal = Terminal("run", "--no-progress", "sh", "-c", "sleep 1; echo out", ":::", "a")
    equal(terminal.finish(), 0)
    equal(terminal.output, b"out\r\n")


@test
def inputs_that_are_typed():
    terminal = Terminal("run", "--no-progress", "echo", "got")
    terminal.wait_for(b"Control-D ends them")
    terminal.type(b"a\n")
    terminal.wait_for(b"got a")
    terminal.type(b"\x04")
    equal(terminal.finish(), 0)


@test
def descriptors_that_are_closed():
    for closed in ((0,), (0, 1), (0, 1, 2)):
        mark = path("mark")
        process = popen("run", "touch", ":::", mark, preexec_fn=lambda: [os.close(fd) for fd in closed])
        equal(finish(process)[0], 0)
        equal(os.path.exists(mark), True)


@test
def a_closed_output_is_no_file_of_ours():
    log = path("log")
    process = popen("run", "--joblog", log, "echo", "text", ":::", "a", preexec_fn=lambda: os.close(1))
    code, _, err = finish(process)
    equal(code, 1)
    contains(err, "cannot write to standard output: Bad file descriptor")
    equal("text\n" in read(log).replace("echo text", ""), False)
    # What prints nothing does not need it.
    equal(finish(popen("run", "true", ":::", "a", preexec_fn=lambda: os.close(1)))[0], 0)


@test
def a_closed_input_is_not_empty():
    code, out, err = finish(popen("run", "echo", stdin=None, preexec_fn=lambda: os.close(0)))
    equal(code, 1)
    equal(out, "")
    contains(err, "Cannot read inputs from standard input: Bad file descriptor")


@test
def control_c():
    began = fifo()
    terminal = Terminal("run", "sh", "-c", "echo $$ >%s; exec sleep 1000" % began, ":::", "a")
    pid = int(arrived(began))
    terminal.type(b"\x03")
    equal(terminal.finish(), 130)
    equal(has_ended(pid), True)


sys.exit(main())
