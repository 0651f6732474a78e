//! Listeners that ask for TLS and logins, the same for each broker that is measured.

use crate::drive::{Key, Login};
use compat_tests::Result;
use compat_tests::broker::Broker;
use compat_tests::program::{self, Input};
use std::fs;
use std::path::{Path, PathBuf};

/// By which listener a load comes.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Door {
    Plain,
    /// The broker's certificate is one of ECDSA, P-256.
    Tls,
    /// The same with RSA, 2048 bits.
    TlsRsa,
    /// TLS as the first, and a login by PLAIN.
    SaslTls,
}

const USER: &str = "bench";
const PASSWORD: &str = "of bench";
const DAYS: &str = "2";

/// An authority and the brokers' certificates, in files of their own.
pub struct Certificates {
    directory: tempfile::TempDir,
}

impl Certificates {
    pub fn make() -> Result<Certificates> {
        let directory = tempfile::Builder::new().prefix("klamm-bench-").tempdir()?;
        let at = directory.path();
        let curve = ["-newkey", "ec", "-pkeyopt", "ec_paramgen_curve:P-256"];
        openssl(
            at,
            &[
                &["req", "-x509", "-nodes", "-days", DAYS, "-subj", "/CN=bench"],
                &curve[..],
                &["-keyout", "ca.key", "-out", "ca.pem"],
            ],
        )?;
        fs::write(at.join("names"), "subjectAltName=DNS:localhost,IP:127.0.0.1\n")?;
        for (name, key) in [("ecdsa", &curve[..]), ("rsa", &["-newkey", "rsa:2048"][..])] {
            let (key_file, request, certificate) =
                (format!("{name}.key"), format!("{name}.csr"), format!("{name}.crt"));
            openssl(
                at,
                &[&["req", "-nodes", "-subj", "/CN=localhost"], key, &["-keyout", &key_file, "-out", &request]],
            )?;
            let by = ["-CA", "ca.pem", "-CAkey", "ca.key", "-CAcreateserial", "-days", DAYS, "-extfile", "names"];
            openssl(at, &[&["x509", "-req", "-in", &request, "-out", &certificate], &by])?;
            let whole = fs::read_to_string(at.join(key_file))? + &fs::read_to_string(at.join(certificate))?;
            fs::write(at.join(format!("{name}.pem")), whole)?;
        }
        Ok(Certificates { directory })
    }

    fn file(&self, name: &str) -> PathBuf {
        self.directory.path().join(name)
    }
}

fn openssl(directory: &Path, arguments: &[&[&str]]) -> Result<()> {
    let mut command = program::command("openssl", &arguments.concat());
    command.current_dir(directory);
    program::run(command, Input::Nothing).map(drop)
}

/// What the listeners of all brokers are made of.
pub struct Doors {
    settings: Vec<(String, String)>,
    authority: PathBuf,
}

/// By name and protocol, beside the plain one.
pub const LISTENERS: [(&str, &str); 3] = [("SSL", "SSL"), ("RSA", "SSL"), ("SASL_SSL", "SASL_SSL")];

impl Doors {
    pub fn new(certificates: &Certificates) -> Doors {
        let store = |name: &str| certificates.file(name).display().to_string();
        let jaas = format!(
            "org.apache.kafka.common.security.plain.PlainLoginModule required username=\"{USER}\" \
             password=\"{PASSWORD}\" user_{USER}=\"{PASSWORD}\";"
        );
        let settings = [
            ("ssl.keystore.type", "PEM".to_string()),
            ("ssl.keystore.location", store("ecdsa.pem")),
            ("listener.name.rsa.ssl.keystore.type", "PEM".into()),
            ("listener.name.rsa.ssl.keystore.location", store("rsa.pem")),
            ("sasl.enabled.mechanisms", "PLAIN".into()),
            ("listener.name.sasl_ssl.plain.sasl.jaas.config", jaas),
        ];
        let settings = settings.map(|(key, value)| (key.to_string(), value)).to_vec();
        Doors { settings, authority: certificates.file("ca.pem") }
    }

    pub fn settings(&self) -> Vec<(&str, &str)> {
        self.settings.iter().map(|(key, value)| (key.as_str(), value.as_str())).collect()
    }

    /// What a client needs to come in by one of them; nothing for the plain listener.
    pub fn key(&self, door: Door, broker: &Broker) -> Option<Key> {
        let (name, login) = match door {
            Door::Plain => return None,
            Door::Tls => ("SSL", None),
            Door::TlsRsa => ("RSA", None),
            Door::SaslTls => ("SASL_SSL", Some(Login { user: USER.into(), password: PASSWORD.into() })),
        };
        Some(Key { port: broker.port_of(name), authority: self.authority.clone(), resumes: false, login })
    }
}
