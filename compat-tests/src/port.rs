//! Ports of 127.0.0.1 for servers that must be told theirs.
//!
//! A port that was merely seen free may be anybody's by the time the server binds it: a JVM takes seconds, a killed broker
//! takes none while it is down, and every client's connection is given a port of the same range, even the one that it
//! connects to. So the port stays bound here for as long as it is to be the server's.

use crate::Result;
use socket2::{Domain, Socket, Type};
use std::net::{Ipv4Addr, SocketAddr};

/// A port that the system gives to nobody of its own choice.
///
/// The socket does not listen, and it allows its address to be used again, as servers do, too: then Linux lets one of them
/// bind the same port and listen (`inet_csk_bind_conflict`), and leaves it out wherever it chooses a port itself.
pub struct Port {
    number: u16,
    _held: Socket,
}

impl Port {
    pub fn reserve() -> Result<Port> {
        let socket = Socket::new(Domain::IPV4, Type::STREAM, None)?;
        socket.set_reuse_address(true)?;
        socket.bind(&SocketAddr::from((Ipv4Addr::LOCALHOST, 0)).into())?;
        let number = socket.local_addr()?.as_socket().map_or(0, |address| address.port());
        Ok(Port { number, _held: socket })
    }

    pub fn number(&self) -> u16 {
        self.number
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::net::{TcpListener, TcpStream};

    /// As many connections as there are ports to choose from, many times over: none gets the reserved one, nor do
    /// listeners, and those who connect to it are refused and not connected to themselves.
    #[test]
    fn a_reserved_port_is_given_to_nobody_who_did_not_name_it() {
        let port = Port::reserve().expect("a port");
        let server = TcpListener::bind("127.0.0.1:0").expect("a server");
        let at = server.local_addr().expect("its address");
        for _ in 0..60_000 {
            let client = TcpStream::connect(at).expect("a connection");
            let (accepted, peer) = server.accept().expect("accepted");
            // Closed by a reset, so that tens of thousands do not linger.
            socket2::SockRef::from(&accepted).set_linger(Some(std::time::Duration::ZERO)).expect("an option");
            drop(accepted);
            drop(client);
            assert_ne!(peer.port(), port.number());
        }
        for _ in 0..60_000 {
            let other = TcpListener::bind("127.0.0.1:0").expect("a listener");
            assert_ne!(other.local_addr().expect("its address").port(), port.number());
            assert!(TcpStream::connect(("127.0.0.1", port.number())).is_err());
        }
    }

    #[test]
    fn a_server_that_names_it_gets_it_again_and_again() {
        let port = Port::reserve().expect("a port");
        for _ in 0..3 {
            let server = TcpListener::bind(("127.0.0.1", port.number())).expect("the port");
            let client = TcpStream::connect(("127.0.0.1", port.number())).expect("a connection");
            drop(server.accept().expect("accepted"));
            drop((client, server));
        }
    }
}
