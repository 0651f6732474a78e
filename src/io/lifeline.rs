//! What a process lives by that is started for another: its standard input, and its parent.
//!
//! A pipe or a socket as standard input ends when all who could write to it have closed it or are gone, whatever ended them.
//! What else can stand there tells nothing: `/dev/null` and a file end at once, a terminal when a person says so. It is never
//! read: what is in it may be for another that shares it, as all commands of a script share theirs.
//!
//! The parent is held by a descriptor of the process (`pidfd_open`, Linux 5.3), which no later process of its number is taken
//! for. `PR_SET_PDEATHSIG` would be simpler, and is of the *thread* that has started this process: it comes when a pool of
//! threads of a living parent lets that one go. Without such descriptors the number of the parent is looked at now and then.
//! A parent that is gone before the first look is not found out.

use std::io;
use std::os::fd::{BorrowedFd, OwnedFd};
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::process::{Pid, getppid};

/// How often the parent is looked at where there is nothing to wait for.
const LOOK: Duration = Duration::from_millis(100);

/// The other side of a socket that will send nothing more, where the system tells that.
#[cfg(target_os = "linux")]
const NO_MORE: PollFlags = PollFlags::RDHUP;
#[cfg(not(target_os = "linux"))]
const NO_MORE: PollFlags = PollFlags::empty();
/// How the end of an input is told.
const ENDED: PollFlags = PollFlags::HUP.union(NO_MORE);

/// Take it early in `main`.
pub struct Lifeline {
    /// What ends when its writers are gone.
    input: Option<BorrowedFd<'static>>,
    parent: Parent,
}

enum Parent {
    /// There is none that could end, as for the first process of a container.
    None,
    Held(OwnedFd),
    /// Known by its number alone.
    Numbered(Pid),
    Gone,
}

impl Lifeline {
    pub fn take() -> Lifeline {
        Lifeline { input: ending(rustix::stdio::stdin()), parent: Parent::find() }
    }

    /// Tells which of them is gone, once, on a thread of its own.
    pub fn watch(self, tell: impl FnOnce(&'static str) + Send + 'static) -> io::Result<()> {
        let watching = thread::Builder::new().name("klamm-lifeline".into());
        watching.spawn(move || tell(self.wait())).map(|_| ())
    }

    /// Waits until one of them is gone and says which. Never ends where there is none. Blocks.
    fn wait(self) -> &'static str {
        let mut input = self.input;
        loop {
            if matches!(self.parent, Parent::Gone) {
                return "its parent has ended";
            }
            let mut watched = Vec::new();
            if let Some(fd) = &input {
                watched.push(PollFd::new(fd, NO_MORE));
            }
            if let Parent::Held(parent) = &self.parent {
                watched.push(PollFd::new(parent, PollFlags::IN));
            }
            let look = Timespec { tv_sec: 0, tv_nsec: LOOK.as_nanos() as i64 };
            let timeout = matches!(self.parent, Parent::Numbered(_)).then_some(&look);
            match poll(&mut watched, timeout) {
                Ok(_) => {}
                // By a signal, which is another's.
                Err(rustix::io::Errno::INTR) => continue,
                Err(_) => thread::sleep(LOOK),
            }
            let happened: Vec<PollFlags> = watched.iter().map(PollFd::revents).collect();
            if matches!(&self.parent, Parent::Held(_)) && !happened[usize::from(input.is_some())].is_empty() {
                return "its parent has ended";
            }
            if matches!(&self.parent, Parent::Numbered(pid) if getppid() != Some(*pid)) {
                return "its parent has ended";
            }
            match input {
                Some(_) if happened[0].intersects(ENDED) => return "its standard input has ended",
                // It is broken or closed, and would tell just that for ever.
                Some(_) if !happened[0].is_empty() => input = None,
                _ => {}
            }
        }
    }
}

/// `None`: it tells nothing of an end.
fn ending(fd: BorrowedFd<'static>) -> Option<BorrowedFd<'static>> {
    let kind = rustix::fs::fstat(fd).map(|found| FileType::from_raw_mode(found.st_mode));
    matches!(kind, Ok(FileType::Fifo | FileType::Socket)).then_some(fd)
}

impl Parent {
    #[cfg(target_os = "linux")]
    fn find() -> Parent {
        use rustix::process::{PidfdFlags, pidfd_open};
        let Some(pid) = getppid() else { return Parent::None };
        match pidfd_open(pid, PidfdFlags::empty()) {
            // It was the parent when its number was asked for, and that one is the parent still: so this is it.
            Ok(held) if getppid() == Some(pid) => Parent::Held(held),
            Ok(_) => Parent::Gone,
            Err(_) => Parent::Numbered(pid),
        }
    }

    #[cfg(not(target_os = "linux"))]
    fn find() -> Parent {
        getppid().map_or(Parent::None, Parent::Numbered)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write, pipe};
    use std::os::fd::AsFd;
    use std::os::unix::net::UnixStream;
    use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};

    const PATIENCE: Duration = Duration::from_secs(30);
    const INPUT: &str = "its standard input has ended";

    /// Standard input stays open as long as its process.
    fn kept(fd: impl Into<OwnedFd>) -> BorrowedFd<'static> {
        let kept: &'static OwnedFd = Box::leak(Box::new(fd.into()));
        kept.as_fd()
    }

    /// What one is told that has this as its standard input.
    fn watch(fd: impl Into<OwnedFd>) -> Receiver<&'static str> {
        let (sender, told) = channel();
        let lifeline = Lifeline { input: ending(kept(fd)), parent: Parent::None };
        let tell = move |gone| sender.send(gone).unwrap_or_default();
        lifeline.watch(tell).unwrap();
        told
    }

    #[test]
    fn two_that_share_a_pipe_end_with_it_and_leave_it_unread() {
        let (mut reader, mut writer) = pipe().unwrap();
        writer.write_all(b"for another").unwrap();
        let both = [(); 2].map(|()| watch(reader.try_clone().unwrap()));
        assert!(both.iter().all(|told| told.recv_timeout(LOOK) == Err(RecvTimeoutError::Timeout)), "it is open");
        drop(writer);
        assert_eq!(both.map(|told| told.recv_timeout(PATIENCE)), [Ok(INPUT); 2]);
        let mut left = String::new();
        reader.read_to_string(&mut left).unwrap();
        assert_eq!(left, "for another");
    }

    #[test]
    fn a_socket_ends_when_the_other_side_sends_no_more() {
        let [dropped, closed] = [(); 2].map(|()| {
            let (own, mut other) = UnixStream::pair().unwrap();
            other.write_all(b"unread").unwrap();
            (watch(own), other)
        });
        drop(dropped.1);
        assert_eq!(dropped.0.recv_timeout(PATIENCE), Ok(INPUT));
        closed.1.shutdown(std::net::Shutdown::Write).unwrap();
        assert_eq!(closed.0.recv_timeout(PATIENCE), Ok(INPUT));
    }

    #[test]
    fn what_is_neither_tells_nothing() {
        assert!(ending(kept(std::fs::File::open("/dev/null").unwrap())).is_none());
        // The end of a pipe that is for writing, which is broken.
        let (reader, writer) = pipe().unwrap();
        drop(reader);
        assert_eq!(watch(writer).recv_timeout(LOOK), Err(RecvTimeoutError::Timeout));
    }
}
