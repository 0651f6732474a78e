//! Addresses of the web, as far as a GET needs them (RFC 3986, 3).

/// An address of `http:` or `https:`.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Url {
    pub is_tls: bool,
    /// A name, or an address without brackets.
    pub host: String,
    pub port: u16,
    /// Path and query as they stand in a request.
    pub target: String,
}

impl Url {
    /// An error says what is wrong with the text, in which there are no names and passwords of users.
    pub fn parse(text: &str) -> Result<Url, &'static str> {
        if !text.bytes().all(|c| (0x21..0x7f).contains(&c)) {
            return Err("it has blanks, or characters that must be written as %XX");
        }
        let (scheme, rest) = text.split_once("://").ok_or("no protocol")?;
        let is_tls = match scheme.to_ascii_lowercase().as_str() {
            "http" => false,
            "https" => true,
            _ => return Err("its protocol is neither http nor https"),
        };
        let rest = rest.split('#').next().unwrap_or_default();
        let (authority, target) = rest.split_at(rest.find(['/', '?']).unwrap_or(rest.len()));
        if authority.contains('@') {
            return Err("it has a user");
        }
        let (host, port) = match authority.strip_prefix('[').map(|rest| rest.split_once(']')) {
            Some(None) => return Err("a bracket is missing"),
            Some(Some((host, port))) => (host, port.strip_prefix(':').or((port.is_empty()).then_some(""))),
            None => match authority.split_once(':') {
                Some((host, port)) => (host, Some(port)),
                None => (authority, Some("")),
            },
        };
        let port = match port.ok_or("something stands behind the bracket")? {
            "" if is_tls => 443,
            "" => 80,
            digits if digits.bytes().all(|c| c.is_ascii_digit()) => digits.parse().map_err(|_| "no such port")?,
            _ => return Err("its port is no number"),
        };
        if host.is_empty() || port == 0 {
            return Err("it has no host, or the port 0");
        }
        let slash = if target.starts_with('/') { "" } else { "/" };
        Ok(Url { is_tls, host: host.to_string(), port, target: format!("{slash}{target}") })
    }

    /// Host and port as a request names them.
    pub fn authority(&self) -> String {
        let host = if self.host.contains(':') { format!("[{}]", self.host) } else { self.host.clone() };
        match (self.is_tls, self.port) {
            (true, 443) | (false, 80) => host,
            (_, port) => format!("{host}:{port}"),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn addresses_are_read() {
        let read = |text: &str| {
            Url::parse(text).map(|url| {
                let authority = url.authority();
                format!("{} {} {} {} {authority}", url.is_tls, url.host, url.port, url.target)
            })
        };
        for (text, expected) in [
            ("https://a.b/keys?x=1#y", "true a.b 443 /keys?x=1 a.b"),
            ("HTTP://a", "false a 80 / a"),
            ("http://a:8080?q", "false a 8080 /?q a:8080"),
            ("https://[::1]:444/x", "true ::1 444 /x [::1]:444"),
            ("https://[::1]", "true ::1 443 / [::1]"),
            ("http://a:/", "false a 80 / a"),
        ] {
            assert_eq!(read(text).as_deref(), Ok(expected), "{text}");
        }
        for text in [
            "",
            "a",
            "http:/a",
            "ftp://a",
            "http://",
            "http://:80/",
            "http://a:0/",
            "http://a:65536/",
            "http://a:x/",
            "http://u:p@a/",
            "http://[::1",
            "http://[::1]x/",
            "http://a/\r\nHost: b",
            "http://a/é",
            "http://a b/",
            "http://a:+80/",
        ] {
            assert!(read(text).is_err(), "{text}");
        }
    }
}
