// SPDX-License-Identifier: LGPL-2.1-or-later
// What the processes of processes.js run.
export function add(a, b) {
    return a + b;
}

export function negate(a) {
    return -a;
}

export function fib(n) {
    return n < 2 ? n : fib(n - 1) + fib(n - 2);
}
