// SPDX-License-Identifier: LGPL-2.1-or-later
// The introspected namespace, wherever this file is.
import Gio from 'gi://Gio';
import GIRepository from 'gi://GIRepository';
import GLib from 'gi://GLib';

// The folder of this file, or null when it comes out of a resource.
export const folder = import.meta.url.startsWith('file:')
    ? GLib.path_get_dirname(GLib.filename_from_uri(import.meta.url)[0])
    : null;

function isFile(path) {
    return GLib.file_test(path, GLib.FileTest.IS_REGULAR);
}

// Beside this file in the source tree; next to this folder when installed, which GJS only
// looks at for a prefix that it knows.
function findOverride() {
    for (const place of ['overrides', '../gjs-1.0/overrides']) {
        const path = GLib.canonicalize_filename(place, folder);
        if (isFile(`${path}/Osiiso.js`) && !imports.overrides.searchPath.includes(path))
            imports.overrides.searchPath.unshift(path);
    }
}

// The installation says where the library is, seen from here.
function findLibrary() {
    const file = `${folder}/places.json`;
    if (!isFile(file))
        return;
    const {library, typelib} = JSON.parse(new TextDecoder().decode(GLib.file_get_contents(file)[1]));
    const path = GLib.canonicalize_filename(typelib, folder);
    if (!isFile(`${path}/Osiiso-1.typelib`))
        return;
    // In the order in which they are looked at, what the environment says stays first.
    GIRepository.Repository.prepend_search_path(path);
    GIRepository.Repository.prepend_library_path(GLib.canonicalize_filename(library, folder));
    for (const other of (GLib.getenv('GI_TYPELIB_PATH') ?? '').split(':').filter(Boolean).reverse())
        GIRepository.Repository.prepend_search_path(other);
}

if (folder !== null) {
    findOverride();
    findLibrary();
}
imports.gi.versions.Osiiso = '1';

// Not by 'gi://', because that would be looked for before the code above; and not by
// import(), because promises are not settled in a main loop that is run after an await.
export const Osiiso = imports.gi.Osiiso;
export {Gio, GLib};
