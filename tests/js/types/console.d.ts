// SPDX-License-Identifier: LGPL-2.1-or-later
declare const console: {log(...args: unknown[]): void};
