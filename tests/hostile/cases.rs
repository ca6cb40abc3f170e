//! The list.

use super::{Case, End, hand_written};

const fn op(name: &'static str, nodes: &'static str, end: End) -> Case {
    Case { name, nodes, made: None, end }
}

/// A guest that is made by hand, in a node without settings.
const fn made(name: &'static str, made: fn() -> Vec<u8>, end: End) -> Case {
    Case { name, nodes: "nodes.bad.op = \"made/bad\"", made: Some(made), end }
}

const TIME_OVER: End = End::Fails("it did not end within its timeout of 1 s");
const UNREACHABLE: End = End::Fails("the guest trapped: wasm `unreachable` instruction executed");
const HOST_ALLOCATION: End =
    End::Fails("the limit on what a call may make the host allocate of 128 MiB was exceeded");
const RESOURCES: End = End::Fails("the limit on open resources of 1024 resources was exceeded");

/// All of them.
pub(crate) const CASES: &[Case] = &[
    op("computes for ever", "nodes.bad.op = \"hostile/loop\"", TIME_OVER),
    made(
        "computes for ever in its start function",
        hand_written::loop_in_start,
        End::Refused("it did not answer within 1 s"),
    ),
    made(
        "computes for ever in `describe`",
        hand_written::loop_in_describe,
        End::Refused("it did not answer within 1 s"),
    ),
    made(
        "describes 1,000 ops by the same MiB each",
        hand_written::long_describe,
        End::Refused("the limit on what a call may make the host allocate of 128 MiB was exceeded"),
    ),
    op(
        "calls itself without end",
        "nodes.bad.op = \"odd/deep\"",
        End::Fails("the stack limit of 512 KiB was exceeded"),
    ),
    op(
        "takes memory without end",
        "nodes.bad = { op = \"hostile/allocate\", limits.memory = \"64MiB\" }",
        End::Fails("the memory limit of 64 MiB was exceeded"),
    ),
    made(
        "asks for 4 GiB of memory at once",
        hand_written::grow_to_the_end,
        End::Fails("the memory limit of 512 MiB was exceeded"),
    ),
    made(
        "has 21 memories",
        hand_written::many_memories,
        End::Refused("defined memories count of 21 exceeds the per-instance limit of 1"),
    ),
    made(
        "has 20 tables",
        hand_written::many_tables,
        End::Refused("defined tables count of 20 exceeds the per-instance limit of 8"),
    ),
    made(
        "has 101 instances",
        hand_written::many_instances,
        End::Refused("101 core module instances, which exceeds the configured maximum of 64"),
    ),
    made(
        "asks for a table of 10,000,000 elements",
        hand_written::long_table,
        End::Fails("the limit on table elements of 100000 elements was exceeded"),
    ),
    made(
        "emits a name of 4 GiB",
        hand_written::emit_4_gib,
        End::Fails("the guest trapped: string pointer/length out of bounds of memory"),
    ),
    made("emits a mapping key of 400 MiB", hand_written::key_of_400_mib, HOST_ALLOCATION),
    op(
        "emits 1,000,000 elements of 2 bytes",
        "nodes.bad = { op = \"hostile/flood_outputs\", config = { count = 1000000, size = 0 }, timeout = \"5m\" }",
        End::Succeeds,
    ),
    op(
        "logs 1,000,000 messages of 1,000 bytes",
        "nodes.bad = { op = \"hostile/flood_log\", config = { count = 1000000, size = 1000 }, timeout = \"5m\" }",
        End::Succeeds,
    ),
    op("prints for ever", "nodes.bad.op = \"machine/print_for_ever\"", TIME_OVER),
    made("returns 100,000 times the same MiB", hand_written::same_bytes_again, HOST_ALLOCATION),
    made(
        "logs 10,000 times the same MiB in one call",
        hand_written::same_field_again,
        HOST_ALLOCATION,
    ),
    op(
        "opens a file again and again",
        r#"nodes.bad = { op = "machine/touch", config = { deed = "hoard", path = "/data/a.txt" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read" }] }"#,
        RESOURCES,
    ),
    made("makes handles without end", hand_written::hoard_handles, RESOURCES),
    op(
        "pulls `u32::MAX` elements of a collected input",
        "nodes.blobs = { op = \"basics/blobs\", inputs.count.value = 100, inputs.bytes.value = 262144 }\nnodes.bad = { op = \"odd/pull\", inputs.values.collect = \"blobs\" }",
        End::Succeeds,
    ),
    made(
        "emits a name that is not UTF-8",
        hand_written::name_without_utf8,
        End::Fails("the guest trapped: invalid utf-8 sequence of 1 bytes from index 0"),
    ),
    made(
        "emits a key that is not UTF-8",
        hand_written::key_without_utf8,
        End::Fails("the guest trapped: invalid utf-8 sequence of 1 bytes from index 0"),
    ),
    op(
        "returns JSON that is not UTF-8",
        "nodes.bad.op = \"hostile/no_utf8\"",
        End::Fails(
            "the op broke its interface: its output `result` is declared as JSON and is not: ",
        ),
    ),
    op(
        "emits a mapping key of 100,000 bytes",
        "nodes.bad = { op = \"hostile/bad_key\", config = { key = \"k\", repeat = 100000 } }",
        End::Fails("the op broke its interface: "),
    ),
    op(
        "emits the mapping key `[`",
        "nodes.bad.op = \"hostile/bad_key\"",
        End::Fails("the op broke its interface: "),
    ),
    op(
        "emits the mapping key `]`",
        "nodes.bad = { op = \"hostile/bad_key\", config.key = \"]\" }",
        End::Fails("the op broke its interface: "),
    ),
    op(
        "emits an empty mapping key",
        "nodes.bad = { op = \"hostile/bad_key\", config.key = \"\" }",
        End::Fails("the op broke its interface: "),
    ),
    op(
        "emits a mapping key with the end of a line",
        "nodes.bad = { op = \"hostile/bad_key\", config.key = \"a\\nb\" }",
        End::Fails("the op broke its interface: "),
    ),
    op(
        "emits a mapping key that a terminal would obey",
        "nodes.bad = { op = \"hostile/bad_key\", config.key = \"\\u009b31m\" }",
        End::Fails("the op broke its interface: "),
    ),
    op(
        "emits a mapping key twice",
        "nodes.bad.op = \"hostile/duplicate_key\"",
        End::Fails(
            "the op broke its interface: it gave the output `out` the mapping key `twice` twice",
        ),
    ),
    op(
        "panics while it holds a file",
        r#"nodes.bad = { op = "machine/touch", config = { deed = "panic", path = "/data/a.txt" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read" }] }"#,
        UNREACHABLE,
    ),
    op("panics in a destructor", "nodes.bad.op = \"hostile/panic_in_drop\"", UNREACHABLE),
    made("traps in the destructor of a resource", hand_written::trap_in_a_destructor, UNREACHABLE),
    made("traps after it has returned", hand_written::trap_after_the_end, UNREACHABLE),
    made("computes for ever after it has returned", hand_written::loop_after_the_end, TIME_OVER),
    made(
        "calls the host while the host calls it",
        hand_written::call_within_a_call,
        End::Fails("the guest trapped: cannot leave component instance"),
    ),
    op("sleeps for ever", "nodes.bad.op = \"machine/sleep_for_ever\"", TIME_OVER),
    op(
        "waits for ever inside of the host, for a pipe",
        r#"nodes.bad = { op = "machine/touch", config = { deed = "read", path = "/data/pipe" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read" }] }"#,
        TIME_OVER,
    ),
    op(
        "reads `../secret.txt`",
        r#"nodes.bad = { op = "machine/touch", config = { deed = "read", path = "/data/../secret.txt" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read" }] }"#,
        End::Fails("PermissionDenied"),
    ),
    op(
        "reads `/etc/passwd`",
        r#"nodes.bad = { op = "machine/touch", config = { deed = "read", path = "/etc/passwd" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read" }] }"#,
        End::Fails("NotFound"),
    ),
    op(
        "follows a relative link out of its folder",
        r#"nodes.bad = { op = "machine/touch", config = { deed = "read", path = "/data/relative" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read_write" }] }"#,
        End::Fails("PermissionDenied"),
    ),
    op(
        "follows an absolute link out of its folder",
        r#"nodes.bad = { op = "machine/touch", config = { deed = "read", path = "/data/absolute" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read_write" }] }"#,
        End::Fails("PermissionDenied"),
    ),
    op(
        "makes an absolute link",
        r#"nodes.bad = { op = "machine/touch", config = { deed = "symlink", path = "/data/made", target = "/etc/passwd" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read_write" }] }"#,
        End::Fails("PermissionDenied"),
    ),
    op(
        "makes a link that leads out of its folder, for its successor to read",
        r#"nodes.link = { op = "machine/touch", config = { deed = "symlink", path = "/data/made", target = "../secret.txt" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read_write" }] }
nodes.bad = { op = "machine/touch", config = { deed = "read", path = "/data/made" }, after = ["link"], grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read_write" }] }"#,
        End::Fails("PermissionDenied"),
    ),
    op(
        "makes a hard link to a file outside of its folder",
        r#"nodes.bad = { op = "machine/touch", config = { deed = "link", path = "/data/../secret.txt" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read_write" }] }"#,
        End::Fails("PermissionDenied"),
    ),
    op(
        "makes a hard link where it may only read",
        r#"nodes.bad = { op = "machine/touch", config = { deed = "link", path = "/data/a.txt" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read" }] }"#,
        End::Fails("PermissionDenied"),
    ),
    op(
        "makes a hard link of a link that leads out of its folder, for its successor to read",
        r#"nodes.link = { op = "machine/touch", config = { deed = "link", path = "/data/absolute" }, grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read_write" }] }
nodes.bad = { op = "machine/touch", config = { deed = "read", path = "/data/absolute.new" }, after = ["link"], grants.fs = [{ host = 'FOLDER/granted', guest = "/data", access = "read_write" }] }"#,
        End::Fails("PermissionDenied"),
    ),
    op(
        "connects to its own machine",
        "nodes.bad = { op = \"network/connect\", inputs.address.value = \"127.0.0.1:22\" }\noutputs.bad.from = \"bad\"",
        End::Gives(r#"{"error":"PermissionDenied"}"#),
    ),
    op(
        "sends a datagram",
        "nodes.bad = { op = \"network/datagram\", inputs.address.value = \"127.0.0.1:53\" }\noutputs.bad.from = \"bad\"",
        End::Gives(r#"{"error":"PermissionDenied"}"#),
    ),
    op(
        "listens",
        "nodes.bad = { op = \"network/listen\", inputs.address.value = \"0.0.0.0:8080\" }\noutputs.bad.from = \"bad\"",
        End::Gives(r#"{"error":"PermissionDenied"}"#),
    ),
    op(
        "looks up a name",
        "nodes.bad = { op = \"network/resolve\", inputs.address.value = \"localhost\" }\noutputs.bad.from = \"bad\"",
        End::Gives(r#"{"error":"PermissionDenied"}"#),
    ),
    op(
        "sends a request to its own machine",
        "nodes.bad = { op = \"network/request\", config.url = \"http://127.0.0.1/\" }\noutputs.bad.from = \"bad\"",
        End::Gives(
            r#"{"error":"ErrorCode::InternalError(Some(\"refused: GET http://127.0.0.1:80 is not granted"#,
        ),
    ),
    op(
        "follows a redirect from a server that it may ask to another on its own machine",
        r#"nodes.bad = { op = "network/request", config = { url = "http://127.0.0.1:PORT/", redirects = 1 }, grants.network = [{ host = "127.0.0.1", port = PORT, scheme = "http" }] }
outputs.bad.from = "bad""#,
        End::Gives(
            r#"{"error":"ErrorCode::InternalError(Some(\"refused: GET http://127.0.0.1:1 is not granted"#,
        ),
    ),
    made(
        "goes on emitting when its run is cancelled, whatever `emit` says",
        hand_written::emit_for_ever,
        End::Cancelled,
    ),
    op(
        "looks for environment, arguments and folders",
        "nodes.bad = { op = \"machine/look\", inputs.value.value = 1 }",
        End::Succeeds,
    ),
    op(
        "exits with 0",
        "nodes.bad = { op = \"machine/exit\", config.code = 0 }",
        End::Fails("the guest trapped: it exited with code 0 instead of returning"),
    ),
    op(
        "returns JSON nested 100,000 deep",
        "nodes.bad.op = \"hostile/nested\"",
        End::Fails("the limit on the nesting of JSON of 128 levels was exceeded"),
    ),
    op(
        "returns a number of 1,000,000,000 digits, in short",
        "nodes.number = { op = \"hostile/malformed_json\", config.text = \"1e999999999\" }\nnodes.bad = { op = \"basics/multiply_by_two\", inputs.x.from = \"number\" }",
        End::Fails("input `x`: number out of range at line 1 column 11"),
    ),
    made("has 10,000 functions", hand_written::many_functions, End::Succeeds),
    made("is 100 MiB large", hand_written::a_hundred_mib, End::Succeeds),
    made(
        "has 10,000 bytes of data, spread over 400 MiB",
        hand_written::scattered_data,
        End::Succeeds,
    ),
];
