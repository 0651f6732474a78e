//! What config providers read: files of properties, and files of a directory (`FileConfigProvider`, `DirectoryConfigProvider`,
//! `AllowedPaths`). Which they are, `config::providers` says; nothing of what is in them is logged.

use std::path::{Path, PathBuf};

use ::log::warn;

use super::text_of;
use crate::config::properties;
use crate::config::{Provided, ProviderPlace, ProviderRequest};
use crate::stdx::secret::Secret;

/// An error is a sentence for people.
pub(super) fn read(requests: &[ProviderRequest]) -> Result<Provided, String> {
    let mut provided = Provided::default();
    for ProviderRequest { provider, place, allowed_paths, wanted } in requests {
        let refused = |reason: String| format!("the config provider {provider}: {reason}");
        let allowed = allowed_paths.as_ref().map(|paths| paths.iter().map(|path| real(path)).collect());
        let allowed: Option<Vec<PathBuf>> = allowed.transpose().map_err(refused)?;
        for (path, keys) in wanted {
            let Some(allowed) = permitted(path, allowed.as_deref()) else {
                warn!("config provider {provider}: the path {path} is not allowed to be accessed");
                continue;
            };
            let found = match place {
                ProviderPlace::Properties => properties::parse(&text_of(&allowed, "file of a config provider")?),
                ProviderPlace::Directory => files(provider, &allowed, keys.iter())?,
            };
            for (key, value) in found.into_iter().filter(|(key, _)| keys.contains(key)) {
                provided.put(provider, path, &key, Secret::new(value));
            }
        }
    }
    Ok(provided)
}

/// A path of `allowed.paths`.
fn real(path: &str) -> Result<PathBuf, String> {
    let given = Path::new(path);
    if !given.is_absolute() {
        return Err(format!("Path {path} is not absolute"));
    }
    given.canonicalize().map_err(|_| format!("Path {path} does not exist"))
}

/// The path as it may be opened; `None`: it is in none of the allowed ones, or not there.
fn permitted(path: &str, allowed: Option<&[PathBuf]>) -> Option<PathBuf> {
    let Some(allowed) = allowed else { return Some(path.into()) };
    let real = Path::new(path).canonicalize().ok()?;
    allowed.iter().any(|allowed| real.starts_with(allowed)).then_some(real)
}

/// The files of a directory that have these names, with their texts.
fn files<'k>(
    provider: &str,
    directory: &Path,
    names: impl Iterator<Item = &'k String>,
) -> Result<Vec<(String, String)>, String> {
    if !directory.is_dir() {
        warn!("config provider {provider}: the path {} is not a directory", directory.display());
        return Ok(Vec::new());
    }
    // A name is one of the directory's own.
    let is_name = |name: &&String| Path::new(name).file_name().is_some_and(|own| own == name.as_str());
    let file = |name: &String| directory.join(name);
    let found = names.filter(is_name).filter(|name| file(name).is_file());
    found.map(|name| Ok((name.clone(), text_of(&file(name), "file of a config provider")?))).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::BTreeMap;
    use std::fs;

    fn request(
        place: ProviderPlace,
        allowed_paths: Option<Vec<String>>,
        path: &Path,
        keys: &[&str],
    ) -> ProviderRequest {
        let keys = keys.iter().map(|key| key.to_string()).collect();
        let wanted = BTreeMap::from([(path.display().to_string(), keys)]);
        ProviderRequest { provider: "p".into(), place, allowed_paths, wanted }
    }

    /// How many of the keys were found.
    fn count(request: ProviderRequest) -> Result<usize, String> {
        read(&[request]).map(|provided| format!("{provided:?}").matches("hidden").count())
    }

    #[test]
    fn files_are_read_where_that_is_allowed() {
        let (scratch, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
        let place = scratch.path();
        fs::write(place.join("f.properties"), "one=1\ntwo=2\n").unwrap();
        fs::create_dir(place.join("sub")).unwrap();
        std::os::unix::fs::symlink(other.path(), place.join("link")).unwrap();
        fs::write(other.path().join("f"), "x").unwrap();
        let properties = place.join("f.properties");
        let only = |path: &Path| Some(vec![path.display().to_string()]);
        let file = |allowed, path: &Path| count(request(ProviderPlace::Properties, allowed, path, &["one", "three"]));
        assert_eq!(file(None, &properties), Ok(1));
        assert_eq!(file(only(place), &properties), Ok(1));
        assert_eq!(file(only(&place.join("sub")), &properties), Ok(0));
        assert_eq!(file(only(place), &place.join("sub/../f.properties")), Ok(1));
        assert_eq!(file(only(place), &place.join("none")), Ok(0));
        assert!(file(None, &place.join("none")).unwrap_err().starts_with("cannot read the file of a config provider"));
        assert!(file(Some(vec!["relative".into()]), &properties).unwrap_err().ends_with("relative is not absolute"));
        assert!(file(only(&place.join("none")), &properties).unwrap_err().ends_with("none does not exist"));
        let keys = ["f.properties", "sub", "none", "../x", "sub/../f.properties", "..", ""];
        let directory = |allowed, path: &Path| count(request(ProviderPlace::Directory, allowed, path, &keys));
        assert_eq!(directory(only(place), place), Ok(1));
        assert_eq!(directory(None, &place.join("none")), Ok(0));
        let linked = |allowed| count(request(ProviderPlace::Directory, allowed, &place.join("link"), &["f"]));
        assert_eq!((linked(only(place)), linked(None)), (Ok(0), Ok(1)));
    }
}
