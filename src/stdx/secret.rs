//! A text that must reach no log, no answer and no panic: a password, a key.

use std::fmt;

use subtle::ConstantTimeEq;
use zeroize::Zeroizing;

/// Shown as `[hidden]` and wiped when it is dropped. It has no `Display`.
#[derive(Clone)]
pub struct Secret(Zeroizing<Vec<u8>>);

impl Secret {
    pub fn new(text: impl Into<Vec<u8>>) -> Secret {
        Secret(Zeroizing::new(text.into()))
    }

    /// The one way to the bytes.
    pub fn expose(&self) -> &[u8] {
        &self.0
    }
}

/// How long it takes tells the length of both at most.
impl PartialEq for Secret {
    fn eq(&self, other: &Secret) -> bool {
        self.0.ct_eq(&other.0).into()
    }
}

impl Eq for Secret {}

impl fmt::Debug for Secret {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("[hidden]")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn it_does_not_show_and_equals_what_has_the_same_bytes() {
        let secret = Secret::new("pass word");
        assert_eq!(format!("{secret:?} {:#?}", Some(&secret)), "[hidden] Some(\n    [hidden],\n)");
        assert_eq!((secret.clone() == secret, secret.expose()), (true, b"pass word".as_slice()));
        assert!(
            [Secret::new("pass wore"), Secret::new("pass wor"), Secret::new("")].iter().all(|other| *other != secret)
        );
    }
}
