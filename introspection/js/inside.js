// SPDX-License-Identifier: LGPL-2.1-or-later
// Which task a call is made in, and what tasks wait for.
//
// GJS has no storage that follows an async function. But the stack of an error goes on,
// after an await, with that of who called the function: a task is entered through a
// function with a name of its own, which is found there. What nobody called, as a timeout
// or a callback of then (), is not in a task.
import {QueueError} from './errors.js';
import {Osiiso} from './raw.js';

const MAX_MARKS = 1024;
const MARK = `task_mark_`;
const PATTERN = new RegExp(`(?:^|[\\n*])${MARK}(\\d+)@${import.meta.url.replace(/[^\w]/g, '\\$&')}:`, 'm');

const entries = [];         // the functions with these names, made as they are needed
const marked = new Map();   // handles of tasks whose functions are under way, by mark
let next = 0;

function entryFor(mark) {
    const name = MARK + mark;
    entries[mark] ??= {[name](fn, first, ...others) {
        return fn(first, ...others);
    }}[name];
    return entries[mark];
}

// Calls the function of a task. Some of very many tasks at once are not marked.
export function enter(handle, fn, ...args) {
    leave(handle);
    const mark = next++ % MAX_MARKS;
    if (marked.has(mark))
        return fn(...args);
    marked.set(mark, handle);
    handle._mark = mark;
    return entryFor(mark)(fn, ...args);
}

// The function is over, or nobody waits for it any more.
export function leave(handle) {
    if (marked.get(handle._mark) === handle)
        marked.delete(handle._mark);
    if (handle._waits !== null) {
        for (const wait of handle._waits)
            endWait(wait);
    }
}

// The handle of the task that the caller is in, or null.
function findTask() {
    if (marked.size === 0)
        return null;
    const found = new Error().stack.match(PATTERN);
    return found === null ? null : marked.get(Number(found[1])) ?? null;
}

// What tasks wait for: {by: handle, handle, queue, group or room: what}.
const waits = new Set();

function waitsFor({handle, queue, group}, task) {
    return handle === task || queue === task._queue || (group !== undefined && group === task._group);
}

// Whether the end of what is waited for needs that of the task.
function needs(what, task, seen = new Set()) {
    if (waitsFor(what, task))
        return true;
    seen.add(task);
    for (const wait of waits) {
        if (!seen.has(wait.by) && waitsFor(wait, task) && needs(what, wait.by, seen))
            return true;
    }
    return false;
}

// Before somebody waits for {handle}, {group} or {queue}. In a task that would wait for
// itself it throws; in others it returns what endWait () takes, which is null outside of
// tasks.
export function beginWait(what, call) {
    const by = findTask();
    if (by === null)
        return null;
    if (needs(what, by)) {
        throw new QueueError(`${call} in task '${by.name}' would wait for that task itself; ` +
            'wait for it outside of the task, or only for other tasks', Osiiso.QueueError.WOULD_DEADLOCK);
    }
    return addWait({...what, by, lends: what.queue === undefined && (what.handle ?? what.group)._queue === by._queue});
}

// The same before somebody waits for room in the queue, which has nTasks.
export function beginWaitForRoom(queue, nTasks) {
    const by = findTask();
    if (by?._queue !== queue)
        return null;
    const waiting = new Set([by]);
    for (const wait of waits) {
        if (wait.room === queue)
            waiting.add(wait.by);
    }
    if (waiting.size >= nTasks) {
        throw new QueueError(`submitAsync() in task '${by.name}' would wait for places that it and other waiting tasks have ` +
            `themselves (size ${queue.size})`, Osiiso.QueueError.WOULD_DEADLOCK);
    }
    return addWait({room: queue, by, lends: true});
}

function addWait(wait) {
    const {by} = wait;
    waits.add(wait);
    by._waits ??= new Set();
    by._waits.add(wait);
    if (wait.lends)
        by._queue._lendWorker(1);
    return wait;
}

export function endWait(wait) {
    if (wait === null || !waits.delete(wait))
        return;
    wait.by._waits.delete(wait);
    if (wait.lends)
        wait.by._queue._lendWorker(-1);
}
