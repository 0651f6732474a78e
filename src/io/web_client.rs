//! One request to an HTTP side of ours: for tests in this process.

use std::io::{self, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

/// How long an answer may take: longer than the HTTP side waits itself.
const PATIENCE: Duration = Duration::from_secs(330);
/// The largest answer that is taken.
const MOST_ANSWER_BYTES: u64 = 64 << 20;

/// Asks by a connection of its own; answers the status and the body. Blocks.
pub fn ask(address: &str, verb: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    if path.bytes().any(|byte| byte <= b' ') {
        return Err(io::Error::new(ErrorKind::InvalidInput, format!("{path:?} is no path")));
    }
    let mut stream = TcpStream::connect(address)?;
    stream.set_read_timeout(Some(PATIENCE))?;
    let length = body.len();
    let head =
        format!("{verb} {path} HTTP/1.1\r\nhost: {address}\r\nconnection: close\r\ncontent-length: {length}\r\n");
    stream.write_all(format!("{head}\r\n{body}").as_bytes())?;
    let mut answer = String::new();
    stream.take(MOST_ANSWER_BYTES).read_to_string(&mut answer)?;
    let is_none = || io::Error::new(ErrorKind::InvalidData, "that is no answer of HTTP");
    let (head, body) = answer.split_once("\r\n\r\n").ok_or_else(is_none)?;
    let status = head.split(' ').nth(1).and_then(|status| status.parse().ok()).ok_or_else(is_none)?;
    Ok((status, body.to_string()))
}
