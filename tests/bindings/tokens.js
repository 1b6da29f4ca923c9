// SPDX-License-Identifier: LGPL-2.1-or-later
// Tokens, as a JavaScript layer uses them: functions and values stay in JavaScript.
import Gio from 'gi://Gio';
import Osiiso from 'gi://Osiiso?version=1';
import System from 'system';

import {assert, assertEqual, assertError, assertThrows, main, test} from './tap.js';

Gio._promisify(Osiiso.Queue.prototype, 'run_async');

const {QueueError, Status} = Osiiso;

// Runs functions, also asynchronous ones, that it knows by number.
class Layer {
    constructor(exchange = true) {
        this.queue = new Osiiso.Queue({backendName: 'main-loop'});
        this.functions = new Map();
        this.values = new Map();
        this.ends = new Map();
        this.entered = 0;
        this.queue.set_runner((token, id, attempt) => this.run(token, id, attempt, exchange));
        this.queue.set_completions_func(Osiiso.CompletionFlags.NONE, (tokens, statuses) =>
            tokens.forEach((token, i) => this.ends.set(token, statuses[i])));
    }

    submit(func, options = null) {
        const token = this.functions.size + 1;
        this.functions.set(token, func);
        this.queue.submit_token(token, options);
        return token;
    }

    // TRUE when the token is done, and not on its way.
    call(token, id, attempt) {
        const fail = e => this.queue.token_failed(id, attempt, Gio.io_error_quark(), Gio.IOErrorEnum.FAILED, `${e.message}`, -1);
        try {
            const value = this.functions.get(token)();
            if (!(value instanceof Promise)) {
                this.values.set(token, value);
                return true;
            }
            value.then(result => {
                this.values.set(token, result);
                this.queue.token_done(id, attempt);
            }, fail);
            return false;
        } catch (e) {
            fail(e);
            return true;
        }
    }

    run(token, id, attempt, exchange) {
        const acknowledged = id;
        this.entered++;
        while (this.call(token, id, attempt)) {
            if (!exchange) {
                this.queue.token_done(id, attempt);
                break;
            }
            let more;
            [more,, token, id, attempt] = this.queue.exchange_token();
            if (!more)
                break;
        }
        return acknowledged;
    }
}

for (const exchange of [false, true]) {
    test(`values, exchange ${exchange}`, async () => {
        const layer = new Layer(exchange);
        const tokens = Array.from({length: 100}, (_, i) => layer.submit(() => i * i));
        const summary = await layer.queue.run_async(null);
        assertEqual(summary.succeeded, 100);
        assertEqual(tokens.map(token => layer.values.get(token)), tokens.map((_, i) => i * i));
        assertEqual([...layer.ends.values()], tokens.map(() => Status.SUCCEEDED));
        assert(exchange ? layer.entered < 100 : layer.entered === 100);
    });
}

test('asynchronous functions', async () => {
    const layer = new Layer();
    const tokens = Array.from({length: 20}, (_, i) => layer.submit(async () => {
        await null;
        if (i === 7)
            throw new Error('seven');
        return `value ${i}`;
    }));
    const summary = await layer.queue.run_async(null);
    assertEqual([summary.succeeded, summary.failed], [19, 1]);
    assertEqual(layer.values.get(tokens[19]), 'value 19');
    assertEqual(layer.ends.get(tokens[7]), Status.FAILED);
});

test('retries', async () => {
    const layer = new Layer();
    let calls = 0;
    const token = layer.submit(() => {
        if (++calls < 3)
            throw new Error('not yet');
        return calls;
    }, new Osiiso.TaskOptions({retries: 5}));
    (await layer.queue.run_async(null)).check();
    assertEqual(layer.values.get(token), 3);
});

// GJS refuses calls while it collects garbage; none may be lost.
test('nothing is lost to garbage collections', async () => {
    const layer = new Layer(false);
    const n = 20000;
    let garbage = [];
    for (let i = 0; i < n; i++) {
        layer.submit(() => {
            garbage.push(new Gio.Cancellable());
            if (garbage.length === 5000) {
                garbage = [];
                System.gc();
            }
            return i;
        });
    }
    (await layer.queue.run_async(null)).check();
    assertEqual([layer.values.size, layer.ends.size], [n, n]);
});

test('tokens wait for room without blocking', async () => {
    const layer = new Layer();
    const {queue} = layer;
    queue.set_size(2);
    layer.submit(() => 'first');
    for (let i = 2; i < 6; i++)
        layer.functions.set(i, () => i);
    const begin = (start, finish, args, cancellable = null) => new Promise(resolve => {
        queue[start](...args, null, cancellable, (_, result) => {
            try {
                resolve(queue[finish](result));
            } catch (e) {
                resolve(e);
            }
        });
    });
    const cancellable = new Gio.Cancellable();
    const many = begin('submit_tokens_async', 'submit_tokens_finish', [2, 2]);
    const one = begin('submit_token_async', 'submit_token_finish', [4]);
    const cancelled = begin('submit_token_async', 'submit_token_finish', [5], cancellable);
    const tooMany = begin('submit_tokens_async', 'submit_tokens_finish', [5, 3]);
    queue.pause();
    cancellable.cancel();
    assertError(await cancelled, Gio.IOErrorEnum, Gio.IOErrorEnum.CANCELLED);
    assertError(await tooMany, QueueError, QueueError.FULL);
    queue.resume();
    (await queue.run_async(null)).check();
    const ids = [...await many, await one];
    assertEqual([ids.length, new Set([...ids, 0]).size], [3, 4]);
    assertEqual([...layer.values.entries()], [[1, 'first'], [2, 2], [3, 3], [4, 4]]);
});

test('a runner is refused where threads run tasks', () => {
    const queue = new Osiiso.Queue({backendName: 'thread-pool'});
    assertThrows(QueueError, QueueError.NOT_SUPPORTED, () => queue.set_runner((_token, id) => id));
    assertThrows(QueueError, QueueError.INVALID, () => queue.submit_token(1, null));
});

await main(ARGV);
