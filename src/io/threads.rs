//! What the process may use of its machine: processors, and which of them a thread runs on; open files; its name.

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

/// Raises the soft limit of open descriptors to the hard one: segments and connections take one each, and the usual soft
/// limit of 1024 is meant for programs that use `select`. Answers what holds now; `None` is no limit.
pub fn raise_descriptor_limit() -> Option<u64> {
    use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};
    let limit = getrlimit(Resource::Nofile);
    let raised = Rlimit { current: limit.maximum, maximum: limit.maximum };
    match setrlimit(Resource::Nofile, raised) {
        Ok(()) => limit.maximum,
        Err(_) => limit.current,
    }
}
