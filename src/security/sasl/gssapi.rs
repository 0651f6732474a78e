//! GSSAPI (RFC 4752), the server's side, as Java's `GssKrb5Server` speaks it for Kafka: Kerberos proves who the client is; then
//! both say that they want no security layer of it.
//!
//! | stage | the client's token | the answer |
//! | --- | --- | --- |
//! | accepting | the next one of Kerberos | the next one of Kerberos; behind the last, where there is none, the layers |
//! | accepted | empty | the layers that are offered: none |
//! | offered | the layer that it chooses, its buffer, and whom it wants to be | empty, done |
//!
//! Kerberos itself is a library of the machine, which comes in as [`GssClient`]. It reads a keytab and writes a cache of what
//! it has seen, so a step may wait for the disk. Whom the client wants to be does not matter, as in Kafka
//! (`SaslServerCallbackHandler`): it is who it has proved to be. All that the library refuses is told alike. So it is by Kafka,
//! whose `KerberosError` would leave a replay unanswered, but cannot see it behind the walls of Java's modules.
//!
//! Deviation: a client whose name no rule shortens is refused here; Kafka lets it in and closes with its first request.

use std::fmt;
use std::sync::Arc;

use super::{Authenticated, Failure, Step};
use crate::security::principal::kerberos::ShortNames;

/// The bit of RFC 4752 for no security layer.
const NO_LAYER: u8 = 1;
/// What Java says that it takes at once (`AbstractSaslImpl.recvMaxBufSize`), in three bytes behind the layers.
const OFFER: [u8; 4] = [NO_LAYER, 1, 0, 0];

/// A broker's key, by which clients prove to Kerberos who they are. Shared by all shards.
pub trait Acceptor: Send + Sync {
    fn begin(&self) -> Box<dyn GssClient>;
}

/// What the library keeps of one client. Each call may wait for the disk; an error says why the library refuses, for the log.
pub trait GssClient: Send {
    /// Takes the client's next token of Kerberos.
    fn accept(&mut self, token: &[u8]) -> Result<AcceptedToken, String>;
    /// Signs for the client.
    fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, String>;
    /// What the client has signed.
    fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>, String>;
}

#[derive(Clone, PartialEq, Eq, Debug)]
pub struct AcceptedToken {
    /// The next one of Kerberos, if there is one.
    pub token: Option<Vec<u8>>,
    /// The client's name with its realm, once it is proved.
    pub client: Option<String>,
}

/// What a listener has for GSSAPI.
#[derive(Clone)]
pub struct GssVerifier {
    acceptor: Arc<dyn Acceptor>,
    names: Arc<ShortNames>,
}

impl fmt::Debug for GssVerifier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GssVerifier").field("names", &self.names).finish_non_exhaustive()
    }
}

impl GssVerifier {
    /// `default_realm` is empty where there is none. An error is a sentence about the rules.
    pub fn new(acceptor: Arc<dyn Acceptor>, default_realm: &str, rules: &[String]) -> Result<GssVerifier, String> {
        Ok(GssVerifier { acceptor, names: Arc::new(ShortNames::parse(default_realm, rules)?) })
    }
}

/// One exchange.
pub struct GssServer {
    context: Box<dyn GssClient>,
    names: Arc<ShortNames>,
    stage: Stage,
}

enum Stage {
    Accepting,
    /// Each has the client's short name.
    Accepted(String),
    Offered(String),
}

impl fmt::Debug for GssServer {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("GssServer").finish_non_exhaustive()
    }
}

/// The library refuses; why, is for the log.
fn refused(reason: String) -> Step {
    Failure::hidden(reason).into()
}

impl GssServer {
    pub(super) fn new(verifier: &GssVerifier) -> GssServer {
        GssServer { context: verifier.acceptor.begin(), names: verifier.names.clone(), stage: Stage::Accepting }
    }

    /// May wait for the disk.
    pub(super) fn step(&mut self, token: &[u8]) -> Step {
        let stage = std::mem::replace(&mut self.stage, Stage::Accepting);
        match stage {
            Stage::Accepting => self.accept(token),
            Stage::Accepted(_) if !token.is_empty() => {
                Failure::hidden("Handshake expecting no response data from server").into()
            }
            Stage::Accepted(name) => self.offer(name),
            Stage::Offered(name) => self.context.unwrap(token).map_or_else(refused, |choice| finish(&choice, name)),
        }
    }

    fn accept(&mut self, token: &[u8]) -> Step {
        let AcceptedToken { token, client } = match self.context.accept(token) {
            Ok(accepted) => accepted,
            Err(reason) => return refused(reason),
        };
        let name = match client.map(|client| self.names.short_name(&client)) {
            Some(Ok(name)) => name,
            Some(Err(reason)) => return Failure::hidden(reason).into(),
            None => return Step::Challenge(token.unwrap_or_default()),
        };
        match token {
            Some(token) => {
                self.stage = Stage::Accepted(name);
                Step::Challenge(token)
            }
            None => self.offer(name),
        }
    }

    fn offer(&mut self, name: String) -> Step {
        self.stage = Stage::Offered(name);
        self.context.wrap(&OFFER).map_or_else(refused, Step::Challenge)
    }
}

fn finish(choice: &[u8], name: String) -> Step {
    match choice {
        [layers, _, _, _, _authorization_id @ ..] if layers & NO_LAYER != 0 => {
            let identity = Authenticated { name, expires: None, by_delegation_token: false };
            Step::Done { token: Vec::new(), identity }
        }
        [layers, _, _, _, ..] => Failure::hidden(format!("Client selected unsupported protection: {layers}")).into(),
        _ => Failure::hidden("the client's choice of a protection is too short").into(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// A library for which a token is right if it says so.
    struct Named {
        /// Whether the client gets a token behind its last one.
        is_mutual: bool,
    }

    impl Acceptor for Named {
        fn begin(&self) -> Box<dyn GssClient> {
            Box::new(Named { is_mutual: self.is_mutual })
        }
    }

    fn trouble(token: &[u8]) -> String {
        String::from_utf8_lossy(token).into()
    }

    impl GssClient for Named {
        fn accept(&mut self, token: &[u8]) -> Result<AcceptedToken, String> {
            if token == b"more" {
                return Ok(AcceptedToken { token: Some(b"go on".to_vec()), client: None });
            }
            let name = token.strip_prefix(b"I am ").ok_or_else(|| trouble(token))?;
            let client = Some(String::from_utf8_lossy(name).into());
            Ok(AcceptedToken { token: self.is_mutual.then(|| b"so am I".to_vec()), client })
        }

        fn wrap(&mut self, message: &[u8]) -> Result<Vec<u8>, String> {
            Ok([b"signed ", message].concat())
        }

        fn unwrap(&mut self, token: &[u8]) -> Result<Vec<u8>, String> {
            token.strip_prefix(b"signed ").map(<[u8]>::to_vec).ok_or_else(|| trouble(token))
        }
    }

    /// The steps of an exchange, each in a word.
    fn steps(is_mutual: bool, tokens: &[&[u8]]) -> Vec<String> {
        let rules = ["DEFAULT".to_string()];
        let verifier = GssVerifier::new(Arc::new(Named { is_mutual }), "REALM", &rules).unwrap();
        let mut server = GssServer::new(&verifier);
        let shown = |step: Step| match step {
            Step::Challenge(token) => format!("{}", token.escape_ascii()),
            Step::Done { token, identity } => format!("{} is in, {}", identity.name, token.len()),
            Step::Failed(failure) => format!("failed, told {:?}: {}", failure.told, failure.reason),
            step => panic!("{step:?}"),
        };
        tokens.iter().map(|token| shown(server.step(token))).collect()
    }

    #[test]
    fn a_client_is_let_in_who_wants_no_layer() {
        let offered = r"signed \x01\x01\x00\x00";
        let choice = b"signed \x01\0\0\0";
        let all = steps(true, &[b"more", b"I am alice@REALM", b"", choice]);
        assert_eq!(all, ["go on", "so am I", offered, "alice is in, 0"]);
        assert_eq!(steps(false, &[b"I am alice@REALM", choice]), [offered, "alice is in, 0"]);
        // Whom it wants to be does not matter.
        let other = steps(false, &[b"I am alice/host@REALM", b"signed \x05\xff\xff\xffbob"]);
        assert_eq!(other, [offered, "alice is in, 0"]);
    }

    #[test]
    fn all_else_is_refused() {
        let last = |is_mutual, tokens: &[&[u8]]| steps(is_mutual, tokens).pop().unwrap();
        let alice = b"I am alice@REALM";
        let choice = |token: &[u8]| last(false, &[alice, token]);
        assert_eq!(choice(b"signed \x02\0\0\0"), "failed, told None: Client selected unsupported protection: 2");
        assert_eq!(choice(b"signed \x01\0\0"), "failed, told None: the client's choice of a protection is too short");
        assert_eq!(choice(b"signed "), "failed, told None: the client's choice of a protection is too short");
        assert_eq!(choice(b"\x01\0\0\0"), r"failed, told None: \x01\0\0\0".replace(r"\x01\0\0\0", "\x01\0\0\0"));
        let early = last(true, &[alice, b"signed \x01\0\0\0"]);
        assert_eq!(early, "failed, told None: Handshake expecting no response data from server");
        assert_eq!(last(true, &[b"x"]), "failed, told None: x");
        assert_eq!(last(true, &[b"I am alice@OTHER"]), "failed, told None: No rules apply to alice@OTHER");
    }

    #[test]
    fn rules_are_looked_at_first() {
        let rules = ["default".to_string()];
        let refused = GssVerifier::new(Arc::new(Named { is_mutual: true }), "REALM", &rules).unwrap_err();
        assert_eq!(refused, "Invalid rule: default");
    }
}
