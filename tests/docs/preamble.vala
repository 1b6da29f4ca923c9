// SPDX-License-Identifier: LGPL-2.1-or-later
// What the pieces of Vala in the documentation take for granted.
void work (Osiiso.Attempt attempt) {
}

async void snippet (Osiiso.Queue queue, Osiiso.Group group, GLib.Cancellable? cancellable) throws GLib.Error {
/* THE SNIPPET */
}
