# SPDX-License-Identifier: LGPL-2.1-or-later
"""A worker that does what its calls say, also wrong things.

Its only argument says how it starts. A call has JSON as its argument.
"""
import json
import os
import select
import signal
import socket
import struct
import sys
import time

HELLO, DEFINE, CALL, RESULT, ERROR, PROGRESS, CANCEL, RECALL, RECALLED, TASK, RETRY = range(1, 12)

sock = socket.socket(fileno=int(os.environ.get('OSIISO_WORKER_FD', '3')))
buffered = bytearray()
defined = {}
n_starts = 0


def frame(kind, id=0, payload=b'', encoding='J', name='', length=None):
    name = name.encode()
    encoding = ord(encoding) if encoding else 0
    body = len(name) + len(payload) if length is None else length
    return struct.pack('<IIBBH', body, id, kind, encoding, len(name)) + name + payload


def send(data):
    sock.sendall(data)


def receive():
    while True:
        if len(buffered) >= 12:
            body, id, kind, encoding, name = struct.unpack_from('<IIBBH', buffered)
            if len(buffered) >= 12 + body:
                whole = bytes(buffered[12:12 + body])
                del buffered[:12 + body]
                return kind, id, encoding, whole[:name].decode(), whole[name:]
        data = sock.recv(1 << 20)
        if not data:
            sys.exit(0)
        buffered.extend(data)


def reply(id, value):
    send(frame(RESULT, id, json.dumps(value).encode()))


def tell(path):
    """Writes the process id into a pipe that somebody reads."""
    with open(path, 'w') as file:
        file.write(str(os.getpid()))


def start(how):
    words = 'cancel'
    if how == 'silent':
        while True:
            signal.pause()
    elif how == 'version':
        send(frame(HELLO, 77, encoding=''))
        signal.pause()
    elif how == 'exit':
        print('cannot go on', file=sys.stderr)
        sys.exit(3)
    elif how == 'early':
        send(frame(RESULT, 1, b'1'))
        signal.pause()
    elif how == 'garbage':
        send(b'this is not a frame at all, but it is long enough to be one')
        signal.pause()
    elif how == 'answer':
        send(frame(RESULT, 1, b'1'))
        signal.pause()
    elif how.startswith('hang-up:'):
        with open(how[8:], 'a') as file:
            file.write('x')
        sock.close()
        signal.pause()
    elif how == 'greet-and-exit':
        send(frame(HELLO, 1, encoding='', name='test'))
        sys.exit(0)
    elif how.startswith('until:'):
        # Fails until there is a file of that name.
        if not os.path.exists(how[6:]):
            sys.exit(4)
    elif how.startswith('count:'):
        with open(how[6:], 'a') as file:
            file.write('x')
    elif how == 'no-words':
        words = ''
    elif how == 'recall':
        words = 'cancel recall'
    elif how == 'only-recall':
        words = 'recall'
    elif how == 'error-first':
        message = b'no licence'
        send(frame(ERROR, 0, struct.pack('<iI', 7, len(message)) + message, encoding='', name='test-domain'))
        signal.pause()
    send(frame(HELLO, 1, words.encode(), encoding='', name='test'))


def handle(id, name, payload):
    value = json.loads(payload) if payload and name != 'echo-bytes' else None
    if name == 'echo':
        reply(id, value)
    elif name == 'pid':
        reply(id, os.getpid())
    elif name == 'defined':
        reply(id, {key: value.decode() for key, value in defined.items()})
    elif name == 'preamble':
        reply(id, defined.get(value, b'').decode())
    elif name == 'error':
        message = value['message'].encode()
        send(frame(ERROR, id, struct.pack('<iI', value['code'], len(message)) + message + b'"details"',
                   name=value['domain']))
    elif name == 'raw':
        send(bytes.fromhex(value))
        signal.pause()
    elif name == 'truncated':
        send(frame(RESULT, id, b'[1, 2', length=100))
        sys.exit(0)
    elif name == 'oversized':
        send(frame(RESULT, id, length=0xfffffff0))
        signal.pause()
    elif name == 'kind':
        send(frame(99, id))
        signal.pause()
    elif name == 'other-side':
        send(frame(CALL, id))
        signal.pause()
    elif name == 'encoding':
        send(frame(RESULT, id, b'x', encoding='Z'))
        signal.pause()
    elif name == 'not-a-variant':
        send(frame(RESULT, id, b'\xff\xfe\xfd', encoding='V'))
        signal.pause()
    elif name == 'not-text':
        send(frame(RESULT, id, b'\xff\xfe\xfd'))
        signal.pause()
    elif name == 'not-an-error':
        send(frame(ERROR, id, b'\x01'))
        signal.pause()
    elif name == 'details':
        # An error with these details: their encoding, and bytes in hexadecimal.
        send(frame(ERROR, id, struct.pack('<iI', 5, 4) + b'text' + bytes.fromhex(value[1]), encoding=value[0],
                   name='of-a-worker'))
    elif name == 'not-details':
        send(frame(ERROR, id, struct.pack('<iI', 5, 4) + b'text' + b'\xff\xfe\xfd'))
        signal.pause()
    elif name == 'not-a-variant-in-details':
        send(frame(ERROR, id, struct.pack('<iI', 5, 4) + b'text' + b'\xff\xfe\xfd', encoding='V'))
        signal.pause()
    elif name == 'not-progress':
        send(frame(PROGRESS, id, b'\x01'))
        signal.pause()
    elif name == 'progress':
        # Strings, for those that JSON has not.
        send(frame(PROGRESS, id, struct.pack('<d', float(value)) + b'text'))
        signal.pause()
    elif name == 'progress-text':
        send(frame(PROGRESS, id, struct.pack('<d', 0.5) + b'\xff'))
        signal.pause()
    elif name == 'wait':
        send(frame(RETRY, id, struct.pack('<d', float(value))))
        signal.pause()
    elif name == 'not-a-wait':
        send(frame(RETRY, id, b'123'))
        signal.pause()
    elif name == 'no-domain':
        send(frame(ERROR, id, struct.pack('<iI', 7, 3) + b'why', encoding=''))
    elif name == 'unknown-id':
        send(frame(RESULT, id + 1000, b'1'))
        signal.pause()
    elif name == 'twice':
        send(frame(RESULT, id, b'1') + frame(RESULT, id, b'1'))
    elif name == 'twice-unread':
        # The second time when there is a next call, which it does not read.
        reply(id, 1)
        select.select([sock], [], [])
        reply(id, 2)
        signal.pause()
    elif name == 'once-more':
        # For the call before.
        reply(id - 1, 2)
        signal.pause()
    elif name == 'not-recalled':
        send(frame(RECALLED, id, encoding=''))
        signal.pause()
    elif name == 'greet-again':
        send(frame(HELLO, 1, encoding='', name='test'))
        signal.pause()
    elif name == 'close':
        sock.close()
        signal.pause()
    elif name == 'deaf':
        # Neither listens nor ends when it is told to.
        signal.signal(signal.SIGTERM, signal.SIG_IGN)
        tell(value)
        while True:
            signal.pause()
    elif name == 'stay':
        tell(value)
        while True:
            signal.pause()
    elif name == 'until-cancelled':
        tell(value)
        while True:
            kind, cancelled, _, _, _ = receive()
            if kind == CANCEL and cancelled == id:
                reply(id, 'cancelled')
                return
    elif name == 'progress-when-cancelled':
        # What has come meanwhile is next.
        tell(value)
        others = []
        while (got := receive())[:2] != (CANCEL, id):
            others.append(got)
        send(frame(PROGRESS, id, struct.pack('<d', 0.5) + b'text', encoding=''))
        reply(id, 'cancelled')
        for kind, other, _, function, argument in others:
            if kind == CALL:
                handle(other, function, argument)
    elif name == 'keep':
        # Calls that come meanwhile are given back when this one is cancelled, and not before.
        kept = []
        while True:
            kind, other, _, _, _ = receive()
            if kind == RECALL:
                if not kept:
                    tell(value)
                kept.append(other)
            elif kind == CANCEL and other == id:
                break
        send(b''.join(frame(RECALLED, other, encoding='') for other in kept) + frame(RESULT, id, b'0'))
    elif name == 'leave-child':
        # Ends, and leaves one behind that has all of its descriptors.
        print('left', file=sys.stderr, flush=True)
        if os.fork() == 0:
            os.setpgid(0, 0)
            tell(value)
            signal.pause()
        os._exit(9)
    elif name == 'mid-line':
        os.write(2, b'x' * value)
        os._exit(9)
    elif name == 'stays':
        # Closes its end when the other one is closed, and does not end.
        reply(id, os.getpid())
        while sock.recv(1 << 20):
            pass
        sock.close()
        signal.pause()
    elif name == 'crash-once':
        if os.path.exists(value):
            os.unlink(value)
            os.abort()
        reply(id, os.getpid())
    elif name == 'exit':
        sys.exit(value)
    elif name == 'echo-bytes':
        send(frame(RESULT, id, payload, encoding='B'))
    elif name == 'crash':
        print(value, file=sys.stderr, flush=True)
        memory = bytearray(200 << 20)
        memory[::4096] = memory[1::4096]
        os.kill(os.getpid(), signal.SIGSEGV)
        signal.pause()
    elif name == 'hang-up':
        sock.close()
        signal.pause()
    elif name == 'wait-for':
        while not os.path.exists(value):
            time.sleep(0.001)
        reply(id, True)
    elif name == 'tell-and-wait-for':
        tell(value[0])
        while not os.path.exists(value[1]):
            time.sleep(0.001)
        reply(id, True)
    elif name == 'grow':
        send(frame(RESULT, id, b'1' * value))
    elif name == 'descriptors':
        found = []
        for fd in sorted(map(int, os.listdir('/proc/self/fd'))):
            try:
                found.append([fd, os.readlink(f'/proc/self/fd/{fd}').split(':')[0]])
            except FileNotFoundError:
                pass
        reply(id, found)
    elif name == 'print':
        for fd in (1, 2):
            os.write(fd, b'# printed by a worker\n')
        reply(id, None)
    elif name == 'environment':
        reply(id, sorted(os.environ))
    elif name == 'fds':
        reply(id, sorted(int(fd) for fd in os.listdir('/proc/self/fd')
                         if os.path.exists('/proc/self/fd/' + fd)))
    else:
        send(frame(ERROR, id, struct.pack('<iI', 1, 0), encoding='', name='unknown-function'))


def main():
    start(sys.argv[1] if len(sys.argv) > 1 else '')
    while True:
        kind, id, encoding, name, payload = receive()
        if kind == CALL:
            handle(id, name, payload)
        elif kind == DEFINE:
            if name == '' and payload == b'fail':
                message = b'no such thing'
                send(frame(ERROR, 0, struct.pack('<iI', 7, len(message)) + message, encoding='', name='test-domain'))
                sys.exit(1)
            defined[name] = payload


main()
