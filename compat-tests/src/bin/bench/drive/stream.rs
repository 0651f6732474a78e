//! A connection of the generator, plain or with TLS and a login.

use super::frame::read_answer;
use super::{Key, Login, PATIENCE};
use compat_tests::raw::{body, frame};
use compat_tests::{Context, Result, ensure};
use kafka_protocol::messages::{
    ResponseHeader, SaslAuthenticateRequest, SaslAuthenticateResponse, SaslHandshakeRequest, SaslHandshakeResponse,
};
use kafka_protocol::protocol::{Decodable, HeaderVersion, Request, StrBytes};
use rustls::client::Resumption;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, ServerName};
use rustls::{ClientConfig, ClientConnection, HandshakeKind, RootCertStore};
use std::io::{self, ErrorKind, Read, Write};
use std::net::{Ipv4Addr, TcpStream};
use std::os::fd::AsRawFd;
use std::sync::{Arc, Mutex, PoisonError};

const HANDSHAKE: i16 = 1;
const AUTHENTICATE: i16 = 1;
const MECHANISM: &str = "PLAIN";

/// What all connections of a door share: the authority, and the sessions that may be resumed.
pub(super) struct Lock {
    config: Arc<ClientConfig>,
}

impl Lock {
    /// TLS 1.3 with AES-128-GCM, so that all brokers compute the same.
    pub(super) fn new(key: &Key) -> Result<Lock> {
        let mut roots = RootCertStore::empty();
        for certificate in CertificateDer::pem_file_iter(&key.authority)? {
            roots.add(certificate?)?;
        }
        let suites = vec![ring::cipher_suite::TLS13_AES_128_GCM_SHA256];
        let provider = CryptoProvider { cipher_suites: suites, ..ring::default_provider() };
        let config = ClientConfig::builder_with_provider(Arc::new(provider));
        let config = config.with_protocol_versions(&[&rustls::version::TLS13])?.with_root_certificates(roots);
        let mut config = config.with_no_client_auth();
        if !key.resumes {
            config.resumption = Resumption::disabled();
        }
        Ok(Lock { config: Arc::new(config) })
    }

    /// A connection that has been greeted and logged in.
    pub(super) fn open(&self, key: &Key) -> Result<Stream> {
        let socket = plain(key.port)?;
        let name = ServerName::try_from("localhost").expect("a name");
        let connection = Mutex::new(ClientConnection::new(self.config.clone(), name)?);
        let mut stream = Stream::Tls(Arc::new(Tls { connection, socket }));
        stream.flush()?;
        if let Some(login) = &key.login {
            log_in(&mut stream, login)?;
        }
        Ok(stream)
    }
}

/// Both ends of one can be used by two threads, one that reads and one that writes.
pub(super) enum Stream {
    Plain(TcpStream),
    Tls(Arc<Tls>),
}

pub(super) struct Tls {
    connection: Mutex<ClientConnection>,
    socket: TcpStream,
}

pub(super) fn plain(port: u16) -> Result<TcpStream> {
    let stream = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).context("cannot connect")?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

impl Stream {
    pub(super) fn try_clone(&self) -> Result<Stream> {
        Ok(match self {
            Stream::Plain(socket) => Stream::Plain(socket.try_clone()?),
            Stream::Tls(tls) => Stream::Tls(tls.clone()),
        })
    }

    /// Whether the two sides knew each other from before; only behind an answer of the broker.
    pub(super) fn is_resumed(&self) -> bool {
        let Stream::Tls(tls) = self else { return false };
        tls.lock().handshake_kind() == Some(HandshakeKind::Resumed)
    }
}

impl Tls {
    fn lock(&self) -> std::sync::MutexGuard<'_, ClientConnection> {
        self.connection.lock().unwrap_or_else(PoisonError::into_inner)
    }

    fn flush(&self, connection: &mut ClientConnection) -> io::Result<()> {
        while connection.wants_write() {
            connection.write_tls(&mut &self.socket)?;
        }
        Ok(())
    }

    /// One reader at a time waits, and not with the lock, as the writer needs it meanwhile.
    fn read(&self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            match self.lock().reader().read(buffer) {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                other => return other,
            }
            self.wait()?;
            let mut connection = self.lock();
            if connection.read_tls(&mut &self.socket)? == 0 {
                return Ok(0);
            }
            connection.process_new_packets().map_err(io::Error::other)?;
            self.flush(&mut connection)?;
        }
    }

    fn wait(&self) -> io::Result<()> {
        let mut of = libc::pollfd { fd: self.socket.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        // SAFETY: the pointer is to one live `pollfd`.
        match unsafe { libc::poll(&raw mut of, 1, PATIENCE.as_millis() as libc::c_int) } {
            0 => Err(ErrorKind::TimedOut.into()),
            1 => Ok(()),
            _ => Err(io::Error::last_os_error()),
        }
    }

    /// What is written before the handshake is over waits for it.
    fn write(&self, mut bytes: &[u8]) -> io::Result<()> {
        self.shake_hands()?;
        let mut connection = self.lock();
        while !bytes.is_empty() {
            let taken = connection.writer().write(bytes)?;
            bytes = &bytes[taken..];
            self.flush(&mut connection)?;
        }
        Ok(())
    }

    fn shake_hands(&self) -> io::Result<()> {
        let mut connection = self.lock();
        while connection.is_handshaking() {
            connection.complete_io(&mut &self.socket)?;
        }
        Ok(())
    }
}

impl Read for Stream {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.read(buffer),
            Stream::Tls(tls) => tls.read(buffer),
        }
    }
}

impl Write for Stream {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        match self {
            Stream::Plain(socket) => socket.write(bytes),
            Stream::Tls(tls) => tls.write(bytes).map(|()| bytes.len()),
        }
    }

    fn flush(&mut self) -> io::Result<()> {
        match self {
            Stream::Plain(socket) => socket.flush(),
            Stream::Tls(tls) => tls.shake_hands(),
        }
    }
}

fn log_in(stream: &mut Stream, login: &Login) -> Result<()> {
    let handshake = SaslHandshakeRequest::default().with_mechanism(StrBytes::from_static_str(MECHANISM));
    let answer: SaslHandshakeResponse = call(stream, &handshake, HANDSHAKE)?;
    ensure!(answer.error_code == 0, "{MECHANISM} was refused with error {}", answer.error_code);
    let token = format!("\0{}\0{}", login.user, login.password).into_bytes();
    let request = SaslAuthenticateRequest::default().with_auth_bytes(token.into());
    let answer: SaslAuthenticateResponse = call(stream, &request, AUTHENTICATE)?;
    ensure!(answer.error_code == 0, "the login was refused with error {}", answer.error_code);
    Ok(())
}

/// Asks one thing and waits for the answer.
pub(super) fn call<R: Request>(stream: &mut Stream, request: &R, version: i16) -> Result<R::Response> {
    let frame = frame(R::KEY, version, 0, R::header_version(version), &body(request, version)?);
    let mut bytes = (frame.len() as u32).to_be_bytes().to_vec();
    bytes.extend(frame);
    stream.write_all(&bytes)?;
    let mut answer = Vec::new();
    read_answer(stream, &mut answer)?;
    let mut answer = bytes::Bytes::from(answer);
    ResponseHeader::decode(&mut answer, R::Response::header_version(version))?;
    R::Response::decode(&mut answer, version)
}
