//! Logins: `login rskafka` reads ways to come in as JSON lines (src/login.rs of compat-tests says what is in them), writes two
//! records by each and reads them back, and prints a line for each: what it read, or its error.

use rskafka::BackoffConfig;
use rskafka::chrono::DateTime;
use rskafka::client::partition::{Compression, UnknownTopicHandling};
use rskafka::client::{ClientBuilder, Credentials, OauthBearerCredentials, SaslConfig};
use rskafka::record::Record;
use rustls::pki_types::pem::PemObject;
use rustls::pki_types::{CertificateDer, PrivateKeyDer};
use rustls::{ClientConfig, RootCertStore};
use serde_json::{Value, json};
use std::error::Error;
use std::pin::Pin;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

type Result<T> = std::result::Result<T, Box<dyn Error>>;
/// What rskafka waits for when it needs a token.
type Token = Pin<Box<dyn Future<Output = std::result::Result<String, Box<dyn Error + Send + Sync>>> + Send>>;

const VALUES: [&str; 2] = ["one", "two"];
const WITHIN: Duration = Duration::from_secs(15);
/// What it would try for ever, it tries so long.
const RETRIES: Duration = Duration::from_secs(1);
const MAX_WAIT_MS: i32 = 1000;

fn word<'a>(way: &'a Value, name: &str) -> &'a str {
    way[name].as_str().unwrap_or_default()
}

fn tls(way: &Value) -> Result<ClientConfig> {
    let mut authorities = RootCertStore::empty();
    for certificate in CertificateDer::pem_file_iter(word(way, "ca"))? {
        authorities.add(certificate?)?;
    }
    let config = ClientConfig::builder().with_root_certificates(authorities);
    if word(way, "certificate").is_empty() {
        return Ok(config.with_no_client_auth());
    }
    let chain = CertificateDer::pem_file_iter(word(way, "certificate"))?.collect::<std::result::Result<_, _>>()?;
    Ok(config.with_client_auth_cert(chain, PrivateKeyDer::from_pem_file(word(way, "key"))?)?)
}

fn sasl(way: &Value) -> Option<SaslConfig> {
    let credentials = Credentials::new(word(way, "user").into(), word(way, "password").into());
    match word(way, "mechanism") {
        "PLAIN" => Some(SaslConfig::Plain(credentials)),
        "SCRAM-SHA-256" => Some(SaslConfig::ScramSha256(credentials)),
        "SCRAM-SHA-512" => Some(SaslConfig::ScramSha512(credentials)),
        "OAUTHBEARER" => {
            let token = word(way, "token").to_string();
            let callback = Arc::new(move || -> Token {
                let token = token.clone();
                Box::pin(async move { Ok(token) })
            });
            Some(SaslConfig::Oauthbearer(OauthBearerCredentials { callback, authz_id: None, bearer_kvs: Vec::new() }))
        }
        _ => None,
    }
}

async fn come_in(way: &Value) -> Result<Vec<String>> {
    let retries = BackoffConfig { deadline: Some(RETRIES), ..BackoffConfig::default() };
    let mut builder = ClientBuilder::new(vec![word(way, "bootstrap").into()]).backoff_config(retries);
    if way["tls"] == true {
        builder = builder.tls_config(Arc::new(tls(way)?));
    }
    if let Some(sasl) = sasl(way) {
        builder = builder.sasl_config(sasl);
    }
    let client = builder.build().await?;
    let partition = client.partition_client(word(way, "topic"), 0, UnknownTopicHandling::Error).await?;
    let now = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH)?.as_millis() as i64;
    let timestamp = DateTime::from_timestamp_millis(now).ok_or("no time")?;
    let record = |value: &str| Record { key: None, value: Some(value.into()), headers: Default::default(), timestamp };
    partition.produce(VALUES.iter().map(|value| record(value)).collect(), Compression::NoCompression).await?;
    let mut read = Vec::new();
    while read.len() < VALUES.len() {
        let (records, _) = partition.fetch_records(read.len() as i64, 1..1_000_000, MAX_WAIT_MS).await?;
        let values = records.into_iter().map(|record| record.record.value.unwrap_or_default());
        read.extend(values.map(|value| String::from_utf8_lossy(&value).into_owned()));
    }
    Ok(read)
}

fn main() -> Result<()> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build()?;
    for line in std::io::stdin().lines() {
        let way: Value = serde_json::from_str(&line?)?;
        let came = runtime.block_on(async { tokio::time::timeout(WITHIN, come_in(&way)).await });
        let answer = match came {
            Ok(Ok(read)) => json!({ "read": read }),
            Ok(Err(error)) => json!({ "error": error.to_string() }),
            Err(_) => json!({ "error": "nothing happened in time" }),
        };
        println!("{answer}");
    }
    Ok(())
}
