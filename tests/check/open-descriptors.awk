# SPDX-License-Identifier: LGPL-2.1-or-later
# Prints what valgrind says about descriptors that are open at the end, but for
# inherited ones and those of GLib's contexts that are never freed.
function finish () { if (inside && !known) { printf "%s", text; n++ } inside = 0 }
/Open (file descriptor|AF_[A-Z0-9]+ socket)/ { finish(); inside = 1; known = 0; text = "" }
inside { text = text $0 "\n" }
inside && /inherited from parent|g_main_context_default|g_task_get_type|g_private_|g_get_worker_context|glib-2.0.so.*worker/ { known = 1 }
# The context of GLib's own thread.
inside && /g_child_watch_source_new/ && text ~ /g_main_context_new/ { known = 1 }
# A thread of GIO looks for a bus when the process ends.
inside && /g_dbus_address_get_stream_sync/ { known = 1 }
# A process was ended before it had all of its libraries, whose files are open while they are mapped.
inside && /\(rtld\.c:/ && /dl_main/ { known = 1 }
# A worker was ended while libselinux, which GIO loads, had only begun.
inside && /selinuxfs_exists/ && text ~ /\/proc\/filesystems/ { known = 1 }
inside && /^==[0-9]+== *$/ { finish() }
END { finish(); exit n > 0 }
