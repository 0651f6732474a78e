//! Between a connection's socket and its frames: everything that is received and sent passes here.
//!
//! One kind so far: what is sent is what the frames say, so that bytes go straight from the socket into the buffer that
//! frames are split in, and ranges of files straight from the page cache into the socket. Another kind (TLS) is another
//! variant, for which the compiler shows the places.
//!
//! Knows no frame, and no connection but by its key.

use std::io::{self, IoSlice};

use crate::io::disk::File;
use crate::io::driver::{ConnectionKey, Driver};

/// How the bytes of one connection's frames travel through its socket.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Transport {
    Plain,
}

impl Transport {
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
        }
    }
}

#[cfg(test)]
mod tests {
    use std::fs;
    use std::path::Path;

    /// A call past this file would send plain text on a connection that is encrypted.
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
            if uses(&fs::read_to_string(&path).unwrap()) {
                using.push(path.file_name().unwrap().to_owned());
            }
        }
        assert_eq!(using, ["transport.rs"]);
    }
}
