//! The levels of the house, kept by a test: a module names only modules of lower levels.

use std::fs;
use std::path::{Path, PathBuf};

/// Level of each module; the reasons are in `ARCHITECTURE.md`.
const LEVELS: &[(&str, u32)] = &[
    ("stdx", 0),
    ("model", 1),
    ("metrics", 1),
    ("codec", 2),
    ("record", 3),
    ("security", 3),
    ("config", 3),
    ("io", 3),
    ("wire", 4),
    ("storage", 4),
    ("coordinator", 4),
    ("metadata", 4),
    ("replica", 5),
    ("quorum", 6),
    ("coordinator_runtime", 6),
    ("hosting", 7),
    ("controller", 8),
    ("shard", 9),
    ("assembly", 10),
    ("handlers", 11),
    ("http", 11),
    ("server", 12),
    ("broker", 13),
    ("cli", 14),
    ("main", 15),
    ("sim", 15),
    ("fuzzing", 15),
    ("lib", 16),
    ("tidy", 16),
];

/// The only places where `unsafe` may stand.
const UNSAFE_ALLOWED: &[&str] = &["io", "stdx", "record"];

fn level(module: &str) -> u32 {
    let found = LEVELS.iter().find(|(name, _)| *name == module);
    found.unwrap_or_else(|| panic!("the module `{module}` has no level: give it one in src/tidy.rs")).1
}

fn sources(folder: &Path, out: &mut Vec<PathBuf>) {
    for entry in fs::read_dir(folder).unwrap() {
        let path = entry.unwrap().path();
        if path.is_dir() {
            sources(&path, out);
        } else if path.extension().is_some_and(|e| e == "rs") {
            out.push(path);
        }
    }
}

/// Every source file with the module that it belongs to and its text.
fn house() -> Vec<(PathBuf, String, String)> {
    let root = Path::new(env!("CARGO_MANIFEST_DIR")).join("src");
    let mut files = Vec::new();
    sources(&root, &mut files);
    let describe = |path: PathBuf| {
        let relative = path.strip_prefix(&root).unwrap().to_path_buf();
        let first = relative.components().next().unwrap().as_os_str().to_str().unwrap();
        let module = first.trim_end_matches(".rs").to_string();
        let text = fs::read_to_string(&path).unwrap();
        (relative, module, text)
    };
    files.into_iter().map(describe).collect()
}

/// The first path segments that follow `crate::` in a line of code, grouped imports included.
fn named_modules(line: &str) -> Vec<String> {
    let word = |s: &str| s.chars().take_while(|c| c.is_alphanumeric() || *c == '_').collect::<String>();
    let mut found = Vec::new();
    for (at, _) in line.match_indices("crate::") {
        let rest = &line[at + "crate::".len()..];
        match rest.strip_prefix('{') {
            Some(group) => found.extend(group.split(',').map(|part| word(part.trim_start()))),
            None => found.push(word(rest)),
        }
    }
    found.retain(|name| name.chars().next().is_some_and(|c| c.is_ascii_lowercase()));
    found
}

#[test]
fn modules_name_only_lower_levels() {
    let mut wrong = Vec::new();
    for (path, module, text) in house() {
        let own = level(&module);
        for (number, line) in text.lines().enumerate() {
            let code = line.split("//").next().unwrap_or_default();
            for name in named_modules(code).iter().filter(|name| **name != module) {
                if level(name) >= own {
                    wrong.push(format!("src/{}:{}: `{module}` names `{name}`", path.display(), number + 1));
                }
            }
        }
    }
    assert!(wrong.is_empty(), "upward or sideways paths:\n{}", wrong.join("\n"));
}

#[test]
fn unsafe_stays_where_it_is_allowed() {
    for (path, module, text) in house() {
        let has = text.lines().any(|l| l.split("//").next().unwrap_or_default().contains("unsafe {"));
        assert!(!has || UNSAFE_ALLOWED.contains(&module.as_str()), "unsafe in src/{}", path.display());
    }
}

#[test]
fn files_begin_by_saying_what_they_hold() {
    for (path, _, text) in house() {
        assert!(text.starts_with("//!"), "src/{} does not begin with a `//!` sentence", path.display());
    }
}

#[test]
fn the_check_itself_sees_paths() {
    assert_eq!(named_modules("use crate::{io::disk, model};"), ["io", "model"]);
    assert_eq!(named_modules("let x = crate::storage::log::open();"), ["storage"]);
    assert!(named_modules("pub(crate) fn f()").is_empty());
}
