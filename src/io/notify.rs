//! What the service manager is told (`sd_notify(3)`): a datagram to the socket that `NOTIFY_SOCKET` names, which systemd sets
//! for units of `Type=notify`. Its own, as it is thirty lines; the library of systemd would be linked for one call.

use std::io;
use std::os::unix::net::{SocketAddr, UnixDatagram};

/// Where the service manager listens.
#[derive(Debug)]
pub struct NotifySocket {
    socket: UnixDatagram,
    address: SocketAddr,
}

impl NotifySocket {
    /// `named` is the value of `NOTIFY_SOCKET`: a path, or `@` and an abstract name.
    pub fn at(named: &str) -> io::Result<NotifySocket> {
        let address = match named.strip_prefix('@') {
            Some(name) => abstract_name(name)?,
            None => SocketAddr::from_pathname(named)?,
        };
        let socket = UnixDatagram::unbound()?;
        // A manager that does not read must not hold the broker.
        socket.set_nonblocking(true)?;
        Ok(NotifySocket { socket, address })
    }

    /// Clients can be served. `status` is a line for people.
    pub fn ready(&self, status: &str) -> io::Result<()> {
        self.tell(&format!("READY=1\nMAINPID={}\nSTATUS={}", std::process::id(), status.replace('\n', " ")))
    }

    /// The broker has begun to stop.
    pub fn stopping(&self) -> io::Result<()> {
        self.tell("STOPPING=1\nSTATUS=stopping")
    }

    fn tell(&self, text: &str) -> io::Result<()> {
        self.socket.send_to_addr(text.as_bytes(), &self.address).map(drop)
    }
}

#[cfg(target_os = "linux")]
fn abstract_name(name: &str) -> io::Result<SocketAddr> {
    use std::os::linux::net::SocketAddrExt;
    SocketAddr::from_abstract_name(name)
}

#[cfg(not(target_os = "linux"))]
fn abstract_name(_: &str) -> io::Result<SocketAddr> {
    Err(io::ErrorKind::Unsupported.into())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manager_is_told_by_a_path() {
        let home = tempfile::tempdir().unwrap();
        let path = home.path().join("notify");
        let listening = UnixDatagram::bind(&path).unwrap();
        let manager = NotifySocket::at(path.to_str().unwrap()).unwrap();
        manager.ready("serves\nall").unwrap();
        manager.stopping().unwrap();
        let told = || {
            let mut bytes = [0; 256];
            let length = listening.recv(&mut bytes).unwrap();
            String::from_utf8_lossy(&bytes[..length]).into_owned()
        };
        assert_eq!(told(), format!("READY=1\nMAINPID={}\nSTATUS=serves all", std::process::id()));
        assert!(told().starts_with("STOPPING=1\n"));
        assert!(NotifySocket::at(home.path().join("none").to_str().unwrap()).unwrap().stopping().is_err());
    }

    #[cfg(target_os = "linux")]
    #[test]
    fn a_manager_is_told_by_an_abstract_name() {
        let name = format!("klamm-notify-{}", std::process::id());
        let listening = UnixDatagram::bind_addr(&abstract_name(&name).unwrap()).unwrap();
        NotifySocket::at(&format!("@{name}")).unwrap().stopping().unwrap();
        let mut bytes = [0; 64];
        let length = listening.recv(&mut bytes).unwrap();
        assert!(bytes[..length].starts_with(b"STOPPING=1"));
    }
}
