//! Between a connection's socket and its frames: everything that is received and sent passes here.
//!
//! Plain: what is sent is what the frames say, so that bytes go straight from the socket into the buffer that frames are
//! split in, and ranges of files straight from the page cache into the socket. Or a `layer` stands between, with a `cipher`:
//! TLS, or the null one of the simulation. The kernel's TLS would be a variant between the two: it sends files as `Plain`
//! does and receives as `Layered` does; no kernel of ours offers it.
//!
//! Knows no frame, and no connection but by its key.

use std::io::{self, IoSlice};

mod cipher;
pub(crate) mod layer;
#[cfg(any(test, feature = "sim"))]
pub(crate) mod null;

use crate::io::disk::File;
use crate::io::driver::{Computing, ConnectionKey, Driver};
use crate::security::tls;

/// How the bytes of one connection's frames travel through its socket.
pub(super) enum Transport {
    Plain,
    Layered(Box<layer::Layer>),
}

impl Transport {
    pub(super) fn tls(connection: tls::Connection) -> Transport {
        Transport::Layered(Box::new(layer::Layer::new(cipher::Cipher::Tls(Box::new(connection)))))
    }

    #[cfg(any(test, feature = "sim"))]
    pub(super) fn null() -> Transport {
        Transport::Layered(Box::new(layer::Layer::new(cipher::Cipher::Null(null::Cipher::server()))))
    }

    /// Appends what is there, at most so many bytes, as [`Driver::receive`] does.
    pub(super) fn receive(
        &mut self,
        driver: &mut dyn Driver,
        key: ConnectionKey,
        buffer: &mut Vec<u8>,
        most: usize,
    ) -> io::Result<usize> {
        match self {
            Transport::Plain => driver.receive(key, buffer, most),
            Transport::Layered(layer) => layer.receive(driver, key, buffer, most),
        }
    }

    /// Sends what fits now, as [`Driver::send`] does.
    pub(super) fn send(
        &mut self,
        driver: &mut dyn Driver,
        key: ConnectionKey,
        slices: &[IoSlice<'_>],
        more: bool,
    ) -> io::Result<usize> {
        match self {
            Transport::Plain => driver.send(key, slices, more),
            Transport::Layered(layer) => layer.send(driver, key, slices),
        }
    }

    /// Sends bytes of a file that are in the page cache, as [`Driver::send_file`] does.
    pub(super) fn send_file(
        &mut self,
        driver: &mut dyn Driver,
        key: ConnectionKey,
        file: &dyn File,
        position: u64,
        length: usize,
    ) -> io::Result<usize> {
        match self {
            Transport::Plain => driver.send_file(key, file, position, length),
            Transport::Layered(layer) => layer.send_file(driver, key, file, position, length),
        }
    }

    /// Sends what was taken before and has not left: `false` if the socket is full.
    pub(super) fn flush(&mut self, driver: &mut dyn Driver, key: ConnectionKey) -> io::Result<bool> {
        match self {
            Transport::Plain => {
                let _ = (driver, key);
                Ok(true)
            }
            Transport::Layered(layer) => layer.flush(driver, key),
        }
    }

    /// Whether something was taken to be sent and has not left.
    pub(super) fn has_unsent(&self) -> bool {
        match self {
            Transport::Plain => false,
            Transport::Layered(layer) => layer.has_unsent(),
        }
    }

    /// Whether the handshake is over.
    pub(super) fn is_open(&self) -> bool {
        match self {
            Transport::Plain => true,
            Transport::Layered(layer) => layer.is_open(),
        }
    }

    /// Whether a step of the handshake is to be computed, or is computed now: until its end nothing is received.
    pub(super) fn is_computing(&self) -> bool {
        match self {
            Transport::Plain => false,
            Transport::Layered(layer) => layer.is_computing(),
        }
    }

    /// Whether a step of the handshake is to be computed and has not begun.
    pub(super) fn must_compute(&self) -> bool {
        match self {
            Transport::Plain => false,
            Transport::Layered(layer) => layer.must_compute(),
        }
    }

    /// What is to be computed and has not begun.
    pub(super) fn begin_computing(&mut self) -> Option<Computing> {
        match self {
            Transport::Plain => None,
            Transport::Layered(layer) => layer.begin_computing(),
        }
    }

    /// What has begun has ended.
    pub(super) fn end_computing(&mut self) {
        match self {
            Transport::Plain => {}
            Transport::Layered(layer) => layer.end_computing(),
        }
    }

    /// Says that nothing more comes; before the socket is closed.
    pub(super) fn close(&mut self, driver: &mut dyn Driver, key: ConnectionKey) {
        match self {
            Transport::Plain => {}
            Transport::Layered(layer) => layer.close(driver, key),
        }
    }

    /// The certificate that the client has shown, which the handshake may have refused.
    pub(super) fn peer_certificate(&self) -> Option<&[u8]> {
        match self {
            Transport::Plain => None,
            Transport::Layered(layer) => layer.peer_certificate(),
        }
    }

    /// Bytes of a file that one call of [`Transport::send_file`] takes at most.
    pub(super) fn file_step_bytes(&self) -> usize {
        match self {
            Transport::Plain => usize::MAX,
            Transport::Layered(_) => layer::STEP_BYTES,
        }
    }

    /// What it holds of the connection's bytes; before the end of the handshake, all that has come and what is to be sent.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Transport::Plain => 0,
            Transport::Layered(layer) => layer.memory_bytes(),
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// A call past this file and its layer would send plain text on a connection that is encrypted.
    #[test]
    fn no_other_file_of_the_server_uses_a_socket() {
        let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("src/server");
        let uses = |text: &str| {
            [".receive(key", ".send(key", ".send_file(key"]
                .iter()
                .any(|call| text.match_indices(call).any(|(at, _)| text[..at].ends_with("driver")))
        };
        let mut using = Vec::new();
        for entry in fs::read_dir(folder).unwrap() {
            let path = entry.unwrap().path();
            if path.is_file() && uses(&fs::read_to_string(&path).unwrap()) {
                using.push(path.file_name().unwrap().to_owned());
            }
        }
        assert_eq!(using, ["transport.rs"]);
    }
}
