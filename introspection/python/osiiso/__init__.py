# SPDX-License-Identifier: LGPL-2.1-or-later
"""Structured task queues: one API across asyncio, threads and processes.

The scheduler is libosiiso; functions, arguments and values stay in Python.
"""
from __future__ import annotations

import importlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from .asyncqueue import AsyncQueue as AsyncQueue
    from .checkpoint import Checkpoint as Checkpoint
    from .exceptions import ClosedError as ClosedError
    from .exceptions import ExecutionError as ExecutionError
    from .exceptions import OsiisoError as OsiisoError
    from .exceptions import QueueFullError as QueueFullError
    from .group import SyncTaskGroup as SyncTaskGroup
    from .group import TaskGroup as TaskGroup
    from .group import as_completed as as_completed
    from .group import iter_completed as iter_completed
    from .handle import SyncTaskHandle as SyncTaskHandle
    from .handle import TaskHandle as TaskHandle
    from .loop import run as run
    from .options import TaskOptions as TaskOptions
    from .processqueue import ProcessQueue as ProcessQueue
    from .result import RunSummary as RunSummary
    from .result import TaskResult as TaskResult
    from .sharedqueue import SharedQueue as SharedQueue
    from .shortcuts import amap as amap
    from .shortcuts import pmap as pmap
    from .shortcuts import tmap as tmap
    from .threadqueue import ThreadQueue as ThreadQueue

# Found when it is asked for: a worker process imports this package too, and starts
# three times as fast without PyGObject and asyncio.
_HOMES = {
    'AsyncQueue': 'asyncqueue', 'Checkpoint': 'checkpoint', 'ClosedError': 'exceptions',
    'ExecutionError': 'exceptions', 'OsiisoError': 'exceptions', 'ProcessQueue': 'processqueue',
    'QueueFullError': 'exceptions', 'RunSummary': 'result', 'SharedQueue': 'sharedqueue',
    'SyncTaskGroup': 'group', 'SyncTaskHandle': 'handle', 'TaskGroup': 'group', 'TaskHandle': 'handle',
    'TaskOptions': 'options', 'TaskResult': 'result', 'ThreadQueue': 'threadqueue', 'amap': 'shortcuts',
    'as_completed': 'group', 'iter_completed': 'group', 'pmap': 'shortcuts', 'run': 'loop', 'tmap': 'shortcuts',
}

__all__ = sorted(_HOMES)


if not TYPE_CHECKING:
    # Types are above, and of no other name.
    def __getattr__(name):
        home = _HOMES.get(name)
        if home is None:
            raise AttributeError(f'module {__name__!r} has no attribute {name!r}')
        value = getattr(importlib.import_module(f'.{home}', __name__), name)
        globals()[name] = value
        return value


def __dir__() -> list[str]:
    return sorted({*globals(), *__all__})
