#!/usr/bin/env -S gjs -m
// SPDX-License-Identifier: LGPL-2.1-or-later
// Lists the files below a folder with their SHA-256 and type, as JSON lines.
//
//     gjs -m folder-index.js [--workers=N] [--retries=N] FOLDER
//
// The folders are read on the main loop, one per task; the files are read and hashed by
// processes, as many at a time as there are processors.
import Gio from 'gi://Gio';
import GLib from 'gi://GLib';
import Osiiso from 'gi://Osiiso?version=1';
import System from 'system';

const {CancelledError, ProcessPool, Queue, resolve} = await Osiiso.importModule();

const ATTRIBUTES = 'standard::name,standard::type';
const FILES_PER_CALL = 64;

function parseArguments(args) {
    const options = {workers: GLib.get_num_processors(), retries: 1, folder: null};
    for (const arg of args) {
        const [, name, value] = /^--(workers|retries)=(\d{1,4})$/.exec(arg) ?? [];
        if (name !== undefined)
            options[name] = Number(value);
        else if (arg.startsWith('-') || options.folder !== null)
            throw new Error(`unexpected argument '${arg}'`);
        else
            options.folder = arg;
    }
    if (options.folder === null)
        throw new Error('no folder was given');
    if (!GLib.file_test(options.folder, GLib.FileTest.IS_DIR))
        throw new Error(`'${options.folder}' is no folder`);
    return options;
}

// One folder, as a task; those below it are tasks, too, and others get their turn in
// between.
function readFolder(folder, ctx, found) {
    const {cancellable, queue} = ctx;
    const enumerator = Gio.File.new_for_path(folder).enumerate_children(ATTRIBUTES, Gio.FileQueryInfoFlags.NOFOLLOW_SYMLINKS,
        cancellable);
    for (let info = enumerator.next_file(cancellable); info !== null; info = enumerator.next_file(cancellable)) {
        const path = GLib.build_filenamev([folder, info.get_name()]);
        if (info.get_file_type() === Gio.FileType.DIRECTORY)
            queue.submit(below => readFolder(path, below, found), {name: path});
        else if (info.get_file_type() === Gio.FileType.REGULAR)
            found(path);
    }
    enumerator.close(cancellable);
}

async function main(options) {
    const folders = new Queue({workers: 4});
    const pool = new ProcessPool({module: resolve('./folder-index-work.js', import.meta.url), workers: options.workers});
    const calls = pool.queue.group('files');
    const counts = {files: 0, bytes: 0, failures: 0};
    let batch = [];

    const sendBatch = () => {
        if (batch.length > 0)
            pool.submit('describeFiles', [batch], {retries: options.retries, group: calls});
        batch = [];
    };
    folders.submit(ctx => readFolder(options.folder, ctx, path => {
        if (batch.push(path) === FILES_PER_CALL)
            sendBatch();
    }), {name: options.folder});

    const walked = await folders.run();
    sendBatch();
    for (const {name, message} of walked.errors)
        printerr(`${name}: ${message}`);

    // In the order in which they come, while others are still at work.
    for await (const call of calls) {
        if (call.status !== 'succeeded') {
            if (!(call.error instanceof CancelledError))
                printerr(`${call.error}`);
            counts.failures++;
            continue;
        }
        for (const file of call.currentValue) {
            if (file.error !== undefined) {
                printerr(`${file.path}: ${file.error}`);
                counts.failures++;
            } else {
                print(JSON.stringify(file));
                counts.files++;
                counts.bytes += file.size;
            }
        }
    }
    await pool.close();
    await folders.close();
    printerr(`${counts.files} files, ${counts.bytes} bytes, ${counts.failures + walked.failed} failures`);
    return counts.failures + walked.failed > 0 ? 1 : 0;
}

try {
    System.exit(await main(parseArguments(ARGV)));
} catch (error) {
    printerr(`folder-index: ${error.message}`);
    System.exit(2);
}
