//! What a process lives by that is started for another: its standard input, and its parent.
//!
//! A pipe or a socket as standard input ends when all who could write to it have closed it or are gone, whatever ended them.
//! What else can stand there tells nothing: `/dev/null` and a file end at once, a terminal when a person says so.
//!
//! The parent is held by a descriptor of the process (`pidfd_open`, Linux 5.3), which no later process of its number is taken
//! for. `PR_SET_PDEATHSIG` would be simpler, and is of the *thread* that has started this process: it comes when a pool of
//! threads of a living parent lets that one go. Without such descriptors the number of the parent is looked at now and then.
//! A parent that is gone before the first look is not found out.

use std::io;
use std::os::fd::OwnedFd;
use std::thread;
use std::time::Duration;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::FileType;
use rustix::process::{Pid, getppid};

/// How often the parent is looked at where there is nothing to wait for.
const LOOK: Duration = Duration::from_millis(100);

/// Take it early in `main`.
pub struct Lifeline {
    has_input: bool,
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
        let kind = rustix::fs::fstat(rustix::stdio::stdin()).map(|found| FileType::from_raw_mode(found.st_mode));
        let has_input = matches!(kind, Ok(FileType::Fifo | FileType::Socket));
        Lifeline { has_input, parent: Parent::find() }
    }

    /// Tells which of them is gone, once, on a thread of its own.
    pub fn watch(self, tell: impl FnOnce(&'static str) + Send + 'static) -> io::Result<()> {
        let watching = thread::Builder::new().name("klamm-lifeline".into());
        watching.spawn(move || tell(self.wait())).map(|_| ())
    }

    /// Waits until one of them is gone and says which. Never ends where there is none. Blocks.
    fn wait(self) -> &'static str {
        let mut has_input = self.has_input;
        loop {
            if matches!(self.parent, Parent::Gone) {
                return "its parent has ended";
            }
            let stdin = rustix::stdio::stdin();
            let mut watched = Vec::new();
            if has_input {
                watched.push(PollFd::new(&stdin, PollFlags::IN));
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
            let happened: Vec<bool> = watched.iter().map(|fd| !fd.revents().is_empty()).collect();
            let input_happened = has_input && happened[0];
            if matches!(&self.parent, Parent::Held(_)) && happened[usize::from(has_input)] {
                return "its parent has ended";
            }
            if matches!(&self.parent, Parent::Numbered(pid) if getppid() != Some(*pid)) {
                return "its parent has ended";
            }
            if input_happened {
                match discard() {
                    Ok(true) => {}
                    Ok(false) => return "its standard input has ended",
                    // It tells nothing any more.
                    Err(_) => has_input = false,
                }
            }
        }
    }
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

/// Reads what is there; `false` at the end.
fn discard() -> io::Result<bool> {
    let mut bytes = [0; 4096];
    match rustix::io::read(rustix::stdio::stdin(), &mut bytes) {
        Ok(length) => Ok(length > 0),
        Err(rustix::io::Errno::INTR | rustix::io::Errno::AGAIN) => Ok(true),
        Err(error) => Err(error.into()),
    }
}
