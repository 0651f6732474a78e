//! `klamm doctor --connect`: a running broker is asked as a client would ask it, and the addresses that it tells are tried.

use std::time::Duration;

use super::{Finding, Severity};
use crate::cli::client::{Client, host_and_port};
use crate::io::exchange::FrameStream;
use crate::model::ApiKey;
use crate::wire::api::metadata;

/// How long a connection and each answer may take: a person waits.
const PATIENCE: Duration = Duration::from_secs(5);
/// A cluster of more brokers is looked at in part.
const MOST_BROKERS: usize = 100;

/// What came of it.
#[derive(Debug)]
pub(super) struct Asked {
    address: String,
    answer: Result<Told, Failure>,
}

/// How far it came.
#[derive(Debug)]
enum Failure {
    Unreachable(String),
    /// Something answers, or does not, as no Kafka on a listener without TLS would.
    NoKafka(String),
    /// It wants a login first.
    Refused(String),
}

#[derive(Debug)]
struct Told {
    apis: usize,
    cluster_id: String,
    brokers: Vec<ToldBroker>,
}

#[derive(Debug)]
struct ToldBroker {
    id: i32,
    host: String,
    port: u16,
    /// Whether it can be reached from here, and speaks Kafka there.
    reached: Result<(), String>,
}

pub(super) fn ask(address: &str) -> Asked {
    Asked { address: address.to_string(), answer: told(address) }
}

fn open(host: &str, port: u16) -> Result<Client, Failure> {
    let exchange = FrameStream::open(host, port, PATIENCE).map_err(|error| Failure::Unreachable(error.to_string()))?;
    Client::over((host, exchange), None).map_err(Failure::NoKafka)
}

fn told(address: &str) -> Result<Told, Failure> {
    let (host, port) = host_and_port(address).map_err(Failure::Unreachable)?;
    let mut client = open(host, port)?;
    let apis = client.versions().len();
    let request = metadata::Request { topics: Some(Vec::new()), ..Default::default() };
    let told: metadata::Response<'_> = client.ask(ApiKey::Metadata, &request).map_err(Failure::Refused)?;
    let brokers = told.brokers.iter().take(MOST_BROKERS).map(|broker| {
        let port = u16::try_from(broker.port).unwrap_or(0);
        let reached = open(&broker.host, port).map(drop).map_err(|failure| match failure {
            Failure::Unreachable(reason) | Failure::NoKafka(reason) | Failure::Refused(reason) => reason,
        });
        ToldBroker { id: broker.node_id, host: broker.host.to_string(), port, reached }
    });
    Ok(Told {
        apis,
        cluster_id: told.cluster_id.as_deref().unwrap_or("unknown").to_string(),
        brokers: brokers.collect(),
    })
}

pub(super) fn of(asked: &Asked) -> Vec<Finding> {
    let Asked { address, answer } = asked;
    let add = |severity, sentence: String, advice: &str| Finding::new(severity, address, sentence, advice);
    let told = match answer {
        Ok(told) => told,
        Err(Failure::Unreachable(reason)) => {
            let advice =
                "Is the broker started, does it listen on that address, and is the port published or let through?";
            return vec![add(Severity::Error, format!("it cannot be reached: {reason}"), advice)];
        }
        Err(Failure::NoKafka(reason)) => {
            let advice = "A listener with TLS answers so to a client without: is it the right port?";
            return vec![add(Severity::Error, format!("it does not answer as Kafka: {reason}"), advice)];
        }
        Err(Failure::Refused(reason)) => {
            let sentence = format!("it can be reached and speaks Kafka, and tells no more without a login: {reason}");
            return vec![add(Severity::Note, sentence, "")];
        }
    };
    let sentence = format!(
        "it speaks Kafka: {} APIs, the cluster {}, {} broker(s)",
        told.apis,
        told.cluster_id,
        told.brokers.len()
    );
    let mut found = vec![add(Severity::Note, sentence, "")];
    for ToldBroker { id, host, port, reached } in &told.brokers {
        found.push(match reached {
            Ok(()) => add(Severity::Note, format!("broker {id} tells clients to connect to {host}:{port}, which works from here"), ""),
            Err(reason) => {
                let sentence = format!("broker {id} tells clients to connect to {host}:{port}, which does not work from here ({reason}): clients stop after their first request");
                let advice = "Correct advertised.listeners of that broker: it must name an address by which clients reach it from where they are.";
                add(Severity::Error, sentence, advice)
            }
        });
    }
    found
}

#[cfg(test)]
mod tests {
    use super::*;

    fn findings(answer: Result<Told, Failure>) -> Vec<Finding> {
        of(&Asked { address: "b:9092".into(), answer })
    }

    fn telling(reached: Result<(), String>) -> Vec<Finding> {
        let broker = ToldBroker { id: 1, host: "inside".into(), port: 9093, reached };
        findings(Ok(Told { apis: 60, cluster_id: "c".into(), brokers: vec![broker] }))
    }

    #[test]
    fn an_advertised_address_that_cannot_be_reached_is_an_error() {
        let found = telling(Err("no route".into()));
        assert_eq!(found.iter().map(|one| one.severity).collect::<Vec<_>>(), [Severity::Note, Severity::Error]);
        assert!(found[1].sentence.contains("inside:9093, which does not work from here (no route)"));
        assert!(telling(Ok(())).iter().all(|one| one.severity == Severity::Note));
    }

    #[test]
    fn what_stops_earlier_says_where() {
        let severity = |failure| findings(Err(failure))[0].severity;
        assert_eq!(severity(Failure::Unreachable("x".into())), Severity::Error);
        assert_eq!(severity(Failure::NoKafka("x".into())), Severity::Error);
        assert_eq!(severity(Failure::Refused("x".into())), Severity::Note);
        let asked = ask("nothing");
        assert!(matches!(asked.answer, Err(Failure::Unreachable(_))), "{asked:?}");
    }
}
