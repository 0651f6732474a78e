//! A client of HTTP/1.1 for the HTTP side of a broker: one request on a connection of its own. The answer is read as a whole, or
//! line by line as it comes, for as long as the other side goes on. Without TLS. Blocks.

use std::io::{self, BufRead, BufReader, ErrorKind, Read, Write};
use std::net::TcpStream;
use std::time::Duration;

use super::exchange;
use crate::stdx::secret::Secret;
use crate::stdx::url::Url;

const CONNECT_PATIENCE: Duration = Duration::from_secs(10);
/// How long an answer may take: longer than the HTTP side waits itself.
const PATIENCE: Duration = Duration::from_secs(330);
/// An answer that goes on has something at least every ten seconds, if only that the other side is there.
const SILENCE: Duration = Duration::from_secs(60);
const MOST_HEAD_BYTES: u64 = 64 << 10;
/// A line with a chunk's size.
const MOST_SIZE_LINE_BYTES: u64 = 1024;
/// A line of an answer: one event with its bodies.
const MOST_LINE_BYTES: u64 = 64 << 20;
/// An answer that is read as a whole.
const MOST_ANSWER_BYTES: u64 = 64 << 20;

/// An answer whose body is still to be read.
pub struct LineAnswer<R: Read> {
    pub status: u16,
    body: BufReader<EventBody<R>>,
}

/// Asks by a connection of its own; answers the status and the body.
pub fn ask(address: &str, verb: &str, path: &str, body: &str) -> io::Result<(u16, String)> {
    let url = Url::parse(&format!("http://{address}")).map_err(invalid)?;
    let mut answer = send(&url, verb, path, None, body, PATIENCE)?;
    let mut text = String::new();
    (&mut answer.body).take(MOST_ANSWER_BYTES).read_to_string(&mut text)?;
    Ok((answer.status, text))
}

/// Asks for a path whose answer is read line by line.
pub fn get(url: &Url, target: &str, token: Option<&Secret>) -> io::Result<LineAnswer<TcpStream>> {
    send(url, "GET", target, token, "", SILENCE)
}

fn send(
    url: &Url,
    verb: &str,
    target: &str,
    token: Option<&Secret>,
    body: &str,
    silence: Duration,
) -> io::Result<LineAnswer<TcpStream>> {
    let head = head(url, verb, target, token, body.len())?;
    let mut stream = exchange::connect(&url.host, url.port, CONNECT_PATIENCE)?;
    stream.set_read_timeout(Some(silence))?;
    stream.write_all(&[&head, body.as_bytes()].concat())?;
    answer(stream)
}

fn head(url: &Url, verb: &str, target: &str, token: Option<&Secret>, length: usize) -> io::Result<Vec<u8>> {
    if target.bytes().any(|byte| byte <= b' ') {
        return Err(invalid(format!("{target:?} is no path")));
    }
    let mut head =
        format!("{verb} {target} HTTP/1.1\r\nHost: {}\r\nUser-Agent: klamm\r\n", url.authority()).into_bytes();
    if let Some(token) = token {
        if token.expose().iter().any(u8::is_ascii_control) {
            return Err(invalid("a token is one line"));
        }
        head.extend_from_slice(b"Authorization: Bearer ");
        head.extend_from_slice(token.expose());
        head.extend_from_slice(b"\r\n");
    }
    head.extend_from_slice(format!("Content-Length: {length}\r\nConnection: close\r\n\r\n").as_bytes());
    Ok(head)
}

fn invalid(what: impl Into<Box<dyn std::error::Error + Send + Sync>>) -> io::Error {
    io::Error::new(ErrorKind::InvalidInput, what)
}

fn broken(what: &'static str) -> io::Error {
    io::Error::new(ErrorKind::InvalidData, what)
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
        if line.ends_with('\n') { Ok(line) } else { Err(ErrorKind::UnexpectedEof.into()) }
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
                return Err(ErrorKind::UnexpectedEof.into());
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
    fn a_request_is_one_head_and_its_body() {
        let url = Url::parse("http://[::1]:8080").unwrap();
        let told = head(&url, "POST", "/v1/x?a=%20", Some(&Secret::new("t")), 3).unwrap();
        let expected = "POST /v1/x?a=%20 HTTP/1.1\r\nHost: [::1]:8080\r\nUser-Agent: klamm\r\nAuthorization: Bearer t\r\n\
                        Content-Length: 3\r\nConnection: close\r\n\r\n";
        assert_eq!(String::from_utf8(told).unwrap(), expected);
        for target in ["/a b", "/a\r\nX: y"] {
            assert_eq!(head(&url, "GET", target, None, 0).unwrap_err().kind(), ErrorKind::InvalidInput, "{target:?}");
        }
        assert!(head(&url, "GET", "/", Some(&Secret::new("a\r\nX: y")), 0).is_err());
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
