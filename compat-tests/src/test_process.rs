//! `klamm test` as a test of an application starts it: a child process that says on one line when it is ready.
//!
//! Invariant: no process outlives its `TestProcess`, whose standard input ends with it.

use crate::program::{Lines, wait_within};
use crate::{Context, Result, klamm};
use serde_json::Value;
use std::io::Read;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, ExitStatus, Stdio};
use std::time::{Duration, Instant};

/// What no machine takes to start one, however busy it is.
const PATIENCE: Duration = Duration::from_secs(60);

/// Under which the process is held: what a container would do to it.
#[derive(Clone, Copy, Default, PartialEq, Eq, Debug)]
pub struct Limits {
    pub descriptors: Option<u64>,
    /// Private memory that may be written, stacks included (`RLIMIT_DATA`): what a limit of a container counts, and more, as it
    /// counts before it is used. A limit of addresses (`ulimit -v`) would count what is only mapped.
    pub memory_bytes: Option<u64>,
    /// The kernel refuses to make rings, as the filters of container runtimes do.
    pub no_rings: bool,
}

pub struct TestProcess {
    child: Child,
    /// Open as long as the process: what it writes there after its line is no error.
    _output: Option<Lines>,
    /// What it said.
    pub ready: Value,
    /// From before it was started to its line.
    pub ready_after: Duration,
}

impl TestProcess {
    pub fn start(arguments: &[&str]) -> Result<TestProcess> {
        TestProcess::start_under(Limits::default(), arguments)
    }

    pub fn start_under(limits: Limits, arguments: &[&str]) -> Result<TestProcess> {
        let mut command = command(arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        // SAFETY: system calls with values of this function only, in a child that has no other threads.
        unsafe { command.pre_exec(move || impose(limits)) };
        let began = Instant::now();
        let mut child = command.spawn().context("cannot start klamm test")?;
        let said = first_line(&mut child);
        let ready_after = began.elapsed();
        let mut process = TestProcess { child, _output: None, ready: Value::Null, ready_after };
        let line = match said {
            Ok((line, output)) => {
                process._output = Some(output);
                line
            }
            Err(error) => format!("{error:#}\n"),
        };
        match serde_json::from_str(&line) {
            Ok(ready) => process.ready = ready,
            Err(error) => {
                let said = process.end_and_read_errors();
                crate::bail!("no line that it is ready ({error}), but: {line}{said}");
            }
        }
        Ok(process)
    }

    fn end_and_read_errors(&mut self) -> String {
        let _ = self.child.kill();
        let mut said = String::new();
        if let Some(errors) = &mut self.child.stderr {
            let _ = errors.read_to_string(&mut said);
        }
        said
    }

    pub fn text(&self, key: &str) -> &str {
        self.ready[key].as_str().unwrap_or_default()
    }

    pub fn bootstrap(&self) -> &str {
        self.text("bootstrap_servers")
    }

    pub fn port(&self) -> u16 {
        self.bootstrap().rsplit(':').next().and_then(|port| port.parse().ok()).unwrap_or(0)
    }

    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// Resident memory, as the kernel counts it.
    pub fn resident_bytes(&self) -> Result<u64> {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.child.id()))?;
        let line = status.lines().find_map(|line| line.strip_prefix("VmRSS:")).context("VmRSS")?;
        Ok(line.trim().trim_end_matches(" kB").parse::<u64>()? * 1024)
    }

    /// Closes its standard input.
    pub fn close_input(&mut self) {
        self.child.stdin = None;
    }

    pub fn signal(&self, signal: i32) {
        // SAFETY: the child is not waited for yet, so that the number is its own.
        unsafe { libc::kill(self.child.id() as i32, signal) };
    }

    /// Waits for its end and answers how long that took; what it said on standard error comes along.
    pub fn ended_within(&mut self, limit: Duration) -> Result<(ExitStatus, Duration, String)> {
        let began = Instant::now();
        let status = wait_within(&mut self.child, limit)?;
        let took = began.elapsed();
        let mut said = String::new();
        if let Some(errors) = &mut self.child.stderr {
            errors.read_to_string(&mut said)?;
        }
        Ok((status, took, said))
    }

    pub fn is_running(&mut self) -> Result<bool> {
        Ok(self.child.try_wait()?.is_none())
    }
}

impl Drop for TestProcess {
    fn drop(&mut self) {
        let _ = self.child.kill();
        let _ = self.child.wait();
    }
}

/// What a child process says first, and the rest of its output.
pub fn first_line(child: &mut Child) -> Result<(String, Lines)> {
    let lines = Lines::of(child.stdout.take().context("its output")?);
    let first = lines.next_within(PATIENCE).context("the first line")?;
    Ok((first.unwrap_or_default(), lines))
}

/// The command, with nothing said of its streams.
pub fn command(arguments: &[&str]) -> Command {
    klamm::command(&[&["test"], arguments].concat()).expect("a binary to test")
}

/// In the child, before the program.
fn impose(limits: Limits) -> std::io::Result<()> {
    if let Some(descriptors) = limits.descriptors {
        limit(libc::RLIMIT_NOFILE, descriptors)?;
    }
    if let Some(bytes) = limits.memory_bytes {
        limit(libc::RLIMIT_DATA, bytes)?;
    }
    if limits.no_rings {
        forbid_rings()?;
    }
    Ok(())
}

fn limit(what: libc::__rlimit_resource_t, most: u64) -> std::io::Result<()> {
    let limit = libc::rlimit { rlim_cur: most, rlim_max: most };
    // SAFETY: the pointer is to a live structure.
    match unsafe { libc::setrlimit(what, &limit) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// A filter of system calls that answers io_uring_setup with EPERM and lets everything else through.
fn forbid_rings() -> std::io::Result<()> {
    const LOAD_NUMBER: u16 = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS) as u16;
    const JUMP_IF_EQUAL: u16 = (libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K) as u16;
    const ANSWER: u16 = (libc::BPF_RET | libc::BPF_K) as u16;
    let step = |code, jt, jf, k| libc::sock_filter { code, jt, jf, k };
    let mut steps = [
        step(LOAD_NUMBER, 0, 0, 0),
        step(JUMP_IF_EQUAL, 0, 1, libc::SYS_io_uring_setup as u32),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ERRNO | libc::EPERM as u32),
        step(ANSWER, 0, 0, libc::SECCOMP_RET_ALLOW),
    ];
    let program = libc::sock_fprog { len: steps.len() as u16, filter: steps.as_mut_ptr() };
    // SAFETY: the program lives until the calls have returned; the kernel copies it.
    let refused = unsafe {
        libc::prctl(libc::PR_SET_NO_NEW_PRIVS, 1, 0, 0, 0) != 0
            || libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) != 0
    };
    if refused { Err(std::io::Error::last_os_error()) } else { Ok(()) }
}
