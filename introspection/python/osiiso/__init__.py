# SPDX-License-Identifier: LGPL-2.1-or-later
"""Structured task queues: one API across asyncio, threads and processes.

The scheduler is libosiiso; functions, arguments and values stay in Python.
"""
from .asyncqueue import AsyncQueue
from .checkpoint import Checkpoint
from .exceptions import ClosedError, ExecutionError, OsiisoError, QueueFullError
from .group import SyncTaskGroup, TaskGroup, as_completed, iter_completed
from .handle import SyncTaskHandle, TaskHandle
from .loop import run
from .options import TaskOptions
from .result import RunSummary, TaskResult
from .sharedqueue import SharedQueue
from .shortcuts import amap, pmap, tmap
from .threadqueue import ThreadQueue

__all__ = [
    'AsyncQueue', 'Checkpoint', 'ClosedError', 'ExecutionError', 'OsiisoError', 'QueueFullError', 'RunSummary',
    'SharedQueue', 'SyncTaskGroup', 'SyncTaskHandle', 'TaskGroup', 'TaskHandle', 'TaskOptions', 'TaskResult',
    'ThreadQueue', 'amap', 'as_completed', 'iter_completed', 'pmap', 'run', 'tmap',
]

try:
    from .processqueue import ProcessQueue
except ModuleNotFoundError as error:
    if error.name != f'{__name__}.processqueue':
        raise
else:
    __all__ += ['ProcessQueue']
