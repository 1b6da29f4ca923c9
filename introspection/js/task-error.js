// SPDX-License-Identifier: LGPL-2.1-or-later
import GLib from 'gi://GLib';

// Why a task has failed, or was cancelled, when no function in JavaScript has thrown
// anything: its cause is the GLib.Error, and details may be there of a process that died.
export class TaskError extends Error {
    constructor(cause, details = null) {
        super(cause.message, {cause});
        this.details = details;
    }

    get name() {
        return 'TaskError';
    }

    get code() {
        return this.cause.code;
    }

    // For example matches(Osiiso.QueueError, Osiiso.QueueError.CRASHED).
    matches(domain, code) {
        return this.cause instanceof GLib.Error && this.cause.matches(domain, code);
    }
}
