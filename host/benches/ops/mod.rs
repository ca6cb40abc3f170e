//! What the benchmarks share: the ops that are measured, and the memory of this process.

use std::path::{Path, PathBuf};
use std::process::Command;

/// Builds the ops that are measured. From then on this process has no huge pages, as the `dynhost` binary.
pub(crate) fn build() -> Result<PathBuf, Box<dyn std::error::Error>> {
    let ops = Path::new(env!("CARGO_MANIFEST_DIR")).join("../example-ops");
    let built = Command::new("sh").arg("build").arg("basics").current_dir(&ops).output()?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into_owned().into());
    }
    // The same ops with WASI, where somebody measures them.
    let wasi = ["build", "--release", "--target", "wasm32-wasip2", "-p", "basics"];
    let built = Command::new("cargo").args(wasi).current_dir(&ops).output()?;
    if !built.status.success() {
        return Err(String::from_utf8_lossy(&built.stderr).into_owned().into());
    }
    #[cfg(target_os = "linux")]
    rustix::thread::disable_transparent_huge_pages(true)?;
    Ok(ops.join("target/wasm32-unknown-unknown/release/basics.wasm").canonicalize()?)
}

/// Forgets the peak so far, where the system can (Linux, `/proc/self/clear_refs`).
#[allow(dead_code, reason = "not every benchmark looks at memory")]
pub(crate) fn reset_peak_memory() {
    let _ = std::fs::write("/proc/self/clear_refs", "5");
}

/// The greatest resident memory since the last reset, in bytes.
#[allow(dead_code, reason = "not every benchmark looks at memory")]
pub(crate) fn peak_memory() -> Option<u64> {
    of_status("VmHWM:")
}

/// The resident memory, in bytes.
#[allow(dead_code, reason = "not every benchmark looks at memory")]
pub(crate) fn resident_memory() -> Option<u64> {
    of_status("VmRSS:")
}

#[allow(dead_code, reason = "not every benchmark looks at memory")]
fn of_status(name: &str) -> Option<u64> {
    let status = std::fs::read_to_string("/proc/self/status").ok()?;
    let line = status.lines().find_map(|line| line.strip_prefix(name))?;
    line.trim().strip_suffix("kB")?.trim().parse::<u64>().ok().map(|kib| kib << 10)
}
