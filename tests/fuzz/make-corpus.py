#!/usr/bin/python3
# SPDX-License-Identifier: LGPL-2.1-or-later
"""Writes the inputs that the fuzzers begin with: make-corpus.py FOLDER.

They are what the protocol of docs/worker-protocol.md has, frame by frame, and
options with values within and beyond their bounds.
"""
import pathlib
import struct
import sys

import gi
gi.require_version('GLib', '2.0')
from gi.repository import GLib  # noqa: E402

HELLO, DEFINE, CALL, RESULT, ERROR, PROGRESS, CANCEL, RECALL, RECALLED, TASK, RETRY = range(1, 12)


def frame(kind, number, encoding=b'\0', name=b'', payload=b''):
    return struct.pack('<IIBBH', len(name) + len(payload), number, kind, encoding[0], len(name)) + name + payload


def variant(text):
    return GLib.Variant('v', GLib.Variant.parse(None, text, None, None)).get_data_as_bytes().get_data()


def frames():
    error = struct.pack('<iI', 7, 4) + b'oops'
    yield 'hello', frame(HELLO, 1, b'\0', b'osiiso-worker', b'cancel recall') + frame(HELLO, 1, b'\0', b'queue',
                                                                                    struct.pack('<I', 1 << 20))
    yield 'calls', b''.join(frame(CALL, i, b'J', b'function', b'[%d]' % i) for i in range(1, 6))
    yield 'variant', frame(CALL, 1, b'V', b'module:symbol', variant('(1, "two", [3.0, 4.0], {"k": <b"raw">})'))
    yield 'results', frame(RESULT, 1, b'B', b'', b'\0\1\2') + frame(RESULT, 2) + frame(RESULT, 3, b'V', b'', variant('@ay []'))
    yield 'error', frame(ERROR, 1, b'J', b'g-io-error-quark', error + b'{"stack": "here"}')
    yield 'progress', frame(PROGRESS, 1, b'\0', b'', struct.pack('<d', 0.5) + b'half') + frame(CANCEL, 1)
    yield 'recall', frame(RECALL, 0) + frame(RECALLED, 1) + frame(TASK, 1, b'\0', b'name', struct.pack('<II', 2, 3))
    yield 'retry', frame(RETRY, 1, b'\0', b'', struct.pack('<d', 1.5)) + frame(ERROR, 1, b'\0', b'd', error)
    yield 'define', frame(DEFINE, 1, b'B', b'function', b'pickled') + frame(CALL, 2, b'B', b'function', b'x' * 300)
    yield 'long', struct.pack('<IIBBH', 0xffffffff, 1, CALL, 66, 0) + b'x'
    yield 'name', struct.pack('<IIBBH', 2, 1, CALL, 66, 9) + b'xy'


def options():
    yield 'plain', {'priority': '3', 'retries': '2', 'timeout': '1.5', 'name': '"a name"'}
    yield 'times', {'delay': '1.0', 'deadline': '1e300', 'retry-delay': '-1.0', 'max-retry-delay': '0.0'}
    yield 'retry', {'backoff': '0.0', 'jitter': '2.0', 'retries': '-1', 'must-complete': 'true'}
    yield 'other', {'metadata': '<{"k": <1>}>', 'group-id': '""', 'run-at': '1e9', 'detached': 'false'}
    yield 'priority', {'priority': '-129', 'backoff': '1e308'}


def main():
    folder = pathlib.Path(sys.argv[1])
    for name, data in frames():
        for fuzzer in 'frame', 'frame-reader':
            (folder / fuzzer / name).write_bytes(b'\x07\x05' + data)
        (folder / 'channel' / name).write_bytes(data)
    for name, values in options():
        text = '{' + ', '.join(f'"{key}": <{value}>' for key, value in values.items()) + '}'
        data = GLib.Variant.parse(GLib.VariantType('a{sv}'), text, None, None).get_data_as_bytes().get_data()
        (folder / 'options' / name).write_bytes(data)


if __name__ == '__main__':
    main()
