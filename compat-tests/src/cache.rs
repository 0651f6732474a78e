//! Where the things live that a checkout does not hold: jars, compiled client programs, the virtual environment.
//! `scripts/prepare.sh` fills the cache; this file only knows the names inside it.

use std::path::{Path, PathBuf};

/// Apache Kafka's release that the tests compare with; `scripts/prepare.sh` and `clients/java/pom.xml` name it too.
pub const KAFKA_VERSION: &str = "4.4.0";

/// `$KLAMM_CACHE`, by default `~/.cache/klamm`; the same rule as in `scripts/cache.sh`.
pub fn root() -> PathBuf {
    let from = |name: &str| std::env::var_os(name).filter(|value| !value.is_empty()).map(PathBuf::from);
    let user = || from("XDG_CACHE_HOME").unwrap_or_else(|| from("HOME").unwrap_or_default().join(".cache"));
    from("KLAMM_CACHE").unwrap_or_else(|| user().join("klamm"))
}

/// The class path with every jar of Apache Kafka: broker, tools and clients.
pub fn kafka_class_path() -> String {
    format!("{}/libs/*", kafka_home().display())
}

pub fn kafka_home() -> PathBuf {
    root().join(format!("kafka-{KAFKA_VERSION}"))
}

/// The class path of our own Java programs, with the client's jars.
pub fn java_class_path() -> String {
    format!("{}:{}", root().join("java").display(), kafka_class_path())
}

/// This package's folder in the checkout.
pub fn package() -> &'static Path {
    Path::new(env!("CARGO_MANIFEST_DIR"))
}
