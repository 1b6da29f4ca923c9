// SPDX-License-Identifier: LGPL-2.1-or-later
// Queues for JavaScript, with promises.
//
//     import {Queue} from 'file:///usr/share/osiiso-1/osiiso.js';
//
// or, wherever it is installed:
//
//     import Osiiso from 'gi://Osiiso?version=1';
//     const {Queue} = await Osiiso.importModule();
export {Queue} from './queue.js';
export {Handle, TaskResult} from './handle.js';
export {Group} from './group.js';
export {RunSummary} from './summary.js';
export {BoundTask} from './bound.js';
export {TaskContext} from './context.js';
export {TaskOptions} from './options.js';
export {
    OsiisoError, QueueError, ClosedError, QueueFullError, CancelledError, CrashedError, TimeoutError,
    TaskError, ExecutionError,
} from './errors.js';
export {CallHandle} from './calls.js';
export {ProcessPool, resolve} from './process-pool.js';
export {makeWorkers} from './workers.js';
export {Osiiso} from './raw.js';
