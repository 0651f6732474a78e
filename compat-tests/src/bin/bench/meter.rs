//! What a process costs while somebody uses it: processor, memory, system calls, switches of threads.

use compat_tests::broker::{processor_time, signal};
use compat_tests::{Context, Result};
use serde::{Deserialize, Serialize};
use std::collections::BTreeMap;
use std::ffi::OsString;
use std::fs;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// How often the memory is looked at.
const SAMPLE_EVERY: Duration = Duration::from_millis(50);

/// What was used between two looks.
#[derive(Clone, Copy, Serialize, Deserialize, Default, Debug)]
pub struct Used {
    pub seconds: f64,
    pub processor_s: f64,
    /// Anonymous memory: the page cache belongs to the machine. For a JVM it is the heap as far as it was touched.
    pub mean_memory_bytes: f64,
    pub peak_memory_bytes: u64,
    pub context_switches: u64,
    /// Where the kernel lets `perf` count them.
    pub system_calls: Option<u64>,
    /// How much of the processors' time a virtual machine's host gave to others, from 0 to 1: a request that is caught in
    /// such a gap is milliseconds late, whatever the broker does.
    pub stolen: f64,
}

pub struct Meter {
    pid: u32,
    began: Instant,
    processor: Duration,
    switches: BTreeMap<OsString, u64>,
    sampler: Sampler,
    calls: Option<Child>,
    machine: Machine,
}

impl Meter {
    pub fn start(pid: u32) -> Result<Meter> {
        let calls = counter(pid);
        Ok(Meter {
            pid,
            began: Instant::now(),
            processor: processor_time(pid)?,
            switches: switches(pid)?,
            sampler: Sampler::start(pid),
            calls,
            machine: Machine::now()?,
        })
    }

    pub fn stop(self) -> Result<Used> {
        let seconds = self.began.elapsed().as_secs_f64();
        let processor = processor_time(self.pid)?.saturating_sub(self.processor);
        let before = |thread: &OsString| self.switches.get(thread).copied().unwrap_or(0);
        let more = switches(self.pid)?.into_iter().map(|(thread, count)| count.saturating_sub(before(&thread)));
        let context_switches = more.sum();
        let (mean_memory_bytes, peak_memory_bytes) = self.sampler.stop();
        let system_calls = self.calls.and_then(counted);
        Ok(Used {
            seconds,
            processor_s: processor.as_secs_f64(),
            mean_memory_bytes,
            peak_memory_bytes,
            context_switches,
            system_calls,
            stolen: self.machine.stolen_since()?,
        })
    }
}

/// All processors together, in ticks.
struct Machine {
    all: u64,
    stolen: u64,
}

impl Machine {
    fn now() -> Result<Machine> {
        let stat = fs::read_to_string("/proc/stat")?;
        let line = stat.lines().next().and_then(|line| line.strip_prefix("cpu ")).context("no processors in stat")?;
        // user, nice, system, idle, iowait, irq, softirq, steal; guests are in user already.
        let ticks: Vec<u64> = line.split_whitespace().take(8).map_while(|ticks| ticks.parse().ok()).collect();
        Ok(Machine { all: ticks.iter().sum(), stolen: *ticks.get(7).context("no steal in stat")? })
    }

    fn stolen_since(&self) -> Result<f64> {
        let now = Machine::now()?;
        Ok(now.stolen.saturating_sub(self.stolen) as f64 / now.all.saturating_sub(self.all).max(1) as f64)
    }
}

/// Voluntary and involuntary, of each thread; those of threads that have ended are not known.
fn switches(pid: u32) -> Result<BTreeMap<OsString, u64>> {
    let mut found = BTreeMap::new();
    for task in fs::read_dir(format!("/proc/{pid}/task"))? {
        let task = task?;
        // A thread may end while it is looked at.
        let Ok(status) = fs::read_to_string(task.path().join("status")) else { continue };
        let of = |line: &str| line.split_once("ctxt_switches:").and_then(|(_, count)| count.trim().parse::<u64>().ok());
        found.insert(task.file_name(), status.lines().filter_map(of).sum());
    }
    Ok(found)
}

pub fn anonymous_bytes(pid: u32) -> Result<u64> {
    let status = fs::read_to_string(format!("/proc/{pid}/status"))?;
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).context("no RssAnon in status")?;
    Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
}

struct Sampler {
    ends: Arc<AtomicBool>,
    thread: JoinHandle<(f64, u64)>,
}

impl Sampler {
    fn start(pid: u32) -> Sampler {
        let ends = Arc::new(AtomicBool::new(false));
        let told = ends.clone();
        let thread = thread::spawn(move || {
            let (mut sum, mut count, mut peak) = (0.0, 0.0, 0);
            loop {
                if let Ok(bytes) = anonymous_bytes(pid) {
                    (sum, count, peak) = (sum + bytes as f64, count + 1.0, peak.max(bytes));
                }
                if told.load(Ordering::Relaxed) {
                    return (sum / f64::max(count, 1.0), peak);
                }
                thread::sleep(SAMPLE_EVERY);
            }
        });
        Sampler { ends, thread }
    }

    fn stop(self) -> (f64, u64) {
        self.ends.store(true, Ordering::Relaxed);
        self.thread.join().expect("no panic")
    }
}

/// `perf stat` on a tracepoint that costs the process little. `None` where there is no perf or no such right.
fn counter(pid: u32) -> Option<Child> {
    let mut command = Command::new("perf");
    command.args(["stat", "-x", ",", "-e", "raw_syscalls:sys_enter", "-p", &pid.to_string()]);
    command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(Stdio::piped());
    let child = command.spawn().ok()?;
    // It attaches to the threads one by one.
    thread::sleep(Duration::from_millis(150));
    Some(child)
}

fn counted(child: Child) -> Option<u64> {
    signal(child.id(), libc::SIGINT);
    let output = child.wait_with_output().ok()?;
    let text = String::from_utf8_lossy(&output.stderr).into_owned();
    text.lines().find(|line| line.contains("sys_enter"))?.split(',').next()?.parse().ok()
}
