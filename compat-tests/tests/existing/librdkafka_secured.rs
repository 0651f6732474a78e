//! Those of librdkafka's tests that want a listener with TLS or logins: what each is told of the broker, as its authors'
//! scripts tell it (`tests/LibrdkafkaTestApp.py`). Where a test has parts that need share groups, its other parts run by
//! themselves, too.

use compat_tests::broker::Setup;
use compat_tests::program::{self, Input};
use compat_tests::secured::{SCOPE, USERS, secured, store};
use compat_tests::{Result, cache, ensure};
use std::path::Path;
use std::process::Command;
use std::time::Duration;

/// The number of the broker among those of the suite.
pub const BROKER: usize = 2;
/// What the files that are made for it are closed with.
const PASSWORD: &str = "keypass";

pub struct Secured {
    pub number: &'static str,
    /// What distinguishes it from the others of its number.
    pub name: &'static str,
    pub listener: &'static str,
    mechanism: &'static str,
    /// Only the parts of the test whose names contain this.
    parts: Option<&'static str>,
    /// Whether librdkafka's quick mode would leave parts out that are meant.
    pub is_whole: bool,
}

const fn quick(number: &'static str, name: &'static str, listener: &'static str, mechanism: &'static str) -> Secured {
    Secured { number, name, listener, mechanism, parts: None, is_whole: false }
}

const fn parts(
    number: &'static str,
    name: &'static str,
    mechanism: &'static str,
    parts: Option<&'static str>,
) -> Secured {
    Secured { number, name, listener: "SASL_PLAINTEXT", mechanism, parts, is_whole: true }
}

pub const SECURED: &[Secured] = &[
    quick("0097", "requested", "SSL", ""),
    quick("0097", "required", "MTLS", ""),
    quick("0135", "plain", "SASL_PLAINTEXT", "PLAIN"),
    quick("0135", "scram-sha-256", "SASL_SSL", "SCRAM-SHA-256"),
    parts("0135", "all", "PLAIN", None),
    parts("0142", "consumer", "SCRAM-SHA-512", Some("do_test_consumer:")),
    parts("0142", "producer", "PLAIN", Some("do_test_producer:")),
    parts("0142", "transactions", "SCRAM-SHA-256", Some("do_test_txn_producer:")),
    parts("0142", "failure", "PLAIN", Some("do_test_reauth_failure:")),
    parts("0142", "tokens", "OAUTHBEARER", Some("do_test_oauthbearer:")),
    parts("0142", "all", "PLAIN", None),
    parts("0126", "consumer", OIDC, Some("do_test_produce_consumer_with_OIDC")),
    parts("0126", "aws", OIDC, Some("do_test_OIDC_aws_iam")),
    parts("0126", "all", OIDC, None),
];
/// OAUTHBEARER with tokens of a provider.
const OIDC: &str = "OIDC";

/// Clients log in anew every ten seconds, as with its authors: tokens that live for half of that still leave the second that
/// Apache Kafka, too, wants between two logins.
pub fn broker(plain: &Setup) -> Setup {
    secured(plain).with(&[("connections.max.reauth.ms", "10000"), ("listener.name.ssl.ssl.client.auth", "requested")])
}

impl Secured {
    pub fn of(unit: &str) -> Option<&'static Secured> {
        SECURED.iter().find(|one| one.unit() == unit)
    }

    /// Test 0097 says that librdkafka tells of TLS where a handshake fails, which it does not if the broker's answer is there
    /// before the call has ended that sends the first message: it then tells of the transport. So the broker is slow to it.
    pub fn door(&self) -> Option<Duration> {
        self.mechanism.is_empty().then_some(Duration::from_millis(30))
    }

    pub fn unit(&self) -> String {
        format!("{}/{}", self.number, self.name)
    }

    /// What the configuration of the tests says besides the address.
    pub fn settings(&self) -> String {
        let (user, password) = USERS[0];
        let mut lines: Vec<String> = Vec::new();
        let protocol = if self.listener == "MTLS" { "SSL" } else { self.listener };
        lines.push(format!("security.protocol={protocol}"));
        if protocol.ends_with("SSL") {
            lines.push(format!("ssl.ca.location={}", store("ca.pem")));
        }
        match self.mechanism {
            "" => {
                lines.push(format!("ssl.certificate.location={}", store("chain.pem")));
                lines.push(format!("ssl.key.location={}", store("encrypted.pem")));
                lines.push(format!("ssl.key.password={PASSWORD}"));
            }
            "OAUTHBEARER" => {
                lines.push("sasl.mechanisms=OAUTHBEARER".into());
                lines.push("enable.sasl.oauthbearer.unsecure.jwt=true".into());
                lines.push(format!("sasl.oauthbearer.config=scope={SCOPE} principal=admin"));
            }
            OIDC => {
                lines.push("sasl.mechanisms=OAUTHBEARER".into());
                lines.push("sasl.oauthbearer.method=OIDC".into());
                lines.push("sasl.oauthbearer.client.id=client_id".into());
                lines.push("sasl.oauthbearer.client.secret=client_secret".into());
                lines.push(
                    "sasl.oauthbearer.extensions=ExtensionworkloadIdentity=develC348S,Extensioncluster=lkc123".into(),
                );
                lines.push(format!("sasl.oauthbearer.scope={SCOPE}"));
                lines.push("sasl.oauthbearer.token.endpoint.url=@OIDC@".into());
            }
            mechanism => {
                lines.push(format!("sasl.mechanisms={mechanism}"));
                lines.push(format!("sasl.username={user}\nsasl.password={password}"));
            }
        }
        lines.join("\n") + "\n"
    }

    /// The runner, behind a provider of tokens where it needs one, and the files of which the environment tells it.
    pub fn command(&self, runner: &str, directory: &Path) -> Result<Command> {
        let mut command = match self.mechanism {
            OIDC => {
                let mut provider = Command::new(cache::root().join("venv/bin/python"));
                provider.arg("-B").arg(cache::package().join("clients/python/oidc_run.py")).arg(runner);
                keys_of_assertions(&mut provider, directory)?;
                provider
            }
            _ => Command::new(runner),
        };
        if self.mechanism.is_empty() {
            files_of_certificates(&mut command, directory)?;
            let auth = if self.listener == "MTLS" { "required" } else { "requested" };
            command.env("SSL_client_auth", auth);
        }
        command.envs(self.parts.map(|parts| ("SUBTESTS", parts)));
        Ok(command)
    }
}

fn openssl(arguments: &[&str]) -> Result<()> {
    let made = program::output(program::command("openssl", arguments), Input::Nothing, program::DEADLINE)?;
    ensure!(made.code == Some(0), "openssl {arguments:?}: {}", made.tail());
    Ok(())
}

/// One certificate in every form that a client of librdkafka can be given it.
fn files_of_certificates(command: &mut Command, directory: &Path) -> Result<()> {
    let file = |name: &str| directory.join(name).display().to_string();
    let (key, chain, ca, closed) = (store("key.pem"), store("chain.pem"), store("ca.pem"), format!("pass:{PASSWORD}"));
    openssl(&["pkcs8", "-topk8", "-nocrypt", "-in", &key, "-outform", "DER", "-out", &file("key.der")])?;
    openssl(&["x509", "-in", &chain, "-outform", "DER", "-out", &file("own.der")])?;
    openssl(&["x509", "-in", &ca, "-outform", "DER", "-out", &file("ca.der")])?;
    openssl(&["pkcs12", "-export", "-inkey", &key, "-in", &chain, "-passout", &closed, "-out", &file("own.p12")])?;
    let all = std::fs::read_to_string(store("stranger.pem"))? + &std::fs::read_to_string(&ca)?;
    std::fs::write(directory.join("all.pem"), all)?;
    let files = [
        ("SSL_pkcs", file("own.p12")),
        ("SSL_pub_der", file("own.der")),
        ("SSL_pub_pem", chain),
        ("SSL_priv_der", file("key.der")),
        ("SSL_priv_pem", store("encrypted.pem")),
        ("SSL_ca_der", file("ca.der")),
        ("SSL_ca_pem", ca),
        ("SSL_all_cas_pem", file("all.pem")),
        ("SSL_password", PASSWORD.into()),
    ];
    command.envs(files);
    Ok(())
}

/// The key by which a client signs what it says of itself to the provider.
fn keys_of_assertions(command: &mut Command, directory: &Path) -> Result<()> {
    let file = |name: &str| directory.join(name).display().to_string();
    let closed = format!("pass:{PASSWORD}");
    openssl(&["genpkey", "-algorithm", "RSA", "-pkeyopt", "rsa_keygen_bits:2048", "-out", &file("rsa.pem")])?;
    openssl(&["pkcs8", "-topk8", "-in", &file("rsa.pem"), "-passout", &closed, "-out", &file("rsa.closed.pem")])?;
    openssl(&["pkey", "-in", &file("rsa.pem"), "-pubout", "-out", &file("rsa.public.pem")])?;
    command.env("OAUTHBEARER_CLIENT_PRIVATE_KEY", file("rsa.pem"));
    command.env("OAUTHBEARER_CLIENT_PRIVATE_KEY_ENCRYPTED", file("rsa.closed.pem"));
    command.env("OAUTHBEARER_CLIENT_PRIVATE_KEY_PASSWORD", PASSWORD);
    command.env("KLAMM_OIDC_PUBLIC_KEY", file("rsa.public.pem")).env("KLAMM_OIDC_SCRATCH", directory);
    Ok(())
}
