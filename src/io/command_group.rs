//! A command of the user's, run to its end in a group of processes of its own, which ends as a whole: nothing that the command
//! has started goes on behind it.
//!
//! A process that leaves its group (`setsid`) is out of reach. The end of what the group writes is kept, so much and no more.

use std::collections::VecDeque;
use std::io::{self, PipeReader, Read};
use std::os::unix::process::{CommandExt, ExitStatusExt};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::thread;
use std::time::{Duration, Instant};

use rustix::process::{Pid, Signal, WaitId, WaitIdOptions, kill_process_group, waitid};

use crate::stdx::mutex::Mutex;

/// Bytes of its output that are kept.
const MOST_TAIL_BYTES: usize = 64 << 10;
/// How long a group may take to end when it is asked to, before it is killed.
const GRACE: Duration = Duration::from_secs(2);
/// How long the rest of the output is waited for when the group is gone: a process that left the group may hold it open.
const LAST_WORDS: Duration = Duration::from_millis(500);
/// How often it is asked whether the command shall go on.
const LOOK: Duration = Duration::from_millis(50);

/// How a command ended.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum CommandEnd {
    Code(i32),
    Signal(i32),
    /// It took longer than it might.
    TimedOut,
    /// The caller wanted no more of it.
    Stopped,
}

/// What is left of a command.
#[derive(Clone, Debug)]
pub struct CommandRun {
    pub end: CommandEnd,
    pub took: Duration,
    /// The end of what it has written to both outputs.
    pub tail: String,
}

type Tail = Arc<Mutex<VecDeque<u8>>>;

/// Runs a command until it ends, its time is over, or the caller stops it. It reads nothing. Blocks.
pub fn run(mut command: Command, limit: Duration, is_stopped: &dyn Fn() -> bool) -> io::Result<CommandRun> {
    let (reader, writer) = io::pipe()?;
    command.stdin(Stdio::null()).stdout(writer.try_clone()?).stderr(writer).process_group(0);
    let began = Instant::now();
    let mut child = command.spawn()?;
    // It holds the pipe's other end.
    drop(command);
    let group = Pid::from_child(&child);
    let (tail, all_read) = collect(reader)?;
    let ended = match watch(group) {
        Ok(ended) => ended,
        Err(error) => {
            let _ = kill_process_group(group, Signal::KILL);
            let _ = child.wait();
            return Err(error);
        }
    };
    let forced = wait(&ended, began, limit, is_stopped);
    if forced.is_some() {
        let _ = kill_process_group(group, Signal::TERM);
        let _ = ended.recv_timeout(GRACE);
    }
    let took = began.elapsed();
    // The child is not reaped before, so that the number of the group is no other's.
    let _ = kill_process_group(group, Signal::KILL);
    let end = reap(&mut child)?;
    let _ = all_read.recv_timeout(LAST_WORDS);
    let bytes: Vec<u8> = tail.lock().iter().copied().collect();
    Ok(CommandRun { end: forced.unwrap_or(end), took, tail: String::from_utf8_lossy(&bytes).into_owned() })
}

fn reap(child: &mut Child) -> io::Result<CommandEnd> {
    let status = child.wait()?;
    let signal = || CommandEnd::Signal(status.signal().unwrap_or_default());
    Ok(status.code().map_or_else(signal, CommandEnd::Code))
}

/// Tells when a process has ended, which is left to be reaped.
fn watch(pid: Pid) -> io::Result<Receiver<()>> {
    let (sender, ended) = channel();
    let wait = move || {
        let options = WaitIdOptions::EXITED | WaitIdOptions::NOWAIT;
        while let Err(rustix::io::Errno::INTR) = waitid(WaitId::Pid(pid), options) {}
        let _ = sender.send(());
    };
    thread::Builder::new().name("klamm-command".into()).spawn(wait)?;
    Ok(ended)
}

/// Keeps the end of what comes, and tells when there is no more.
fn collect(mut reader: PipeReader) -> io::Result<(Tail, Receiver<()>)> {
    let (sender, all_read) = channel();
    let tail = Tail::default();
    let kept = tail.clone();
    let read = move || {
        let mut piece = [0; 4096];
        while let Ok(length @ 1..) = reader.read(&mut piece) {
            let mut kept = kept.lock();
            kept.extend(&piece[..length]);
            let more = kept.len().saturating_sub(MOST_TAIL_BYTES);
            kept.drain(..more);
        }
        let _ = sender.send(());
    };
    thread::Builder::new().name("klamm-output".into()).spawn(read)?;
    Ok((tail, all_read))
}

/// Waits for the end; `Some` where it does not come by itself.
fn wait(ended: &Receiver<()>, began: Instant, limit: Duration, is_stopped: &dyn Fn() -> bool) -> Option<CommandEnd> {
    loop {
        let left = limit.saturating_sub(began.elapsed());
        match ended.recv_timeout(left.min(LOOK)) {
            Ok(()) | Err(RecvTimeoutError::Disconnected) => return None,
            Err(RecvTimeoutError::Timeout) if is_stopped() => return Some(CommandEnd::Stopped),
            Err(RecvTimeoutError::Timeout) if left.is_zero() => return Some(CommandEnd::TimedOut),
            Err(RecvTimeoutError::Timeout) => {}
        }
    }
}

#[cfg(all(test, target_os = "linux"))]
mod tests {
    use super::*;

    const LONG: Duration = Duration::from_secs(60);

    fn shell(script: &str, limit: Duration, is_stopped: bool) -> CommandRun {
        let mut command = Command::new("sh");
        command.args(["-c", script]);
        run(command, limit, &|| is_stopped).unwrap()
    }

    #[test]
    fn a_command_ends_by_itself_and_its_output_is_kept_in_order() {
        let ran = shell("echo one; echo two >&2; exit 7", LONG, false);
        assert_eq!((ran.end, ran.tail.as_str()), (CommandEnd::Code(7), "one\ntwo\n"));
        assert_eq!(shell("kill -9 $$", LONG, false).end, CommandEnd::Signal(9));
        let much = shell(
            "i=0; while [ $i -lt 3000 ]; do echo 0123456789012345678901234567890123456789; i=$((i+1)); done; echo end",
            LONG,
            false,
        );
        assert!(much.tail.len() <= MOST_TAIL_BYTES && much.tail.ends_with("\nend\n"));
        assert!(run(Command::new("/no/such/program"), LONG, &|| false).is_err());
    }

    /// What it leaves behind ends with it, and so does what does not end, and what does not listen.
    #[test]
    fn nothing_of_the_group_goes_on() {
        let is_gone = |ran: &CommandRun| {
            let path = format!("/proc/{}/stat", ran.tail.split_whitespace().next().expect("it has told its number"));
            // It is dead as well where its new parent does not reap it.
            let is_dead = || std::fs::read_to_string(&path).map_or(true, |stat| stat.contains(") Z "));
            (0..1000).any(|_| {
                thread::sleep(Duration::from_millis(1));
                is_dead()
            })
        };
        let left = shell("sleep 600 & echo $!", LONG, false);
        assert!(left.end == CommandEnd::Code(0) && is_gone(&left));
        let late = shell("sleep 600 & echo $!; wait", Duration::from_millis(200), false);
        assert!(late.end == CommandEnd::TimedOut && late.took < GRACE && is_gone(&late));
        let stopped = shell("sleep 600 & echo $!; wait", LONG, true);
        assert!(stopped.end == CommandEnd::Stopped && is_gone(&stopped));
    }
}
