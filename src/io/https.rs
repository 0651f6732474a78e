//! One GET, plain or over TLS, for a thread that may wait: how the keys of a provider of tokens are fetched.
//!
//! Its own and not a library's, as a provider may be trusted by its certificate alone, as Java's trust store has it, which
//! takes a verifier of ours, and as sockets are opened in `io/` only.
//!
//! Deviation from Java's client: it follows no redirects, as only the address itself was allowed, and knows no proxy.

mod response;

use std::io::{self, Read, Write};
use std::net::TcpStream;
use std::sync::Arc;
use std::thread;
use std::time::Duration;

use rustls::pki_types::ServerName;
use rustls::{ClientConfig, ClientConnection, StreamOwned};

use super::{clock, exchange};
use crate::stdx::url::Url;

/// How long a connection may take, and each pause of the other side (`org.jose4j.http.Get`).
const PATIENCE: Duration = Duration::from_secs(20);
/// How long a whole answer may take.
const PATIENCE_FOR_ALL: Duration = Duration::from_secs(60);
/// How often an address is asked again at once, and what is waited the first time; each time it is doubled.
const RETRIES: u32 = 3;
const FIRST_WAIT: Duration = Duration::from_millis(180);

/// Why there is no answer.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct GetError {
    pub reason: String,
    /// The same would come of it again.
    pub is_final: bool,
}

impl GetError {
    fn passing(reason: impl ToString) -> GetError {
        GetError { reason: reason.to_string(), is_final: false }
    }

    fn lasting(reason: impl ToString) -> GetError {
        GetError { reason: reason.to_string(), is_final: true }
    }
}

/// The body of an answer with the status 200. `tls` is for addresses of `https:`. What may come to more is tried again, three
/// times at most. Blocks.
pub fn get(url: &Url, tls: Option<&Arc<ClientConfig>>) -> Result<Vec<u8>, GetError> {
    let mut wait = FIRST_WAIT;
    for _ in 0..RETRIES {
        match get_once(url, tls) {
            Err(error) if !error.is_final => {}
            result => return result,
        }
        thread::sleep(wait);
        wait *= 2;
    }
    get_once(url, tls)
}

fn get_once(url: &Url, tls: Option<&Arc<ClientConfig>>) -> Result<Vec<u8>, GetError> {
    let stream = connect(url).map_err(GetError::passing)?;
    match tls.filter(|_| url.is_tls) {
        None if url.is_tls => Err(GetError::lasting("there is no TLS to reach it by")),
        None => ask(url, stream),
        Some(config) => {
            let name = ServerName::try_from(url.host.clone()).map_err(GetError::lasting)?;
            let connection = ClientConnection::new(config.clone(), name).map_err(GetError::lasting)?;
            ask(url, StreamOwned::new(connection, stream))
        }
    }
}

fn connect(url: &Url) -> io::Result<TcpStream> {
    let stream = exchange::connect(&url.host, url.port, PATIENCE)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn ask(url: &Url, mut stream: impl Read + Write) -> Result<Vec<u8>, GetError> {
    let until = clock::now() + PATIENCE_FOR_ALL;
    let request = format!(
        "GET {} HTTP/1.1\r\nHost: {}\r\nUser-Agent: klamm\r\nAccept: application/json, */*;q=0.5\r\nCache-Control: no-cache\r\n\
         Connection: close\r\n\r\n",
        url.target,
        url.authority()
    );
    stream.write_all(request.as_bytes()).map_err(of_stream)?;
    stream.flush().map_err(of_stream)?;
    let (mut received, mut piece) = (Vec::new(), [0; 16 * 1024]);
    loop {
        let count = match stream.read(&mut piece) {
            Ok(count) => count,
            Err(error) if error.kind() == io::ErrorKind::Interrupted => continue,
            Err(error) => return Err(of_stream(error)),
        };
        received.extend_from_slice(&piece[..count]);
        match response::read(&received, count == 0).map_err(of_answer)? {
            Some(answer) if answer.status == 200 => return Ok(answer.body),
            Some(answer) => return Err(GetError::passing(format!("Non 200 status code ({}) returned", answer.status))),
            None if clock::now() >= until => return Err(GetError::passing("the answer takes too long")),
            None => {}
        }
    }
}

fn of_answer(reason: &'static str) -> GetError {
    GetError { reason: reason.into(), is_final: reason == response::TOO_LARGE }
}

/// What TLS refuses, it refuses again.
fn of_stream(error: io::Error) -> GetError {
    let is_of_tls = error.get_ref().is_some_and(|inner| inner.is::<rustls::Error>());
    GetError { reason: error.to_string(), is_final: is_of_tls }
}

#[cfg(test)]
mod tests;
