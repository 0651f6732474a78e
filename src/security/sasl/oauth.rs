//! OAUTHBEARER (RFC 7628), the server's side (`OAuthBearerSaslServer`): a token in one message. One that is refused is
//! answered with the reason as JSON, to which the client says a byte, and only then the exchange has failed.

use std::sync::Arc;

use super::jwt::SignedValidator;
use super::unsecured::UnsecuredValidator;
use super::{Authenticated, Failure, Step};
use crate::model::TimestampMs;

/// What stands between the parts of a message; alone it is the answer to a refusal.
const SEPARATOR: u8 = 1;

/// A token that was judged good.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct Bearer {
    pub principal: String,
    pub expires: TimestampMs,
}

/// Why a token is refused.
#[derive(Clone, PartialEq, Eq, Debug)]
pub struct BadToken {
    /// The scopes that it must have, if one of them is missing.
    pub scope: Option<String>,
    /// What the log says.
    pub reason: String,
    /// Whom the token names, as far as it can be read. That it is whose token it is was not proved.
    pub claimed: Option<String>,
}

/// Which tokens are good.
#[derive(Clone, Debug)]
pub enum TokenValidator {
    Unsecured(Arc<UnsecuredValidator>),
    Signed(Arc<SignedValidator>),
}

impl TokenValidator {
    pub(crate) fn judge(&self, token: &str, now: TimestampMs) -> Result<Bearer, BadToken> {
        match self {
            TokenValidator::Unsecured(validator) => validator.judge(token, now),
            TokenValidator::Signed(validator) => validator.judge(token, now),
        }
    }
}

/// One exchange.
#[derive(Debug)]
pub struct BearerServer {
    validator: TokenValidator,
    /// The refusal that the client was told, with what the log says of it.
    told: Option<Failure>,
}

impl BearerServer {
    pub(super) fn new(validator: TokenValidator) -> BearerServer {
        BearerServer { validator, told: None }
    }

    pub(super) fn step(&mut self, token: &[u8], now: TimestampMs) -> Step {
        if let Some(failure) = self.told.take().filter(|_| token == [SEPARATOR]) {
            return failure.into();
        }
        let (authorization_id, token) = match parse(token) {
            Ok(parsed) => parsed,
            Err(reason) => return Failure::hidden(reason).into(),
        };
        match self.validator.judge(token, now) {
            Ok(bearer) => open(authorization_id, bearer),
            Err(BadToken { scope, reason, claimed }) => {
                let json = match scope {
                    Some(scope) => format!("{{\"status\":\"insufficient_scope\", \"scope\":\"{scope}\"}}"),
                    None => "{\"status\":\"invalid_token\"}".to_string(),
                };
                self.told = Some(Failure { told: Some(json.clone()), reason, claimed });
                Step::Challenge(json.into_bytes())
            }
        }
    }
}

fn open(authorization_id: &str, bearer: Bearer) -> Step {
    let Bearer { principal, expires } = bearer;
    if !authorization_id.is_empty() && authorization_id != principal {
        let reason = format!(
            "Authentication failed: Client requested an authorization id ({authorization_id}) that is different from the \
             token's principal name ({principal})"
        );
        return Failure::told(reason).by(principal).into();
    }
    let identity = Authenticated { name: principal, expires: Some(expires), by_delegation_token: false };
    Step::Done { token: Vec::new(), identity }
}

/// `n,[a=NAME],^A(KEY=VALUE^A)*^A` (`OAuthBearerClientInitialResponse`): the authorization id, and the token of `auth`.
fn parse(message: &[u8]) -> Result<(&str, &str), &'static str> {
    const MALFORMED: &str = "Invalid OAUTHBEARER client first message";
    let text = std::str::from_utf8(message).map_err(|_| MALFORMED)?;
    let mut parts = text.split('\u{1}');
    let header = parts.next().and_then(|header| header.strip_prefix("n,")?.strip_suffix(',')).ok_or(MALFORMED)?;
    let authorization_id = match header {
        "" => "",
        header => header.strip_prefix("a=").filter(|name| is_sasl_name(name)).ok_or(MALFORMED)?,
    };
    let mut auth = None;
    let mut ends = 0;
    for part in parts {
        match part.split_once('=') {
            Some((key, value)) if ends == 0 && is_key(key) && is_value(value) => {
                auth = if key == "auth" { Some(value) } else { auth };
            }
            None if part.is_empty() => ends += 1,
            _ => return Err(MALFORMED),
        }
    }
    if ends != 2 {
        return Err(MALFORMED);
    }
    let auth = auth.ok_or("Invalid OAUTHBEARER client first message: 'auth' not specified")?;
    let (scheme, token) =
        auth.split_once(' ').ok_or("Invalid OAUTHBEARER client first message: invalid 'auth' format")?;
    let token = token.trim_start_matches(' ');
    if !is_token(token) || !scheme.bytes().all(|c| c.is_ascii_alphanumeric() || c == b'_') {
        return Err("Invalid OAUTHBEARER client first message: invalid 'auth' format");
    }
    if !scheme.eq_ignore_ascii_case("bearer") {
        return Err("Invalid scheme in OAUTHBEARER client first message");
    }
    Ok((authorization_id, token))
}

fn is_sasl_name(name: &str) -> bool {
    let is_plain = name.bytes().all(|c| (1..0x80).contains(&c) && c != b',');
    is_plain && !name.is_empty() && name.split('=').skip(1).all(|rest| rest.starts_with("2C") || rest.starts_with("3D"))
}

fn is_key(key: &str) -> bool {
    !key.is_empty() && key.bytes().all(|c| c.is_ascii_alphabetic())
}

fn is_value(value: &str) -> bool {
    !value.is_empty() && value.bytes().all(|c| matches!(c, 0x21..=0x7e | b' ' | b'\t' | b'\r' | b'\n'))
}

fn is_token(token: &str) -> bool {
    let digits = token.trim_end_matches('=');
    !digits.is_empty() && digits.bytes().all(|c| c.is_ascii_alphanumeric() || b"-_~+/.".contains(&c))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::stdx::base64;

    const NOW: TimestampMs = TimestampMs(1_000_000);

    fn server(required_scopes: &[&str]) -> BearerServer {
        let required_scopes = required_scopes.iter().map(|scope| scope.to_string()).collect();
        let validator = UnsecuredValidator {
            principal_claim: "sub".into(),
            scope_claim: "scope".into(),
            required_scopes,
            clock_skew_ms: 0,
        };
        BearerServer::new(TokenValidator::Unsecured(Arc::new(validator)))
    }

    fn token(claims: &str) -> String {
        let part =
            |text: &str| base64::encode(text.as_bytes()).trim_end_matches('=').replace('+', "-").replace('/', "_");
        format!("{}.{}.", part("{\"alg\":\"none\"}"), part(claims))
    }

    fn message(header: &str, token: &str) -> Vec<u8> {
        format!("{header}\u{1}auth=Bearer {token}\u{1}\u{1}").into_bytes()
    }

    #[test]
    fn a_good_token_opens_and_a_bad_one_is_told_first() {
        let good = token("{\"sub\":\"alice\",\"exp\":1001.5}");
        let identity =
            Authenticated { name: "alice".into(), expires: Some(TimestampMs(1_001_500)), by_delegation_token: false };
        let done = Step::Done { token: Vec::new(), identity };
        assert_eq!(server(&[]).step(&message("n,,", &good), NOW), done);
        assert_eq!(server(&[]).step(&message("n,a=alice,", &good), NOW), done);
        let other = "Authentication failed: Client requested an authorization id (bob) that is different from the token's \
                     principal name (alice)";
        assert_eq!(server(&[]).step(&message("n,a=bob,", &good), NOW), Failure::told(other).by("alice").into());

        for (scopes, expected) in [
            (&[][..], "{\"status\":\"invalid_token\"}"),
            (&["a", "b"][..], "{\"status\":\"insufficient_scope\", \"scope\":\"[a, b]\"}"),
        ] {
            let mut refusing = server(scopes);
            let token = if scopes.is_empty() { token("{\"sub\":\"alice\",\"exp\":1}") } else { good.clone() };
            let told = refusing.step(&message("n,,", &token), NOW);
            assert_eq!(told, Step::Challenge(expected.as_bytes().to_vec()));
            match refusing.step(&[1], NOW) {
                Step::Failed(failure) => assert_eq!(failure.told.as_deref(), Some(expected)),
                step => panic!("{step:?}"),
            }
        }
        // Another message is another try.
        let mut refusing = server(&[]);
        assert!(matches!(refusing.step(&message("n,,", "a.b.c"), NOW), Step::Challenge(_)));
        assert_eq!(refusing.step(&message("n,,", &good), NOW), done);
        assert!(matches!(server(&[]).step(&[1], NOW), Step::Failed(failure) if failure.told.is_none()));
    }

    #[test]
    fn messages_are_read_as_by_kafka() {
        let read = |text: &str| parse(text.as_bytes()).map(|(id, token)| format!("{id}|{token}"));
        assert_eq!(read("n,,\u{1}auth=Bearer a.b.c==\u{1}\u{1}").as_deref(), Ok("|a.b.c=="));
        assert_eq!(read("n,a=x=2C,\u{1}k=v\u{1}auth=bEARER   a\u{1}z=1 2\u{1}\u{1}").as_deref(), Ok("x=2C|a"));
        let malformed = "Invalid OAUTHBEARER client first message";
        for text in [
            "",
            "n,,",
            "n,,\u{1}auth=Bearer a\u{1}",
            "n,,\u{1}auth=Bearer a\u{1}\u{1}\u{1}",
            "n,,\u{1}\u{1}auth=Bearer a\u{1}",
            "y,,\u{1}auth=Bearer a\u{1}\u{1}",
            "n,a=,\u{1}auth=Bearer a\u{1}\u{1}",
            "n,\u{1}auth=Bearer a\u{1}\u{1}",
            "n,,\u{1}k1=v\u{1}auth=Bearer a\u{1}\u{1}",
            "n,,\u{1}k=é\u{1}auth=Bearer a\u{1}\u{1}",
            "n,,\u{1}k\u{1}auth=Bearer a\u{1}\u{1}",
        ] {
            assert_eq!(read(text), Err(malformed), "{text:?}");
        }
        let rest = |text: &str| read(text).unwrap_err()[malformed.len()..].to_string();
        assert_eq!(rest("n,,\u{1}\u{1}"), ": 'auth' not specified");
        assert_eq!(rest("n,,\u{1}auth=Bearer\u{1}\u{1}"), ": invalid 'auth' format");
        assert_eq!(rest("n,,\u{1}auth=Bearer a b\u{1}\u{1}"), ": invalid 'auth' format");
        assert_eq!(rest("n,,\u{1}auth=Bearer =\u{1}\u{1}"), ": invalid 'auth' format");
        assert_eq!(read("n,,\u{1}auth=Basic a\u{1}\u{1}"), Err("Invalid scheme in OAUTHBEARER client first message"));
        assert_eq!(parse(b"n,,\x01auth=Bearer \xff\x01\x01"), Err(malformed));
    }
}
