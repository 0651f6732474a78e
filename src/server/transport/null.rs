//! A cipher that hides nothing, for tests and the simulation: records, a handshake of four flights, one of which takes
//! long to compute, and failures, as TLS has them.

/// Kind, two letters, length.
const HEAD_BYTES: usize = 5;
const LETTERS: &[u8] = b"NL";
/// What one record carries at most.
const RECORD_BYTES: usize = 1024;
const KEY: u8 = 0x5a;

/// Kinds of records: bytes of the client or the server, and the flights of the handshake in their order.
const DATA: u8 = 0;
const HELLO: u8 = 1;
const WELCOME: u8 = 2;
const PROOF: u8 = 3;
const DONE: u8 = 4;

enum Stage {
    Awaits(u8),
    /// It has the client's proof, and judging it takes long.
    Computes,
    Open,
}

/// One end of a connection.
pub(crate) struct Cipher {
    stage: Stage,
    plain: Vec<u8>,
    out: Vec<u8>,
}

impl Cipher {
    pub(crate) fn server() -> Cipher {
        Cipher { stage: Stage::Awaits(HELLO), plain: Vec::new(), out: Vec::new() }
    }

    /// It says hello.
    pub(crate) fn client() -> Cipher {
        let mut cipher = Cipher { stage: Stage::Awaits(WELCOME), plain: Vec::new(), out: Vec::new() };
        cipher.append(HELLO, b"hello");
        cipher
    }

    pub(crate) fn is_open(&self) -> bool {
        matches!(self.stage, Stage::Open)
    }

    pub(crate) fn must_compute(&self) -> bool {
        matches!(self.stage, Stage::Computes)
    }

    pub(crate) fn compute(&mut self) {
        assert!(self.must_compute(), "there is something to compute");
        self.append(DONE, b"done");
        self.stage = Stage::Open;
    }

    /// Takes whole records from the front; answers their bytes. It stops where something is to be computed first.
    pub(crate) fn feed(&mut self, bytes: &[u8]) -> Result<usize, String> {
        let mut at = 0;
        while !self.must_compute() {
            let Some((head, rest)) = bytes[at..].split_at_checked(HEAD_BYTES) else { break };
            let length = usize::from(u16::from_be_bytes([head[3], head[4]]));
            if &head[1..3] != LETTERS || length > RECORD_BYTES {
                return Err("no record of the cipher".into());
            }
            let Some(payload) = rest.get(..length) else { break };
            self.handle(head[0], payload)?;
            at += HEAD_BYTES + length;
        }
        Ok(at)
    }

    fn handle(&mut self, kind: u8, payload: &[u8]) -> Result<(), String> {
        match self.stage {
            Stage::Open if kind == DATA => self.plain.extend(payload.iter().map(|byte| byte ^ KEY)),
            Stage::Awaits(HELLO) if kind == HELLO => {
                self.append(WELCOME, b"welcome");
                self.stage = Stage::Awaits(PROOF);
            }
            Stage::Awaits(WELCOME) if kind == WELCOME => {
                self.append(PROOF, b"proof");
                self.stage = Stage::Awaits(DONE);
            }
            Stage::Awaits(PROOF) if kind == PROOF => self.stage = Stage::Computes,
            Stage::Awaits(DONE) if kind == DONE => self.stage = Stage::Open,
            _ => return Err(format!("a record of kind {kind} at the wrong time")),
        }
        Ok(())
    }

    /// Moves plaintext that has come, at most so many bytes.
    pub(crate) fn take(&mut self, into: &mut Vec<u8>, most: usize) -> usize {
        let length = self.plain.len().min(most);
        into.extend(self.plain.drain(..length));
        length
    }

    pub(crate) fn plain_bytes(&self) -> usize {
        self.plain.len()
    }

    /// Encrypts all of it.
    pub(crate) fn put(&mut self, plain: &[u8]) {
        assert!(self.is_open(), "nothing is sent before the handshake ends");
        for chunk in plain.chunks(RECORD_BYTES) {
            self.append(DATA, chunk);
        }
    }

    fn append(&mut self, kind: u8, payload: &[u8]) {
        assert!(payload.len() <= RECORD_BYTES, "a record has its limit");
        self.out.push(kind);
        self.out.extend_from_slice(LETTERS);
        self.out.extend_from_slice(&(payload.len() as u16).to_be_bytes());
        let is_data = kind == DATA;
        self.out.extend(payload.iter().map(|byte| if is_data { byte ^ KEY } else { *byte }));
    }

    /// Moves what is to be sent.
    pub(crate) fn take_ciphertext(&mut self, into: &mut Vec<u8>) {
        into.append(&mut self.out);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Carries what one end has for the other, in pieces of so many bytes.
    fn carry(from: &mut Cipher, to: &mut Cipher, piece: usize) -> Result<(), String> {
        let (mut out, mut kept) = (Vec::new(), Vec::new());
        from.take_ciphertext(&mut out);
        for piece in out.chunks(piece) {
            kept.extend_from_slice(piece);
            let taken = to.feed(&kept)?;
            kept.drain(..taken);
        }
        assert!(kept.is_empty());
        Ok(())
    }

    #[test]
    fn both_ends_understand_each_other_however_the_bytes_come() {
        for piece in [1, 3, 1000, 5000] {
            let (mut client, mut server) = (Cipher::client(), Cipher::server());
            while !server.must_compute() {
                carry(&mut client, &mut server, piece).unwrap();
                carry(&mut server, &mut client, piece).unwrap();
            }
            server.compute();
            carry(&mut server, &mut client, piece).unwrap();
            assert!(client.is_open() && server.is_open());
            let sent: Vec<u8> = (0..3000).map(|n| n as u8).collect();
            client.put(&sent);
            carry(&mut client, &mut server, piece).unwrap();
            let mut received = Vec::new();
            assert_eq!((server.take(&mut received, 10), server.take(&mut received, 5000)), (10, 2990));
            assert_eq!(received, sent);
        }
    }

    #[test]
    fn what_is_no_record_or_comes_at_the_wrong_time_is_refused() {
        assert!(Cipher::server().feed(b"\x00\x00\x00\x12\x00\x12").is_err());
        let mut early = Cipher::client();
        let mut bytes = Vec::new();
        early.take_ciphertext(&mut bytes);
        assert_eq!(Cipher::server().feed(&bytes[..bytes.len() - 1]), Ok(0));
        assert_eq!(
            Cipher::server().feed(&[&bytes[..], &bytes[..]].concat()).unwrap_err(),
            "a record of kind 1 at the wrong time"
        );
    }
}
