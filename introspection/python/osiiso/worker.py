# SPDX-License-Identifier: LGPL-2.1-or-later
"""The worker program for functions in Python: python3 -m osiiso.worker.

It is started by the backend 'subprocess' and talks to it through file descriptor 3;
docs/worker-protocol.md says what. A function is 'module:name', where the name may have
dots, or whatever was defined under its name. Arguments and values are pickled, or JSON.

Start-up counts, so nothing is imported here that a call may do without.
"""
from __future__ import annotations

import _thread
import os
import pickle
import select
import struct
import sys
import time

# As that of the module typing, which takes its time.
TYPE_CHECKING = False
if TYPE_CHECKING:
    from collections.abc import Callable
    from typing import Any

    Frame = tuple[int, int, int, bytes, bytes]
    Function = Callable[..., Any]

_HEADER = struct.Struct('<IIBBH')
_pack = _HEADER.pack
_ERROR = struct.Struct('<iI')
_ABOUT = struct.Struct('<II')
_WAIT = struct.Struct('<d')
_PROTOCOL = 1
_HELLO, _DEFINE, _CALL, _RESULT, _ERROR_KIND, _PROGRESS, _CANCEL, _RECALL, _RECALLED, _TASK, _RETRY = range(1, 12)
_NONE, _JSON, _BYTES = 0, ord('J'), ord('B')
_ENCODINGS = (_NONE, _JSON, _BYTES, ord('V'))
_READ_SIZE = 256 << 10
# The parent may have changed its mind about what is here after that long, in seconds.
_LOOK_AGAIN = 0.001
# In milliseconds: how often that is seen to during a call, and how often in vain.
_TICK = 10
_IDLE_TICKS = 10
_PROGRESS_SPACING = 0.01
_DOMAIN = 'osiiso-python'
_QUEUE_DOMAIN = 'osiiso-queue-error-quark'
_NOT_SUPPORTED = 6
_IO_DOMAIN = 'g-io-error-quark'
_IO_CANCELLED, _IO_TOO_LARGE = 19, 46
# What most functions return, and nobody can wait for.
_PLAIN = frozenset((int, str, bytes, float, bool, type(None), tuple, list, dict, set))
# Between the message of an exception and the exception.
_MARK = '\n\x01'


class ProtocolError(Exception):
    """What the parent says makes no sense."""


class _Closed(Exception):
    """The parent is gone."""


class Attempt:
    """The call that is under way, as far as its function needs to know it.

    There is one of these, osiiso.worker.current, for all calls.
    """

    def __init__(self) -> None:
        self._worker: Worker | None = None
        self._id = 0
        self._function = ''
        self._sent = 0.0
        self._held: tuple[float, str] | None = None
        self._task: tuple[str, int, int] | None = None
        self._retry_after: float | None = None

    @property
    def id(self) -> int:
        """The number that the call has in this process, 0 outside of calls."""
        return self._id

    @property
    def function(self) -> str:
        """The name of the function that was called."""
        return self._function

    @property
    def name(self) -> str:
        """The name of the task, which is that of the function when it was given none."""
        return self._task[0] if self._task else self._function

    @property
    def attempt(self) -> int:
        """Which attempt of its task the call is: 1 for the first, 2 for the first retry."""
        return self._task[1] if self._task else 1

    @property
    def index(self) -> int:
        """The place of the task in its group, from 0 on."""
        return self._task[2] if self._task else 0

    def retry_after(self, seconds: float) -> None:
        """Says when to try again if the call fails, in seconds; infinite for never."""
        seconds = float(seconds)
        if not seconds >= 0:
            raise ValueError(f'the wait before a retry must be a number >= 0; got {seconds}')
        self._retry_after = seconds

    def set_progress(self, fraction: float, status_text: object = None) -> None:
        """Tells how far the call is: from 0 to 1, and in words for people.

        It is sent at most every 10 milliseconds; what comes in between is replaced by
        what comes later, or sent with the answer.
        """
        fraction = min(max(float(fraction), 0.0), 1.0)
        text = '' if status_text is None else str(status_text)
        worker = self._worker
        if worker is None or fraction != fraction:
            return
        with worker.lock:
            if not self._id:
                return
            self._held = (fraction, text)
            now = time.monotonic()
            if now - self._sent >= _PROGRESS_SPACING:
                self._sent = now
                worker.write(self._take_held())

    def _take_held(self) -> bytes:
        if self._held is None:
            return b''
        fraction, text = self._held
        self._held = None
        words = text.encode('utf-8', 'replace').replace(b'\0', b'?')
        # A frame that is too long would be the end of this process.
        room = max(self._worker.max_body - _WAIT.size, 0) if self._worker else 0
        if len(words) > room:
            words = words[:room].decode('utf-8', 'ignore').encode()
        payload = _WAIT.pack(fraction) + words
        return _HEADER.pack(len(payload), self._id, _PROGRESS, _NONE, 0) + payload


current = Attempt()


def _describe(error: BaseException) -> str:
    """One line, as the last one of a traceback."""
    try:
        text = str(error)
    except Exception:
        text = '(its text cannot be had)'
    name = type(error).__name__
    return f'{name}: {text}' if text else name


def _pickle_error(error: Any) -> bytes:
    """The exception with the text of its traceback, or one that stands for it when it
    cannot be taken elsewhere."""
    import traceback
    try:
        text = ''.join(traceback.format_exception(type(error), error, error.__traceback__))
    except Exception:
        text = ''
    try:
        error.worker_traceback = text
        data = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
        # Many can be pickled and not be made again.
        pickle.loads(data)
    except Exception:
        error = RuntimeError(f'task result could not be pickled: {_describe(error)}')
        error.worker_traceback = text
        data = pickle.dumps(error, pickle.HIGHEST_PROTOCOL)
    return data


def _unpickle(data: bytes) -> Any:
    try:
        return pickle.loads(data)
    except Exception as error:
        raise RuntimeError(f'could not unpickle task in worker: {_describe(error)}') from error


class Worker:
    """The loop: reads frames, calls functions, and answers."""

    def __init__(self, fd: int) -> None:
        self.fd = fd
        self.lock = _thread.allocate_lock()
        self.max_body = 256 << 20
        self.greeted = False
        self.frames: list[Frame] = []        # of (kind, id, encoding, name, payload), the next one last
        self.rest = b''         # the beginning of a frame
        self.functions: dict[str, Function] = {}
        self.definitions: dict[str, bytes] = {}   # pickled functions that nobody has called yet
        self.names: dict[bytes, str] = {}         # as bytes and as text
        self.tasks: dict[int, tuple[bytes, bytes]] = {}         # what was told of the tasks of calls, by their numbers
        self.busy = False
        self.n_calls = 0
        self.turn = _thread.allocate_lock()     # of who reads during a call
        self.watcher_sleeps = False
        self.bell = _thread.allocate_lock()     # what the watcher sleeps on
        self.bell.acquire()
        self.looked = 0.0
        self.begin: Callable[[], None] | None = None       # what is to be done before the next call
        self.tells_errors = False
        self.poll = select.poll()
        self.poll.register(fd, select.POLLIN)

    # What goes out.

    def write(self, data: bytes) -> None:
        """Writes it all. An answer is never kept to be sent with others: if the
        process dies in the next call, the parent would blame this one."""
        try:
            done = os.write(self.fd, data)
            while done < len(data):
                done += os.write(self.fd, memoryview(data)[done:done + (1 << 20)])
        except (BrokenPipeError, ConnectionResetError):
            raise _Closed from None

    def send(self, kind: int, number: int, encoding: int = _NONE, name: bytes = b'', payload: bytes = b'') -> None:
        length = len(name) + len(payload)
        if length > self.max_body:
            kind, encoding, name = _ERROR_KIND, _NONE, _IO_DOMAIN.encode()
            message = f'the answer has {length} bytes, at most {self.max_body} are allowed'.encode()
            payload = _ERROR.pack(_IO_TOO_LARGE, len(message)) + message
        data = _HEADER.pack(len(name) + len(payload), number, kind, encoding, len(name)) + name
        with self.lock:
            if current._id == number:
                if current._held is not None:
                    data = current._take_held() + data
                current._id = 0
            if len(payload) < 65536:
                self.write(data + payload)
            else:
                self.write(data)
                self.write(payload)

    def send_result(self, number: int, encoding: int, payload: bytes) -> None:
        """The same for what most calls come to."""
        length = len(payload)
        if length >= 65536 or length > self.max_body:
            self.send(_RESULT, number, encoding, b'', payload)
            return
        data = _pack(length, number, _RESULT, encoding, 0) + payload
        with self.lock:
            if current._held is not None:
                data = current._take_held() + data
            current._id = 0
            try:
                done = os.write(self.fd, data)
            except (BrokenPipeError, ConnectionResetError):
                raise _Closed from None
            if done < len(data):
                self.write(data[done:])

    def send_error(self, number: int, domain: str, code: int, message: str, details: bytes = b'') -> None:
        text = message.encode('utf-8', 'replace').replace(b'\0', b'?')
        self.send(_ERROR_KIND, number, _BYTES if details else _NONE, domain.encode(),
                  _ERROR.pack(code, len(text)) + text + details)

    def send_wait(self, number: int, seconds: float) -> None:
        with self.lock:
            self.write(_HEADER.pack(_WAIT.size, number, _RETRY, _NONE, 0) + _WAIT.pack(seconds))

    # What comes in.

    def read(self, wait: bool) -> None:
        """Reads frames; at least one when it waits."""
        rest = self.rest
        while wait or self.poll.poll(0):
            data = self.read_some(_READ_SIZE)
            if not data:
                if rest:
                    raise ProtocolError('the last frame is not complete')
                raise _Closed
            rest = self.split(rest + data if rest else data)
            while len(rest) >= _HEADER.size:
                # A large one: so that it is put together once only.
                rest = self.split(self.read_whole(rest))
            if self.frames:
                break
        self.rest = rest
        self.looked = time.monotonic()

    def read_some(self, length: int) -> bytes:
        try:
            return os.read(self.fd, length)
        except ConnectionResetError:
            return b''

    def read_whole(self, start: bytes) -> bytes:
        missing = _HEADER.size + _HEADER.unpack_from(start)[0] - len(start)
        parts = [start]
        while missing > 0:
            data = self.read_some(min(missing, 1 << 20))
            if not data:
                raise ProtocolError('the last frame is not complete')
            parts.append(data)
            missing -= len(data)
        return b''.join(parts)

    def split(self, data: bytes) -> bytes:
        """Takes whole frames off and returns what is left."""
        place, end = 0, len(data)
        new: list[Frame] = []
        size, unpack, max_body = _HEADER.size, _HEADER.unpack_from, self.max_body
        while end - place >= size:
            length, number, kind, encoding, name_length = unpack(data, place)
            if (kind == _CALL and number and encoding in _ENCODINGS and name_length <= length <= max_body and
                    self.greeted):
                # Most are that.
                start = place + size
                if end - start < length:
                    break
                place = start + length
                middle = start + name_length
                new.append((kind, number, encoding, data[start:middle], data[middle:place]))
                continue
            if not _HELLO <= kind <= _RETRY:
                raise ProtocolError(f'frame of unknown kind {kind}')
            if encoding not in _ENCODINGS:
                raise ProtocolError(f'frame with unknown encoding {encoding}')
            if length > self.max_body:
                raise ProtocolError(f'frame of {length} bytes, at most {self.max_body} are allowed')
            if name_length > length:
                raise ProtocolError('frame whose name is longer than its body')
            start = place + _HEADER.size
            if end - start < length:
                break
            place = start + length
            name = data[start:start + name_length]
            payload = data[start + name_length:place]
            if kind == _CALL and number or kind == _DEFINE:
                new.append((kind, number, encoding, name, payload))
            elif kind == _HELLO and not self.greeted:
                self.greet(number, payload)
            elif kind in (_CANCEL, _RECALL) and number:
                self.take_out(kind, number, new)
            elif kind == _TASK and number:
                self.tasks[number] = (name, payload)
            else:
                raise ProtocolError(f'unexpected frame of kind {kind} with number {number}')
            if not self.greeted:
                raise ProtocolError('the parent does not greet')
        if new:
            new.reverse()
            self.frames[:0] = new
        return data[place:]

    def greet(self, version: int, payload: bytes) -> None:
        if version != _PROTOCOL:
            raise ProtocolError(f'the parent speaks version {version} of the protocol, '
                                f'this program version {_PROTOCOL}')
        if len(payload) < 4:
            raise ProtocolError('the parent does not greet')
        self.max_body = struct.unpack_from('<I', payload)[0]
        self.greeted = True

    def take_out(self, kind: int, number: int, new: list[Frame]) -> None:
        """A call that has not begun is not wanted here."""
        for frames in (self.frames, new):
            for i, frame in enumerate(frames):
                if frame[0] == _CALL and frame[1] == number:
                    del frames[i]
                    self.tasks.pop(number, None)
                    if kind == _RECALL:
                        self.send(_RECALLED, number)
                    else:
                        self.send_error(number, _IO_DOMAIN, _IO_CANCELLED, 'cancelled')
                    return

    # During a call that takes long: the other thread.

    def wake_watcher(self) -> None:
        self.watcher_sleeps = False
        if self.bell.locked():
            self.bell.release()

    def sleep_until_call(self) -> None:
        self.watcher_sleeps = True
        if not self.busy:
            self.bell.acquire()
        self.watcher_sleeps = False

    def look_during_call(self, n_calls: int) -> None:
        """Reads what is there, unless that call is over."""
        with self.turn:
            if self.busy and self.n_calls == n_calls and self.poll.poll(0):
                self.read(False)

    # Functions.

    def find(self, name: str) -> Function:
        """The function of that name."""
        function: Any
        definition = self.definitions.get(name)
        if definition is not None:
            function = _unpickle(definition)
            del self.definitions[name]
        else:
            module, colon, path = name.rpartition(':')
            if not colon or not module or not path:
                raise LookupError(f"'{name}' is not the name of a function: expected 'module:name'")
            __import__(module)
            function = sys.modules[module]
            for part in path.split('.'):
                function = getattr(function, part)
        if not callable(function):
            raise TypeError(f'{function!r} cannot be called')
        self.functions[name] = function
        return function  # type: ignore[no-any-return]

    def call(self, function: Function, args: tuple[Any, ...], kwargs: dict[str, Any]) -> Any:
        value = function(*args, **kwargs)
        return self.wait(value) if hasattr(type(value), '__await__') else value

    def wait(self, awaitable: Any) -> Any:
        import asyncio

        async def wait() -> Any:
            return await awaitable
        return asyncio.run(wait())

    def run(self, number: int, encoding: int, name: str, payload: bytes) -> None:
        current._id = number
        current._function = name
        current._sent = 0.0
        current._retry_after = None
        current._task = self.take_task(number) if self.tasks else None
        try:
            if self.begin is not None:
                self.finish_set_up()
            function = self.functions.get(name) or self.find(name)
            if encoding == _BYTES:
                try:
                    args = pickle.loads(payload)
                except Exception as error:
                    raise RuntimeError(f'could not unpickle task in worker: {_describe(error)}') from error
                kwargs = None
                if type(args) is not tuple:
                    args = (args,)
                else:
                    args, kwargs = args
            elif encoding == _NONE:
                args, kwargs = (), {}
            elif encoding == _JSON:
                import json
                args, kwargs = json.loads(payload), {}
                if not isinstance(args, list):
                    args = (args,)
            else:
                self.send_error(number, _QUEUE_DOMAIN, _NOT_SUPPORTED,
                                'functions in Python take pickled arguments or JSON, not a GVariant')
                return
            value = function(*args, **kwargs) if kwargs else function(*args)
            if type(value) not in _PLAIN and hasattr(type(value), '__await__'):
                value = self.wait(value)
            if encoding == _JSON:
                result = json.dumps(value).encode()
            elif value is None:
                encoding, result = _NONE, b''
            else:
                try:
                    encoding, result = _BYTES, pickle.dumps(value, pickle.HIGHEST_PROTOCOL)
                except Exception as error:
                    raise RuntimeError(f'task result could not be pickled: {_describe(error)}') from error
        except _Closed:
            raise
        except BaseException as error:
            message, details = _describe(error), _pickle_error(error)
            if self.tells_errors:
                # A failure that is followed by a retry has nothing but its message.
                import binascii
                message += _MARK + binascii.b2a_base64(details, newline=False).decode()
            if current._retry_after is not None:
                self.send_wait(number, current._retry_after)
            self.send_error(number, _DOMAIN, 0, message, details)
        else:
            self.send_result(number, encoding, result)

    def take_task(self, number: int) -> tuple[str, int, int] | None:
        """What was told of the task of that call: name, attempt, index."""
        told = self.tasks.pop(number, None)
        if told is None or len(told[1]) < _ABOUT.size:
            return None
        attempt, index = _ABOUT.unpack_from(told[1])
        return told[0].decode('utf-8', 'replace'), attempt, index

    def finish_set_up(self) -> None:
        """What is left of it, see prepare()."""
        if self.begin is not None:
            self.begin()
        self.begin = None

    def set_up(self, encoding: int, payload: bytes) -> bool:
        """Calls what the worker is to be set up with: a pickled function, arguments
        and keywords."""
        if encoding == _NONE and not payload:
            return True
        try:
            if encoding != _BYTES:
                raise TypeError('the set-up of a worker in Python is pickled')
            function, args, kwargs = pickle.loads(payload)
            self.call(function, args, kwargs)
        except BaseException as error:
            self.send_error(0, _DOMAIN, 0, _describe(error), _pickle_error(error))
            print(f'osiiso.worker: {_describe(error)}', file=sys.stderr)
            return False
        return True

    def serve(self) -> int:
        words = b'recall task'
        name = b'osiiso.worker'
        self.send(_HELLO, _PROTOCOL, _NONE, name, words)
        names, turn, run, clock = self.names, self.turn, self.run, time.monotonic
        while True:
            if not self.frames:
                self.read(True)
                continue
            if clock() - self.looked >= _LOOK_AGAIN:
                self.read(False)
                if not self.frames:
                    continue
            kind, number, encoding, name, payload = self.frames.pop()
            text = names.get(name)
            if text is None:
                try:
                    text = names[name] = name.decode()
                except UnicodeDecodeError:
                    raise ProtocolError('frame whose name is not UTF-8') from None
            if kind == _CALL:
                self.n_calls += 1
                self.busy = True
                if self.watcher_sleeps:
                    self.wake_watcher()
                run(number, encoding, text, payload)
                with turn:
                    self.busy = False
            elif text:
                self.functions.pop(text, None)
                self.definitions[text] = payload
            elif not self.set_up(encoding, payload):
                return 1


# Whether the main module of the parent is being imported.
preparing = False
_own_mains: list[object] = []


def fail(error: BaseException) -> None:
    """A task that cannot be sent here fails here, like others."""
    raise error


def prepare(data: dict[str, Any], initializer: bytes | None = None, tells_errors: bool = False) -> None:
    """Makes the process one in which functions of the parent are found, as the module
    multiprocessing does: its sys.path, its folder and its main module; and then calls
    the initializer, which is pickled with its arguments.

    When that fails so does the call that comes next, and it is tried again before the
    one behind it.
    """
    import signal
    # Ctrl-C is for the parent, which ends its workers.
    signal.signal(signal.SIGINT, signal.SIG_IGN)
    assert current._worker is not None
    worker: Worker = current._worker
    worker.tells_errors = tells_errors
    sys.path[:] = data['sys_path']
    sys.argv[:] = data['sys_argv']
    try:
        os.chdir(data['dir'])
    except OSError:
        pass

    def begin() -> None:
        _import_main(data['main_name'], data['main_path'])
        if initializer is not None:
            function, args = pickle.loads(initializer)
            worker.call(function, args, {})

    worker.begin = begin
    try:
        worker.finish_set_up()
    except BaseException:
        # The next call says why.
        pass


def _import_main(name: str | None, path: str | None) -> None:
    """The main module of the parent, under a name that keeps it from doing its work."""
    global preparing
    if name is None and path is None or '__mp_main__' in sys.modules:
        return
    import runpy
    import types
    preparing = True
    try:
        content: dict[str, Any] = {}
        if name is not None:
            content = runpy.run_module(name, run_name='__mp_main__', alter_sys=True)
        elif path is not None:
            content = runpy.run_path(path, run_name='__mp_main__')
    finally:
        preparing = False
    module = types.ModuleType('__mp_main__')
    module.__dict__.update(content)
    # The loop that runs here was that one's.
    _own_mains.append(sys.modules['__main__'])
    sys.modules['__main__'] = sys.modules['__mp_main__'] = module


def _watch(worker: Worker) -> None:
    """Listens to the parent while a call takes long: others can be called back from
    behind it, and the process ends when the parent is gone."""
    poll = select.poll()
    poll.register(worker.fd, getattr(select, 'POLLRDHUP', select.POLLHUP))
    seen = n_idle = 0
    try:
        while True:
            if not worker.busy:
                n_idle += 1
                if n_idle > _IDLE_TICKS:
                    worker.sleep_until_call()
            gone = poll.poll(_TICK) and worker.busy
            if not worker.busy:
                # Between calls the loop sees everything itself.
                time.sleep(_TICK / 1000)
                continue
            n_idle = 0
            if gone:
                os._exit(0)
            if worker.n_calls == seen:
                worker.look_during_call(seen)
            seen = worker.n_calls
    except _Closed:
        os._exit(0)
    except ProtocolError as error:
        os.write(2, f'osiiso.worker: {error}\n'.encode())
        os._exit(1)


def main() -> int:
    """Runs the worker; returns its exit status."""
    text = os.environ.get('OSIISO_WORKER_FD', '3')
    if not text.isdecimal():
        print(f"osiiso.worker: OSIISO_WORKER_FD: '{text}' is not a number", file=sys.stderr)
        return 2
    fd = int(text)
    try:
        is_socket = os.fstat(fd).st_mode & 0o170000 == 0o140000
    except OSError:
        is_socket = False
    if not is_socket:
        print(f'osiiso.worker: file descriptor {fd} is no socket of a queue: a worker is started by the backend '
              "'subprocess'", file=sys.stderr)
        return 2
    os.set_inheritable(fd, False)
    # What is started here is no worker.
    os.environ.pop('OSIISO_WORKER_FD', None)
    worker = Worker(fd)
    if hasattr(sys.stdout, 'reconfigure'):
        # What a call prints is not lost with the process.
        sys.stdout.reconfigure(line_buffering=True)
    current._worker = worker
    _thread.start_new_thread(_watch, (worker,))
    try:
        return worker.serve()
    except _Closed:
        return 0
    except ProtocolError as error:
        print(f'osiiso.worker: {error}', file=sys.stderr)
        return 1


if __name__ == '__main__':
    # As a module of its own, so that functions which import it find this one.
    from osiiso import worker as _self
    sys.exit(_self.main())
