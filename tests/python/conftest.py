# SPDX-License-Identifier: LGPL-2.1-or-later
"""What the tests of the package have in common."""
import asyncio
import contextlib
import importlib.util
import inspect
import time

import glib_loop
import hypothesis
import pytest
import uvloop
import work_async
import work_sync
from gi.repository import GLib

import osiiso

# The same examples each time, and nothing that is left in the tree.
hypothesis.settings.register_profile('project', database=None, deadline=None, derandomize=True)
hypothesis.settings.load_profile('project')


def _new_gi_loop():
    """A loop of PyGObject, which has them from 3.50 on."""
    return importlib.import_module('gi.events').GLibEventLoop(GLib.MainContext.default())


# The queues that the tests of test_queues.py are run with: the class, functions for
# it, what makes the loop.
KINDS = {'async': ('AsyncQueue', work_async, None), 'shared': ('SharedQueue', work_async, None),
         'async-uvloop': ('AsyncQueue', work_async, uvloop.new_event_loop),
         'async-glib': ('AsyncQueue', work_async, glib_loop.new_event_loop),
         'thread': ('ThreadQueue', work_sync, None), 'process': ('ProcessQueue', work_sync, None)}
if importlib.util.find_spec('gi.events') is not None:
    KINDS['async-gi'] = ('AsyncQueue', work_async, _new_gi_loop)
SYNC_KINDS = [name for name, (_, work, _) in KINDS.items() if work is work_sync]
ASYNC_KINDS = [name for name in KINDS if name not in SYNC_KINDS]


class Kind:
    """One kind of queue, to be used in the same way as the others."""

    def __init__(self, name):
        class_name, self.work, new_loop = KINDS[name]
        self.name = name
        self.queue_class = getattr(osiiso, class_name)
        self.is_async = self.work is work_async
        self.handle_class = osiiso.TaskHandle if self.is_async else osiiso.SyncTaskHandle
        self.runner = asyncio.Runner(loop_factory=new_loop) if self.is_async else None

    def close(self):
        if self.runner is not None:
            self.runner.close()

    def new(self, **options):
        """A queue."""
        return self.queue_class(**options)

    def do(self, call):
        """The value of a call, which is to be awaited or is there already."""
        if not inspect.isawaitable(call):
            return call

        async def wait():
            return await call

        return self.runner.run(wait())

    def all(self, items):
        """A list of what may be an asynchronous iterator."""
        if not hasattr(items, '__aiter__'):
            return list(items)

        async def collect():
            return [item async for item in items]

        return self.runner.run(collect())

    @contextlib.contextmanager
    def opened(self, **options):
        """A queue in its own with statement."""
        queue = self.new(**options)
        if not self.is_async:
            with queue:
                yield queue
            return
        self.do(queue.__aenter__())
        try:
            yield queue
        except BaseException as error:
            self.do(queue.__aexit__(type(error), error, error.__traceback__))
            raise
        else:
            self.do(queue.__aexit__(None, None, None))

    @contextlib.contextmanager
    def prepared(self, **options):
        """A queue that is not started, so that a run has all of its tasks; closed in the end."""
        queue = self.new(**options)
        try:
            yield queue
        finally:
            self.do(queue.shutdown(force=True))

    def until(self, condition):
        """Lets the queue work until that is true."""
        deadline = time.monotonic() + 60
        while not condition():
            assert time.monotonic() < deadline, 'this does not happen'
            if self.is_async:
                self.do(asyncio.sleep(0.001))
            else:
                time.sleep(0.001)

    def until_written(self, path, n=1):
        """Until a file has that many lines."""
        self.until(lambda: path.exists() and len(path.read_text().splitlines()) >= n)


@pytest.fixture(params=KINDS)
def kind(request):
    """Each kind of queue."""
    kind = Kind(request.param)
    yield kind
    kind.close()


@pytest.fixture(params=SYNC_KINDS)
def sync_kind(request):
    """Each kind whose calls block."""
    return Kind(request.param)


@pytest.fixture(params=ASYNC_KINDS)
def async_kind(request):
    """Each kind that is used on an event loop."""
    kind = Kind(request.param)
    yield kind
    kind.close()
