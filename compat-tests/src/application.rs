//! An application that goes on beside a test: what it prints is kept line by line, it can be killed at any moment, and it
//! ends with the test, however the test does.

use crate::broker::signal;
use crate::{Context, Result, cache, ensure, program};
use std::io::{BufRead, BufReader, Read};
use std::process::{Child, ChildStdin, Command, Stdio};
use std::sync::{Arc, Condvar, Mutex};
use std::thread;
use std::time::Duration;

/// A virtual machine's start, and whatever the application does before it is ready, on a busy machine.
const PATIENCE: Duration = Duration::from_secs(60);
/// As many of its last lines as a failure shows.
const SHOWN: usize = 60;

#[derive(Default)]
struct Printed {
    lines: Mutex<Vec<String>>,
    changed: Condvar,
}

pub struct Application {
    child: Child,
    /// Applications of ours end when it does.
    input: Option<ChildStdin>,
    printed: Arc<Printed>,
    readers: Vec<thread::JoinHandle<()>>,
}

/// A program on top of Apache Kafka's clients, with the jars that such applications need.
pub fn java(class: &str, arguments: &[&str]) -> Command {
    program::java_on(&cache::applications_class_path(), class, arguments)
}

impl Application {
    pub fn start(mut command: Command) -> Result<Application> {
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        program::die_with_us(&mut command);
        let mut child = command.spawn().with_context(|| format!("cannot start {command:?}"))?;
        let printed = Arc::new(Printed::default());
        let mut readers = Vec::new();
        readers.extend(child.stdout.take().map(|out| keep(out, Arc::clone(&printed))));
        readers.extend(child.stderr.take().map(|out| keep(out, Arc::clone(&printed))));
        Ok(Application { input: child.stdin.take(), child, printed, readers })
    }

    /// What it has printed so far, on both streams.
    pub fn lines(&self) -> Vec<String> {
        self.printed.lines.lock().unwrap().clone()
    }

    /// Its last lines, for a failure's message.
    pub fn tail(&self) -> String {
        let lines = self.lines();
        lines[lines.len().saturating_sub(SHOWN)..].iter().map(|line| format!("    {line}\n")).collect()
    }

    /// Waits until it has printed such a line.
    pub fn wait_for(&self, what: &str, is_it: impl Fn(&str) -> bool) -> Result<()> {
        let lines = self.printed.lines.lock().unwrap();
        let lacks = |lines: &mut Vec<String>| !lines.iter().any(|line| is_it(line));
        let (lines, waited) = self.printed.changed.wait_timeout_while(lines, PATIENCE, lacks).unwrap();
        drop(lines);
        ensure!(!waited.timed_out(), "{what}: not within {PATIENCE:?}\n{}", self.tail());
        Ok(())
    }

    pub fn kill9(&mut self) -> Result<()> {
        ensure!(self.child.try_wait()?.is_none(), "it has ended before it was killed\n{}", self.tail());
        signal(self.child.id(), libc::SIGKILL);
        self.child.wait()?;
        Ok(())
    }

    /// Ends its input and waits until it has ended well; what it has printed.
    pub fn end(mut self) -> Result<Vec<String>> {
        self.input = None;
        self.wait()
    }

    /// Waits until it ends well of its own accord; what it has printed.
    pub fn wait(&mut self) -> Result<Vec<String>> {
        let status = program::wait_within(&mut self.child, PATIENCE).with_context(|| self.tail())?;
        self.readers.drain(..).for_each(|reader| drop(reader.join()));
        ensure!(status.success(), "it ended with {status}\n{}", self.tail());
        Ok(self.lines())
    }
}

impl Drop for Application {
    fn drop(&mut self) {
        if matches!(self.child.try_wait(), Ok(None)) {
            signal(self.child.id(), libc::SIGKILL);
            let _ = self.child.wait();
        }
        self.readers.drain(..).for_each(|reader| drop(reader.join()));
    }
}

fn keep(output: impl Read + Send + 'static, printed: Arc<Printed>) -> thread::JoinHandle<()> {
    thread::spawn(move || {
        for line in BufReader::new(output).split(b'\n').map_while(std::result::Result::ok) {
            printed.lines.lock().unwrap().push(String::from_utf8_lossy(&line).into_owned());
            printed.changed.notify_all();
        }
    })
}
