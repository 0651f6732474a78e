//! A principal: whom a client is known as (`KafkaPrincipal`), and how one is made of a certificate's name or of
//! Kerberos's.

pub(crate) mod dn;
mod java_regex;
pub(crate) mod kerberos;
pub(crate) mod mapping;

use std::borrow::Cow;
use std::fmt;

/// Names a user, or what a custom principal type stands for. Two are the same if type and name are.
#[derive(Clone, PartialEq, Eq, Hash, Debug)]
pub struct Principal {
    /// Type and name with a colon between them, as rules and `super.users` name it.
    text: Cow<'static, str>,
    /// Length of the type.
    kind: usize,
}

impl Principal {
    /// The type of every principal that Kafka makes itself.
    pub const USER: &'static str = "User";
    /// A client that has not said who it is.
    pub const ANONYMOUS: Principal = Principal { text: Cow::Borrowed("User:ANONYMOUS"), kind: Principal::USER.len() };

    pub fn new(kind: impl Into<Cow<'static, str>>, name: impl Into<Cow<'static, str>>) -> Principal {
        let (kind, name) = (kind.into(), name.into());
        Principal { text: Cow::Owned(format!("{kind}:{name}")), kind: kind.len() }
    }

    /// Type and name with a colon between them.
    pub fn text(&self) -> &str {
        &self.text
    }

    pub fn kind(&self) -> &str {
        &self.text[..self.kind]
    }

    pub fn name(&self) -> &str {
        &self.text[self.kind + 1..]
    }
}

impl fmt::Display for Principal {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.text)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn principals_are_written_as_kafka_writes_them() {
        assert_eq!(Principal::ANONYMOUS.to_string(), "User:ANONYMOUS");
        let alice = Principal::new(Principal::USER, "alice".to_string());
        assert_eq!((alice.kind(), alice.name(), alice.to_string().as_str()), ("User", "alice", "User:alice"));
        assert_ne!(alice, Principal::new("Role", "alice"));
        assert_eq!(Principal::new("User", "ANONYMOUS"), Principal::ANONYMOUS);
    }
}
