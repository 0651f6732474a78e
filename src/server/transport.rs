//! Between a connection's socket and its frames: everything that is received and sent passes here.
//!
//! Plain: what is sent is what the frames say, so that bytes go straight from the socket into the buffer that frames are
//! split in, and ranges of files straight from the page cache into the socket. Or a `layer` stands between, with a cipher;
//! so far it is the null cipher of the simulation (`null`), and the binary has plain connections only.
//!
//! Knows no frame, and no connection but by its key.

use std::io::{self, IoSlice};

#[cfg(any(test, feature = "sim"))]
mod layer;
#[cfg(any(test, feature = "sim"))]
pub(crate) mod null;

use crate::io::disk::File;
use crate::io::driver::{Computing, ConnectionKey, Driver};

/// How the bytes of one connection's frames travel through its socket.
pub(super) enum Transport {
    Plain,
    #[cfg(any(test, feature = "sim"))]
    Layered(Box<layer::Layer>),
}

impl Transport {
    #[cfg(any(test, feature = "sim"))]
    pub(super) fn layered() -> Transport {
        Transport::Layered(Box::new(layer::Layer::new(null::Cipher::server())))
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
            #[cfg(any(test, feature = "sim"))]
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
            #[cfg(any(test, feature = "sim"))]
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
            #[cfg(any(test, feature = "sim"))]
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
            #[cfg(any(test, feature = "sim"))]
            Transport::Layered(layer) => layer.flush(driver, key),
        }
    }

    /// Whether something was taken to be sent and has not left.
    pub(super) fn has_unsent(&self) -> bool {
        match self {
            Transport::Plain => false,
            #[cfg(any(test, feature = "sim"))]
            Transport::Layered(layer) => layer.has_unsent(),
        }
    }

    /// Whether something has come and was not taken: no edge of the socket will tell of it again.
    pub(super) fn has_received(&self) -> bool {
        match self {
            Transport::Plain => false,
            #[cfg(any(test, feature = "sim"))]
            Transport::Layered(layer) => layer.has_received(),
        }
    }

    /// Whether a step of the handshake is to be computed, or is computed now: until its end nothing is received.
    pub(super) fn is_computing(&self) -> bool {
        match self {
            Transport::Plain => false,
            #[cfg(any(test, feature = "sim"))]
            Transport::Layered(layer) => layer.is_computing(),
        }
    }

    /// What is to be computed and has not begun.
    pub(super) fn begin_computing(&mut self) -> Option<Computing> {
        match self {
            Transport::Plain => None,
            #[cfg(any(test, feature = "sim"))]
            Transport::Layered(layer) => layer.begin_computing(),
        }
    }

    /// What has begun has ended.
    pub(super) fn end_computing(&mut self) {
        match self {
            Transport::Plain => {}
            #[cfg(any(test, feature = "sim"))]
            Transport::Layered(layer) => layer.end_computing(),
        }
    }

    /// Bytes of a file that one call of [`Transport::send_file`] takes at most.
    pub(super) fn file_step_bytes(&self) -> usize {
        match self {
            Transport::Plain => usize::MAX,
            #[cfg(any(test, feature = "sim"))]
            Transport::Layered(_) => layer::STEP_BYTES,
        }
    }

    /// What it holds of the connection's bytes.
    pub(super) fn memory_bytes(&self) -> usize {
        match self {
            Transport::Plain => 0,
            #[cfg(any(test, feature = "sim"))]
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
