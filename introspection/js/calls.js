// SPDX-License-Identifier: LGPL-2.1-or-later
// Calls of functions in other processes, for queues whose backend is 'subprocess'.
import {countWrapper, objectFor} from './core-options.js';
import {CancelledError, CrashedError, OsiisoError, TimeoutError, wrapError} from './errors.js';
import {Handle, STATUS_NAMES} from './handle.js';
import {show} from './options.js';
import {GLib, Gio, Osiiso} from './raw.js';
import {decode, encodeArguments} from './values.js';

const {Encoding, Status} = Osiiso;

// How each of the told results begins, in words of 32 bits: see
// osiiso_queue_dup_told_results().
const TOLD_WORDS = 14;
const TOLD_STARTED = 4, TOLD_FINISHED = 6, TOLD_LENGTH = 8, TOLD_STATUS = 10, TOLD_ATTEMPTS = 11, TOLD_ENCODING = 12;

// So much text is decoded at once.
const MAX_AT_ONCE = 65536;
const decoder = new TextDecoder();

export function checkModule(module) {
    if (typeof module !== 'string')
        throw new TypeError(`the module must be the URI of an ES module, or an absolute path; got ${show(module)}`);
    if (!module.startsWith('/') && !/^[a-z][a-z0-9+.-]+:/i.test(module)) {
        throw new RangeError(`the module must be a URI or an absolute path; got '${module}', which ` +
            `resolve('${module}', import.meta.url) makes one of`);
    }
    // GJS itself ends where it cannot load a module from.
    if (!/^(\/|file:|resource:)/i.test(module))
        throw new RangeError(`the module must be at a URI file: or resource:, or an absolute path; got '${module}'`);
    return module;
}

// The task of a call: most of what it is asked for is known by the library.
export class CallHandle extends Handle {
    constructor(queue, name, text, options, group, index) {
        super(queue, null, options, group, index, null);
        this._export = name;
        this._text = text;
        this._asked = true;
        this._object = null;
        this._watching = 0;
        this._wasHeard = queue._tokens.calls._listens; // from the first attempt on
        this._heard = false;       // that an attempt has begun
    }

    get name() {
        return this._options.name ?? this._export;
    }

    get attempts() {
        return this._final === null ? this.object?.get_attempts() ?? 0 : this._attempts;
    }

    get progress() {
        return this._final === null ? this.object?.get_progress() ?? 0 : this._progress;
    }

    get statusText() {
        return this._final === null ? this.object?.dup_status_text() ?? null : this._statusText;
    }

    // Wants to be told, which happens at most each 16 milliseconds, and not always.
    _watchProgress() {
        this._object = this.object;
        this._watching = this._object?.connect('notify::progress', () => this._tellProgress()) ?? 0;
    }

    _tellProgress() {
        this._keepProgress();
        try {
            this._options.onProgress(this._progress, this._statusText);
        } catch (error) {
            logError(error, `onProgress of ${this.name}`);
        }
    }

    _keepProgress() {
        this._progress = this._object.get_progress();
        this._statusText = this._object.dup_status_text();
    }

    _settle(final, outcome) {
        if (this._object !== null) {
            this._keepProgress();
            this._object.disconnect(this._watching);
            this._object = null;
        }
        super._settle(final, outcome);
    }
}

// What the library tells of the ends of calls, in one piece.
class Told {
    constructor(bytes, n) {
        this.data = bytes.toArray();
        this.words = new Uint32Array(this.data.buffer, this.data.byteOffset, n * TOLD_WORDS);
        this.start = this.place = n * TOLD_WORDS * 4;
        // All texts at once cost less than one by one. In ASCII a letter has one byte.
        const rest = this.data.subarray(this.start);
        const text = rest.length > 0 && rest.length <= MAX_AT_ONCE ? decoder.decode(rest) : '';
        this.text = text.length === rest.length ? text : null;
        // From the clock of the library to that of Date, in milliseconds.
        this.offset = Date.now() - GLib.get_monotonic_time() / 1000;
    }

    // The text of the next one.
    next(length) {
        const place = this.place;
        this.place += length;
        if (this.text !== null)
            return this.text.slice(place - this.start, this.place - this.start);
        return decoder.decode(this.data.subarray(place, this.place));
    }

    number(index) {
        return this.words[index] + this.words[index + 1] * 0x100000000;
    }

    time(index) {
        const time = this.number(index);
        return time === 0 ? 0 : time / 1000 + this.offset;
    }
}

// Texts as bytes, one behind the other, and how many each of them has.
function joinTexts(texts) {
    const encoder = new TextEncoder();
    const bytes = encoder.encode(texts.join(''));
    const isAscii = bytes.length === texts.reduce((n, text) => n + text.length, 0);

    countWrapper();
    return {
        payloads: new GLib.Bytes(bytes),
        lengths: texts.map(text => isAscii ? text.length : encoder.encode(text).length),
    };
}

// What the tokens of a queue need for calls.
export class Calls {
    constructor(tokens, queue) {
        this._tokens = tokens;
        this._queue = queue;
        this._functions = new Map();
        this._byId = new Map();
        this._listens = false;
    }

    // The library finds the function by the name; its arguments come with each call.
    _functionFor(uri, name) {
        const key = `${uri}:${name}`;
        let call = this._functions.get(key);
        if (call === undefined) {
            checkModule(uri);
            if (typeof name !== 'string' || !name)
                throw new TypeError(`the name of an export must be a string; got ${show(name)}`);
            call = Osiiso.Call.new_json(key, '[]');
            this._functions.set(key, call);
        }
        return call;
    }

    makeHandle(name, args, options, group, index) {
        if (!Array.isArray(args))
            throw new TypeError(`the arguments of ${name} must be an array; got ${show(args)}`);
        if (options.retryOn)
            throw new TypeError('retryOn cannot be asked about what a function in another process throws; leave it out');
        return new CallHandle(this._queue, name, encodeArguments(args), options, group, index);
    }

    submit(uri, handle) {
        const tokens = this._tokens;
        const call = this._functionFor(uri, handle._export);
        tokens.add(handle);
        try {
            handle._id = tokens.core.submit_token_call(handle._token, call, handle._text, objectFor(handle._options));
        } catch (error) {
            tokens.remove(handle);
            throw wrapError(error);
        }
        this._submitted(handle);
    }

    // All or none, with the same options.
    submitAll(uri, name, handles, options) {
        const tokens = this._tokens;
        const call = this._functionFor(uri, name);
        const {payloads, lengths} = joinTexts(handles.map(handle => handle._text));
        let ids;
        for (const handle of handles)
            tokens.add(handle);
        try {
            ids = tokens.core.submit_token_calls(handles[0]?._token ?? 0, call, payloads, lengths, objectFor(options));
        } catch (error) {
            for (const handle of handles)
                tokens.remove(handle);
            throw wrapError(error);
        }
        handles.forEach((handle, i) => {
            handle._id = ids[i];
            this._submitted(handle);
        });
    }

    // Its end is told in the main loop, so it cannot be over yet.
    _submitted(handle) {
        this._byId.set(handle._id, handle);
        handle._text = null;
        if (handle._options.onProgress)
            handle._watchProgress();
    }

    // The ends of tokens, some of which may not be tasks.
    told(tokens) {
        const told = new Told(this._tokens.core.dup_told_results(), tokens.length);
        const {words} = told;

        countWrapper();
        for (let i = 0, at = 0; i < tokens.length; i++, at += TOLD_WORDS) {
            const length = told.number(at + TOLD_LENGTH);
            const text = length > 0 ? told.next(length) : '';
            const handle = this._tokens.get(tokens[i]);
            if (handle === undefined)
                continue;
            this._byId.delete(handle._id);
            handle._attempts = words[at + TOLD_ATTEMPTS];
            handle._started = told.time(at + TOLD_STARTED);
            this._settle(handle, words[at + TOLD_STATUS], words[at + TOLD_ENCODING], text);
            handle._finished = told.time(at + TOLD_FINISHED);
        }
    }

    _settle(handle, status, encoding, text) {
        let outcome;

        try {
            if (status === Status.SUCCEEDED) {
                outcome = text ? decode(text) : undefined;
            } else if (status === Status.CANCELLED) {
                outcome = new CancelledError(handle._attempts > 0 ? 'cancelled' : 'cancelled before execution');
            } else if (encoding === Encoding.JSON && text[0] === ' ') {
                outcome = decode(text);
            } else {
                outcome = this._errorOf(handle);
            }
        } catch (error) {
            status = Status.FAILED;
            outcome = error;
        }
        this._tokens.settle(handle, STATUS_NAMES[status], outcome);
    }

    _errorOf(handle) {
        const object = this._tokens.lookUp(handle);
        const error = object?.dup_error();
        if (!error)
            return new OsiisoError('the task was lost');
        if (error.matches(Osiiso.QueueError, Osiiso.QueueError.CRASHED))
            return new CrashedError(error, object.get_error_details()?.recursiveUnpack?.() ?? {});
        if (error.matches(Gio.IOErrorEnum, Gio.IOErrorEnum.TIMED_OUT))
            return new TimeoutError(error.message, {cause: error});
        return wrapError(error);
    }

    // Hooks want to hear of attempts, which are in the other process. A signal with a
    // GError is not delivered by GJS 1.74, so a retry is seen when it begins.
    listen() {
        if (this._listens)
            return;
        this._listens = true;
        this._tokens.core.connect('on-start', (_queue, core) => this._started(core));
    }

    _started(core) {
        const handle = this._byId.get(core.get_task_id());
        if (handle === undefined)
            return;
        // A begin may be told late, when the next attempt has begun, and again, when the
        // attempt was given back to the library.
        const attempts = core.get_attempts();
        const isFirst = !handle._heard;
        if (isFirst && !handle._wasHeard)
            handle._toldRetry = Math.max(attempts - 2, 0);
        handle._heard = true;
        if ((!isFirst || !handle._wasHeard) && handle._toldRetry + 1 < attempts) {
            handle._toldRetry++;
            this._queue._emit('on-retry', handle, new OsiisoError(`attempt ${handle._toldRetry} of ${handle.name} has failed`));
        }
        this._queue._emit('on-start', handle);
    }
}
