# SPDX-License-Identifier: LGPL-2.1-or-later
"""The other end of a worker program, as simple as can be: everything blocks."""
import collections
import os
import socket
import struct
import subprocess

HEADER = struct.Struct('<IIBBH')
HELLO, DEFINE, CALL, RESULT, ERROR, PROGRESS, CANCEL, RECALL, RECALLED, TASK, RETRY = range(1, 12)
MAX_BODY = 256 << 20
TIMEOUT = 300

Frame = collections.namedtuple('Frame', 'kind number encoding name payload')


def pack(kind, number=0, encoding='', name='', payload=b''):
    """A frame as bytes."""
    name = name.encode()
    return HEADER.pack(len(name) + len(payload), number, kind, ord(encoding or '\0'), len(name)) + name + payload


def parse_error(frame):
    """Domain, code, message and details of an ERROR."""
    code, length = struct.unpack_from('<iI', frame.payload)
    return frame.name, code, frame.payload[8:8 + length].decode(), frame.payload[8 + length:]


class Parent:
    """A worker that was started, with its socket."""

    def __init__(self, argv, greet=True, max_body=MAX_BODY, env=None):
        self.socket, other = socket.socketpair()
        self.socket.settimeout(TIMEOUT)
        # With a number that is not in the way.
        fd = os.dup(other.fileno())
        other.close()
        os.set_inheritable(fd, True)
        self.process = subprocess.Popen(
            argv, stdin=subprocess.DEVNULL, stdout=subprocess.PIPE, stderr=subprocess.PIPE, pass_fds=[fd],
            env=dict(os.environ, OSIISO_WORKER_FD=str(fd), **(env or {})))
        os.close(fd)
        self.buffer = b''
        self.number = 0
        self.hello = self.receive()
        if greet:
            self.send(HELLO, 1, '', 'test', struct.pack('<I', max_body))

    def __enter__(self):
        return self

    def __exit__(self, *error):
        self.socket.close()
        if error[0] is not None:
            self.process.kill()
        self.process.communicate(timeout=TIMEOUT)

    def send_bytes(self, data):
        """Whatever it is, even if nobody is there to read it all."""
        try:
            self.socket.sendall(data)
        except (BrokenPipeError, ConnectionResetError):
            pass

    def send(self, *args):
        self.send_bytes(pack(*args))

    def call(self, function, payload=b'', encoding=''):
        """Sends a call and returns its number."""
        self.number += 1
        self.send(CALL, self.number, encoding, function, payload)
        return self.number

    def fill(self, length):
        parts, have = [self.buffer], len(self.buffer)
        while have < length:
            try:
                data = self.socket.recv(1 << 20)
            except ConnectionResetError:
                data = b''
            if not data:
                self.buffer = b''.join(parts)
                return False
            parts.append(data)
            have += len(data)
        self.buffer = b''.join(parts)
        return True

    def receive(self):
        """The next frame, None at the end."""
        if not self.fill(HEADER.size):
            if self.buffer:
                raise AssertionError('the last frame is not complete')
            return None
        length, number, kind, encoding, name_length = HEADER.unpack_from(self.buffer)
        if not self.fill(HEADER.size + length):
            raise AssertionError('the last frame is not complete')
        body = self.buffer[HEADER.size:HEADER.size + length]
        self.buffer = self.buffer[HEADER.size + length:]
        return Frame(kind, number, chr(encoding) if encoding else '', body[:name_length].decode(), body[name_length:])

    def answer(self):
        """The next frame that is no progress."""
        frame = self.receive()
        while frame is not None and frame.kind == PROGRESS:
            frame = self.receive()
        return frame

    def finish(self, close=True):
        """Waits for the end; returns exit status, output and errors."""
        if close:
            self.socket.close()
        output, errors = self.process.communicate(timeout=TIMEOUT)
        return self.process.returncode, output.decode(), errors.decode()
