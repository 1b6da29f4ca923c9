// SPDX-License-Identifier: LGPL-2.1-or-later
// Uses that have to pass the compiler, and uses that must not.
import {
    BoundTask, CancelledError, ExecutionError, Group, Handle, ProcessPool, Queue, RunSummary, TaskContext, TaskOptions, TimeoutError,
    resolve,
} from '../../../introspection/js/osiiso.js';

async function good(): Promise<void> {
    const queue = new Queue({backend: 'main-loop', workers: 8, rate: 10, burst: 2, failPolicy: 'fail-first', timeout: null});
    const own = new Queue({backend: 'own-backend', onRetry: (handle, error) => console.log(handle.name, error)});
    const handle = queue.submit(async ctx => ctx.attempt, {retries: 3, timeout: 10, retryOn: [RangeError, TypeError]});
    const n: number = await handle.value();
    const text: string = await queue.submit(() => 'text').value();
    const late: Handle<boolean> = await own.submitAsync(() => true, {runAt: new Date(), signal: null});

    const group = queue.map(async (url: string, ctx: TaskContext) => url.length + ctx.index, ['a', 'b'],
        {group: 'pages', retryOn: (error, attempt) => attempt < 2 && error.transient});
    for await (const done of group)
        console.log(done.name, done.status, done.currentValue?.toFixed());
    const lengths: number[] = await group.values();
    const first: Handle<number> | undefined = group.at(0);
    const open = queue.group<string>('open');
    open.submit(() => 'x').cancel();
    const mixed: Group<string | number> = queue.group(() => 1, async () => 'two');
    const named: Group<number> = queue.group('named', [() => 1, async () => 2], {priority: 0});

    const summary: RunSummary = await queue.run({timeout: 5, strict: true});
    for (const [name, results] of summary.byName())
        console.log(name, results.map(result => result.status === 'failed' ? result.message : result.value));
    console.log(`${summary}`, summary.byGroup(null).length, summary.ok, summary.check().values.length);

    const add = queue.task((a: number, b: number, ctx: TaskContext) => a + b + ctx.attempt, {retries: 1});
    const sum: number = await add(1, 2).value();
    const bound: BoundTask<[string], number> = queue.task((word: string) => word.length).with({priority: 1});
    const all: Group<number> = bound.map(['a']);

    queue.connect('on-start', (q, started) => console.log(q.pendingCount, started.status));
    queue.disconnect(queue.connect('on-retry', (_q, retried, error) => console.log(retried.attempts, error)));

    const uri = resolve('./work.js', 'file:///app/main.js');
    const workers = new Queue({backend: 'subprocess', workers: 2});
    const thumbnail: string = await workers.call<string>(uri, 'thumbnail', ['a.png', 128], {onProgress: f => f}).value();
    const pool = new ProcessPool({module: uri, workers: 2});
    const values: number[] = await pool.map<number>('square', [1, 2], {priority: 0});

    try {
        await queue.close();
    } catch (error) {
        if (error instanceof ExecutionError)
            console.log(error.results[0]?.name);
        else if (error instanceof CancelledError || error instanceof TimeoutError)
            console.log(error.message);
    }
    console.log(n, text, late, lengths, first, mixed, named, sum, all, thumbnail, values, new TaskOptions({priority: 1}));
}

async function bad(queue: Queue, handle: Handle<number>): Promise<void> {
    // @ts-expect-error: no such option
    queue.submit(() => 1, {retires: 3});
    // @ts-expect-error: a number
    queue.submit(() => 1, {retries: '3'});
    // @ts-expect-error: a function
    queue.submit('work');
    // @ts-expect-error: no such option of a queue
    new Queue({worker: 1});
    // @ts-expect-error: no such policy
    new Queue({failPolicy: 'never'});
    // @ts-expect-error: the value is a number
    const text: string = await handle.value();
    // @ts-expect-error: the value is a promise
    const plain: number = handle.value();
    // @ts-expect-error: no such status
    if (handle.status === 'done')
        return;
    // @ts-expect-error: items of the wrong type
    queue.map((word: string) => word.length, [1, 2]);
    // @ts-expect-error: no such signal
    queue.connect('on-finish', () => {});
    // @ts-expect-error: on-start has no error
    queue.connect('on-start', (_queue, _handle, error) => error);
    // @ts-expect-error: handles come from a queue
    new Handle();
    // @ts-expect-error: an argument is missing
    queue.task((a: number, b: number) => a + b)(1);
    // @ts-expect-error: a call is retried for every error
    queue.call('file:///a.js', 'f', [], {retryOn: RangeError});
    // @ts-expect-error: a pool has one module
    new ProcessPool({workers: 2});
    // @ts-expect-error: read-only
    handle.progress = 1;
    // @ts-expect-error: seconds
    queue.submit(ctx => ctx.retryAfter('soon'));
    // @ts-expect-error: not a run's
    await queue.run({workers: 1});
    console.log(text, plain);
}

export {bad, good};
