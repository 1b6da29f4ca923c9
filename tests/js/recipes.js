// SPDX-License-Identifier: LGPL-2.1-or-later
// What kills GJS when a library is careless, one recipe for each run:
//
//     gjs -m recipes.js RECIPE TASKS
//
// The process ends with status 0 and has nothing to say, or it has failed.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import GObject from 'gi://GObject';
import Osiiso from 'gi://Osiiso?version=1';
import System from 'system';

const [RECIPE, TASKS] = [ARGV[0], Number(ARGV[1])];
const {QueueError, Status} = Osiiso;
const context = GLib.MainContext.default();

function check(condition, message) {
    if (!condition)
        throw new Error(message);
}

function refused(func, code) {
    try {
        func();
    } catch (error) {
        check(error instanceof GLib.Error && error.matches(QueueError, code), `${error}`);
        return;
    }
    throw new Error('it was not refused');
}

// Much work for threads, whose functions are in C: there are none of that name, so it
// fails, which is as good.
function submitCalls(queue, n) {
    const call = Osiiso.Call.new(':osiiso_no_such_function', null);
    for (let i = 0; i < n; i++)
        queue.push_call(call, null);
}

function iterateUntil(condition) {
    while (!condition())
        context.iteration(true);
}

const recipes = {
    // Closures and threads: refused before anything can run.
    closures() {
        const queue = new Osiiso.Queue({backendName: 'thread-pool', workers: 2});
        queue.start();
        let ran = 0;
        for (let i = 0; i < TASKS / 10; i++) {
            refused(() => queue.submit(() => ran++, null), QueueError.NOT_SUPPORTED);
            refused(() => queue.push(() => ran++, null), QueueError.NOT_SUPPORTED);
            refused(() => queue.map(3, () => ran++, null), QueueError.NOT_SUPPORTED);
            refused(() => queue.set_runner((_token, id) => id), QueueError.NOT_SUPPORTED);
            if (i % 1000 === 0)
                System.gc();
        }
        refused(() => queue.set_completions_func(Osiiso.CompletionFlags.ANY_THREAD, () => ran++), QueueError.NOT_SUPPORTED);
        submitCalls(queue, 100);
        queue.run(null);
        check(ran === 0, 'it was called');
    },

    // Signals of work that ends in threads, while JavaScript runs.
    signals() {
        const queue = new Osiiso.Queue({backendName: 'thread-pool', workers: 4});
        let n = 0;
        for (const signal of ['on-start', 'on-complete', 'notify'])
            queue.connect(signal, () => n++);
        queue.start();
        for (let i = 0; i < TASKS; i += 1000) {
            submitCalls(queue, 1000);
            for (let j = 0; j < 50000; j++)
                n = n + 1 - 1;
            if (i % 10000 === 0)
                System.gc();
        }
        iterateUntil(() => n > 0 && queue.completed_count >= TASKS);
        while (context.iteration(false))
            ;
    },

    // Handles that are dropped, and collected, while threads end their tasks.
    handles() {
        const queue = new Osiiso.Queue({backendName: 'thread-pool', workers: 4, keepResults: false});
        let handles = [];
        queue.start();
        for (let i = 0; i < TASKS; i++) {
            const handle = queue.submit_call(':osiiso_no_such_function', null, null);
            handle.connect('notify::status', () => {});
            handle.expando = i;
            handles.push(handle);
            if (handles.length === 2000) {
                handles = [];
                System.gc();
            }
        }
        iterateUntil(() => queue.completed_count >= TASKS);
    },

    // The functions that release callbacks are called where these live.
    notifies() {
        for (let i = 0; i < TASKS / 100; i++) {
            const queue = new Osiiso.Queue({backendName: 'main-loop'});
            for (let j = 0; j < 100; j++)
                queue.push(() => queue.workers, null);
            if (i % 3 === 0)
                queue.cancel();
            else if (i % 3 === 1)
                queue.run(null);
            if (i % 50 === 0)
                System.gc();
        }
        System.gc();
        while (context.iteration(false))
            ;
    },

    // A value that nobody would keep alive.
    values() {
        const queue = new Osiiso.Queue({backendName: 'main-loop', keepResults: true});
        const handles = [];
        for (let i = 0; i < TASKS / 10; i++) {
            handles.push(queue.submit(attempt => {
                attempt.return_value({lost: i});
            }, null));
        }
        queue.run(null);
        System.gc();
        for (const handle of handles) {
            check(handle.status === Status.FAILED && handle.get_value() === null, 'it was taken');
            check(handle.dup_error().message.includes('a JavaScript object cannot be'), handle.dup_error().message);
        }
    },

    // A cancellable with handlers, cancelled by timeouts that another thread watches.
    cancellables() {
        const queue = new Osiiso.Queue({backendName: 'main-loop', workers: 1000});
        const options = new Osiiso.TaskOptions({timeout: 0.005});
        const kept = [];
        let n = 0;
        for (let i = 0; i < TASKS / 100; i++) {
            queue.push(attempt => {
                const cancellable = attempt.get_cancellable();
                cancellable.connect(() => n++);
                kept.push(cancellable);
                attempt.defer();
            }, options);
        }
        queue.run(null);
        check(queue.completed_count === TASKS / 100, `${queue.completed_count}`);
    },

    // Everything at once while collections go on, and signals come in between.
    garbage() {
        const queue = new Osiiso.Queue({backendName: 'main-loop', keepResults: false});
        let garbage = [];
        let n = 0;
        queue.connect('on-complete', (_queue, handle) => {
            garbage.push(handle, new Gio.SimpleAction({name: 'x'}));
            garbage.at(-1).connect('activate', () => {});
            if (garbage.length >= 20000) {
                garbage = [];
                System.gc();
            }
        });
        for (let i = 0; i < TASKS; i++) {
            queue.push(attempt => {
                attempt.return_int(1);
                n++;
            }, null);
        }
        queue.run(null);
        check(n === TASKS, `${n} of ${TASKS}`);
    },

    // The end of the process while threads are at work.
    exit() {
        const queue = new Osiiso.Queue({backendName: 'thread-pool', workers: 4});
        queue.connect('on-complete', () => {});
        queue.start();
        submitCalls(queue, TASKS / 10);
        System.exit(0);
    },

    // The same without a word, and with a callback that is on its way.
    end() {
        const queue = new Osiiso.Queue({backendName: 'thread-pool', workers: 4});
        queue.start();
        submitCalls(queue, TASKS / 10);
        queue.join_async(null, () => {});
        const other = new Osiiso.Queue({backendName: 'main-loop'});
        for (let i = 0; i < 100; i++)
            other.push(() => {}, null);
        other.start();
    },

    // Objects of nothing, and objects that were disposed of.
    hollow() {
        for (let i = 0; i < 100; i++) {
            for (const type of ['Handle', 'Group', 'RunSummary', 'TaskResult', 'Command', 'WorkerChannel', 'TaskOptions'])
                new Osiiso[type]().run_dispose();
            const queue = Osiiso.Queue.new('main-loop');
            const handle = queue.submit(() => {}, null);
            queue.run_dispose();
            check(handle.status === Status.CANCELLED, `${handle.status}`);
        }
        System.gc();
    },

    // A thread would wait for this one, which waits.
    // An attempt that a function keeps is there for as long as it is kept.
    attempts() {
        const queue = Osiiso.Queue.new('main-loop');
        const kept = [];
        const keep = attempt => {
            kept.push(attempt);
            attempt.return_int(1);
        };
        const group = queue.map(10, keep, null);
        const ways = [
            () => queue.submit(keep, null), () => group.submit(keep, null), () => queue.try_submit(keep, null),
            () => queue.submit_async(keep, null, null, null), () => queue.push_async(keep, null, null, null),
            () => queue.map_async(1, keep, null, null, null), () => group.submit_async(keep, null, null, null),
        ];
        for (let i = 0; i < TASKS; i++)
            ways[i % ways.length]();
        queue.run(null);
        if (kept.length !== TASKS + 10)
            throw new Error(`${kept.length} attempts of ${TASKS + 10}`);
        for (const attempt of kept) {
            if (attempt.is_open() || attempt.return_int(2))
                throw new Error('an attempt is not over');
        }
        for (let i = 0; i < 10; i++) {
            if (group.get_handle(i).get_value() !== 1 || kept[i].get_index() !== i)
                throw new Error(`member ${i} has ${group.get_handle(i).get_value()}`);
        }
    },

    // So is one that a backend has been told to interrupt.
    interrupts() {
        const kept = [];
        const deferred = [];
        const Keeper = GObject.registerClass(class Keeper extends Osiiso.Backend {
            vfunc_get_capabilities() {
                return Osiiso.BackendCapabilities.FUNCTIONS | Osiiso.BackendCapabilities.CLOSURES;
            }

            vfunc_open() {
                return true;
            }

            vfunc_wake() {
                for (let attempt = this.take(); attempt; attempt = this.take())
                    attempt.run();
            }

            vfunc_close() {
                this.closed();
            }

            vfunc_interrupt(attempt) {
                kept.push(attempt);
            }
        });
        const queue = Osiiso.Queue.new_with_backend(new Keeper());
        queue.set_workers(300);
        const handles = [];
        for (let i = 0; i < 300; i++)
            handles.push(queue.submit(attempt => deferred.push(attempt.defer()), null));
        queue.start();
        while (deferred.length < 300)
            GLib.MainContext.default().iteration(true);
        handles.forEach(handle => handle.cancel());
        while (kept.length < 300)
            GLib.MainContext.default().iteration(true);
        deferred.splice(0).forEach(attempt => attempt.return_none());
        System.gc();
        for (const attempt of kept) {
            if (attempt.is_open() || attempt.return_int(1))
                throw new Error('an attempt is not over');
        }
    },

    // What a disposed queue had is let go once.
    disposed() {
        let n = 0;
        for (let i = 0; i < TASKS / 10; i++) {
            const queue = Osiiso.Queue.new('main-loop');
            queue.set_runner((_token, id) => id);
            queue.set_completions_func(0, () => n++);
            queue.set_initializer(() => ++n > 0);
            queue.run_dispose();
            refused(() => queue.set_runner((_token, id) => id), QueueError.CLOSED);
            refused(() => queue.set_completions_func(0, () => n++), QueueError.CLOSED);
            if (i % 100 === 0)
                System.gc();
            while (context.iteration(false))
                continue;
        }
        check(n === 0, 'it was called');
    },

    // A channel that C keeps when JavaScript has done away with it.
    channels() {
        const kept = new Gio.ListStore();
        let n = 0;
        for (let i = 0; i < 20; i++) {
            const channel = new Osiiso.WorkerChannel();
            kept.append(channel);
            if (i % 2 === 0)
                channel.attach(() => ++n > 0);
            channel.run_dispose();
            channel.attach(() => ++n > 0);
        }
        System.gc();
        for (let i = 0; i < 100; i++)
            context.iteration(false);
        check(n === 0, 'it was called');
    },

    deadlock() {
        const queue = Osiiso.Queue.new('main-loop');
        const handle = queue.submit(() => {}, null);
        refused(() => handle.wait(-1, null), QueueError.WOULD_DEADLOCK);
        queue.run(null);
        handle.wait(-1, null);
    },
};

if (RECIPE === undefined) {
    print(Object.keys(recipes).join(' '));
} else {
    recipes[RECIPE]();
    print('survived');
}
