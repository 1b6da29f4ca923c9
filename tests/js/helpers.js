// SPDX-License-Identifier: LGPL-2.1-or-later
// What several tests of the module need.
import {assert} from '../bindings/tap.js';

// What the promise is rejected with.
export async function rejection(promise) {
    try {
        await promise;
    } catch (error) {
        return error;
    }
    throw new Error('the promise was not rejected');
}

// What the function throws, which has to be of that class and say that.
export function assertThrown(type, pattern, func) {
    try {
        func();
    } catch (error) {
        assert(error instanceof type, `${error} is not a ${type.name}`);
        assert(pattern.test(error.message), `'${error.message}' does not match ${pattern}`);
        return error;
    }
    throw new Error(`nothing was thrown, expected ${pattern}`);
}

// A promise with its resolve () and reject ().
export function makeGate() {
    const gate = {};
    gate.promise = new Promise((resolve, reject) => Object.assign(gate, {resolve, reject}));
    return gate;
}

// A task that waits for a gate, and says when it has begun.
export function makeGatedTask() {
    const begun = makeGate();
    const gate = makeGate();
    return {begun: begun.promise, open: gate.resolve, fail: gate.reject, fn: ctx => {
        begun.resolve(ctx);
        return gate.promise;
    }};
}
