//! What the shell image's entry points do not do: they say so, and nothing is started. What would protect a cluster is never passed
//! over in silence.

use crate::kafka;
use crate::modules::REDPANDA_YAML;
use compat_tests::{Result, ensure};
use std::fs;

const YAML: &str = "etc/redpanda/redpanda.yaml";
const BOOTSTRAP: &str = "etc/redpanda/.bootstrap.yaml";

struct Refusal {
    words: &'static [&'static str],
    /// A file of Redpanda's, and what it holds.
    file: Option<(&'static str, &'static str)>,
    sentence: &'static str,
}

const fn flags(words: &'static [&'static str], sentence: &'static str) -> Refusal {
    Refusal { words, file: None, sentence }
}

const fn holds(path: &'static str, text: &'static str, sentence: &'static str) -> Refusal {
    Refusal { words: &["rpk", "redpanda", "start"], file: Some((path, text)), sentence }
}

const REFUSALS: &[Refusal] = &[
    flags(&["rpk", "topic", "create", "a"], "there is `rpk redpanda start` only"),
    flags(&["rpk", "redpanda", "start", "--smp=1", "--tls-cert", "/a"], "the flag --tls-cert is not known here"),
    flags(&["rpk", "redpanda", "start", "--enable-sasl=true"], "the flag --enable-sasl is not known here"),
    flags(&["rpk", "redpanda", "start", "--smp", "1", "loose"], "the flag loose is not known here"),
    flags(&["rpk", "redpanda", "start", "--kafka-addr"], "the flag --kafka-addr lacks its value"),
    flags(
        &["rpk", "redpanda", "start", "--set", "redpanda.enable_sasl=true"],
        "the setting redpanda.enable_sasl is not known",
    ),
    flags(&["rpk", "redpanda", "start", "--seeds", "other:33145"], "there is one node only"),
    flags(&["/entrypoint.sh", "redpanda", "start", "--superusers=a"], "the flag --superusers is not known here"),
    flags(&["/etc/kafka/docker/run", "--override", "a=b"], "run: --override is no NAME=value"),
    holds(
        YAML,
        "redpanda:\n  kafka_api:\n  - address: a\n    port: 9092\n    authentication_method: sasl\n",
        "authentication_method",
    ),
    holds(YAML, "redpanda:\n  kafka_api_tls:\n  - name: external\n    enabled: true\n", "kafka_api_tls"),
    holds(
        YAML,
        "redpanda:\n  kafka_api: [{address: a, port: 9092, authentication_method: sasl}]\n",
        "a mapping in braces",
    ),
    holds(BOOTSTRAP, "superusers:\n- admin\n", "superusers"),
    holds(BOOTSTRAP, "superusers:\n  []\nkafka_enable_authorization: true\n", "kafka_enable_authorization"),
];

pub fn what_is_not_built_stops_the_start() -> Result<()> {
    let image = kafka()?;
    for refusal in REFUSALS {
        fs::write(image.path(YAML), REDPANDA_YAML)?;
        fs::write(image.path(BOOTSTRAP), "superusers: []\n")?;
        if let Some((path, text)) = refusal.file {
            fs::write(image.path(path), text)?;
        }
        let container = image.start(Some(refusal.words), Some(&[]), None, &[])?;
        let (code, said) = container.ends()?;
        ensure!(code == Some(1) && said.contains(refusal.sentence), "{:?}: {code:?} {said}", refusal.words);
        ensure!(!said.contains("klamm"), "{:?}: nothing is started: {said}", refusal.words);
    }
    Ok(())
}
