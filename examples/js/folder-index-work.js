// SPDX-License-Identifier: LGPL-2.1-or-later
// What the processes of folder-index.js run.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';

const CHUNK = 256 * 1024;

function describeFile(path) {
    const stream = Gio.File.new_for_path(path).read(null);
    const checksum = new GLib.Checksum(GLib.ChecksumType.SHA256);
    let head = null;
    let size = 0;
    try {
        for (;;) {
            const bytes = stream.read_bytes(CHUNK, null);
            if (bytes.get_size() === 0)
                break;
            const data = bytes.toArray();
            head ??= data.slice(0, 4096);
            size += data.length;
            checksum.update(data);
        }
    } finally {
        stream.close(null);
    }
    const [type] = Gio.content_type_guess(path, head);
    return {path, size, sha256: checksum.get_string(), type};
}

// What cannot be read has an error.
export function describeFiles(paths, context) {
    return paths.map((path, i) => {
        context.setProgress(i / paths.length);
        try {
            return describeFile(path);
        } catch (error) {
            return {path, error: error.message};
        }
    });
}
