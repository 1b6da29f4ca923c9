// SPDX-License-Identifier: LGPL-2.1-or-later
// What the pieces of JavaScript in the documentation take for granted.
import GLib from 'gi://GLib';
import Gio from 'gi://Gio';
import Osiiso from 'gi://Osiiso?version=1';
/* THE SNIPPET */
