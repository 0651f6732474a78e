//! Running a program to its end, with input, output and a deadline; a program that outlives its deadline is killed.

use crate::{Context, Result, bail};
use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::process::CommandExt;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitStatus, Stdio};
use std::sync::{Mutex, mpsc};
use std::thread;
use std::time::{Duration, Instant};

/// More than any client of these tests needs, even on a machine that is busy with other work.
pub const DEADLINE: Duration = Duration::from_secs(120);
/// Between two looks whether a process has ended.
const SHORTEST_PAUSE: Duration = Duration::from_micros(200);
const LONGEST_PAUSE: Duration = Duration::from_millis(20);

/// What a program left behind.
pub struct Output {
    pub code: Option<i32>,
    pub stdout: Vec<u8>,
    pub stderr: Vec<u8>,
}

impl Output {
    pub fn text(&self) -> String {
        String::from_utf8_lossy(&self.stdout).into_owned()
    }

    /// The last lines of both streams, for a failure's message.
    pub fn tail(&self) -> String {
        let tail = |bytes: &[u8]| {
            let text = String::from_utf8_lossy(&bytes[bytes.len().saturating_sub(4000)..]).into_owned();
            text.lines().map(|l| format!("    {l}\n")).collect::<String>()
        };
        format!("stdout:\n{}stderr:\n{}", tail(&self.stdout), tail(&self.stderr))
    }
}

/// What a program reads as its input.
pub enum Input {
    Nothing,
    Bytes(Vec<u8>),
    File(PathBuf),
}

/// Runs `command` with its output going to a file, for outputs too large to hold; expects exit code 0.
pub fn run_to_file(command: Command, path: &Path, deadline: Duration) -> Result<Output> {
    let name = shown(&command);
    let output = launch(command, Input::Nothing, Stdio::from(std::fs::File::create(path)?), deadline)?;
    if output.code != Some(0) {
        bail!("{name} ended with {:?}\n{}", output.code, output.tail());
    }
    Ok(output)
}

/// Runs `command` to its end; fails only if it cannot be started or outlives `deadline`.
pub fn output(command: Command, input: Input, deadline: Duration) -> Result<Output> {
    launch(command, input, Stdio::piped(), deadline)
}

fn launch(mut command: Command, input: Input, stdout: Stdio, deadline: Duration) -> Result<Output> {
    let name = shown(&command);
    let (stdin, bytes) = match input {
        Input::Nothing => (Stdio::null(), None),
        Input::Bytes(bytes) => (Stdio::piped(), Some(bytes)),
        Input::File(path) => (Stdio::from(std::fs::File::open(path)?), None),
    };
    command.stdin(stdin).stdout(stdout).stderr(Stdio::piped());
    let mut child = command.spawn().with_context(|| format!("cannot start {name}"))?;
    if let (Some(bytes), Some(mut pipe)) = (bytes, child.stdin.take()) {
        // A program that ends before it has read everything makes this fail; its exit code tells the story.
        thread::spawn(move || drop(pipe.write_all(&bytes)));
    }
    drop(command); // it holds the file's or the pipes' other ends
    let stdout = child.stdout.take().map(drain);
    let stderr = child.stderr.take().map(drain);
    let ended = ended_within(&mut child, deadline)?;
    if ended.is_none() {
        child.kill()?;
        child.wait()?;
    }
    let collect = |stream: Option<thread::JoinHandle<Vec<u8>>>| stream.and_then(|s| s.join().ok()).unwrap_or_default();
    let mut output = Output { code: None, stdout: collect(stdout), stderr: collect(stderr) };
    match ended {
        Some(status) => output.code = status.code(),
        None => bail!("{name} did not end within {deadline:?}\n{}", output.tail()),
    }
    Ok(output)
}

/// Runs `command` and expects exit code 0.
pub fn run(command: Command, input: Input) -> Result<Output> {
    run_within(command, input, DEADLINE)
}

pub fn run_within(command: Command, input: Input, deadline: Duration) -> Result<Output> {
    let name = shown(&command);
    let output = output(command, input, deadline)?;
    if output.code != Some(0) {
        bail!("{name} ended with {:?}\n{}", output.code, output.tail());
    }
    Ok(output)
}

/// A command line short enough for a message.
fn shown(command: &Command) -> String {
    let mut text = format!("{command:?}");
    if let Some((end, _)) = text.char_indices().nth(600) {
        text.truncate(end);
        text += "…";
    }
    text
}

fn drain(mut stream: impl Read + Send + 'static) -> thread::JoinHandle<Vec<u8>> {
    thread::spawn(move || {
        let mut bytes = Vec::new();
        // What came before a read error is still worth showing.
        let _ = stream.read_to_end(&mut bytes);
        bytes
    })
}

/// Waits for the end of a child process; nothing, if it goes on for longer than `limit`.
pub fn ended_within(child: &mut Child, limit: Duration) -> Result<Option<ExitStatus>> {
    let began = Instant::now();
    loop {
        if let Some(status) = child.try_wait()? {
            return Ok(Some(status));
        }
        let waited = began.elapsed();
        if waited >= limit {
            return Ok(None);
        }
        // A twentieth of what has been waited: times are right to that, and a long wait costs nothing.
        thread::sleep((waited / 20).clamp(SHORTEST_PAUSE, LONGEST_PAUSE));
    }
}

/// Waits for the end of a child process, which must come within `limit`.
pub fn wait_within(child: &mut Child, limit: Duration) -> Result<ExitStatus> {
    ended_within(child, limit)?.with_context(|| format!("it has not ended within {limit:?}"))
}

/// The lines that a process prints, each waited for with a limit. What is not asked for is read all the same, so that the process
/// never waits for its reader. When this is dropped, the stream is closed behind the next line.
pub struct Lines(Mutex<mpsc::Receiver<String>>);

impl Lines {
    pub fn of(stream: impl Read + Send + 'static) -> Lines {
        Lines::of_all(vec![Box::new(stream)])
    }

    /// Those of several streams, in the order in which they come.
    pub fn of_all(streams: Vec<Box<dyn Read + Send>>) -> Lines {
        let (sender, lines) = mpsc::channel();
        for stream in streams {
            let sender = sender.clone();
            thread::spawn(move || {
                let lines = BufReader::new(stream).split(b'\n').map_while(std::result::Result::ok);
                lines.map(|line| String::from_utf8_lossy(&line).into_owned()).try_for_each(|line| sender.send(line))
            });
        }
        Lines(Mutex::new(lines))
    }

    /// The next line; nothing behind the last one.
    pub fn next_within(&self, limit: Duration) -> Result<Option<String>> {
        match self.0.lock().unwrap().recv_timeout(limit) {
            Ok(line) => Ok(Some(line)),
            Err(mpsc::RecvTimeoutError::Disconnected) => Ok(None),
            Err(mpsc::RecvTimeoutError::Timeout) => bail!("no line came within {limit:?}"),
        }
    }

    /// The next line that is wanted, which must come within `limit`, however many others come before it.
    pub fn find_within(&self, limit: Duration, what: &str, is_wanted: impl Fn(&str) -> bool) -> Result<String> {
        let until = Instant::now() + limit;
        loop {
            let left = until.saturating_duration_since(Instant::now());
            let line = self.next_within(left).with_context(|| what.to_string())?;
            match line {
                Some(line) if is_wanted(&line) => return Ok(line),
                Some(_) => {}
                None => bail!("{what}: the last line has come"),
            }
        }
    }
}

/// The program ends when this one does, however it does.
pub fn die_with_us(command: &mut Command) {
    let ask = || {
        // SAFETY: prctl with these arguments is async-signal-safe and touches no memory.
        unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGKILL) };
        Ok(())
    };
    // SAFETY: the closure allocates nothing and takes no lock.
    unsafe { command.pre_exec(ask) };
}

/// The program runs on these processors only; on all, where none is named.
pub fn hold_to(command: &mut Command, processors: &[usize]) {
    if processors.is_empty() {
        return;
    }
    let set = set_of(processors);
    // SAFETY: the closure allocates nothing and takes no lock.
    unsafe { command.pre_exec(move || hold(&set)) };
}

/// The calling thread runs on this processor only.
pub fn hold_thread_to(processor: usize) -> std::io::Result<()> {
    hold(&set_of(&[processor]))
}

fn set_of(processors: &[usize]) -> libc::cpu_set_t {
    // SAFETY: all zeros are an empty set; CPU_SET writes within it.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    processors.iter().for_each(|processor| unsafe { libc::CPU_SET(*processor, &mut set) });
    set
}

fn hold(set: &libc::cpu_set_t) -> std::io::Result<()> {
    // SAFETY: the pointer is to a live set of the size that is given.
    match unsafe { libc::sched_setaffinity(0, size_of::<libc::cpu_set_t>(), set) } {
        0 => Ok(()),
        _ => Err(std::io::Error::last_os_error()),
    }
}

/// `command("kcat", &["-L"])`: a command with its arguments.
pub fn command<S: AsRef<std::ffi::OsStr>>(program: &str, arguments: &[S]) -> Command {
    let mut command = Command::new(program);
    command.args(arguments);
    command
}

/// Flags that make a short-lived JVM start fast and stay small.
pub const JAVA_FLAGS: &[&str] = &["-XX:TieredStopAtLevel=1", "-XX:+UseSerialGC", "-Xmx512m", "-Xshare:auto"];

/// A Java program with the official jars on its class path.
pub fn java(class: &str, arguments: &[&str]) -> Command {
    java_on(&crate::cache::java_class_path(), class, arguments)
}

/// The same with a class path of its own.
pub fn java_on(class_path: &str, class: &str, arguments: &[&str]) -> Command {
    let mut command = Command::new("java");
    command.args(JAVA_FLAGS).arg("-Dorg.slf4j.simpleLogger.defaultLogLevel=warn");
    command.args(["-cp", class_path, class]).args(arguments);
    command
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shell(script: &str) -> Child {
        let mut shell = command("sh", &["-c", script]);
        shell.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().expect("a shell")
    }

    #[test]
    fn an_end_is_waited_for_and_no_longer_than_asked() {
        let mut ends = shell("exit 3");
        assert_eq!(wait_within(&mut ends, DEADLINE).expect("it ends").code(), Some(3));
        let mut stays = shell("exec sleep 600");
        assert!(wait_within(&mut stays, Duration::from_millis(5)).is_err());
        assert!(stays.try_wait().expect("a child").is_none());
        stays.kill().expect("it runs");
        assert!(wait_within(&mut stays, DEADLINE).is_ok());
    }

    #[test]
    fn lines_are_waited_for_and_no_longer_than_asked() {
        let mut child = shell("echo one; echo two; echo three; exec sleep 600");
        let lines = Lines::of(child.stdout.take().expect("its output"));
        assert_eq!(lines.next_within(DEADLINE).expect("a line").as_deref(), Some("one"));
        assert_eq!(lines.find_within(DEADLINE, "three", |line| line == "three").expect("a line"), "three");
        assert!(lines.next_within(Duration::from_millis(5)).is_err());
        child.kill().expect("it runs");
        assert_eq!(lines.next_within(DEADLINE).expect("the end"), None);
        child.wait().expect("a child");
    }
}
