// SPDX-License-Identifier: LGPL-2.1-or-later
// How many calls of functions in other processes there are per second, and what a second
// process brings:
//
//     meson devenv -C build gjs -m tests/benchmarks/js/processes.js [ROUNDS]
//
// Medians of rounds. Run on a machine that does nothing else.
import GLib from 'gi://GLib';

import {ProcessPool, resolve} from '../../../introspection/js/osiiso.js';

const ROUNDS = Number(ARGV[0] ?? 5);
const MODULE = resolve('./process-functions.js', import.meta.url);
const CALLS = 5000;
const FIBS = 40;

function median(list) {
    return list.sort((a, b) => a - b)[list.length >> 1];
}

async function seconds(func) {
    const begin = GLib.get_monotonic_time();
    await func();
    return (GLib.get_monotonic_time() - begin) / 1e6;
}

async function measure() {
    const one = new ProcessPool({module: MODULE, workers: 1});
    const two = new ProcessPool({module: MODULE, workers: 2});
    await Promise.all([one.call('add', 1, 2), two.map('fib', [20, 20])]);

    const found = {awaited: [], all: [], map: [], speedup: []};
    for (let round = 0; round < ROUNDS; round++) {
        found.awaited.push(CALLS / await seconds(async () => {
            for (let i = 0; i < CALLS; i++)
                await two.call('add', i, 1);
        }));
        found.all.push(CALLS / await seconds(() => Promise.all(Array.from({length: CALLS}, (_, i) => two.call('add', i, 1)))));
        found.map.push(CALLS / await seconds(() => two.map('negate', Array.from({length: CALLS}, (_, i) => i))));
        const fibs = new Array(FIBS).fill(25);
        const alone = await seconds(() => one.map('fib', fibs));
        found.speedup.push(alone / await seconds(() => two.map('fib', fibs)));
    }
    await Promise.all([one.close(), two.close()]);

    const [load] = new TextDecoder().decode(GLib.file_get_contents('/proc/loadavg')[1]).split(' ');
    print(`calls per second, one by one:   ${median(found.awaited).toFixed(0)}`);
    print(`calls per second, Promise.all:  ${median(found.all).toFixed(0)}`);
    print(`calls per second, map():        ${median(found.map).toFixed(0)}`);
    print(`${FIBS} x fib(25), 2 processes to 1: ${median(found.speedup).toFixed(2)} times as fast`);
    print(`load ${load}`);
}

// Not with an await at the top level, for which GJS 1.74 keeps a processor busy.
const loop = new GLib.MainLoop(null, false);
measure().catch(logError).finally(() => loop.quit());
loop.run();
