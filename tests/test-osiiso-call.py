# SPDX-License-Identifier: LGPL-2.1-or-later
"""Runs “osiiso call” and “osiiso backends”, and compares documents with options; prints TAP.

Usage: test-osiiso-call.py PROGRAM TOOLS_FOLDER
"""

import json
import os
import re
import shutil
import signal
import subprocess
import sys

from osiiso_cli import (PROGRAM, contains, environment, equal, finish, main, osiiso, path, peak, popen, read,
                        test)

TOOLS = sys.argv[2]
MODULE = "osiiso-test-worker-functions"


def call(*args, status=0, **kwargs):
    code, out, err = osiiso("call", *args, **kwargs)
    equal(code, status, "exit status (stdout: %r, stderr: %r)" % (out, err))
    return out, err


# Calls


@test
def a_string_by_default():
    equal(call("-k", MODULE + ":echo", ":::", "a", "b c", "")[0], "a\nb c\n\n")
    equal(call("-k", MODULE + ":echo", data="1\n2\n")[0], "1\n2\n")


@test
def several_strings():
    equal(call("-k", "-n2", MODULE + ":echo", ":::", "a", "b", "c")[0], "['a', 'b']\n['c']\n")
    equal(call("-k", "-C,", MODULE + ":echo", ":::", "a,b")[0], "['a', 'b']\n")


@test
def a_type():
    equal(call("-k", "-t", "(ii)", MODULE + ":add", ":::", "(1, 2)", "(3, -4)")[0], "3\n-1\n")
    equal(call("-k", "--type=ay", MODULE + ":echo", ":::", "\udcff")[0], "b'\\377'\n")


@test
def an_argument():
    equal(call("-k", MODULE + ":add", "(1, {})", ":::", "2", "3")[0], "3\n4\n")
    equal(call("-k", MODULE + ":add", "({2}, {1})", ":::", "1", "2", ":::", "10", "20")[0], "11\n21\n12\n22\n")
    equal(call("-k", MODULE + ":echo", "true", ":::", "a", "b")[0], "true\ntrue\n")


@test
def arguments_that_are_none():
    log = path("log")
    out, err = call("-k", "-t", "u", "--joblog", log, MODULE + ":echo", ":::", "1", "x", "-1", "2", status=1)
    equal(out, "1\n2\n")
    contains(err, "job 2 failed: x: “x” is no argument")
    contains(err, "2 of 4 jobs failed")
    equal([line.split("\t")[6] for line in read(log).splitlines()[1:]].count("1"), 2)
    call(MODULE + ":echo", ":::", "\udcff", status=1)
    call(MODULE + ":add", "({}, 1)", ":::", "1", ":::", "2", status=1)


@test
def failures():
    out, err = call("-k", MODULE + ":fail", ":::", "a", status=1)
    contains(err, "no space left for this")
    out, err = call("-k", MODULE + ":nosuch", ":::", "a", status=1)
    contains(err, "there is no function 'nosuch'")
    out, err = call("--retries=1", "-v", MODULE + ":fail", ":::", "a", status=1)
    contains(err, "is tried again")


@test
def the_same_on_other_backends():
    for name in ("subprocess", "thread-pool", "main-loop"):
        equal(call("-k", "--backend", name, MODULE + ":add", "({}, 1)", ":::", "1", "2", "3")[0], "2\n3\n4\n")
    call("--backend=nosuch", MODULE + ":add", ":::", "1", status=1)


@test
def thousands_of_calls():
    numbers = "".join("%d\n" % i for i in range(20000))
    equal(call("-k", MODULE + ":echo", data=numbers)[0], numbers)


@test
def memory_does_not_grow_with_jobs():
    few = peak("call", MODULE + ":echo", lines=20000)
    many = peak("call", MODULE + ":echo", lines=200000)
    if many > few + 4096:
        raise AssertionError("%d KiB for 20 000 calls, %d KiB for 200 000" % (few, many))


@test
def settings():
    equal(call("-k", "--set", "tasks-per-worker=2", "--set", "window=1", MODULE + ":add", "({}, 1)", ":::",
               *"123456")[0], "2\n3\n4\n5\n6\n7\n")
    out, err = call("--set", "worker-argv=/bin/false x", "--set", "start-timeout=5", MODULE + ":add", "({}, 1)",
                    ":::", "1", status=1)
    contains(err, "job 1 failed")


@test
def interrupted_calls():
    gate = path("gate")
    os.mkfifo(gate)
    process = popen("call", MODULE + ":gate", ":::", gate)
    # The other side opens when the function does.
    with open(gate, "w"):
        process.send_signal(signal.SIGINT)
        equal(finish(process)[:2], (130, ""))


@test
def call_usage():
    for words in ([], ["nosymbol"], [MODULE + ":echo", "1", "2"], ["-t", "x)", MODULE + ":echo"],
                  ["-t", "*", MODULE + ":echo"], ["-u", MODULE + ":echo"]):
        out, err = call(*words, ":::", "a", status=2)
        contains(err, "osiiso call --help")


# Backends


@test
def backends():
    code, out, err = osiiso("backends")
    equal((code, err), (0, ""))
    lines = out.splitlines()
    equal(lines[0].split(), ["BACKEND", "WORKERS", "CAPABILITIES", "DESCRIPTION"])
    table = {line.split()[0]: line.split()[2:] for line in lines[1:lines.index("")]}
    contains(table, "subprocess")
    contains(table["subprocess"], "commands")
    contains(table["thread-pool"], "functions")
    contains([line.split()[:4] for line in lines], ["grace-time", "number", "0…3600", "2"])
    contains(out, "Seconds between being told to end and being killed")


@test
def backends_in_json():
    code, out, err = osiiso("backends", "--json")
    equal((code, err), (0, ""))
    found = {backend["name"]: backend for backend in json.loads(out)}
    equal(sorted(found["subprocess"]["capabilities"]), ["async", "calls", "commands", "kill"])
    settings = {setting["name"]: setting for setting in found["subprocess"]["settings"]}
    equal({key: settings["grace-time"][key] for key in ("type", "minimum", "maximum", "default")},
          {"type": "number", "minimum": 0, "maximum": 3600, "default": 2})
    equal(settings["setup-encoding"]["values"], ["none", "gvariant", "json", "bytes"])
    equal(settings["worker-argv"]["default"], None)
    equal(sorted(found), sorted(set(found)))


@test
def backends_are_described():
    page = read(os.path.join(os.path.dirname(TOOLS), "docs", "backends.md"))
    for backend in json.loads(osiiso("backends", "--json")[1]):
        contains(page, "\n## %s\n" % backend["name"])
        contains(page, backend["description"])
        rows = dict(re.findall(r"^\| `([a-z-]+)` \| [^|]* \| ([^|]*) \|", page, re.MULTILINE))
        for setting in backend["settings"]:
            assert setting["description"], setting
            default = json.dumps(setting["default"]).strip('"').replace("null", "none").removesuffix(".0")
            equal((setting["name"], rows.get(setting["name"])), (setting["name"], default))


@test
def a_backend_that_is_broken():
    folder = os.path.dirname(path("x"))
    with open(os.path.join(folder, "libosiiso-backend-broken.so"), "w") as f:
        f.write("no library\n")
    env = dict(environment(), OSIISO_BACKEND_PATH=folder + ":" + os.environ["OSIISO_BACKEND_PATH"])
    result = subprocess.run([PROGRAM, "backends"], env=env, capture_output=True, text=True, timeout=60)
    equal(result.returncode, 1)
    contains(result.stdout, "broken")
    contains(result.stdout, "subprocess")


@test
def backends_usage():
    equal(osiiso("backends", "x")[0], 2)
    equal(osiiso("backends", "--nosuch")[0], 2)


# Documents


def options_of(command):
    return set(re.findall(r"--[a-z][a-z-]+", osiiso(command, "--help")[1])) - {"--help"}


@test
def the_manual_names_all_options():
    text = read(os.path.join(TOOLS, "osiiso.1")).replace("\\-", "-")
    for command in ("run", "call", "backends"):
        for option in options_of(command):
            contains(text, option)
    known = options_of("run") | options_of("call") | options_of("backends")
    for option in set(re.findall(r"--[a-z][a-z-]+", text)):
        contains(known, option)


@test
def the_manual_can_be_formatted():
    for formatter in (["mandoc", "-Tlint", "-Wwarning"], ["groff", "-man", "-Tutf8", "-ww", "-z"]):
        if shutil.which(formatter[0]) is None:
            continue
        result = subprocess.run([*formatter, os.path.join(TOOLS, "osiiso.1")], capture_output=True, text=True,
                                timeout=60)
        equal((result.stdout, result.stderr), ("", ""))
    contains(read(os.path.join(TOOLS, "osiiso.1")), ".SH EXIT STATUS")


@test
def completions_know_all_options():
    for name in ("osiiso.bash", "_osiiso", "osiiso.fish"):
        text = read(os.path.join(TOOLS, "completion", name))
        for command in ("run", "call", "backends"):
            for option in options_of(command):
                contains(text, "-l " + option[2:] if name == "osiiso.fish" else option)


def complete(*words):
    """What bash would offer for the last word."""
    script = ("source %s; COMP_WORDS=(\"$@\"); COMP_CWORD=$(($# - 1)); compopt () { :; }; _osiiso; "
              "printf '%%s\\n' \"${COMPREPLY[@]}\"" % os.path.join(TOOLS, "completion", "osiiso.bash"))
    env = dict(environment(), PATH=os.path.dirname(PROGRAM) + ":/usr/bin:/bin")
    result = subprocess.run(["bash", "-c", script, "bash", *words], env=env, capture_output=True, text=True,
                            timeout=60, check=True)
    equal(result.stderr, "")
    return result.stdout.split()


@test
def completion_in_bash():
    equal(complete("osiiso", "b"), ["backends"])
    equal(complete("osiiso", "run", "--he"), ["--help"])
    equal(complete("osiiso", "run", "--halt", "=", "s"), ["soon"])
    equal(complete("osiiso", "run", "-j", "2", "--resume-"), ["--resume-failed"])
    equal(complete("osiiso", "call", "--backend", "sub"), ["subprocess"])
    equal(complete("osiiso", "call", "--set", "grace"), ["grace-time="])
    contains(complete("osiiso", "run", "--retries", "=", "3", "ech"), "echo")
    equal(complete("osiiso", "run", "echo", "--he"), [])


sys.exit(main())
