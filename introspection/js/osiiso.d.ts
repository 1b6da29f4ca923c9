// SPDX-License-Identifier: LGPL-2.1-or-later
// Types of osiiso.js. They stand for themselves: of GLib and of the raw namespace there
// is only what is needed here, and the types that ts-for-gir makes of those fit.

/** How far a task is. */
export type Status = 'pending' | 'running' | 'retrying' | FinalStatus;
export type FinalStatus = 'succeeded' | 'failed' | 'cancelled';

/** A Gio.Cancellable. */
export interface Cancellable {
    cancel(): void;
    is_cancelled(): boolean;
}

/** An AbortSignal, where there are such. */
export interface AbortSignalLike {
    readonly aborted: boolean;
    addEventListener(type: 'abort', listener: () => void, options?: {once?: boolean}): void;
}

/** A GLib.DateTime. */
export interface DateTime {
    to_unix(): number;
    get_microsecond(): number;
}

/** A GLib.Error. */
export interface GError {
    readonly domain: number;
    readonly code: number;
    readonly message: string;
    matches(domain: unknown, code: number): boolean;
}

export type ErrorClass = abstract new (...args: any[]) => unknown;
export type RetryPredicate = (error: any, attempt: number) => boolean;

/** Options of a task; times are seconds, and null is none. */
export interface TaskOptionsInit {
    /** From -128 to 127, 3 by default; the lowest number runs first. */
    priority?: number;
    /** It goes on when a timeout of the run or the failure of another task cancels the rest. */
    mustComplete?: boolean;
    /** Of one attempt. */
    timeout?: number | null;
    /** Of the task with all its attempts, from its submission. */
    deadline?: number | null;
    /** Attempts after the first one. */
    retries?: number;
    retryDelay?: number;
    /** Each wait between attempts is that many times longer than the one before. */
    backoff?: number;
    /** The longest such wait. */
    maxDelay?: number | null;
    /** By which part such a wait is longer or shorter, at random; from 0 to 1. */
    jitter?: number;
    /** Which errors are followed by another attempt. */
    retryOn?: RetryPredicate | ErrorClass | readonly ErrorClass[] | null;
    delay?: number;
    /** Seconds since 1970, or a date; not together with delay. */
    runAt?: number | Date | DateTime;
    name?: string | null;
    group?: Group<any> | string | null;
    /** The run waits for it, but its summary leaves it out. */
    detached?: boolean;
    /** Comes back with the result. */
    metadata?: unknown;
    cancellable?: Cancellable | null;
    signal?: AbortSignalLike | null;
    /** Hears how much is done, from 0 to 1, and what is going on. */
    onProgress?: (fraction: number, text: string | null) => void;
}

/** Checked options, to be used many times. */
export class TaskOptions {
    constructor(given?: TaskOptionsInit, base?: TaskOptions | null);
    readonly priority?: number;
    readonly retries?: number;
    readonly name?: string | null;
}

/** What a function of a task gets. */
export class TaskContext {
    private constructor();
    /** Which attempt this is, from 1 on. */
    readonly attempt: number;
    readonly handle: Handle<unknown>;
    readonly queue: Queue;
    readonly taskId: number;
    readonly name: string;
    /** The place in the group. */
    readonly index: number;
    readonly metadata: any;
    /** Cancelled when the attempt is, or has taken too long. */
    readonly cancellable: any;
    readonly cancelled: boolean;
    throwIfCancelled(): void;
    /** How much is done, from 0 to 1, and what is going on. */
    progress(fraction: number, text?: string | null): void;
    /** If this attempt fails, the next one begins that many seconds later. */
    retryAfter(seconds: number): void;
}

/** One task, as its submitter sees it. */
export class Handle<T = unknown> {
    protected constructor();
    readonly taskId: number;
    readonly name: string;
    readonly queue: Queue;
    readonly group: Group<any> | null;
    readonly groupId: string | null;
    readonly index: number;
    readonly status: Status;
    readonly done: boolean;
    readonly attempts: number;
    /** The value of a task that has succeeded. */
    readonly currentValue: T | undefined;
    /** What a task that has failed was rejected with. */
    readonly error: any;
    readonly message: string;
    readonly priority: number;
    readonly mustComplete: boolean;
    readonly detached: boolean;
    readonly metadata: any;
    readonly progress: number;
    readonly statusText: string | null;
    readonly created: number;
    readonly scheduledFor: number | null;
    readonly started: number | null;
    readonly finished: number | null;
    readonly duration: number;
    /** The Osiiso.Handle, made when it is asked for; null when that is first done after the task's end. */
    readonly object: any;
    /** Rejected with what the task has thrown. */
    value(): Promise<T>;
    /** Never rejected. */
    result(): Promise<TaskResult<T>>;
    /** When the task is over; never rejected. */
    settled(): Promise<this>;
    /** False when the task was over. */
    cancel(): boolean;
    /** False when the task does not wait any more. */
    setPriority(priority: number): boolean;
}

/** The record of a task that is over; times are seconds since 1970. */
export class TaskResult<T = unknown> {
    private constructor();
    readonly taskId: number;
    readonly name: string;
    readonly status: FinalStatus;
    readonly value: T | undefined;
    readonly error: any;
    readonly message: string;
    readonly attempts: number;
    readonly priority: number;
    readonly mustComplete: boolean;
    readonly groupId: string | null;
    readonly index: number;
    readonly detached: boolean;
    readonly metadata: any;
    readonly scheduledFor: number | null;
    readonly created: number;
    readonly started: number | null;
    readonly finished: number;
    readonly duration: number;
}

/** What a run, or a group, has come to. */
export class RunSummary<T = any> {
    private constructor();
    readonly succeeded: number;
    readonly failed: number;
    readonly cancelled: number;
    readonly totalSubmitted: number;
    readonly timedOut: boolean;
    readonly duration: number;
    readonly ok: boolean;
    readonly results: readonly TaskResult<T>[];
    readonly values: T[];
    readonly errors: TaskResult<T>[];
    readonly successes: TaskResult<T>[];
    readonly cancellations: TaskResult<T>[];
    byTaskId(taskId: number): TaskResult<T> | null;
    byName(): Map<string, TaskResult<T>[]>;
    byName(name: string): TaskResult<T>[];
    byGroup(): Map<string | null, TaskResult<T>[]>;
    byGroup(groupId: string | null): TaskResult<T>[];
    /** Throws an ExecutionError when something has failed. */
    check(): this;
    toString(): string;
}

/** A named batch of tasks. */
export class Group<T = any> {
    private constructor();
    readonly groupId: string;
    readonly queue: Queue;
    readonly handles: Handle<T>[];
    readonly length: number;
    readonly finishedCount: number;
    readonly done: boolean;
    at(index: number): Handle<T> | undefined;
    submit<U extends T>(fn: TaskFunction<U>, options?: TaskOptionsInit | TaskOptions): Handle<U>;
    map<I, U extends T>(fn: ItemFunction<I, U>, items: Iterable<I>, options?: TaskOptionsInit | TaskOptions): this;
    /** A summary, when all are over. */
    wait(): Promise<RunSummary<T>>;
    /** All values in the order of submission, or the first error. */
    values(): Promise<T[]>;
    /** How many it cancelled. */
    cancel(): number;
    /** In the order of submission. */
    [Symbol.iterator](): IterableIterator<Handle<T>>;
    /** In the order of completion. */
    [Symbol.asyncIterator](): AsyncIterableIterator<Handle<T>>;
}

export type TaskFunction<T> = (context: TaskContext) => T | PromiseLike<T>;
export type ItemFunction<I, T> = (item: I, context: TaskContext) => T | PromiseLike<T>;

/** A function each call of which is a task. */
export interface BoundTask<A extends unknown[], T> {
    (...args: A): Handle<T>;
    readonly queue: Queue;
    readonly options: TaskOptions;
    submit(...args: A): Handle<T>;
    map(items: Iterable<A[0]>, options?: TaskOptionsInit): Group<T>;
    with(options: TaskOptionsInit): BoundTask<A, T>;
}
export const BoundTask: abstract new (...args: never) => BoundTask<any, unknown>;

export type Mode = 'finite' | 'infinite';
export type FailPolicy = 'continue' | 'fail-first';
export type TimeoutPolicy = 'complete' | 'cancel';

export interface QueueOptions {
    /** 'main-loop' by default. Functions run there only; 'subprocess' is for call(). */
    backend?: 'main-loop' | 'thread-pool' | 'subprocess' | (string & {}) | object;
    workers?: number | null;
    size?: number | null;
    /** Attempts per second. */
    rate?: number | null;
    burst?: number;
    timeout?: number | null;
    onTimeout?: TimeoutPolicy;
    shutdownTimeout?: number | null;
    mode?: Mode;
    failPolicy?: FailPolicy;
    keepResults?: boolean;
    /** Called once, before the first task. */
    initializer?: () => void;
    onStart?: (handle: Handle<any>) => void;
    onComplete?: (handle: Handle<any>) => void;
    onRetry?: (handle: Handle<any>, error: any) => void;
}

export interface RunOptions {
    timeout?: number | null;
    failPolicy?: FailPolicy;
    /** Ends the run, not the tasks. */
    cancellable?: Cancellable | null;
    /** Rejected with an ExecutionError when something fails. */
    strict?: boolean;
}

/** Options of a call; of what it throws in the other process nobody can be asked. */
export type CallOptions = Omit<TaskOptionsInit, 'retryOn'>;

type ValueOf<F> = F extends TaskFunction<infer T> ? Awaited<T> : never;

export class Queue {
    constructor(options?: QueueOptions);
    workers: number;
    size: number;
    rate: number;
    burst: number;
    timeout: number;
    onTimeout: TimeoutPolicy;
    shutdownTimeout: number;
    mode: Mode;
    failPolicy: FailPolicy;
    keepResults: boolean;
    readonly paused: boolean;
    readonly closed: boolean;
    readonly activeCount: number;
    readonly pendingCount: number;
    readonly scheduledCount: number;
    readonly completedCount: number;
    /** The Osiiso.Queue. */
    readonly object: any;
    readonly backend: any;

    submit<T>(fn: TaskFunction<T>, options?: TaskOptionsInit | TaskOptions): Handle<T>;
    /** Waits for room in a queue that has a size. */
    submitAsync<T>(fn: TaskFunction<T>, options?: TaskOptionsInit | TaskOptions): Promise<Handle<T>>;
    map<I, T>(fn: ItemFunction<I, T>, items: Iterable<I>, options?: TaskOptionsInit | TaskOptions): Group<T>;
    group<T = any>(name?: string | null): Group<T>;
    group<T>(functions: readonly TaskFunction<T>[], options?: TaskOptionsInit): Group<T>;
    group<T>(name: string | null, functions: readonly TaskFunction<T>[], options?: TaskOptionsInit): Group<T>;
    group<F extends TaskFunction<any>[]>(...functions: F): Group<ValueOf<F[number]>>;
    task<A extends unknown[], T>(fn: (...args: [...A, TaskContext]) => T | PromiseLike<T>,
        options?: TaskOptionsInit | TaskOptions): BoundTask<A, T>;
    task<A extends unknown[], T>(fn: (...args: A) => T | PromiseLike<T>,
        options?: TaskOptionsInit | TaskOptions): BoundTask<A, T>;
    /** Calls the export of a module in another process. */
    call<T = any>(uri: string, name: string, args?: readonly unknown[], options?: CallOptions): CallHandle<T>;
    /** A call for each item. */
    mapCalls<T = any>(uri: string, name: string, items: Iterable<unknown>, options?: CallOptions): Group<T>;

    start(): void;
    run(options?: RunOptions): Promise<RunSummary>;
    join(options?: {cancellable?: Cancellable | null}): Promise<void>;
    shutdown(options?: {force?: boolean; cancellable?: Cancellable | null}): Promise<void>;
    close(options?: {force?: boolean; cancellable?: Cancellable | null}): Promise<void>;
    pause(): void;
    resume(): void;
    cancel(): void;
    reset(): void;
    clearResults(): void;
    summary(): RunSummary;

    connect(signal: 'on-start' | 'on-complete', callback: (queue: Queue, handle: Handle<any>) => void): number;
    connect(signal: 'on-retry', callback: (queue: Queue, handle: Handle<any>, error: any) => void): number;
    disconnect(id: number): void;
}

export class OsiisoError extends Error {}

export class QueueError extends OsiisoError {
    /** One of Osiiso.QueueError. */
    readonly code: number;
}

export class ClosedError extends QueueError {}
export class QueueFullError extends QueueError {}
/** The process that ran the task has died. */
export class CrashedError extends QueueError {
    /** pid, signal or 'exit-status', stderr and others. */
    readonly details: Record<string, any>;
}

export class CancelledError extends OsiisoError {}
export class TimeoutError extends OsiisoError {}

/** A task has failed without an error of JavaScript. */
export class TaskError extends Error {
    readonly cause: GError;
    readonly code: number;
    readonly details: unknown;
    matches(domain: unknown, code: number): boolean;
}

export class ExecutionError extends OsiisoError {
    readonly results: TaskResult[];
    readonly errors: any[];
}

/** How worker processes are run. */
export interface WorkerOptions {
    /** Variables for their environment; null for none. */
    env?: Record<string, string | null>;
    window?: number;
    tasksPerWorker?: number;
    addressSpaceLimit?: number;
    cpuTimeLimit?: number;
    nice?: number;
    graceTime?: number;
    startTimeout?: number;
    maxFrameSize?: number;
}

export interface ProcessPoolOptions extends WorkerOptions,
    Pick<QueueOptions, 'workers' | 'rate' | 'burst' | 'shutdownTimeout' | 'onStart' | 'onComplete' | 'onRetry'> {
    /** The URI or the absolute path of an ES module. */
    module: string;
}

/** A call, from its submission on. */
export class CallHandle<T = any> extends Handle<T> {}

/** Runs the exports of a module in processes that are there as long as the pool. */
export class ProcessPool {
    constructor(options: ProcessPoolOptions);
    readonly queue: Queue;
    readonly module: string;
    call<T = any>(name: string, ...args: unknown[]): Promise<T>;
    submit<T = any>(name: string, args?: readonly unknown[], options?: CallOptions): CallHandle<T>;
    /** All values; the first failure cancels the rest. */
    map<T = any>(name: string, items: Iterable<unknown>, options?: CallOptions): Promise<T[]>;
    group<T = any>(name: string, items: Iterable<unknown>, options?: CallOptions): Group<T>;
    close(options?: {force?: boolean; cancellable?: Cancellable | null}): Promise<void>;
}

/** A backend 'subprocess' whose workers run JavaScript, for a queue. */
export function makeWorkers(options?: WorkerOptions): object;

/** The URI of a module, relative to that of another one. */
export function resolve(relative: string, base: string): string;

/** The raw namespace. */
export const Osiiso: any;
