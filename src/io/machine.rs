//! Which driver this machine gets: asked once at start, opened once per shard on the shard's own thread.

use std::fmt;
use std::io;
use std::sync::Arc;
use std::time::Duration;

use crate::io::compute::Compute;
use crate::io::descriptors::Connections;
use crate::io::driver::Driver;
use crate::io::readiness::Readiness;
#[cfg(target_os = "linux")]
use crate::io::uring::Uring;

/// What the user wants, `klamm.io`.
#[derive(Clone, Copy, PartialEq, Eq, Debug, Default)]
pub enum Preference {
    #[default]
    Auto,
    Uring,
    Epoll,
}

/// The driver that will run.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Backend {
    Uring,
    Readiness,
}

/// The decision with its reason, for the one line of the log that tells of it.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Choice {
    pub backend: Backend,
    pub reason: String,
}

impl fmt::Display for Choice {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let name = match self.backend {
            Backend::Uring => "io_uring",
            Backend::Readiness if cfg!(target_os = "linux") => "epoll",
            Backend::Readiness => "kqueue",
        };
        write!(f, "{name} ({})", self.reason)
    }
}

/// Chooses by trying. `Err` says why the ring that the user asked for cannot be had.
pub fn choose(preference: Preference) -> Result<Choice, String> {
    if preference == Preference::Epoll {
        return Ok(Choice { backend: Backend::Readiness, reason: "klamm.io=epoll".into() });
    }
    match (try_uring(), preference) {
        (Ok(set_up), _) => Ok(Choice { backend: Backend::Uring, reason: set_up }),
        (Err(reason), Preference::Uring) => Err(reason),
        (Err(reason), _) => Ok(Choice { backend: Backend::Readiness, reason }),
    }
}

#[cfg(target_os = "linux")]
fn try_uring() -> Result<String, String> {
    Uring::new(Duration::ZERO, Arc::default(), Arc::default()).map(|(_, set_up)| format!("set-up {set_up:?}"))
}

#[cfg(not(target_os = "linux"))]
fn try_uring() -> Result<String, String> {
    Err("io_uring is Linux only".into())
}

/// Whether a socket of IPv6 can be had.
pub fn has_ipv6() -> bool {
    use rustix::net::{AddressFamily, SocketType, socket};
    socket(AddressFamily::INET6, SocketType::STREAM, None).is_ok()
}

/// Why the kernel does no TLS for us, for the line of the log that tells of it: `send_file` could go on without a copy.
#[cfg(target_os = "linux")]
pub fn kernel_tls() -> String {
    match try_kernel_tls() {
        Ok(()) => "the kernel offers it, and nothing here uses it yet".into(),
        Err(error) => format!("the kernel has none: {error}"),
    }
}

#[cfg(target_os = "linux")]
#[allow(unsafe_code)]
fn try_kernel_tls() -> io::Result<()> {
    use std::net::{TcpListener, TcpStream};
    use std::os::fd::AsRawFd;

    const NAME: &[u8] = b"tls";
    // Only a connection can be asked.
    let listener = TcpListener::bind(("127.0.0.1", 0))?;
    let socket = TcpStream::connect(listener.local_addr()?)?;
    let length = NAME.len() as libc::socklen_t;
    // SAFETY: the descriptor is open and the pointer is to as many bytes as are told.
    let result =
        unsafe { libc::setsockopt(socket.as_raw_fd(), libc::IPPROTO_TCP, libc::TCP_ULP, NAME.as_ptr().cast(), length) };
    if result == 0 { Ok(()) } else { Err(io::Error::last_os_error()) }
}

#[cfg(not(target_os = "linux"))]
pub fn kernel_tls() -> String {
    "there is none on this system".into()
}

/// Opens the chosen driver for the calling thread, which then owns it. Before it sleeps it may look for so long whether
/// something comes; only the ring can. `connections` counts those of all drivers of one broker, which share the threads of
/// `compute`.
pub fn open(
    backend: Backend,
    spin: Duration,
    connections: Arc<Connections>,
    compute: Arc<Compute>,
) -> io::Result<Box<dyn Driver>> {
    match backend {
        #[cfg(target_os = "linux")]
        Backend::Uring => Ok(Box::new(Uring::new(spin, connections, compute).map_err(io::Error::other)?.0)),
        #[cfg(not(target_os = "linux"))]
        Backend::Uring => Err(io::Error::other("io_uring is Linux only")),
        Backend::Readiness => Ok(Box::new(Readiness::new(connections, compute)?)),
    }
}
