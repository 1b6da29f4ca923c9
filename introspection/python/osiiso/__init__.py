# SPDX-License-Identifier: LGPL-2.1-or-later
"""Structured task queues: one API across asyncio, threads and processes.

The scheduler is libosiiso; functions, arguments and values stay in Python.
"""
from .asyncqueue import AsyncQueue
from .exceptions import ClosedError, ExecutionError, OsiisoError, QueueFullError
from .group import SyncTaskGroup, TaskGroup, as_completed, iter_completed
from .handle import SyncTaskHandle, TaskHandle
from .loop import run
from .options import TaskOptions
from .result import RunSummary, TaskResult
from .threadqueue import ThreadQueue

__all__ = [
    'AsyncQueue', 'ClosedError', 'ExecutionError', 'OsiisoError', 'QueueFullError', 'RunSummary', 'SyncTaskGroup',
    'SyncTaskHandle', 'TaskGroup', 'TaskHandle', 'TaskOptions', 'TaskResult', 'ThreadQueue', 'as_completed',
    'iter_completed', 'run',
]
