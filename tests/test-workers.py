#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Worker programs, driven over a socket by a parent that knows nothing but
docs/worker-protocol.md.

test-workers.py c|python|js SOURCE-ROOT PROGRAM ARGUMENT...
"""
import json
import operator
import os
import pickle
import re
import signal
import struct
import subprocess
import sys
import tempfile
import time
import unittest

sys.path.insert(0, os.path.join(os.path.dirname(os.path.abspath(__file__)), 'bindings'))
import tap  # noqa: E402
from worker_parent import (CALL, CANCEL, DEFINE, ERROR, HEADER, HELLO, PROGRESS, RECALL, RECALLED,  # noqa: E402
                           RESULT, RETRY, TASK, Parent, pack, parse_error)

LANGUAGE, ROOT, *ARGV = sys.argv[1:]
TESTS = os.path.join(ROOT, 'tests')
CANCELLED = ('g-io-error-quark', 19)
with open(ARGV[0], 'rb') as program:
    IS_TSAN = b'__tsan_init' in program.read()


def box(type_string, data):
    """A variant in a variant."""
    return data + b'\0' + type_string.encode()


class Python:
    name = 'osiiso.worker'
    words = {'recall', 'task'}
    domain = 'osiiso-python'
    terminated = -signal.SIGTERM
    print_name = 'print_line'

    @staticmethod
    def function(name):
        return f'worker_functions:{name}'

    @staticmethod
    def pack(*args):
        return pickle.dumps((args, {})), 'B'

    @staticmethod
    def unpack(frame):
        assert frame.encoding == 'B', frame
        return pickle.loads(frame.payload)


class JavaScript:
    name = 'gjs'
    words = {'cancel', 'recall', 'task'}
    domain = 'osiiso-js'
    terminated = -signal.SIGTERM
    print_name = 'printLine'

    @staticmethod
    def function(name):
        return f'{TESTS}/worker-functions.js:{name}'

    @staticmethod
    def pack(*args):
        return json.dumps(args).encode(), 'J'

    @staticmethod
    def unpack(frame):
        assert frame.encoding == 'J', frame
        return json.loads(frame.payload)


class C:
    name = 'osiiso-worker'
    words = {'cancel', 'recall', 'task'}
    domain = 'osiiso-queue-error-quark'
    terminated = 143
    print_name = 'print'

    @staticmethod
    def function(name):
        return f'osiiso-test-worker-functions:{name}'

    @staticmethod
    def pack(*args):
        if not args:
            return b'', ''
        if isinstance(args[0], str):
            return box('s', args[0].encode() + b'\0'), 'V'
        if isinstance(args[0], float):
            return box('d', struct.pack('<d', args[0])), 'V'
        return box('(ii)', struct.pack('<ii', *args)), 'V'

    @staticmethod
    def unpack(frame):
        assert frame.encoding == 'V', frame
        data, _, type_string = frame.payload.rpartition(b'\0')
        if type_string == b'i':
            return struct.unpack('<i', data)[0]
        assert type_string == b's', type_string
        return data[:-1].decode()


WORKER = {'python': Python, 'js': JavaScript, 'c': C}[LANGUAGE]


def start(**kwargs):
    return Parent(ARGV, env={'PYTHONPATH': f'{ROOT}/introspection/python:{TESTS}'}, **kwargs)


def call(parent, name, *args):
    payload, encoding = WORKER.pack(*args)
    return parent.call(WORKER.function(name), payload, encoding)


class Case(tap.Case):
    def check_value(self, frame, number, value):
        self.assertEqual((frame.kind, frame.number), (RESULT, number))
        self.assertEqual(WORKER.unpack(frame), value)

    def check_none(self, frame, number):
        self.assertEqual(frame, (RESULT, number, '', '', b''))

    def check_error(self, frame, number, domain, code, message):
        self.assertEqual((frame.kind, frame.number), (ERROR, number))
        self.assertEqual(parse_error(frame)[:2], (domain, code))
        self.assertRegex(parse_error(frame)[2], message)
        return parse_error(frame)[3]

    def check_end(self, parent, status, message=None, **kwargs):
        returncode, output, errors = parent.finish(**kwargs)
        self.assertEqual(returncode, status, errors)
        if message is None:
            self.assertEqual(errors, '')
        else:
            self.assertRegex(errors, message)
        return output

    def await_progress(self, parent, text):
        frame = parent.receive()
        self.assertEqual((frame.kind, frame.payload[8:]), (PROGRESS, text.encode()))


class TestWorker(Case):
    def test_hello(self):
        with start() as parent:
            self.assertEqual(parent.hello[:4], (HELLO, 1, '', WORKER.name))
            self.assertEqual(set(parent.hello.payload.decode().split()), WORKER.words)
            self.check_end(parent, 0)

    def test_calls(self):
        with start() as parent:
            for a in range(50):
                number = call(parent, 'add', a, 2)
                self.check_value(parent.receive(), number, a + 2)
            for _ in range(10):
                numbers = [call(parent, 'add', a, 2) for a in range(100)]
                for a, number in enumerate(numbers):
                    self.check_value(parent.receive(), number, a + 2)
            number = parent.call(WORKER.function('echo'))
            self.check_none(parent.receive(), number)
            self.check_end(parent, 0)

    def test_byte_by_byte(self):
        with start() as parent:
            payload, encoding = WORKER.pack(20, 22)
            for byte in pack(CALL, 9, encoding, WORKER.function('add'), payload):
                parent.send_bytes(bytes([byte]))
            self.check_value(parent.receive(), 9, 42)

    def test_not_found(self):
        with start() as parent:
            for function in (WORKER.function('nothing'), 'no-module-of-that-name:f', 'no colon', ':', ''):
                if function == '' or (function == ':' and LANGUAGE == 'c'):
                    continue
                number = parent.call(function)
                frame = parent.receive()
                self.assertEqual((frame.kind, frame.number, frame.name), (ERROR, number, WORKER.domain), function)
            number = call(parent, 'add', 1, 2)
            self.check_value(parent.receive(), number, 3)

    def test_bad_arguments(self):
        other = {'c': 'J', 'python': 'V', 'js': 'B'}[LANGUAGE]
        with start() as parent:
            for encoding in (other, WORKER.pack(1, 2)[1]):
                number = parent.call(WORKER.function('add'), b'\xff\xfe\xfd', encoding)
                frame = parent.receive()
                self.assertEqual((frame.kind, frame.number), (ERROR, number))
            number = call(parent, 'add', 1, 2)
            self.check_value(parent.receive(), number, 3)

    def test_progress(self):
        with start() as parent:
            number = call(parent, 'progress')
            frame = parent.receive()
            fractions = []
            while frame.kind == PROGRESS:
                self.assertEqual(frame.number, number)
                fractions.append(struct.unpack_from('<d', frame.payload)[0])
                text = frame.payload[8:]
                frame = parent.receive()
            self.check_none(frame, number)
            self.assertEqual((fractions[0], fractions[-1], text), (0, 1, b'last'))
            self.assertEqual(fractions, sorted(fractions))

    def test_large(self):
        text = 'x' * (64 << 20)
        with start() as parent:
            number = call(parent, 'echo', text)
            self.check_value(parent.receive(), number, text)
            number = call(parent, 'add', 1, 2)
            self.check_value(parent.receive(), number, 3)

    def test_answer_too_large(self):
        with start(max_body=500) as parent:
            number = call(parent, 'big')
            self.check_error(parent.receive(), number, 'g-io-error-quark', 46, 'at most 500')
            number = call(parent, 'add', 1, 2)
            self.check_value(parent.receive(), number, 3)

    def test_print(self):
        with start() as parent:
            number = call(parent, WORKER.print_name)
            self.check_none(parent.receive(), number)
            self.assertEqual(self.check_end(parent, 0), 'printed\n')

    def test_broken(self):
        cases = {
            'unknown kind': HEADER.pack(0, 1, 77, 0, 0),
            'kind': HEADER.pack(0, 1, RESULT, 0, 0),
            'kind of its own': pack(HELLO, 1, '', '', struct.pack('<I', 1 << 20)),
            'encoding': HEADER.pack(0, 1, CALL, 1, 0),
            'at most': HEADER.pack((256 << 20) + 1, 1, CALL, 0, 0),
            'longer than its body': HEADER.pack(1, 1, CALL, 0, 2),
            'UTF-8': HEADER.pack(2, 1, CALL, 0, 2) + b'\xc3x',
            'number 0': pack(CALL, 0, '', 'f'),
        }
        for message, data in cases.items():
            with self.subTest(message), start() as parent:
                parent.send_bytes(data)
                self.check_end(parent, 1, message.replace(' of its own', ''), close=False)

    def test_truncated(self):
        for data in (b'\0\0\0', pack(CALL, 1, '', 'function', b'payload')[:-1]):
            with self.subTest(len(data)), start() as parent:
                parent.send_bytes(data)
                self.check_end(parent, 1, 'not complete')

    def test_version(self):
        with start(greet=False) as parent:
            parent.send(HELLO, 2, '', '', struct.pack('<I', 1000))
            self.check_end(parent, 1, 'version 2.*version 1', close=False)

    def test_no_greeting(self):
        for data in (pack(CALL, 1, '', WORKER.function('add')), pack(HELLO, 1, '', '', b'\1')):
            with self.subTest(data), start(greet=False) as parent:
                parent.send_bytes(data)
                self.check_end(parent, 1, 'does not greet', close=False)

    def test_parent_gone(self):
        with start(greet=False) as parent:
            self.check_end(parent, 0)
        with start() as parent:
            call(parent, 'hang')
            call(parent, 'add', 1, 2)
            self.await_progress(parent, 'hangs')
            self.check_end(parent, 0)

    # ThreadSanitizer holds signals back from a thread that waits in recv ().
    @unittest.skipIf(IS_TSAN, 'signals come late under ThreadSanitizer')
    def test_terminated(self):
        with start() as parent:
            call(parent, 'add', 1, 2)
            parent.receive()
            parent.process.send_signal(signal.SIGTERM)
            self.assertIsNone(parent.receive())
            self.check_end(parent, WORKER.terminated)

    def test_no_parent(self):
        for fd in ('55', '0', 'x'):
            env = dict(os.environ, OSIISO_WORKER_FD=fd, PYTHONPATH=f'{ROOT}/introspection/python')
            done = subprocess.run(ARGV, env=env, stdin=subprocess.DEVNULL, stderr=subprocess.PIPE, text=True,
                                  timeout=60)
            self.assertEqual(done.returncode, 2, done.stderr)
            self.assertIn('OSIISO_WORKER_FD' if fd == 'x' else 'socket', done.stderr)

    def test_inherited(self):
        with start() as parent:
            number = call(parent, 'inherited')
            self.check_value(parent.receive(), number, 'nothing')
            self.check_end(parent, 0)

    def test_changes_of_mind(self):
        with tempfile.TemporaryDirectory() as folder, start() as parent:
            path = os.path.join(folder, 'gate')
            os.mkfifo(path)
            first = call(parent, 'gate', path)
            others = [call(parent, 'add', i, 1) for i in range(4)]
            # Opened when the other end is, which is in the call.
            with open(path, 'w', encoding='ascii') as gate:
                parent.send(RECALL, others[0])
                parent.send(CANCEL, others[2])
                # Of no call: not yet, not any more.
                for number in (1000, 0xffffffff):
                    parent.send(CANCEL, number)
                    parent.send(RECALL, number)
                # A worker looks again after a call that took at least a millisecond.
                time.sleep(0.005)
                # Another thread answers meanwhile.
                frames = [parent.receive(), parent.receive()]
                parent.send(RECALL, first)
                gate.write('open')
            self.check_value(parent.receive(), first, 'open')
            self.assertEqual(frames[0], (RECALLED, others[0], '', '', b''))
            self.check_error(frames[1], others[2], *CANCELLED, 'cancelled')
            self.check_value(parent.receive(), others[1], 2)
            self.check_value(parent.receive(), others[3], 4)
            # After its end it is not heard of any more.
            parent.send(CANCEL, first)
            parent.send(RECALL, first)
            number = call(parent, 'add', 1, 2)
            self.check_value(parent.receive(), number, 3)

    def check_task(self, parent, number, expected):
        if LANGUAGE == 'c':
            expected = json.dumps(expected, ensure_ascii=False)
        self.check_value(parent.receive(), number, expected)

    def test_task(self):
        with start() as parent:
            number = call(parent, 'task')
            self.check_task(parent, number, [WORKER.function('task'), 1, 0])
            parent.send(TASK, parent.number + 1, '', 'töst', struct.pack('<II', 7, 9) + b'more')
            told = call(parent, 'task')
            self.check_task(parent, told, ['töst', 7, 9])
            # Of a call that was taken back.
            parent.send(TASK, 1000, '', 'other', struct.pack('<II', 3, 4))
            number = call(parent, 'task')
            self.check_task(parent, number, [WORKER.function('task'), 1, 0])

    def test_retry_after(self):
        with start() as parent:
            for seconds in (0.0, 2.5, float('inf')):
                # JSON has no word for it.
                value = None if LANGUAGE == 'js' and seconds > 3 else seconds
                number = call(parent, 'retry_after', value)
                self.assertEqual(parent.receive(), (RETRY, number, '', '', struct.pack('<d', seconds)))
                frame = parent.receive()
                self.assertEqual((frame.kind, frame.number), (ERROR, number))
            # It was of that call.
            number = call(parent, 'fail')
            frame = parent.receive()
            self.assertEqual((frame.kind, frame.number), (ERROR, number))


class TestC(Case):
    def test_program_version(self):
        done = subprocess.run([*ARGV, '--version'], stdout=subprocess.PIPE, check=True, encoding='utf-8')
        self.assertRegex(done.stdout, r'^osiiso-worker \d+\.\d+\.\d+$')

    def test_errors(self):
        with start() as parent:
            number = call(parent, 'fail')
            details = self.check_error(parent.receive(), number, 'g-file-error-quark', 12, '^no space left for this$')
            self.assertEqual(details, b'')
            number = call(parent, 'fail_with_details')
            frame = parent.receive()
            details = self.check_error(frame, number, 'g-io-error-quark', 26, '^busy$')
            self.assertEqual(frame.encoding, 'V')
            self.assertTrue(details.startswith(b'line\0') and details.endswith(b'\0(si)'), details)

    def test_reports(self):
        with start() as parent:
            number = call(parent, 'report_bytes')
            self.assertEqual(parent.receive(), (RESULT, number, 'B', '', b'bytes'))
            number = call(parent, 'report_object')
            self.check_error(parent.receive(), number, WORKER.domain, 6, 'GObject')
            number = call(parent, 'defer')
            self.check_error(parent.receive(), number, WORKER.domain, 6, 'deferred')

    def test_kinds_of_values(self):
        values = {'b': box('b', b'\1'), 'i': None, 'd': box('d', struct.pack('<d', 0.5)), 's': box('s', b'text\0'),
                  'v': box('s', b'variant\0'), 'x': box('i', struct.pack('<i', 9))}
        with start() as parent:
            for kind, payload in values.items():
                number = call(parent, 'report', kind)
                frame = parent.receive()
                self.assertEqual((frame.kind, frame.number, frame.encoding), (RESULT, number, 'V'), kind)
                if payload is not None:
                    self.assertEqual(frame.payload, payload, kind)
                else:
                    data, _, type_string = frame.payload.rpartition(b'\0')
                    self.assertEqual(int.from_bytes(data, 'little', signed=True), -7)
                    self.assertIn(type_string, (b'i', b'x'))
            for kind in ('no-text', 'none', 'nothing'):
                number = call(parent, 'report', kind)
                self.check_none(parent.receive(), number)

    def test_kinds_of_details(self):
        with start() as parent:
            number = call(parent, 'fail_with', 'bytes')
            frame = parent.receive()
            self.assertEqual((self.check_error(frame, number, 'g-io-error-quark', 26, '^busy$'), frame.encoding),
                             (b'abc', 'B'))
            number = call(parent, 'fail_with', 'what cannot leave')
            frame = parent.receive()
            self.assertEqual((self.check_error(frame, number, 'g-io-error-quark', 26, '^busy$'), frame.encoding),
                             (b'', ''))

    def test_cancelled_without_a_word(self):
        with start() as parent:
            number = call(parent, 'wait_quietly')
            self.await_progress(parent, 'waits')
            parent.send(CANCEL, number)
            self.check_error(parent.receive(), number, *CANCELLED, '^cancelled$')

    def test_attempt(self):
        with start() as parent:
            call(parent, 'add', 1, 2)
            parent.receive()
            call(parent, 'about')
            frame = parent.receive()
            self.assertTrue(frame.payload.startswith(WORKER.function('about').encode() + b'\0'))
            self.assertIn(struct.pack('<QII', 2, 1, 0) + b'\1\1', frame.payload)

    def test_cancel(self):
        slowest = 0
        with start() as parent:
            for args, check in (((), None), (('value',), 'finished')):
                for _ in range(10):
                    number = call(parent, 'wait', *args)
                    self.await_progress(parent, 'waits')
                    began = time.monotonic()
                    parent.send(CANCEL, number)
                    frame = parent.receive()
                    slowest = max(slowest, time.monotonic() - began)
                    if check:
                        self.check_value(frame, number, check)
                    else:
                        self.check_error(frame, number, *CANCELLED, '.')
            self.check_end(parent, 0)
        print(f'# cancelled within {slowest * 1000:.1f} ms')

    def test_terminated_in_call(self):
        for args in ((), ('value',)):
            with start() as parent:
                number = call(parent, 'wait', *args)
                call(parent, 'add', 1, 2)
                self.await_progress(parent, 'waits')
                parent.process.send_signal(signal.SIGTERM)
                frame = parent.receive()
                if args:
                    self.check_value(frame, number, 'finished')
                else:
                    self.check_error(frame, number, *CANCELLED, '.')
                # The call behind it did not begin.
                self.assertIsNone(parent.receive())
                self.check_end(parent, 143)

    def test_broken_in_call(self):
        with start() as parent:
            call(parent, 'hang')
            self.await_progress(parent, 'hangs')
            parent.send_bytes(HEADER.pack(0, 1, 77, 0, 0))
            self.check_end(parent, 1, 'unknown kind 77', close=False)

    def test_held_back_progress(self):
        with tempfile.TemporaryDirectory() as folder, start() as parent:
            path = os.path.join(folder, 'gate')
            os.mkfifo(path)
            number = call(parent, 'progress_then_gate', path)
            while True:
                frame = parent.receive()
                self.assertEqual((frame.kind, frame.number), (PROGRESS, number))
                if frame.payload[8:] == b'last':
                    break
            with open(path, 'w', encoding='ascii') as gate:
                gate.write('open')
            self.check_value(parent.receive(), number, 'open')

    def test_crash(self):
        with start() as parent:
            call(parent, 'crash')
            self.assertIsNone(parent.receive())
            self.check_end(parent, -signal.SIGKILL)

    def test_set_up(self):
        with start() as parent:
            name = WORKER.function('set_up').encode() + b'\0'
            # (sv) with an int32: the string, the variant at a multiple of 8, where the string ends.
            padded = name + b'\0' * (-len(name) % 8)
            value = padded + box('i', struct.pack('<i', 7)) + bytes([len(name)])
            parent.send(DEFINE, 0, 'V', '', box('(sv)', value))
            number = call(parent, 'get_set_up')
            self.check_value(parent.receive(), number, 7)
        for encoding, payload, message in (('V', box('s', name), 'cannot be set up'),
                                           ('V', box('s', b'none:x\0'), 'no module'),
                                           ('B', b'x', 'set-up')):
            with start() as parent:
                parent.send(DEFINE, 0, encoding, '', payload)
                call(parent, 'get_set_up')
                frame = parent.receive()
                self.assertEqual((frame.kind, frame.number), (ERROR, 0))
                self.assertIsNone(parent.receive())
                self.check_end(parent, 1, message, close=False)


class TestPython(Case):
    def test_progress_in_words(self):
        with start(max_body=501) as parent:
            # What no frame can have, and more than one can have.
            for text, n, told in (('a\0b', 1, 'a?b'), ('\ud800', 1, '?'), ('ä', 246, 'ä' * 246), ('ä', 247, 'ä' * 246)):
                number = call(parent, 'progress_in_words', text, n)
                frame = parent.receive()
                self.assertEqual((frame.kind, frame.number), (PROGRESS, number))
                self.assertEqual(struct.unpack_from('<d', frame.payload), (0.5,))
                self.assertEqual(frame.payload[8:].decode(), told)
                self.check_none(parent.receive(), number)

    def test_kinds_of_functions(self):
        with start() as parent:
            number = call(parent, 'add_async', 1, 2)
            self.check_value(parent.receive(), number, 3)
            number = call(parent, 'Class.method')
            self.check_value(parent.receive(), number, WORKER.function('Class.method'))
            number = parent.call(WORKER.function('add'), pickle.dumps(((), {'a': 1, 'b': [2]})), 'B')
            self.assertIn('TypeError', parse_error(parent.receive())[2])
            number = parent.call(WORKER.function('add'), b'[1, 2]', 'J')
            self.assertEqual(parent.receive(), (RESULT, number, 'J', '', b'3'))
            number = parent.call(WORKER.function('echo'), b'{"a": null}', 'J')
            self.assertEqual(parent.receive(), (RESULT, number, 'J', '', b'{"a": null}'))

    def test_errors(self):
        with start() as parent:
            number = call(parent, 'fail')
            frame = parent.receive()
            details = self.check_error(frame, number, 'osiiso-python', 0, '^ValueError: it failed$')
            error = pickle.loads(details)
            self.assertIsInstance(error, ValueError)
            self.assertEqual((frame.encoding, error.args), ('B', ('it failed',)))
            self.assertIn('in fail\n', error.worker_traceback)
            number = call(parent, 'fail_oddly')
            details = self.check_error(parent.receive(), number, 'osiiso-python', 0, '^Refused: this: that$')
            error = pickle.loads(details)
            self.assertIsInstance(error, RuntimeError)
            self.assertEqual(error.args, ('task result could not be pickled: Refused: this: that',))
            self.assertIn('in fail_oddly\n', error.worker_traceback)
            number = call(parent, 'leave')
            self.check_error(parent.receive(), number, 'osiiso-python', 0, '^SystemExit: 5$')

    def test_definitions(self):
        with start() as parent:
            parent.send(DEFINE, 0, 'B', 'f', pickle.dumps(operator.sub))
            number = parent.call('f', pickle.dumps(((5, 3), {})), 'B')
            self.check_value(parent.receive(), number, 2)
            parent.send(DEFINE, 0, 'B', 'f', pickle.dumps(operator.mul))
            number = parent.call('f', pickle.dumps(((5, 3), {})), 'B')
            self.check_value(parent.receive(), number, 15)
            parent.send(DEFINE, 0, 'B', 'f', b'no pickle')
            for _ in range(2):
                number = parent.call('f', pickle.dumps(((5, 3), {})), 'B')
                self.assertEqual(parent.receive()[:2], (ERROR, number))

    def test_set_up(self):
        sys.path.insert(0, os.path.join(ROOT, 'introspection', 'python'))
        import worker_functions
        with start() as parent:
            parent.send(DEFINE, 0, 'B', '', pickle.dumps((worker_functions.set_up, (7,), {})))
            number = call(parent, 'get_set_up')
            self.check_value(parent.receive(), number, 7)
        with start() as parent:
            parent.send(DEFINE, 0, 'B', '', pickle.dumps((worker_functions.fail, (), {})))
            self.check_error(parent.receive(), 0, 'osiiso-python', 0, 'it failed')
            self.check_end(parent, 1, 'it failed', close=False)

    def test_crash(self):
        with start() as parent:
            call(parent, 'crash')
            self.assertIsNone(parent.receive())
            self.check_end(parent, -signal.SIGKILL)

    def test_example(self):
        run_example(self, 'python', 'example.py', [sys.executable])


class TestJavaScript(Case):
    def test_kinds_of_functions(self):
        with start() as parent:
            number = call(parent, 'addAsync', 1, 2)
            self.check_value(parent.receive(), number, 3)
            number = parent.call(f'file://{WORKER.function("echo")}', b'{"a":null}', 'J')
            self.assertEqual(parent.receive(), (RESULT, number, 'J', '', b'{"a":null}'))
            number = call(parent, 'notFunction')
            self.check_error(parent.receive(), number, 'osiiso-js', 0, 'notFunction')
            numbers = [call(parent, 'addAsync' if i % 2 else 'add', i, 1) for i in range(100)]
            for i, number in enumerate(numbers):
                self.check_value(parent.receive(), number, i + 1)

    def test_errors(self):
        with start() as parent:
            number = call(parent, 'fail')
            frame = parent.receive()
            details = json.loads(self.check_error(frame, number, 'osiiso-js', 0, '^RangeError: it failed$'))
            self.assertEqual((details['name'], details['message']), ('RangeError', 'it failed'))
            self.assertIn('fail@', details['stack'])
            number = call(parent, 'failAsync')
            self.check_error(parent.receive(), number, 'g-io-error-quark', 26, '^busy$')

    def test_cancel(self):
        with start() as parent:
            for _ in range(10):
                number = call(parent, 'wait')
                self.await_progress(parent, 'waits')
                parent.send(CANCEL, number)
                self.check_value(parent.receive(), number, 'finished')

    def test_collections(self):
        # Often enough for garbage to be collected several times.
        with start() as parent:
            payload, encoding = WORKER.pack(1, 2)
            for _ in range(250):
                first = parent.number + 1
                parent.number += 100
                parent.send_bytes(b''.join(pack(CALL, first + i, encoding, WORKER.function('add'), payload)
                                           for i in range(100)))
                for i in range(100):
                    self.check_value(parent.receive(), first + i, 3)

    def test_set_up(self):
        with start() as parent:
            parent.send(DEFINE, 0, 'J', '', json.dumps({'modules': [f'{TESTS}/worker-functions.js']}).encode())
            number = call(parent, 'add', 1, 2)
            self.check_value(parent.receive(), number, 3)
        with start() as parent:
            parent.send(DEFINE, 0, 'J', '', b'{"modules": ["/nowhere.js"]}')
            call(parent, 'add', 1, 2)
            frame = parent.receive()
            self.assertEqual((frame.kind, frame.number), (ERROR, 0))
            self.assertIsNone(parent.receive())
            self.check_end(parent, 1, 'nowhere', close=False)

    def test_example(self):
        run_example(self, 'js', 'example.js', ['gjs', '-m'])


def run_example(case, language, name, argv):
    """The worker that docs/worker-protocol.md shows."""
    with open(os.path.join(ROOT, 'docs', 'worker-protocol.md'), encoding='utf-8') as file:
        [code] = re.findall(rf'```{language}\n(.*?)```', file.read(), re.DOTALL)
    case.assertLessEqual(len(code.splitlines()), 24)
    with tempfile.TemporaryDirectory() as folder:
        path = os.path.join(folder, name)
        with open(path, 'w', encoding='utf-8') as file:
            # Its socket is descriptor 3, which Python cannot pass to it by that number.
            file.write(code if language == 'js' else 'import os as _os\n'
                       "_os.dup2(int(_os.environ['OSIISO_WORKER_FD']), 3)\n" + code)
        with Parent(argv + [path]) as parent:
            case.assertEqual(parent.hello[:2], (HELLO, 1))
            for values in ([1, 2, 3], [40, 2]):
                number = parent.call('sum', json.dumps(values).encode(), 'J')
                case.assertEqual(parent.receive(), (RESULT, number, 'J', '', str(sum(values)).encode()))
            case.check_end(parent, 0)


def load_tests(loader, tests, pattern):
    cases = {'c': TestC, 'python': TestPython, 'js': TestJavaScript}
    return unittest.TestSuite(loader.loadTestsFromTestCase(case) for case in (TestWorker, cases[LANGUAGE]))


if __name__ == '__main__':
    sys.argv[1:] = []
    tap.main()
