//! Runs scripts against one broker, on a thread that lives as long as the suite: a process dies with the thread that started
//! it, and the tools' JVM serves all scripts.

use crate::mask::{self, Places};
use crate::script::{self, Marks, Step, What};
use crate::transactions::{Transactions, hang};
use compat_tests::broker::signal;
use compat_tests::pair::Place;
use compat_tests::tools::Jvm;
use compat_tests::{Context, Result, bail, ensure, program};
use std::collections::HashMap;
use std::io::{Read, Write};
use std::path::PathBuf;
use std::process::{Child, Stdio};
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::thread::{self, JoinHandle};
use std::time::{Duration, Instant};

/// A call that is repeated, or one that goes on, is looked at so often.
const PAUSE: Duration = Duration::from_millis(50);
/// Beyond its own time a tool in a JVM of its own has this long to end.
const GRACE: Duration = Duration::from_secs(20);

/// What one step led to.
pub struct Answered {
    pub line: usize,
    pub call: String,
    /// The tool's name; none for what is no call.
    pub tool: String,
    pub lines: Vec<String>,
    /// Of what is not compared: what the client's log warned of.
    pub warnings: Vec<String>,
    pub began: Instant,
    pub took: Duration,
}

type Answers = Result<Vec<Answered>>;

/// A thread that runs scripts against one broker.
pub struct Runner {
    scripts: Sender<(&'static str, Sender<Answers>)>,
    thread: JoinHandle<()>,
}

impl Runner {
    /// For the reference or for the broker under test.
    pub fn start(place: Place, is_reference: bool) -> Runner {
        let (scripts, wanted) = channel();
        Runner { scripts, thread: thread::spawn(move || serve(&place, is_reference, &wanted)) }
    }

    /// Begins a script; its answers come through the channel.
    pub fn begin(&self, script: &'static str) -> Result<Receiver<Answers>> {
        let (answers, receiver) = channel();
        self.scripts.send((script, answers)).ok().context("the runner has ended")?;
        Ok(receiver)
    }

    pub fn end(self) {
        drop(self.scripts);
        let _ = self.thread.join();
    }
}

fn serve(place: &Place, is_reference: bool, wanted: &Receiver<(&'static str, Sender<Answers>)>) {
    let mut session = Session::open(place, is_reference);
    for (script, answers) in wanted {
        let ran = match &mut session {
            Ok(session) => session.run(script),
            Err(error) => Err(compat_tests::Error::msg(format!("{error:#}"))),
        };
        let _ = answers.send(ran); // the test that asked may have failed for the other broker
    }
}

/// The tools of one broker.
struct Session {
    port: u16,
    data: PathBuf,
    scratch: tempfile::TempDir,
    jvm: Jvm,
    going_on: HashMap<String, OwnJvm>,
    transactions: Transactions,
    is_reference: bool,
}

/// What a call printed and how it ended.
struct Output {
    code: Option<i32>,
    out: String,
    err: String,
}

impl Session {
    fn open(place: &Place, is_reference: bool) -> Result<Session> {
        let scratch = tempfile::Builder::new().prefix("klamm-tools-").tempdir()?;
        let jvm = Jvm::start()?;
        let (data, going_on) = (place.data.clone(), HashMap::new());
        let transactions = Transactions::default();
        Ok(Session { port: place.port, data, scratch, jvm, going_on, transactions, is_reference })
    }

    fn run(&mut self, script: &str) -> Answers {
        let ran = self.run_all(script);
        let left = std::mem::take(&mut self.going_on);
        ensure!(ran.is_err() || left.is_empty(), "a script leaves processes behind: {:?}", left.keys());
        ran
    }

    fn run_all(&mut self, script: &str) -> Answers {
        let mut answers = Vec::new();
        for step in script::parse(script)? {
            let began = Instant::now();
            let output = self.step(&step).with_context(|| format!("line {}: {}", step.line, step.text))?;
            let places = Places { port: self.port, data: &self.data, scratch: self.scratch.path() };
            let lines = output.as_ref().map(|o| mask::lines(o.code, &o.out, &o.err, &step.marks, &places));
            let warnings = output.as_ref().map(|o| mask::warnings(&o.err));
            let tool = step.text.split(' ').find(|word| word.starts_with("kafka-")).unwrap_or_default().to_string();
            answers.push(Answered {
                line: step.line,
                call: step.text,
                tool,
                lines: lines.unwrap_or_default(),
                warnings: warnings.unwrap_or_default(),
                began,
                took: began.elapsed(),
            });
        }
        Ok(answers)
    }

    /// What a step printed, if it is one whose output is compared.
    fn step(&mut self, step: &Step) -> Result<Option<Output>> {
        Ok(Some(match &step.what {
            What::File(name) => {
                std::fs::write(self.scratch.path().join(name), self.fill(&step.input))?;
                return Ok(None);
            }
            What::Start(name, words) => {
                let mut process = self.own(words, &self.fill(&step.input))?;
                process.wait_for_output(&step.marks)?;
                self.going_on.insert(name.clone(), process);
                return Ok(None);
            }
            What::Transaction(id, words) => {
                self.transactions.go_on(self.port, id, words.first().context("no topic and no end")?)?;
                return Ok(None);
            }
            What::Hang(topic, words) => {
                hang(self.port, topic, words)?;
                return Ok(None);
            }
            What::Stop(name) => {
                let process = self.going_on.remove(name).with_context(|| format!("{name} was not started"))?;
                process.end(Duration::ZERO)?
            }
            What::Call(words) if step.marks.own => self.own(words, &self.fill(&step.input))?.end(step.marks.limit)?,
            What::Call(words) => {
                let first = self.call(words, step)?;
                if first.code.is_some() || !self.is_reference {
                    first
                } else {
                    println!(
                        "    Apache Kafka did not end it within {:?}, asked again: {}",
                        step.marks.limit, step.text
                    );
                    self.call(words, step)?
                }
            }
        }))
    }

    /// A call in the JVM of all tools; repeated where the script waits for something.
    fn call(&mut self, words: &[String], step: &Step) -> Result<Output> {
        let (class, arguments) = self.command(words)?;
        let (arguments, input): (Vec<&str>, _) =
            (arguments.iter().map(String::as_str).collect(), self.fill(&step.input));
        let deadline = Instant::now() + step.marks.limit;
        loop {
            let program::Output { code, stdout, stderr } =
                self.jvm.call(class, &arguments, &input, step.marks.limit)?;
            let text = |bytes: Vec<u8>| String::from_utf8_lossy(&bytes).into_owned();
            let output = Output { code, out: text(stdout), err: text(stderr) };
            if step.marks.is_content(&output.out) || Instant::now() >= deadline {
                return Ok(output);
            }
            thread::sleep(PAUSE);
        }
    }

    fn own(&self, words: &[String], input: &str) -> Result<OwnJvm> {
        let (class, arguments) = self.command(words)?;
        let arguments: Vec<&str> = arguments.iter().map(String::as_str).collect();
        OwnJvm::start(class, &arguments, input)
    }

    /// A script's words as a class and its arguments.
    fn command(&self, words: &[String]) -> Result<(&'static str, Vec<String>)> {
        let (tool, rest) = words.split_first().context("an empty call")?;
        let class = crate::table::class(tool).with_context(|| format!("no tool is called {tool}"))?;
        let expand = |word: &String| match word.as_str() {
            "@" => vec!["--bootstrap-server".to_string(), self.fill("BROKER")],
            _ => vec![self.fill(word)],
        };
        Ok((class, rest.iter().flat_map(expand).collect()))
    }

    fn fill(&self, text: &str) -> String {
        let text = text.replace("BROKER", &format!("127.0.0.1:{}", self.port));
        let text = text.replace("DATA", &self.data.display().to_string());
        text.replace("TMP", &self.scratch.path().display().to_string())
    }
}

/// A stream's text so far, read by a thread.
struct Stream {
    text: Arc<Mutex<Vec<u8>>>,
    reader: JoinHandle<()>,
}

impl Stream {
    fn read(mut stream: impl Read + Send + 'static) -> Stream {
        let text = Arc::new(Mutex::new(Vec::new()));
        let shared = Arc::clone(&text);
        let reader = thread::spawn(move || {
            let mut bytes = [0; 4096];
            while let Ok(count @ 1..) = stream.read(&mut bytes) {
                shared.lock().expect("no panic").extend_from_slice(&bytes[..count]);
            }
        });
        Stream { text, reader }
    }

    fn so_far(&self) -> String {
        String::from_utf8_lossy(&self.text.lock().expect("no panic")).into_owned()
    }

    fn end(self) -> String {
        let _ = self.reader.join();
        String::from_utf8_lossy(&self.text.lock().expect("no panic")).into_owned()
    }
}

/// A tool in a JVM of its own.
struct OwnJvm {
    child: Option<Child>,
    out: Option<Stream>,
    err: Option<Stream>,
}

impl OwnJvm {
    fn start(class: &str, arguments: &[&str], input: &str) -> Result<OwnJvm> {
        let mut command = program::java(class, arguments);
        command.stdin(Stdio::piped()).stdout(Stdio::piped()).stderr(Stdio::piped());
        program::die_with_us(&mut command);
        let mut child = command.spawn().with_context(|| format!("cannot start {class}"))?;
        child.stdin.take().context("no input")?.write_all(input.as_bytes())?;
        let (out, err) = (child.stdout.take().map(Stream::read), child.stderr.take().map(Stream::read));
        Ok(OwnJvm { child: Some(child), out, err })
    }

    fn wait_for_output(&mut self, marks: &Marks) -> Result<()> {
        let deadline = Instant::now() + marks.limit;
        loop {
            let out = self.out.as_ref().context("no output")?.so_far();
            if marks.is_content(&out) {
                return Ok(());
            }
            let ended = self.child.as_mut().context("it runs")?.try_wait()?;
            if ended.is_some() || Instant::now() > deadline {
                let err = self.err.as_ref().map(Stream::so_far).unwrap_or_default();
                bail!("{:?} was not printed (ended: {ended:?})\n{out}\n{err}", marks.until);
            }
            thread::sleep(PAUSE);
        }
    }

    /// Waits until it has ended, or ends it by SIGTERM when `limit` is over.
    fn end(mut self, limit: Duration) -> Result<Output> {
        let mut child = self.child.take().context("it runs")?;
        let mut ended = program::ended_within(&mut child, limit)?;
        if ended.is_none() {
            signal(child.id(), libc::SIGTERM);
            ended = program::ended_within(&mut child, GRACE)?;
        }
        if ended.is_none() {
            signal(child.id(), libc::SIGKILL);
            child.wait()?;
        }
        let code = ended.and_then(|status| status.code());
        let text = |stream: Option<Stream>| stream.map(Stream::end).unwrap_or_default();
        Ok(Output { code, out: text(self.out.take()), err: text(self.err.take()) })
    }
}

impl Drop for OwnJvm {
    fn drop(&mut self) {
        if let Some(child) = &mut self.child {
            signal(child.id(), libc::SIGKILL);
            let _ = child.wait();
        }
    }
}
