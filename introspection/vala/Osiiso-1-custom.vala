// SPDX-License-Identifier: LGPL-2.1-or-later
// What vapigen adds to the vapi as it is. valac puts the bodies into each program
// that uses them.

namespace Osiiso {
	// An int without a GType. valac would want to register a property of type int, and
	// complain of a class that it does not make.
	[SimpleType]
	[IntegerType (rank = 6)]
	[CCode (cname = "gint", has_type_id = false)]
	public struct Length : int {
	}

	// For foreach, in the order of the submissions.
	public sealed class Group : GLib.Object {
		public Osiiso.Length size {
			[CCode (cname = "_vala_osiiso_group_get_size")]
			get {
				return (Osiiso.Length) get_n_items ();
			}
		}

		[CCode (cname = "_vala_osiiso_group_get")]
		public Osiiso.Handle @get (int index) {
			return (!) get_handle (index);
		}
	}

	// For foreach, in the order in which the tasks ended.
	public sealed class RunSummary : GLib.Object {
		public Osiiso.Length size {
			[CCode (cname = "_vala_osiiso_run_summary_get_size")]
			get {
				return (Osiiso.Length) get_n_items ();
			}
		}

		[CCode (cname = "_vala_osiiso_run_summary_get")]
		public Osiiso.TaskResult @get (int index) {
			return (Osiiso.TaskResult) get_item (index);
		}
	}

	// What a plugin in Vala exports.
	[CCode (cheader_filename = "osiiso.h", cname = "OSIISO_BACKEND_ABI_MAJOR")]
	public const uint BACKEND_ABI_MAJOR;
	[CCode (cheader_filename = "osiiso.h", cname = "OSIISO_BACKEND_ABI_MINOR")]
	public const uint BACKEND_ABI_MINOR;

	[CCode (has_target = false, cname = "OsiisoBackendGetTypeFunc")]
	public delegate GLib.Type BackendGetTypeFunc ();

	[CCode (cheader_filename = "osiiso.h", has_type_id = false, has_copy_function = false, has_destroy_function = false)]
	public struct BackendDescriptor {
		public uint abi_major;
		public uint abi_minor;
		public unowned string name;
		public unowned string summary;
		public unowned string version;
		public Osiiso.BackendGetTypeFunc get_type;
	}
}
