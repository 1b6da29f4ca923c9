// SPDX-License-Identifier: LGPL-2.1-or-later

// The backend "context-thread": all tasks run in one thread, in a main context of its
// own, which is the default one there.
//
// For what has to stay in one thread, such as the connection to a database, without
// blocking the user interface; and for asynchronous functions of GIO, whose callbacks
// come in that thread as well. As many of those are under way as the queue has workers.

// The thread between one open () and its close (). It may outlive that, in a function
// that does not return. The backend's lock guards all but the context.
class Life {
    public ContextThreadBackend? backend;
    public MainContext context = new MainContext ();
    public Source? source;  // what wake () has attached, until it is dispatched
    public bool inside;     // in a function, or in the initializer of the queue
    public bool over;       // closed, so nothing may be taken any more
    public bool ended;      // nobody has to wait for the thread
    public bool missed;     // another thread is wanted, since this one began

    public Life (ContextThreadBackend backend) {
        this.backend = backend;
    }

    public void run () {
        backend.live (this);
        backend = null;
    }
}

public class ContextThreadBackend : Osiiso.Backend {
    // Its lock is not held while calling into the queue.
    private Life? life;

    // For how long tasks run before other sources of the context get their turn, in
    // seconds.
    public double slice { get; set; default = 0.001; }

    public override Osiiso.BackendCapabilities get_capabilities () {
        return FUNCTIONS | CALLS | ASYNC | INITIALIZER;
    }

    public override uint get_default_workers () {
        return 1;
    }

    public override void wake (uint n) {
        lock (life) {
            if (life == null || life.ended || life.source != null)
                return;
            var this_life = life;
            life.source = new IdleSource ();
            life.source.set_priority (Priority.DEFAULT);
            life.source.set_callback (() => {
                serve_slice (this_life);
                return Source.REMOVE;
            });
            life.source.attach (life.context);
        }
    }

    private void serve_slice (Life life) {
        var until = get_monotonic_time () + (int64) (slice * 1e6);

        // Who wakes from now on is heard, whatever take () returns below.
        lock (this.life)
            life.source = null;
        while (run_one (life)) {
            if (get_monotonic_time () >= until) {
                wake (1);
                break;
            }
        }
    }

    private bool run_one (Life life) {
        var attempt = take ();

        if (attempt == null || !enter (life))
            return false;
        attempt.run ();
        attempt = null;
        return leave (life);
    }

    // False when the life is over.
    private bool enter (Life life) {
        lock (this.life) {
            life.inside = !life.over;
            return life.inside;
        }
    }

    private bool leave (Life life) {
        lock (this.life) {
            life.inside = false;
            return !life.over;
        }
    }

    public override bool open () throws Error {
        start (life);
        return true;
    }

    // Takes the place of another life, unless somebody has done so already.
    private void start (Life? old) throws Error {
        var next = new Life (this);

        lock (life) {
            if (life != old)
                return;
            life = next;
        }
        try {
            new Thread<void>.try ("context-thread", next.run);
        } catch (Error error) {
            // Perhaps there will be one later: see workers_changed ().
            lock (life) {
                next.ended = true;
                drop (next);
            }
            next.backend = null;
            throw error;
        }
    }

    internal void live (Life life) {
        life.context.push_thread_default ();
        if (enter (life)) {
            var ready = init_worker ();

            if (leave (life) && ready) {
                wake (1);
                while (is_open (life))
                    life.context.iteration (true);
            }
        }
        life.context.pop_thread_default ();
        end (life);
    }

    // A source that is never dispatched would keep the backend for ever.
    private void drop (Life life) {
        if (life.source != null)
            life.source.destroy ();
        life.source = null;
    }

    private bool is_open (Life life) {
        lock (this.life)
            return !life.over;
    }

    public override void close (bool force) {
        bool wait;

        lock (life) {
            // Nobody waits for a function that does not listen.
            wait = life != null && !life.inside && !life.ended;
            if (life != null) {
                life.over = true;
                life.ended = !wait;
                drop (life);
                life.context.wakeup ();
                life = null;
            }
        }
        if (!wait)
            closed ();
    }

    // The last that the thread does.
    private void end (Life life) {
        bool tell;
        bool again;

        lock (this.life) {
            tell = life.over && !life.ended;
            again = !life.over && life.missed;
            life.ended = true;
            drop (life);
        }
        if (tell)
            closed ();
        if (again)
            replace (life);
    }

    // Comes also when a thread whose initializer failed has to be replaced.
    public override void workers_changed () {
        Life? gone = null;

        lock (life) {
            if (life != null) {
                life.missed = true;
                if (life.ended)
                    gone = life;
            }
        }
        if (gone != null)
            replace (gone);
    }

    private void replace (Life old) {
        try {
            start (old);
        } catch (Error error) {
            // The next start of the queue tries it again.
        }
    }
}

private Osiiso.BackendDescriptor descriptor;

private Type get_backend_type () {
    return typeof (ContextThreadBackend);
}

// What the loader looks for. It asks in one thread at a time.
[CCode (cname = "osiiso_backend_context_thread_get_descriptor")]
public Osiiso.BackendDescriptor* get_descriptor () {
    descriptor = {
        Osiiso.BACKEND_ABI_MAJOR, Osiiso.BACKEND_ABI_MINOR,
        "context-thread", "One thread with a main context of its own", "1.0",
        get_backend_type
    };
    return &descriptor;
}
