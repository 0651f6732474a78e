//! What the process may use of its machine: processors, and which of them a thread runs on; open files; its name.

use std::net::{SocketAddr, UdpSocket};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::thread;
use std::time::Duration;

/// What a shard asks for: a turn takes less, but for one that sends as much as a turn may. The kernel takes 0.1 to 100 ms.
#[cfg(target_os = "linux")]
const SLICE: Duration = Duration::from_micros(200);

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

/// Asks the scheduler to give the calling thread the processor soon and for a short time, rather than late and for long
/// (Linux 6.12; a kernel that cannot leaves it as it was). What a shard does between two sleeps takes microseconds, but
/// behind a thread that computes it would wait for as long as that one's slice, milliseconds.
#[cfg(target_os = "linux")]
pub fn ask_for_short_slices() {
    slices::ask(SLICE);
}

#[cfg(not(target_os = "linux"))]
pub fn ask_for_short_slices() {}

/// Lets the calling thread do nothing for a while.
pub fn wait(duration: Duration) {
    thread::sleep(duration);
}

/// Does work for each task, on so many threads at once; answers what came of it in the order of the tasks. Blocks.
pub fn side_by_side<T: Sync, R: Send>(count: usize, tasks: &[T], work: impl Fn(&T) -> R + Sync) -> Vec<R> {
    let next = AtomicUsize::new(0);
    let take = || {
        let mut done = Vec::new();
        loop {
            let at = next.fetch_add(1, Ordering::Relaxed);
            let Some(task) = tasks.get(at) else { return done };
            done.push((at, work(task)));
        }
    };
    let mut all: Vec<(usize, R)> = thread::scope(|scope| {
        let running: Vec<_> = (0..count.max(1)).map(|_| scope.spawn(take)).collect();
        running.into_iter().flat_map(|thread| thread.join().expect("it does not panic")).collect()
    });
    all.sort_by_key(|(at, _)| *at);
    all.into_iter().map(|(_, result)| result).collect()
}

/// The name of this machine, as clients on it can use it; `localhost` where it has none.
pub fn host_name() -> String {
    let name = rustix::system::uname().nodename().to_string_lossy().into_owned();
    if name.is_empty() { "localhost".into() } else { name }
}

/// Whether a host name or address is this machine's and no other's. Asks the resolver.
pub fn is_own_host(host: &str) -> bool {
    use std::net::ToSocketAddrs;
    (host, 0).to_socket_addrs().is_ok_and(|found| are_own(&found.collect::<Vec<_>>()))
}

/// Sockets can be bound to a machine's own addresses only. A name may stand for several machines.
fn are_own(addresses: &[SocketAddr]) -> bool {
    !addresses.is_empty() && addresses.iter().all(|address| UdpSocket::bind(address).is_ok())
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

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
mod slices {
    //! `sched_setattr(2)`: of a thread without real-time needs, the "runtime" is the slice that it asks for.

    use std::time::Duration;

    const SIZE: u32 = size_of::<libc::sched_attr>() as u32;
    const THIS_THREAD: libc::pid_t = 0;

    /// How the calling thread is scheduled, if it is one without real-time needs.
    pub(super) fn current() -> Option<libc::sched_attr> {
        // SAFETY: all fields are integers, for which zeros are a value.
        let mut found: libc::sched_attr = unsafe { std::mem::zeroed() };
        // SAFETY: the pointer leads to a live structure of the size that is named, and the kernel does not keep it.
        let answer = unsafe { libc::syscall(libc::SYS_sched_getattr, THIS_THREAD, &raw mut found, SIZE, 0u32) };
        (answer == 0 && found.sched_policy == libc::SCHED_OTHER as u32).then_some(found)
    }

    pub(super) fn ask(slice: Duration) {
        let Some(mut wanted) = current() else { return };
        wanted.sched_runtime = slice.as_nanos() as u64;
        // SAFETY: as above. A kernel that refuses leaves the thread as it was.
        unsafe { libc::syscall(libc::SYS_sched_setattr, THIS_THREAD, &raw const wanted, 0u32) };
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    #[test]
    fn a_name_is_this_machine_only_if_all_of_its_addresses_are() {
        let [own, other]: [SocketAddr; 2] = ["127.0.0.1:0", "192.0.2.1:0"].map(|text| text.parse().unwrap());
        assert!(are_own(&[own]) && !are_own(&[own, other]) && !are_own(&[other]) && !are_own(&[]));
        assert!(is_own_host("localhost") && !is_own_host("host.invalid"));
    }

    #[test]
    fn slices_are_short_and_nothing_else_changes() {
        let in_own_thread = || {
            let before = slices::current().unwrap();
            ask_for_short_slices();
            (before, slices::current().unwrap())
        };
        let (before, after) = thread::spawn(in_own_thread).join().unwrap();
        assert_eq!(
            (after.sched_policy, after.sched_nice, after.sched_priority, after.sched_flags),
            (before.sched_policy, before.sched_nice, before.sched_priority, before.sched_flags)
        );
        // Older kernels tell no slice, and know none.
        let expected_ns = if before.sched_runtime == 0 { 0 } else { SLICE.as_nanos() as u64 };
        assert_eq!(after.sched_runtime, expected_ns);
    }
}
