//! What the machine has, as far as this process may use it.

/// Bytes of memory: of the machine, or what its control group allows where that is less.
pub(crate) fn memory() -> u64 {
    let info = rustix::system::sysinfo();
    let installed = info.totalram.saturating_mul(u64::from(info.mem_unit));
    control_group().map_or(installed, |allowed| allowed.min(installed))
}

/// The bound of the control group (cgroup v2) that this process is in, or of one around it.
fn control_group() -> Option<u64> {
    let text = std::fs::read_to_string("/proc/self/cgroup").ok()?;
    let path = text.lines().find_map(|line| line.strip_prefix("0::/"))?;
    let folder = std::path::Path::new("/sys/fs/cgroup").join(path);
    let bounds = folder.ancestors().filter_map(|folder| {
        std::fs::read_to_string(folder.join("memory.max")).ok()?.trim().parse::<u64>().ok()
    });
    bounds.min()
}

/// Bytes of address space that this process may have; `None`: there is no bound.
pub(crate) fn address_space() -> Option<u64> {
    rustix::process::getrlimit(rustix::process::Resource::As).current
}

/// Bytes of memory that another process has now; `None`: it has ended, or the system does not say.
#[cfg(feature = "compile")]
pub(crate) fn memory_of(process: u32) -> Option<u64> {
    let text = std::fs::read_to_string(format!("/proc/{process}/statm")).ok()?;
    let pages: u64 = text.split(' ').nth(1)?.parse().ok()?;
    Some(pages.saturating_mul(rustix::param::page_size() as u64))
}
