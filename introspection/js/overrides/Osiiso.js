// SPDX-License-Identifier: LGPL-2.1-or-later
// What GJS adds to the introspected namespace. See osiiso.js for queues with promises.
/* exported _init */
const {Gio, GLib} = imports.gi;

// Where the module is: above this folder in the source tree, else where it is installed.
function findModule() {
    const here = GLib.path_get_dirname(imports.overrides.Osiiso.__file__);
    const places = ['../osiiso.js', '../../osiiso-1/osiiso.js'].map(place => GLib.canonicalize_filename(place, here));
    const found = places.find(place => GLib.file_test(place, GLib.FileTest.IS_REGULAR));
    if (found === undefined)
        throw new Error(`osiiso.js is in none of ${places.join(', ')}`);
    return GLib.filename_to_uri(found, null);
}

function* items(model) {
    for (let i = 0; i < model.get_n_items(); i++)
        yield model.get_item(i);
}

// When an argument is of no use, GJS 1.74 frees an array that was never returned. So those
// of functions that return one are looked at before.
function guardArrays(Osiiso) {
    const isOptions = value => value === null || value instanceof Osiiso.TaskOptions;
    const isNumber = value => Number.isSafeInteger(value) && value >= 0;
    const isCount = value => isNumber(value) && value <= 0xffffffff;
    const isResult = value => value instanceof Gio.AsyncResult;

    for (const [type, method, tests] of [
        [Osiiso.Queue, 'submit_tokens', [isNumber, isCount, isOptions]],
        [Osiiso.Queue, 'submit_token_calls', [isNumber, value => value instanceof Osiiso.Call,
            value => value instanceof GLib.Bytes, value => Array.isArray(value) && value.every(isNumber), isOptions]],
        [Osiiso.Queue, 'submit_tokens_finish', [isResult]],
        [Osiiso.Queue, 'submit_token_calls_finish', [isResult]],
        [Osiiso.Backend, 'take_tokens', [isCount]],
    ]) {
        const raw = type.prototype[method];
        type.prototype[method] = function (...args) {
            if (!(this instanceof type) || args.length < tests.length || !tests.every((test, i) => test(args[i])))
                throw new TypeError(`the arguments of ${method} do not have the types that it expects`);
            return raw.apply(this, args.slice(0, tests.length));
        };
    }
}

// GJS does not copy what a callback is given, so an attempt that a function keeps would
// be gone when it is over. This one has its own reference.
function keepAttempts(Osiiso) {
    const {ref} = Osiiso.Attempt.prototype;

    for (const [type, method, place] of [
        [Osiiso.Queue, 'submit', 0], [Osiiso.Queue, 'submit_async', 0], [Osiiso.Queue, 'try_submit', 0],
        [Osiiso.Queue, 'push', 0], [Osiiso.Queue, 'push_async', 0], [Osiiso.Queue, 'try_push', 0],
        [Osiiso.Queue, 'map', 1], [Osiiso.Queue, 'map_async', 1],
        [Osiiso.Group, 'submit', 0], [Osiiso.Group, 'submit_async', 0],
    ]) {
        const raw = type.prototype[method];
        const keeping = function (...args) {
            const func = args[place];
            if (typeof func === 'function')
                args[place] = attempt => func(ref.call(attempt));
            return raw.apply(this, args);
        };
        // What makes promises of them looks at this.
        Object.defineProperty(keeping, 'length', {value: raw.length});
        type.prototype[method] = keeping;
    }

    // The same for backends that are written in JavaScript.
    const classInit = Osiiso.Backend._classInit;
    Osiiso.Backend._classInit = function (klass) {
        if (Object.hasOwn(klass.prototype, 'vfunc_interrupt')) {
            const {vfunc_interrupt: interrupt} = klass.prototype;
            klass.prototype.vfunc_interrupt = function (attempt) {
                return interrupt.call(this, ref.call(attempt));
            };
        }
        return classInit.call(this, klass);
    };
}

function _init() {
    const Osiiso = this;

    guardArrays(Osiiso);
    keepAttempts(Osiiso);

    Object.defineProperty(Osiiso, 'moduleUri', {get: findModule, configurable: true});
    Osiiso.importModule = () => import(findModule());

    // A callback can still be given instead.
    for (const [type, methods] of [
        [Osiiso.Queue, ['submit', 'submit_call', 'submit_command', 'push', 'push_call', 'push_command', 'map',
            'submit_token', 'submit_tokens', 'submit_token_call', 'submit_token_calls', 'run', 'run_full', 'join', 'shutdown']],
        [Osiiso.Handle, ['wait']],
        [Osiiso.Group, ['submit', 'submit_call', 'submit_command', 'wait', 'next_completed']],
    ]) {
        for (const method of methods)
            Gio._promisify(type.prototype, `${method}_async`, `${method}_finish`);
    }

    Osiiso.Group.prototype[Symbol.iterator] = function () {
        return items(this);
    };
    Osiiso.RunSummary.prototype.toString = Osiiso.RunSummary.prototype.to_string;
}
