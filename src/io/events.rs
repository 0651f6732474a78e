//! A GET by HTTP/1.1 whose answer is read line by line as it comes, for as long as the other side goes on: how a command follows
//! what a broker tells. Without TLS. Blocks.

use std::io::{self, BufRead, BufReader, Read, Write};
use std::net::{TcpStream, ToSocketAddrs};
use std::time::Duration;

use crate::stdx::secret::Secret;
use crate::stdx::url::Url;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// The other side says something at least every ten seconds, if only that it is there.
const SILENCE: Duration = Duration::from_secs(60);
const MOST_HEAD_BYTES: u64 = 64 << 10;
/// A line with a chunk's size.
const MOST_SIZE_LINE_BYTES: u64 = 1024;
/// A line of an answer: one event with its bodies.
const MOST_LINE_BYTES: u64 = 64 << 20;

/// An answer whose body is still to be read.
pub struct LineAnswer<R: Read> {
    pub status: u16,
    body: BufReader<EventBody<R>>,
}

/// Asks for a path at an address.
pub fn get(url: &Url, target: &str, token: Option<&Secret>) -> io::Result<LineAnswer<TcpStream>> {
    let mut last = io::Error::new(io::ErrorKind::NotFound, "the host has no address");
    for address in (url.host.as_str(), url.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT_PATIENCE) {
            Ok(stream) => return ask(stream, url, target, token),
            Err(error) => last = error,
        }
    }
    Err(last)
}

fn ask(mut stream: TcpStream, url: &Url, target: &str, token: Option<&Secret>) -> io::Result<LineAnswer<TcpStream>> {
    stream.set_read_timeout(Some(SILENCE))?;
    let mut request =
        format!("GET {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: klamm\r\n", url.authority()).into_bytes();
    if let Some(token) = token {
        if token.expose().iter().any(u8::is_ascii_control) {
            return Err(io::Error::other("a token is one line"));
        }
        request.extend_from_slice(b"Authorization: Bearer ");
        request.extend_from_slice(token.expose());
        request.extend_from_slice(b"\r\n");
    }
    request.extend_from_slice(b"Connection: close\r\n\r\n");
    stream.write_all(&request)?;
    answer(stream)
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

/// Reads the head of an answer.
fn answer<R: Read>(from: R) -> io::Result<LineAnswer<R>> {
    let mut from = BufReader::new(from);
    let mut head = (&mut from).take(MOST_HEAD_BYTES);
    let mut line = String::new();
    head.read_line(&mut line)?;
    let status = line.strip_prefix("HTTP/1.").and_then(|rest| rest.get(2..5)?.parse().ok());
    let status = status.ok_or_else(|| broken("the answer is not HTTP"))?;
    let mut left = Left::Connection;
    loop {
        line.clear();
        head.read_line(&mut line)?;
        if !line.ends_with('\n') {
            return Err(broken("the head of the answer is cut off, or too long"));
        }
        let Some((name, value)) = line.trim_end().split_once(':') else { break };
        match name.to_ascii_lowercase().as_str() {
            "transfer-encoding" if value.trim().eq_ignore_ascii_case("chunked") => left = Left::Chunk(0),
            "content-length" if !matches!(left, Left::Chunk(_)) => {
                left = Left::Bytes(value.trim().parse().map_err(|_| broken("the answer has no length"))?);
            }
            _ => {}
        }
    }
    Ok(LineAnswer { status, body: BufReader::new(EventBody { from, left }) })
}

impl<R: Read> LineAnswer<R> {
    /// The next line without its end; `None` behind the last one.
    pub fn line(&mut self) -> io::Result<Option<String>> {
        let mut line = Vec::new();
        (&mut self.body).take(MOST_LINE_BYTES).read_until(b'\n', &mut line)?;
        if line.is_empty() {
            return Ok(None);
        }
        if line.pop_if(|last| *last == b'\n').is_none() && line.len() as u64 == MOST_LINE_BYTES {
            return Err(broken("a line of the answer is too long"));
        }
        String::from_utf8(line).map(Some).map_err(|_| broken("the answer is no text"))
    }
}

/// What is left of a body.
enum Left {
    Connection,
    Bytes(u64),
    /// Bytes of the chunk that is read; 0 in front of the next one.
    Chunk(u64),
}

struct EventBody<R: Read> {
    from: BufReader<R>,
    left: Left,
}

impl<R: Read> EventBody<R> {
    fn size_line(&mut self) -> io::Result<String> {
        let mut line = String::new();
        (&mut self.from).take(MOST_SIZE_LINE_BYTES).read_line(&mut line)?;
        if line.ends_with('\n') { Ok(line) } else { Err(io::ErrorKind::UnexpectedEof.into()) }
    }
}

impl<R: Read> Read for EventBody<R> {
    fn read(&mut self, into: &mut [u8]) -> io::Result<usize> {
        if let Left::Chunk(0) = self.left {
            let line = self.size_line()?;
            let digits = line.split(';').next().unwrap_or_default().trim();
            let is_number = !digits.is_empty() && digits.bytes().all(|digit| digit.is_ascii_hexdigit());
            let size = u64::from_str_radix(digits, 16).ok().filter(|_| is_number);
            self.left = match size.ok_or_else(|| broken("the chunks of the answer cannot be read"))? {
                // What may come behind the last chunk is not looked at.
                0 => Left::Bytes(0),
                size => Left::Chunk(size),
            };
        }
        let most = match self.left {
            Left::Connection => u64::MAX,
            Left::Bytes(left) | Left::Chunk(left) => left,
        };
        let most = usize::try_from(most).unwrap_or(usize::MAX).min(into.len());
        let count = self.from.read(&mut into[..most])?;
        match &mut self.left {
            Left::Bytes(left) | Left::Chunk(left) if count == 0 && *left > 0 && most > 0 => {
                return Err(io::ErrorKind::UnexpectedEof.into());
            }
            Left::Bytes(left) => *left -= count as u64,
            Left::Chunk(left) => {
                *left -= count as u64;
                if *left == 0 && !self.size_line()?.trim_end().is_empty() {
                    return Err(broken("the chunks of the answer cannot be read"));
                }
            }
            Left::Connection => {}
        }
        Ok(count)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lines(text: &str) -> io::Result<(u16, Vec<String>)> {
        let mut answer = answer(text.as_bytes())?;
        let mut lines = Vec::new();
        while let Some(line) = answer.line()? {
            lines.push(line);
        }
        Ok((answer.status, lines))
    }

    #[test]
    fn lines_are_read_however_the_body_is_cut() {
        let both = |head: &str, body: &str| lines(&format!("HTTP/1.1 200 OK\r\n{head}\r\n{body}")).unwrap();
        let wanted = (200, vec!["ab".to_string(), "c".to_string()]);
        assert_eq!(both("Transfer-Encoding: chunked\r\n", "1\r\na\r\n3;x\r\nb\nc\r\n0\r\n\r\n"), wanted);
        assert_eq!(both("Content-Length: 4\r\n", "ab\ncd"), wanted);
        assert_eq!(both("", "ab\nc"), wanted);
        assert_eq!(both("content-length: 0\r\n", "x").1, Vec::<String>::new());
        for wrong in [
            "",
            "HTTP/2 200\r\n\r\n",
            "HTTP/1.1 200 OK\r\nA: b",
            "HTTP/1.1 200 OK\r\nContent-Length: x\r\n\r\n",
            "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n5\r\nab",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n+2\r\nab\r\n0\r\n\r\n",
            "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n1\r\nab\r\n0\r\n\r\n",
        ] {
            assert!(lines(wrong).is_err(), "{wrong}");
        }
        assert!(lines(&format!("HTTP/1.1 200 OK\r\nA: {}\r\n\r\n", "x".repeat(MOST_HEAD_BYTES as usize))).is_err());
    }
}
