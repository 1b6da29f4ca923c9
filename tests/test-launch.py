#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""osiiso-launch PROGRAM: what it sets for the program that it becomes."""
import os
import select
import signal
import subprocess
import sys

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'bindings'))
import tap  # noqa: E402

LAUNCH = sys.argv.pop(1)


def launch(*args, **kwargs):
    return subprocess.run([LAUNCH, *args], capture_output=True, text=True, timeout=60, **kwargs)


class TestLaunch(tap.Case):
    def test_program(self):
        for args in (('echo', '-n', 'a b'), ('--', 'echo', '-n', 'a b'), ('--core=0', '--', 'echo', '-n', 'a b')):
            done = launch(*args)
            self.assertEqual((done.returncode, done.stdout, done.stderr), (0, 'a b', ''))
        self.assertEqual(launch('sh', '-c', 'exit 7').returncode, 7)

    def test_failures(self):
        for args, status, message in ((('no-program-of-that-name',), 127, 'No such file'),
                                      (('/etc/passwd',), 126, 'Permission denied'),
                                      ((), 125, 'no program'), (('--',), 125, 'no program'),
                                      (('--nice=x', 'true'), 125, '--nice=x'), (('--as=', 'true'), 125, '--as='),
                                      (('--other', 'true'), 125, 'unknown option --other')):
            with self.subTest(args):
                done = launch(*args)
                self.assertEqual(done.returncode, status, done.stderr)
                self.assertRegex(done.stderr, f'^osiiso-launch: .*{message}')

    def test_limits(self):
        script = 'ulimit -v; ulimit -t; ulimit -c; nice'
        done = launch('--as=1024000000', '--cpu=30', '--core=0', '--nice=3', '--', 'sh', '-c', script)
        self.assertEqual(done.stdout.split(), ['1000000', '30', '0', str(min(os.nice(0) + 3, 19))])
        # No more than there was.
        done = subprocess.run(['sh', '-c', f'ulimit -t 20; exec {LAUNCH} --cpu=30 -- sh -c "ulimit -t"'],
                              capture_output=True, text=True, timeout=60)
        self.assertEqual(done.stdout.split(), ['20'], done.stderr)

    def test_signals(self):
        """What the parent ignores or blocks is neither in the program."""
        def before():
            signal.signal(signal.SIGTERM, signal.SIG_IGN)
            signal.pthread_sigmask(signal.SIG_BLOCK, {signal.SIGTERM, signal.SIGINT})
        done = launch('sh', '-c', 'kill -TERM $$; echo not yet', preexec_fn=before, restore_signals=False)
        self.assertEqual((done.returncode, done.stdout), (-signal.SIGTERM, ''))

    def test_status(self):
        """The program is a child of the parent, and what goes wrong is told there."""
        for args, status, expected in ((('--', '/bin/sh', 'name', '-c', 'echo $0 >&2; exit 7'), 7, ''),
                                       (('--', '/nowhere/x', 'x'), 127, 'error 2 /nowhere/x\n'),
                                       (('--nice=-40', '--', '/bin/true', 'true'), None, None)):
            if expected is None and os.geteuid() == 0:
                continue
            read, write = os.pipe()
            with subprocess.Popen([LAUNCH, f'--status-fd={write}', '--file', *args], pass_fds=[write]) as launcher:
                os.close(write)
            self.assertEqual(launcher.returncode, 0)
            with open(read, encoding='utf-8') as file:
                line = file.readline()
                self.assertRegex(line, '^pid [0-9]+\n$')
                rest = file.read()
            _, ended = os.waitpid(int(line[4:]), 0)
            if expected is None:
                self.assertRegex(rest, '^error [0-9]+ nice\n$')
            else:
                self.assertEqual((os.waitstatus_to_exitcode(ended), rest), (status, expected))

    def test_parent(self):
        self.assertEqual(launch(f'--ppid={os.getpid()}', '--', 'true').returncode, 0)
        # Whoever is the parent, it is not that one, which has gone meanwhile.
        self.assertEqual(launch('--ppid=1', '--', 'true').returncode, -signal.SIGKILL)

    def test_parent_dies(self):
        script = f'{LAUNCH} --ppid=$$ -- sleep 1000 & echo $!; wait'
        with subprocess.Popen(['sh', '-c', script], stdout=subprocess.PIPE, text=True) as parent:
            child = int(parent.stdout.readline())
            pidfd = os.pidfd_open(child)
            parent.kill()
        # It ends without anybody's help.
        poll = select.poll()
        poll.register(pidfd, select.POLLIN)
        self.assertTrue(poll.poll(60000))
        os.close(pidfd)


if __name__ == '__main__':
    tap.main()
