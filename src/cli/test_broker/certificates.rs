//! The files of `--tls`: what clients of a test broker need to trust it, and to be known by a certificate themselves, in each
//! of the forms that clients take.

use std::fs;
use std::io::Write;
use std::os::unix::fs::{OpenOptionsExt, PermissionsExt};
use std::path::{Path, PathBuf};

use crate::io::threads;
use crate::security::store;
use crate::security::throw_away::{self, Certified, Issued};
use crate::stdx::secret::Secret;

/// The password of all stores. It is no secret: it protects what is thrown away.
pub(super) const PASSWORD: &str = "klamm-test";
const CLIENT: &str = "client";
const OWNER_ALONE: u32 = 0o600;

/// Makes certificates and writes them into a directory, which is made where it is missing.
pub(super) fn write(directory: &Path) -> Result<Issued, String> {
    let mut names: Vec<String> = ["localhost", "127.0.0.1", "::1"].map(str::to_string).to_vec();
    let host = threads::host_name();
    if !names.contains(&host) {
        names.push(host);
    }
    let issued = throw_away::issue(&names, CLIENT)?;
    fs::create_dir_all(directory).map_err(|error| format!("cannot make {}: {error}", directory.display()))?;
    put(directory, "ca.pem", issued.authority.pem.as_bytes())?;
    let (trusted, password) = (vec![issued.authority.der.clone()], Secret::new(PASSWORD));
    put(directory, "truststore.p12", &store::write_pkcs12(None, trusted.clone(), &password)?)?;
    put(directory, "truststore.jks", &store::write_jks(None, trusted, &password)?)?;
    for (name, certified) in [("server", &issued.server), (CLIENT, &issued.client)] {
        put_identity(directory, name, certified, &password)?;
    }
    Ok(issued)
}

fn put_identity(directory: &Path, name: &str, certified: &Certified, password: &Secret) -> Result<(), String> {
    put(directory, &format!("{name}.pem"), certified.chain_pem.as_bytes())?;
    put(directory, &format!("{name}.key"), certified.key_pem.expose())?;
    let identity = || Some(certified.identity.clone());
    put(directory, &format!("{name}.p12"), &store::write_pkcs12(identity(), Vec::new(), password)?)?;
    put(directory, &format!("{name}.jks"), &store::write_jks(identity(), Vec::new(), password)?)
}

/// Writes a file that its owner alone can read, as there are keys among them; so is one that was there before.
fn put(directory: &Path, name: &str, content: &[u8]) -> Result<(), String> {
    let path = directory.join(name);
    let opened = fs::OpenOptions::new().write(true).create(true).truncate(true).mode(OWNER_ALONE).open(&path);
    let written = opened.and_then(|mut file| {
        file.set_permissions(fs::Permissions::from_mode(OWNER_ALONE))?;
        file.write_all(content)
    });
    written.map_err(|error| format!("cannot write {}: {error}", path.display()))
}

/// The files by the names that the line of the start gives them.
pub(super) fn named(directory: &Path) -> Vec<(&'static str, PathBuf)> {
    let files = [
        ("ca_pem", "ca.pem"),
        ("truststore_p12", "truststore.p12"),
        ("truststore_jks", "truststore.jks"),
        ("client_pem", "client.pem"),
        ("client_key", "client.key"),
        ("client_p12", "client.p12"),
        ("client_jks", "client.jks"),
        ("server_pem", "server.pem"),
        ("server_key", "server.key"),
        ("server_p12", "server.p12"),
        ("server_jks", "server.jks"),
    ];
    let absolute = std::path::absolute(directory).unwrap_or_else(|_| directory.to_path_buf());
    files.map(|(key, name)| (key, absolute.join(name))).to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_file_is_for_its_owner_alone_whoever_has_made_it() {
        let home = tempfile::tempdir().unwrap();
        let old = home.path().join("old");
        fs::write(&old, "longer than what comes").unwrap();
        fs::set_permissions(&old, fs::Permissions::from_mode(0o644)).unwrap();
        for name in ["old", "new"] {
            put(home.path(), name, b"key").unwrap();
            let path = home.path().join(name);
            assert_eq!(fs::read(&path).unwrap(), b"key");
            assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, OWNER_ALONE, "{name}");
        }
    }
}
