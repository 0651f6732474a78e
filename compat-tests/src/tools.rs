//! The official tools without a JVM for each call: `clients/java/OfficialTools.java` runs one after the other. Those that end
//! their JVM themselves (kafka-verifiable-*, kafka-replica-verification) are not for it.

use crate::broker::signal;
use crate::program::{self, Output};
use crate::{Context, Result, bail};
use serde_json::{Value, json};
use std::cell::RefCell;
use std::io::{BufRead, BufReader, Write};
use std::process::{Child, ChildStdin, ChildStdout, Stdio};
use std::sync::mpsc::{Receiver, channel};
use std::thread;
use std::time::Duration;

/// Beyond a call's own time the JVM has this long to answer.
const GRACE: Duration = Duration::from_secs(20);

pub struct Jvm {
    child: Child,
    requests: ChildStdin,
    answers: Receiver<String>,
}

impl Jvm {
    /// It dies with the thread that starts it.
    pub fn start() -> Result<Jvm> {
        let mut command = program::java("OfficialTools", &[]);
        command.stdin(Stdio::piped()).stdout(Stdio::piped());
        program::die_with_us(&mut command);
        let mut child = command.spawn().context("cannot start the JVM of the tools")?;
        let requests = child.stdin.take().context("no input")?;
        let output: ChildStdout = child.stdout.take().context("no output")?;
        let (sender, answers) = channel();
        thread::spawn(move || {
            BufReader::new(output).lines().map_while(std::result::Result::ok).try_for_each(|line| sender.send(line))
        });
        Ok(Jvm { child, requests, answers })
    }

    /// What a call printed, and its code, unless it did not end within `limit`.
    pub fn call(&mut self, class: &str, arguments: &[&str], input: &str, limit: Duration) -> Result<Output> {
        let request = json!({ "class": class, "args": arguments, "input": input, "seconds": limit.as_secs() });
        writeln!(self.requests, "{request}").context("the JVM of the tools has ended")?;
        let answer = self.answers.recv_timeout(limit + GRACE).context("the JVM of the tools does not answer")?;
        let answer: Value = serde_json::from_str(&answer)?;
        let bytes = |key: &str| answer[key].as_str().unwrap_or_default().as_bytes().to_vec();
        let code = answer["code"].as_i64().map(|code| code as i32);
        Ok(Output { code, stdout: bytes("out"), stderr: bytes("err") })
    }
}

impl Drop for Jvm {
    fn drop(&mut self) {
        signal(self.child.id(), libc::SIGKILL);
        let _ = self.child.wait();
    }
}

thread_local! {
    /// Each thread that runs tests has one, from its first call on.
    static OF_THREAD: RefCell<Option<Jvm>> = const { RefCell::new(None) };
}

/// Runs a tool to its end; fails only if it cannot be started or takes too long.
pub fn output(class: &str, arguments: &[&str], input: &str) -> Result<Output> {
    OF_THREAD.with_borrow_mut(|jvm| {
        let mut own = match jvm.take() {
            Some(own) => own,
            None => Jvm::start()?,
        };
        // One that has failed is not asked again.
        let output = own.call(class, arguments, input, program::DEADLINE)?;
        if output.code.is_none() {
            bail!("{class} {arguments:?} did not end within {:?}\n{}", program::DEADLINE, output.tail());
        }
        *jvm = Some(own);
        Ok(output)
    })
}

/// The same, and expects exit code 0.
pub fn run(class: &str, arguments: &[&str], input: &str) -> Result<Output> {
    let output = output(class, arguments, input)?;
    if output.code != Some(0) {
        bail!("{class} {arguments:?} ended with {:?}\n{}", output.code, output.tail());
    }
    Ok(output)
}
