//! Processors, and which of them a thread runs on.

use std::thread;

/// The processors that this process may use.
pub fn available() -> usize {
    thread::available_parallelism().map_or(1, |count| count.get())
}

/// Keeps the calling thread on the `number`th processor that the process may use. Where that cannot be, it stays free.
#[cfg(target_os = "linux")]
pub fn pin(number: usize) {
    use rustix::thread::{CpuSet, sched_getaffinity, sched_setaffinity};
    let Ok(allowed) = sched_getaffinity(None) else { return };
    if let Some(cpu) = (0..CpuSet::MAX_CPU).filter(|cpu| allowed.is_set(*cpu)).nth(number) {
        let mut one = CpuSet::new();
        one.set(cpu);
        let _ = sched_setaffinity(None, &one);
    }
}

#[cfg(not(target_os = "linux"))]
pub fn pin(_: usize) {}

/// The name of this machine, as clients on it can use it; `localhost` where it has none.
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".into() } else { name }
}
