//! Hosts as ACLs name them: addresses as Java writes them, and ranges in CIDR notation (`CidrUtils`, KIP-1276).
//!
//! Kafka compares texts. Java writes each address in one way only, so that two texts that it wrote are equal if the
//! addresses are, and a text that Java would not write, such as `::1`, never names a client.

use std::fmt;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};

/// Names every host.
pub const EVERY_HOST: &str = "*";

/// The address of a client, as Java has it: an IPv4 address in IPv6 form is one of IPv4.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Debug)]
pub struct HostAddress {
    ip: IpAddr,
    /// The interface of a link-local address; 0 is none.
    scope: u32,
}

impl From<SocketAddr> for HostAddress {
    fn from(peer: SocketAddr) -> HostAddress {
        let ip = peer.ip().to_canonical();
        let scope = match peer {
            SocketAddr::V6(peer) if ip.is_ipv6() => peer.scope_id(),
            _ => 0,
        };
        HostAddress { ip, scope }
    }
}

impl HostAddress {
    /// The address of which `InetAddress.getHostAddress` gives this text.
    fn written(text: &str) -> Option<HostAddress> {
        let (ip, scope) = match text.split_once('%') {
            Some((ip, scope)) => (ip, scope.parse().ok()?),
            None => (text, 0),
        };
        let address = HostAddress { ip: ip.parse().ok()?, scope };
        (address.to_string() == text).then_some(address)
    }
}

/// As `InetAddress.getHostAddress`.
impl fmt::Display for HostAddress {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let ip = match self.ip {
            IpAddr::V4(ip) => return write!(f, "{ip}"),
            IpAddr::V6(ip) => ip,
        };
        for (at, segment) in ip.segments().into_iter().enumerate() {
            write!(f, "{}{segment:x}", if at == 0 { "" } else { ":" })?;
        }
        match self.scope {
            0 => Ok(()),
            scope => write!(f, "%{scope}"),
        }
    }
}

/// A range of addresses, all that begin with the same bits.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub struct Cidr {
    /// Any address of the range.
    base: IpAddr,
    prefix: u32,
}

impl Cidr {
    /// Reads a text with a `/`. The error is Kafka's sentence (commons-net's `SubnetUtils`, `SubnetUtils6`).
    pub fn parse(text: &str) -> Result<Cidr, String> {
        if text.contains(':') { Cidr::parse_v6(text) } else { Cidr::parse_v4(text) }
    }

    fn parse_v4(text: &str) -> Result<Cidr, String> {
        let number = |part: &str, digits: usize| {
            let fits = (1..=digits).contains(&part.len()) && part.bytes().all(|byte| byte.is_ascii_digit());
            fits.then(|| part.parse::<u32>().ok()).flatten()
        };
        let parts = || {
            let (address, prefix) = text.split_once('/')?;
            let octets: Option<Vec<u32>> = address.split('.').map(|part| number(part, 3)).collect();
            let octets: [u32; 4] = octets?.try_into().ok()?;
            Some((octets, number(prefix, 2)?))
        };
        let (octets, prefix) = parts().ok_or_else(|| format!("Could not parse [{text}]"))?;
        let mut bytes = [0; 4];
        for (byte, octet) in bytes.iter_mut().zip(octets) {
            *byte = u8::try_from(octet).map_err(|_| format!("Value [{octet}] not in range [0,255]"))?;
        }
        if prefix > 32 {
            return Err(format!("Value [{prefix}] not in range [0,32]"));
        }
        Ok(Cidr { base: bytes.into(), prefix })
    }

    fn parse_v6(text: &str) -> Result<Cidr, String> {
        let (address, prefix) = text.split_once('/').unwrap_or((text, ""));
        let prefix: i32 = prefix.parse().map_err(|_| format!("Could not parse [{text}] - invalid prefix length"))?;
        let prefix = u32::try_from(prefix).ok().filter(|prefix| *prefix <= 128);
        let prefix =
            prefix.ok_or_else(|| format!("Could not parse [{text}] - prefix length must be between 0 and 128"))?;
        let base = java_v6(address).ok_or_else(|| format!("Could not parse [{address}]"))?;
        if base.to_canonical().is_ipv4() {
            return Err(format!("Could not parse [{address}] - not an IPv6 address"));
        }
        Ok(Cidr { base: base.into(), prefix })
    }

    /// Whether the host's address lies in it. `SubnetUtils` leaves 0.0.0.0 out of every range.
    pub fn contains(&self, host: HostAddress) -> bool {
        match (self.base, host.ip) {
            (IpAddr::V4(base), IpAddr::V4(ip)) => {
                let differ = u32::from(base) ^ u32::from(ip);
                !ip.is_unspecified() && differ.checked_shr(32 - self.prefix).unwrap_or(0) == 0
            }
            (IpAddr::V6(base), IpAddr::V6(ip)) => {
                let differ = u128::from(base) ^ u128::from(ip);
                differ.checked_shr(128 - self.prefix).unwrap_or(0) == 0
            }
            _ => false,
        }
    }
}

/// Reads what Java reads as an IPv6 address: it may stand in brackets, name an interface by its number, and have zeros too
/// many before its parts.
fn java_v6(text: &str) -> Option<Ipv6Addr> {
    let bare = text.strip_prefix('[').and_then(|bare| bare.strip_suffix(']')).unwrap_or(text);
    let (address, scope) = bare.split_once('%').unwrap_or((bare, "0"));
    if scope.is_empty() || !scope.bytes().all(|byte| byte.is_ascii_digit()) {
        return None;
    }
    let is_separator = |c| [':', '.'].contains(&c);
    let short = |part: &str| {
        let digits = part.trim_end_matches(is_separator);
        let zeros = digits.len() - digits.trim_start_matches('0').len();
        part[zeros.min(digits.len().saturating_sub(1))..].to_string()
    };
    address.split_inclusive(is_separator).map(short).collect::<String>().parse().ok()
}

/// What an ACL says of hosts.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum HostPattern {
    Every,
    One(HostAddress),
    Range(Cidr),
    /// No client's address is written like that.
    None,
}

impl HostPattern {
    pub fn parse(text: &str) -> HostPattern {
        if text == EVERY_HOST {
            return HostPattern::Every;
        }
        if text.contains('/') {
            return Cidr::parse(text).map_or(HostPattern::None, HostPattern::Range);
        }
        HostAddress::written(text).map_or(HostPattern::None, HostPattern::One)
    }

    #[cfg(any(test, feature = "fuzzing"))]
    pub fn matches(&self, host: HostAddress) -> bool {
        match self {
            HostPattern::Every => true,
            HostPattern::One(address) => *address == host,
            HostPattern::Range(range) => range.contains(host),
            HostPattern::None => false,
        }
    }
}
