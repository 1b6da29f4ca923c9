// SPDX-License-Identifier: LGPL-2.1-or-later
//
// The worker program for functions in JavaScript: gjs -m worker.js
//
// It is started by the backend 'subprocess'. A function is 'uri:export', an export of
// an ES module: 'file:///…/module.js:name', also an absolute path instead of the URI.
// Arguments and values are JSON: a list holds the arguments, anything else is the only
// one. From process-pool.js they come as bytes, which are text that values.js
// understands, and so is what goes back. A function may be async. It has as 'this' what
// it may need to know of its call: {id, function, name, attempt, index, cancellable,
// cancelled, throwIfCancelled (), progress (fraction, text), retryAfter (seconds)}; one
// that has a parameter behind its arguments gets it there as well.
import {CancelledError} from './errors.js';
import {Gio, GLib, Osiiso} from './raw.js';
import {decode, describeError, encode, encodeError} from './values.js';

const DOMAIN = 'osiiso-js';
// The collector does not see memory that is not its own.
const CALLS_PER_COLLECTION = 20000;
const BYTES_PER_COLLECTION = 64 * 1024 * 1024;

// In a promise GJS would only take note of it: the loop would go on, and nobody would hear
// of the call again. The module 'system' copies this one when it is first imported, which
// is why that is not done here.
const System = imports.system;
const exitFromCallback = System.exit;

System.exit = status => {
    for (;;) {
        GLib.idle_add(GLib.MININT32, () => exitFromCallback(status));
        GLib.MainContext.default().iteration(true);
    }
};

const {NONE, CLOSED, SETUP, DEFINE, CALL, CANCEL} = Osiiso.WorkerMessage;

function openChannel() {
    try {
        return Osiiso.WorkerChannel.new_default('cancel');
    } catch (error) {
        printerr(`worker.js: ${error.message}`);
        exitFromCallback(2);
    }
    return null;
}

const channel = openChannel();
const loop = new GLib.MainLoop(null, false);
let isOver = false;
let exitStatus = 0;

// Out of a promise System.exit() would not end the loop.
function end(status) {
    exitStatus = status;
    isOver = true;
    loop.quit();
}

const modules = new Map();
const functions = new Map();

// The call that is under way.
let current = null;
let nCalls = 0;
let nBytes = 0;

class CallContext {
    constructor(id, name, isRich) {
        this.id = id;
        this.function = name;
        this._isRich = isRich;
    }

    // Of the task.
    get name() {
        return channel.get_task_name();
    }

    // 1 for the first attempt, 2 for the first retry, and so on.
    get attempt() {
        return channel.get_attempt_number();
    }

    // The place in the group, from 0 on.
    get index() {
        return channel.get_task_index();
    }

    // Made when it is asked for: it costs more than most calls.
    get cancellable() {
        if (!this._cancellable) {
            this._cancellable = new Gio.Cancellable();
            if (channel.is_cancelled(this.id))
                this._cancellable.cancel();
        }
        return this._cancellable;
    }

    cancel() {
        this._cancellable?.cancel();
    }

    get cancelled() {
        return channel.is_cancelled(this.id);
    }

    throwIfCancelled() {
        if (this.cancelled)
            throw new CancelledError(`attempt ${this.attempt} at task '${this.name}' was cancelled or has timed out`);
    }

    // How much is done, from 0 to 1, and what is going on.
    progress(fraction, text = null) {
        if (typeof fraction !== 'number' || !(fraction >= 0 && fraction <= 1))
            throw new RangeError(`progress must be a number from 0 to 1; got ${fraction}`);
        channel.set_progress(this.id, fraction, text === null ? null : `${text}`);
    }

    // As in the workers of other languages.
    setProgress(fraction, text = null) {
        this.progress(fraction, text);
    }

    // When to try again if the call fails, in seconds; Infinity for never.
    retryAfter(seconds) {
        if (typeof seconds !== 'number' || !(seconds >= 0))
            throw new RangeError(`the wait before a retry must be a number >= 0; got ${seconds}`);
        channel.set_retry_after(this.id, seconds);
    }
}

function replyError(id, error) {
    const details = describeError(error);
    // NUL ends a text, and half a pair of surrogates is none.
    const clean = text => `${text}`.replaceAll('\0', '?').replace(
        /[\uD800-\uDBFF](?![\uDC00-\uDFFF])|(?<![\uD800-\uDBFF])[\uDC00-\uDFFF]/g, '\uFFFD');
    let domain = DOMAIN;
    let code = 0;
    let message = details.name ? `${details.name}: ${details.message}` : details.message;

    if (error instanceof GLib.Error) {
        domain = GLib.quark_to_string(error.domain);
        code = error.code;
        message = error.message;
    }
    channel.reply_error_text(id, domain, code, clean(message),
        current?._isRich ? encodeError(error) : JSON.stringify(details));
}

function replyValue(id, value) {
    let text;

    if (value !== undefined)
        text = current._isRich ? encode(value) : JSON.stringify(value);

    if (text === undefined) {
        channel.reply_none(id);
    } else {
        channel.reply_text(id, text);
        nBytes += text.length;
    }
}

function endCall() {
    current = null;
    if (++nCalls >= CALLS_PER_COLLECTION || nBytes >= BYTES_PER_COLLECTION) {
        nCalls = nBytes = 0;
        System.gc();
    }
}

async function findFunction(name) {
    const colon = name.lastIndexOf(':');
    const uri = name.slice(0, Math.max(colon, 0));
    const symbol = name.slice(colon + 1);

    if (!uri || !symbol)
        throw new Error(`'${name}' is not the name of a function: expected 'uri:export'`);

    let module = modules.get(uri);
    if (!module) {
        module = await import(uri.startsWith('/') ? GLib.filename_to_uri(uri, null) : uri);
        modules.set(uri, module);
    }
    const func = module[symbol];
    if (typeof func !== 'function')
        throw new Error(`${uri} exports no function '${symbol}'`);
    functions.set(name, func);
    return func;
}

function readArguments() {
    const encoding = channel.get_encoding();

    if (encoding === Osiiso.Encoding.NONE)
        return [];
    if (encoding === Osiiso.Encoding.GVARIANT)
        throw new Error('functions in JavaScript take JSON, not a GVariant');
    const text = channel.get_text();
    if (text === null)
        throw new Error('the arguments are not UTF-8');
    nBytes += text.length;
    const value = current._isRich ? decode(text) : JSON.parse(text);
    return Array.isArray(value) ? value : [value];
}

function enter(func, args, context) {
    // Not behind parameters that have defaults: those are for arguments.
    if (func.length > args.length)
        args.push(context);
    return func.apply(context, args);
}

async function finish(id, promise) {
    try {
        replyValue(id, await promise);
    } catch (error) {
        replyError(id, error);
    }
    endCall();
    receiveAll();
}

function runCall() {
    const id = channel.get_id();
    const name = channel.get_function();

    current = new CallContext(id, name, channel.get_encoding() === Osiiso.Encoding.BYTES);
    try {
        const args = readArguments();
        const context = current;
        const func = functions.get(name);
        if (!func) {
            finish(id, findFunction(name).then(found => enter(found, args, context)));
            return;
        }
        const value = enter(func, args, context);
        if (typeof value?.then === 'function') {
            finish(id, value);
            return;
        }
        replyValue(id, value);
    } catch (error) {
        replyError(id, error);
    }
    endCall();
}

// {"path": …} is looked for modules of the old kind, and "modules" are loaded.
async function setUp(text) {
    const setup = text === null ? {} : JSON.parse(text);

    for (const path of setup.path ?? [])
        imports.searchPath.unshift(path);
    for (const uri of setup.modules ?? [])
        modules.set(uri, await import(uri.startsWith('/') ? GLib.filename_to_uri(uri, null) : uri));
}

let settingUp = false;

function beginSetUp() {
    settingUp = true;
    setUp(channel.get_encoding() === Osiiso.Encoding.NONE ? null : channel.get_text()).then(() => {
        settingUp = false;
        receiveAll();
    }, error => {
        printerr(`worker.js: ${error.message}`);
        replyError(0, error);
        end(1);
    });
}

function receiveAll() {
    while (!settingUp && !isOver) {
        let message;
        try {
            message = channel.receive(false, null);
        } catch (error) {
            printerr(`worker.js: ${error.message}`);
            end(1);
            return true;
        }

        switch (message) {
        case CALL:
            // While it is under way there is nothing but that it is cancelled.
            runCall();
            break;
        case CANCEL:
            current?.cancel();
            break;
        case SETUP:
            beginSetUp();
            break;
        case CLOSED:
            end(0);
            break;
        case DEFINE:
            // There is nothing in JSON that would define a function.
            break;
        case NONE:
        default:
            return true;
        }
    }
    return true;
}

// A function that never comes back must not outlive the queue.
channel.exit_when_closed();
channel.attach(receiveAll);
// Before any await, so that promises are settled in it; and to wait in one at the top
// level would keep a processor busy.
loop.run();
exitFromCallback(exitStatus);
