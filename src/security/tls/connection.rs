//! One end of a connection: ciphertext in, plaintext out, and the other way. It knows no socket, so that its owner decides when
//! what is computed: a step of the handshake takes a millisecond, and is told before it is done.

use std::io::{self, BufRead, IoSlice, Read, Write};
use std::sync::Arc;

use rustls::pki_types::UnixTime;
use rustls::{ServerConfig, ServerConnection};

use super::verifier;

/// Kind, version, length.
const HEAD_BYTES: usize = 5;
/// A record with its head. What the suites that are offered add to a text of 16 KiB is much less than what TLS allows for.
pub(crate) const RECORD_BYTES: usize = HEAD_BYTES + 16 * 1024 + 256;
/// Kinds of records: from change_cipher_spec to application_data.
const KINDS: std::ops::RangeInclusive<u8> = 20..=23;
/// Bytes of the handshake that are taken before they are computed with.
const STEP_BYTES: usize = 16 * 1024;

/// A peer that has sent nothing.
struct NothingYet;

impl Read for NothingYet {
    fn read(&mut self, _: &mut [u8]) -> io::Result<usize> {
        Err(io::ErrorKind::WouldBlock.into())
    }
}

pub(crate) struct Connection {
    rustls: Result<Box<ServerConnection>, String>,
    /// It has records that it has not computed with.
    must_compute: bool,
    /// Reads of rustls since it has last computed: behind the first its buffer grows.
    reads: usize,
    /// It was computed and came to nothing.
    failure: Option<String>,
    plain_bytes: usize,
    has_ended: bool,
    /// A record has come.
    has_begun: bool,
    /// The certificate for which the handshake was refused, DER.
    refused: Option<Vec<u8>>,
}

impl Connection {
    pub(super) fn new(config: Arc<ServerConfig>) -> Connection {
        let rustls = ServerConnection::new(config).map(|mut rustls| {
            // What is given to it at once is bounded by its owner.
            rustls.set_buffer_limit(None);
            Box::new(rustls)
        });
        Connection {
            rustls: rustls.map_err(|error| error.to_string()),
            must_compute: false,
            reads: 0,
            failure: None,
            plain_bytes: 0,
            has_ended: false,
            has_begun: false,
            refused: None,
        }
    }

    /// Whether the handshake is over.
    pub(crate) fn is_open(&self) -> bool {
        !self.must_compute
            && self.failure.is_none()
            && self.rustls.as_ref().is_ok_and(|rustls| !rustls.is_handshaking())
    }

    pub(crate) fn must_compute(&self) -> bool {
        self.must_compute
    }

    /// Takes the step of the handshake that was told of. What comes of it is seen in [`Connection::feed`].
    pub(crate) fn compute(&mut self) {
        assert!(self.must_compute, "there is something to compute");
        self.must_compute = false;
        let (result, refused) = verifier::noting_refused(|| self.process().and_then(|()| self.check_peer()));
        (self.failure, self.refused) = (result.err(), refused);
    }

    fn process(&mut self) -> Result<(), String> {
        let rustls = self.rustls.as_mut().map_err(|reason| reason.clone())?;
        let state = rustls.process_new_packets().map_err(|error| error.to_string())?;
        self.plain_bytes = state.plaintext_bytes_to_read();
        self.has_ended = state.peer_has_closed();
        if std::mem::take(&mut self.reads) > 1 && !rustls.is_handshaking() {
            // rustls gives back what its buffer has grown by where it begins to read, which for a client that rests is never.
            let _ = rustls.read_tls(&mut NothingYet);
        }
        Ok(())
    }

    /// A session that is taken up again comes with the certificate of its beginning, which may be past its time by now.
    fn check_peer(&self) -> Result<(), String> {
        match self.peer_certificate().filter(|_| self.is_open()) {
            Some(der) => {
                let judged = verifier::check_validity(der, UnixTime::now());
                judged.map_err(|error| rustls::Error::InvalidCertificate(error).to_string())
            }
            None => Ok(()),
        }
    }

    /// Takes whole records from the front; answers their bytes. It stops where a step of the handshake is to be computed, and
    /// where plaintext waits to be taken. Behind an error there may be something to be sent.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<usize, String> {
        if let Some(failure) = &self.failure {
            return Err(failure.clone());
        }
        let mut at = 0;
        while !self.must_compute && self.plain_bytes == 0 && !self.has_ended {
            let mut step = 0;
            while let Some(length) = self.record(&bytes[at + step..])? {
                let record = &bytes[at + step..at + step + length];
                self.give(record)?;
                step += length;
                if self.is_open() || step >= STEP_BYTES {
                    break;
                }
            }
            if step == 0 {
                break;
            }
            at += step;
            match self.is_open() {
                true => self.process()?,
                false => self.must_compute = true,
            }
        }
        Ok(at)
    }

    /// The length of the record that begins here, if all of it is there.
    fn record(&self, bytes: &[u8]) -> Result<Option<usize>, String> {
        let is_version = bytes.get(1).is_none_or(|major| *major == 3);
        if bytes.first().is_some_and(|kind| !KINDS.contains(kind)) || !is_version {
            let reason = if self.has_begun { "no record of TLS" } else { "plain text on a TLS listener" };
            return Err(reason.into());
        }
        let Some(head) = bytes.get(..HEAD_BYTES) else { return Ok(None) };
        let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
        if HEAD_BYTES + length > RECORD_BYTES {
            return Err("a record of TLS that is too long".into());
        }
        Ok((bytes.len() >= HEAD_BYTES + length).then_some(HEAD_BYTES + length))
    }

    fn give(&mut self, mut record: &[u8]) -> Result<(), String> {
        self.has_begun = true;
        let rustls = self.rustls.as_mut().map_err(|reason| reason.clone())?;
        while !record.is_empty() {
            rustls.read_tls(&mut record).map_err(|error| error.to_string())?;
            self.reads += 1;
        }
        Ok(())
    }

    /// Moves plaintext that has come, at most so many bytes.
    pub(crate) fn take(&mut self, into: &mut Vec<u8>, most: usize) -> usize {
        let Ok(rustls) = &mut self.rustls else { return 0 };
        let mut taken = 0;
        while self.plain_bytes > 0 && taken < most {
            let mut reader = rustls.reader();
            let Ok(chunk) = reader.fill_buf() else { break };
            let length = chunk.len().min(most - taken);
            into.extend_from_slice(&chunk[..length]);
            reader.consume(length);
            taken += length;
            self.plain_bytes -= length;
        }
        taken
    }

    pub(crate) fn plain_bytes(&self) -> usize {
        self.plain_bytes
    }

    /// The client has said that nothing more comes.
    pub(crate) fn has_ended(&self) -> bool {
        self.has_ended && self.plain_bytes == 0
    }

    /// Encrypts all of it.
    pub(crate) fn put(&mut self, pieces: &[IoSlice<'_>]) -> io::Result<()> {
        assert!(self.is_open(), "nothing is sent before the handshake ends");
        let Ok(rustls) = &mut self.rustls else { return Ok(()) };
        let taken = rustls.writer().write_vectored(pieces)?;
        assert_eq!(taken, pieces.iter().map(|piece| piece.len()).sum::<usize>(), "there is no limit");
        Ok(())
    }

    /// Says that nothing more is sent.
    pub(crate) fn close(&mut self) {
        if let Ok(rustls) = &mut self.rustls {
            rustls.send_close_notify();
        }
    }

    /// Moves what is to be sent.
    pub(crate) fn take_ciphertext(&mut self, into: &mut Vec<u8>) {
        let Ok(rustls) = &mut self.rustls else { return };
        while rustls.wants_write() && rustls.write_tls(into).is_ok() {}
    }

    /// The certificate that the client has shown, DER; it may be the reason why the handshake was refused.
    pub(crate) fn peer_certificate(&self) -> Option<&[u8]> {
        let shown = self.rustls.as_ref().ok().and_then(|rustls| rustls.peer_certificates()?.first());
        shown.map(AsRef::as_ref).or(self.refused.as_deref())
    }
}
