//! The arguments of `klamm test`.

use std::path::{Path, PathBuf};

use serde_json::Value;

use crate::broker::first::{FirstTopic, FirstUser};
use crate::cli::{self, args::Given};
use crate::stdx::secret::Secret;

/// What logs and metadata may take in memory; tests write little, and a machine of CI has two gigabytes and more.
pub(crate) const DEFAULT_MEMORY_BYTES: u64 = 256 << 20;

/// Brokers that one process plays at most.
pub(crate) const MOST_BROKERS: usize = 100;

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub(crate) struct TestArguments {
    /// 0 lets the kernel choose.
    pub(crate) port: u16,
    /// How many brokers it plays.
    pub(crate) brokers: usize,
    /// `None`: in memory.
    pub(crate) directory: Option<PathBuf>,
    pub(crate) memory_bytes: u64,
    pub(crate) topics: Vec<FirstTopic>,
    pub(crate) users: Vec<FirstUser>,
    /// Rules by which it breaks from the beginning, as `/v1/faults` takes them.
    pub(crate) faults: Vec<Value>,
    /// Where the certificates are written.
    pub(crate) tls: Option<PathBuf>,
    pub(crate) as_version: Option<String>,
    pub(crate) overrides: Vec<(String, String)>,
    /// Only show how the broker would differ.
    pub(crate) explain: bool,
    /// It outlives its parent and its standard input.
    pub(crate) stay: bool,
}

impl Default for TestArguments {
    fn default() -> TestArguments {
        TestArguments {
            port: 0,
            brokers: 1,
            directory: None,
            memory_bytes: DEFAULT_MEMORY_BYTES,
            topics: Vec::new(),
            users: Vec::new(),
            faults: Vec::new(),
            tls: None,
            as_version: None,
            overrides: Vec::new(),
            explain: false,
            stay: false,
        }
    }
}

impl TestArguments {
    /// What the line says; an error is a sentence.
    pub(crate) fn of(given: &Given, overrides: Vec<(String, String)>) -> Result<TestArguments, String> {
        let memory_bytes = given.text("memory")?.map_or(Ok(DEFAULT_MEMORY_BYTES), |text| bytes(&text))?;
        let brokers = given.parsed("brokers")?.unwrap_or(1);
        if !(1..=MOST_BROKERS).contains(&brokers) {
            return Err(format!("--brokers wants a number from 1 to {MOST_BROKERS}, not {brokers}"));
        }
        if brokers > 1 && given.path("dir").is_some() {
            return Err("--brokers plays brokers whose data are in memory: it does not go with --dir".into());
        }
        Ok(TestArguments {
            port: given.parsed("port")?.unwrap_or(0),
            brokers,
            directory: given.path("dir"),
            memory_bytes,
            topics: given.texts("topic")?.iter().map(|text| topic(text)).collect::<Result<_, _>>()?,
            users: given.texts("user")?.iter().map(|text| user(text)).collect::<Result<_, _>>()?,
            faults: given.path("faults").as_deref().map_or(Ok(Vec::new()), faults)?,
            tls: given.path("tls"),
            as_version: given.text("as-version")?,
            overrides,
            explain: given.has("explain"),
            stay: given.has("stay"),
        })
    }
}

/// A number of bytes, or of K, M or G.
fn bytes(text: &str) -> Result<u64, String> {
    let (digits, shift) = match text.strip_suffix(['K', 'M', 'G']) {
        Some(digits) if text.ends_with('K') => (digits, 10),
        Some(digits) if text.ends_with('M') => (digits, 20),
        Some(digits) => (digits, 30),
        None => (text, 0),
    };
    let number: Option<u64> = digits.parse().ok();
    number
        .and_then(|number| number.checked_mul(1 << shift))
        .filter(|bytes| *bytes > 0)
        .ok_or_else(|| format!("--memory wants bytes, as 67108864 or 64M, not {text:?}"))
}

/// `name:partitions:key=value…`
pub(in crate::cli) fn topic(text: &str) -> Result<FirstTopic, String> {
    let mut parts = text.split(':');
    let name = parts.next().filter(|name| !name.is_empty());
    let partitions = parts.next().map_or(Some(1), |number| number.parse().ok().filter(|number| *number > 0));
    let configs: Option<Vec<_>> = parts
        .map(|pair| pair.split_once('=').filter(|(key, _)| !key.is_empty()))
        .map(|pair| pair.map(|(key, value)| (key.to_string(), value.to_string())))
        .collect();
    match (name, partitions, configs) {
        (Some(name), Some(partitions), Some(configs)) => Ok(FirstTopic { name: name.into(), partitions, configs }),
        _ => Err(format!("--topic wants name:partitions:key=value…, not {text:?}")),
    }
}

/// The rules of a file: one, or an array of them. What a rule may be, the broker judges.
pub(in crate::cli) fn faults(path: &Path) -> Result<Vec<Value>, String> {
    let text = cli::text_of(path, "file of fault rules")?;
    match serde_json::from_str(&text) {
        Ok(Value::Array(rules)) => Ok(rules),
        Ok(rule @ Value::Object(_)) => Ok(vec![rule]),
        Ok(_) => Err(format!("{}: fault rules are an array of objects", path.display())),
        Err(error) => Err(format!("{}: it is no JSON: {error}", path.display())),
    }
}

/// `name:password`. The password is in no message.
fn user(text: &str) -> Result<FirstUser, String> {
    let (name, password) = text.split_once(':').unwrap_or((text, ""));
    let user = FirstUser { name: name.into(), password: Secret::new(password) };
    check_user(&user).map_err(|sentence| format!("--user wants name:password: {sentence}"))?;
    Ok(user)
}

/// What the name may have is what a setting of PLAIN takes without quotes. No message has either of the two.
pub(crate) fn check_user(user: &FirstUser) -> Result<(), String> {
    let is_plain = |name: &str| name.chars().all(|c| c.is_ascii_alphanumeric() || ['-', '_', '.'].contains(&c));
    match !user.name.is_empty() && is_plain(&user.name) && !user.password.expose().is_empty() {
        true => Ok(()),
        false => Err("a user has a name of letters, digits, '-', '_' and '.', and a password".into()),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn sizes_topics_and_users_are_read() {
        assert_eq!([bytes("12"), bytes("64M"), bytes("1G")], [Ok(12), Ok(64 << 20), Ok(1 << 30)]);
        for wrong in ["", "0", "M", "-1", "1.5G", "99999999999G"] {
            assert!(bytes(wrong).is_err(), "{wrong}");
        }
        let configs = |pairs: &[(&str, &str)]| pairs.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect();
        let first = |name: &str, partitions, pairs: &[(&str, &str)]| {
            Ok(FirstTopic { name: name.into(), partitions, configs: configs(pairs) })
        };
        assert_eq!(topic("t"), first("t", 1, &[]));
        assert_eq!(topic("t:3:a=b=c:d="), first("t", 3, &[("a", "b=c"), ("d", "")]));
        for wrong in ["", ":1", "t:0", "t:x", "t:1:a", "t:1:=b"] {
            assert!(topic(wrong).is_err(), "{wrong}");
        }
        assert_eq!(user("a:b:c"), Ok(FirstUser { name: "a".into(), password: Secret::new("b:c") }));
        for wrong in ["", "a", "a:", ":b", "a b:c", "a\":secret"] {
            assert!(user(wrong).is_err_and(|sentence| !sentence.contains("secret")), "{wrong}");
        }
    }
}
