//! The binary, end to end.

mod bad_input;
mod conform;
mod jobs;
mod new;
mod readme;
mod runs;
mod verbs;

use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};
use std::sync::OnceLock;

use tempfile::TempDir;

use crate::job::component;

/// The repository.
pub(crate) fn root() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR")).parent().expect("the crate is in a folder")
}

/// The binary, built as these tests were.
pub(crate) fn binary() -> &'static Path {
    static BINARY: OnceLock<PathBuf> = OnceLock::new();
    BINARY.get_or_init(|| {
        let exe = std::env::current_exe().expect("the tests are a file");
        let profile_folder = exe.ancestors().nth(2).expect("target/PROFILE/deps/EXE");
        let target = profile_folder.parent().expect("target/PROFILE");
        let profile = match profile_folder.file_name().and_then(|name| name.to_str()) {
            Some("debug") | None => "dev",
            Some(name) => name,
        };
        // A runner that starts a process for each test builds once.
        let stamp = Path::new(env!("CARGO_TARGET_TMPDIR")).join("built");
        let run = std::env::var("NEXTEST_RUN_ID").unwrap_or_default();
        if run.is_empty() || fs::read_to_string(&stamp).ok().as_ref() != Some(&run) {
            let mut build = Command::new(env!("CARGO"));
            // With the tests named too, dependencies have the features that they were built with.
            build.args([
                "build",
                "--quiet",
                "--workspace",
                "--bin",
                "dynhost",
                "--test",
                "black_box",
            ]);
            build.args(["--profile", profile]).arg("--target-dir").arg(target).current_dir(root());
            assert!(build.status().expect("cargo can be started").success(), "{build:?}");
            fs::write(&stamp, run).expect("the folder of the tests can be written");
        }
        profile_folder.join("dynhost")
    })
}

/// A folder to work in, with components at `ops/`: the real ones, and some that are none.
pub(crate) struct Workshop {
    folder: TempDir,
}

impl Workshop {
    pub(crate) fn new() -> Self {
        let folder = tempfile::tempdir().expect("a folder");
        let ops = folder.path().join("ops");
        fs::create_dir(&ops).expect("a folder");
        for name in ["basics", "files", "hostile", "odd", "scripted", "texts"] {
            let link = ops.join(format!("{name}.wasm"));
            std::os::unix::fs::symlink(component(name), link).expect("a link");
        }
        let not_ops = [
            ("text", b"[job]\nname = \"a text\"\n".to_vec()),
            ("empty", Vec::new()),
            ("core", wat("(module (func (export \"run\")))")),
            (
                "other",
                wat("(component (instance $i) (export \"wasi:cli/run@0.2.0\" (instance $i)))"),
            ),
            (
                "imports",
                wat("(component (import \"wasi:keyvalue/store@0.2.0\" (instance)) (instance $i)
                     (export \"dynhost:op/op@0.1.0\" (instance $i)))"),
            ),
            ("truncated", fs::read(component("files")).expect("it was built")[..10_000].to_vec()),
        ];
        for (name, bytes) in not_ops {
            fs::write(ops.join(format!("{name}.wasm")), bytes).expect("a file");
        }
        Self { folder }
    }

    pub(crate) fn path(&self) -> &Path {
        self.folder.path()
    }

    pub(crate) fn write(&self, name: &str, text: impl AsRef<[u8]>) -> &Self {
        fs::write(self.path().join(name), text).expect("a file");
        self
    }

    /// A command in this folder, with nothing of the surroundings that changes its words.
    pub(crate) fn dynhost(&self, arguments: &[&str]) -> Command {
        let mut command = Command::new(binary());
        command
            .args(arguments)
            .current_dir(self.path())
            .env("XDG_CACHE_HOME", Path::new(env!("CARGO_TARGET_TMPDIR")).join("cache"))
            .env("COLUMNS", "100")
            .env_remove("NO_COLOR")
            .env_remove("RUST_BACKTRACE");
        // Runs of the repository's own jobs are kept here, too.
        if arguments.iter().any(|argument| Path::new(argument).starts_with(root())) {
            command.env("DYNHOST_STATE_DIR", self.path().join(".dynhost"));
        }
        command
    }

    pub(crate) fn run(&self, arguments: &[&str]) -> Output {
        self.dynhost(arguments).output().expect("the binary can be started")
    }

    /// Runs a command and puts down what it was, what it printed and how it ended.
    pub(crate) fn session(&self, line: &str) -> String {
        let output = self.run(&line.split(' ').collect::<Vec<_>>());
        let part = |name: &str, bytes: &[u8]| {
            let text = String::from_utf8(bytes.to_vec()).expect("it is UTF-8");
            let text = text.replace(self.path().to_str().expect("the path is UTF-8"), "FOLDER");
            let text: String = text.lines().flat_map(|line| [line.trim_end(), "\n"]).collect();
            if text.is_empty() { String::new() } else { format!("--- {name}\n{text}") }
        };
        format!(
            "$ dynhost {line}\n{}{}--- exit code {}\n",
            part("stdout", &output.stdout),
            part("stderr", &output.stderr),
            output.status.code().expect("it was not killed")
        )
    }
}

fn wat(text: &str) -> Vec<u8> {
    wat::parse_str(text).expect("the text is right")
}

/// Compares with the snapshot `folder/name.snap`, without what differs between two runs.
pub(crate) fn assert_snapshot(folder: &str, name: &str, text: &str) {
    let mut settings = insta::Settings::clone_current();
    settings
        .set_snapshot_path(Path::new(env!("CARGO_MANIFEST_DIR")).join("black_box").join(folder));
    settings.set_prepend_module_to_snapshot(false);
    settings.set_omit_expression(true);
    settings.add_filter(r"\b01[0-9A-HJKMNP-TV-Z]{24}\b", "RUN");
    settings.add_filter(r"after (less than )?[0-9.]+ m?s\b", "after TIME");
    settings.add_filter(r"\b[0-9a-f]{64}\b", "SHA256");
    settings.add_filter(
        r"at most \d+ steps run at once here, and all guests have [0-9.]+ .iB",
        "at most N steps run at once here, and all guests have SIZE",
    );
    settings.add_filter(r"(size +)[0-9.]+ [KM]iB", "${1}SIZE");
    settings.add_filter(r"offset 0x[0-9a-f]+", "offset OFFSET");
    settings.add_filter(r"section range \d+\.\.\d+", "section range FROM..TO");
    settings.add_filter(r"\.rs:\d+:\d+", ".rs:LINE:COLUMN");
    settings.bind(|| insta::assert_snapshot!(name, text));
}
