//! The stores of the official images: their script (`docker/resources/common-scripts/configure`) makes a path of each
//! `KAFKA_SSL_*_FILENAME`, in a folder that is mounted for it, and reads passwords from the files that `KAFKA_SSL_*_CREDENTIALS` name.
//!
//! Deviation: the script does so only where `KAFKA_ADVERTISED_LISTENERS` has the word `SSL://`, and for a truststore only where
//! clients are asked for certificates. Here a variable that is set always counts: a listener may have another name.

use crate::stdx::secret::Secret;
use std::path::Path;

/// Where the images have them.
pub(super) const FOLDER: &str = "/etc/kafka/secrets";

const FILES: &[(&str, &str)] = &[
    ("KAFKA_SSL_KEYSTORE_FILENAME", "KAFKA_SSL_KEYSTORE_LOCATION"),
    ("KAFKA_SSL_TRUSTSTORE_FILENAME", "KAFKA_SSL_TRUSTSTORE_LOCATION"),
];
const PASSWORDS: &[(&str, &str)] = &[
    ("KAFKA_SSL_KEYSTORE_CREDENTIALS", "KAFKA_SSL_KEYSTORE_PASSWORD"),
    ("KAFKA_SSL_KEY_CREDENTIALS", "KAFKA_SSL_KEY_PASSWORD"),
    ("KAFKA_SSL_TRUSTSTORE_CREDENTIALS", "KAFKA_SSL_TRUSTSTORE_PASSWORD"),
];

/// Puts the settings that they stand for in the place of these variables.
pub(super) fn resolve(
    environment: &mut Vec<(String, String)>,
    folder: &Path,
    read: impl Fn(&Path) -> Result<Secret, String>,
) -> Result<(), String> {
    for (variable, setting) in FILES {
        if let Some(name) = take(environment, variable) {
            let path = folder.join(name);
            if !path.exists() {
                return Err(format!("{} file does not exist; {variable} names it", path.display()));
            }
            put(environment, setting, path.display().to_string());
        }
    }
    for (variable, setting) in PASSWORDS {
        if let Some(name) = take(environment, variable) {
            let text = read(&folder.join(name))?;
            // As the shell's `$(cat FILE)`, which drops the ends of lines at the end.
            let password = String::from_utf8_lossy(text.expose()).trim_end_matches('\n').to_string();
            put(environment, setting, password);
        }
    }
    Ok(())
}

fn take(environment: &mut Vec<(String, String)>, variable: &str) -> Option<String> {
    let at = environment.iter().position(|(key, value)| key == variable && !value.is_empty())?;
    Some(environment.remove(at).1)
}

/// The script sets the variable whether or not it was there.
fn put(environment: &mut Vec<(String, String)>, setting: &str, value: String) {
    environment.retain(|(key, _)| key != setting);
    environment.push((setting.to_string(), value));
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &Path) -> Result<Secret, String> {
        std::fs::read_to_string(path).map(Secret::new).map_err(|error| format!("{}: {error}", path.display()))
    }

    fn pairs(of: &[(&str, &str)]) -> Vec<(String, String)> {
        of.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
    }

    #[test]
    fn names_become_paths_and_files_become_passwords() {
        let folder = tempfile::tempdir().expect("a folder");
        std::fs::write(folder.path().join("broker.jks"), "").expect("a store");
        std::fs::write(folder.path().join("creds"), "of the store\n\n").expect("a password");
        let mut environment = pairs(&[
            ("KAFKA_SSL_KEYSTORE_FILENAME", "broker.jks"),
            ("KAFKA_SSL_KEYSTORE_CREDENTIALS", "creds"),
            ("KAFKA_SSL_KEY_CREDENTIALS", "creds"),
            ("KAFKA_SSL_KEYSTORE_PASSWORD", "another"),
            ("KAFKA_NODE_ID", "1"),
        ]);
        resolve(&mut environment, folder.path(), read).expect("all is there");
        let path = folder.path().join("broker.jks").display().to_string();
        let expected = pairs(&[
            ("KAFKA_NODE_ID", "1"),
            ("KAFKA_SSL_KEYSTORE_LOCATION", &path),
            ("KAFKA_SSL_KEYSTORE_PASSWORD", "of the store"),
            ("KAFKA_SSL_KEY_PASSWORD", "of the store"),
        ]);
        assert_eq!(environment, expected);
    }

    #[test]
    fn what_is_named_must_be_there() {
        let folder = tempfile::tempdir().expect("a folder");
        let mut environment = pairs(&[("KAFKA_SSL_TRUSTSTORE_FILENAME", "none.jks")]);
        let said = resolve(&mut environment, folder.path(), read).expect_err("no store");
        assert!(said.ends_with("none.jks file does not exist; KAFKA_SSL_TRUSTSTORE_FILENAME names it"), "{said}");
        let mut environment = pairs(&[("KAFKA_SSL_TRUSTSTORE_CREDENTIALS", "none")]);
        assert!(resolve(&mut environment, folder.path(), read).is_err());
    }
}
