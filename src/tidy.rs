//! The levels of the house, kept by a test: a module names only modules of lower levels.

use std::collections::{BTreeMap, BTreeSet};
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
    ("faults", 6),
    ("quorum", 6),
    ("coordinator_runtime", 6),
    ("hosting", 7),
    ("controller", 8),
    ("shard", 9),
    ("assembly", 10),
    ("handlers", 11),
    ("server", 12),
    ("http", 13),
    ("broker", 14),
    ("cli", 15),
    ("main", 16),
    ("test", 16),
    ("sim", 16),
    ("fuzzing", 16),
    ("lib", 17),
    ("tidy", 17),
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

/// Nothing that comes from outside may pass for the broker's own, but for what a test asks of a broker that is made for it.
#[test]
fn requests_of_the_brokers_own_are_few() {
    let with = |word: &str| {
        let makes = |(_, text): &(PathBuf, String)| text.contains(word);
        let found = products().into_iter().filter(makes).map(|(path, _)| path.display().to_string());
        found.collect::<BTreeSet<_>>().into_iter().collect::<Vec<_>>()
    };
    assert_eq!(with("::of_the_broker("), ["server/inlet.rs"]);
    let asked = with("_as_broker(");
    assert_eq!(
        asked,
        [
            "broker/first.rs",
            "http/brokers.rs",
            "http/deeds.rs",
            "http/fixtures/mod.rs",
            "server/expiry.rs",
            "server/inlet.rs",
            "server/inlet/topics.rs"
        ]
    );
}

#[test]
fn files_begin_by_saying_what_they_hold() {
    for (path, _, text) in house() {
        assert!(text.starts_with("//!"), "src/{} does not begin with a `//!` sentence", path.display());
    }
}

/// The modules that only tests and their own programs have, by their paths without `.rs`: they are declared below a `cfg`
/// that names `test`.
fn modules_of_tests(house: &[(PathBuf, String, String)]) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for (path, _, text) in house {
        let is_root = ["mod.rs", "lib.rs"].iter().any(|name| path.ends_with(name));
        let folder = if is_root { path.parent().unwrap().to_path_buf() } else { path.with_extension("") };
        let mut is_of_tests = false;
        for line in text.lines().map(str::trim_start) {
            let words = line.trim_end_matches(';').split(' ').skip_while(|word| word.starts_with("pub"));
            match words.collect::<Vec<_>>()[..] {
                ["mod", name] if is_of_tests && line.ends_with(';') => found.push(folder.join(name)),
                _ if line.starts_with("#[") => {
                    is_of_tests |= line.starts_with("#[cfg(test)]") || line.starts_with("#[cfg(any(test");
                    continue;
                }
                _ => {}
            }
            is_of_tests = false;
        }
    }
    found
}

/// The product's part of each file, by its path: without tests, and without what only tests and their programs have.
fn products() -> Vec<(PathBuf, String)> {
    let house = house();
    let of_tests = modules_of_tests(&house);
    let is_product = |path: &Path| !of_tests.iter().any(|module| path.with_extension("").starts_with(module));
    let all = house.into_iter().filter(|(path, _, _)| is_product(path));
    all.map(|(path, _, text)| (path, without_tests(&text))).collect()
}

/// A file up to its module of tests.
fn without_tests(text: &str) -> String {
    let mut lines = text.lines().peekable();
    let mut kept = String::new();
    while let Some(line) = lines.next() {
        let begins = |next: &&str| next.starts_with("mod ") && next.ends_with(" {");
        if line == "#[cfg(test)]" && lines.peek().is_some_and(begins) {
            break;
        }
        kept.push_str(line);
        kept.push('\n');
    }
    kept
}

/// The part of a line that is code. A `//` within a string cuts it short, which hides nothing that is looked for here.
fn code(line: &str) -> &str {
    line.split("//").next().unwrap_or_default()
}

/// How many lines each function has, by its first line; rustfmt gives the end of one the indentation of its beginning.
fn functions(text: &str) -> Vec<(String, usize)> {
    let lines: Vec<&str> = text.lines().collect();
    let begins = |line: &str| {
        let words = line.trim_start().split(['(', '<']).next().unwrap_or_default();
        words.split(' ').rev().nth(1) == Some("fn") && !line.trim_end().ends_with(';')
    };
    let mut found = Vec::new();
    for (at, line) in lines.iter().enumerate().filter(|(_, line)| begins(line)) {
        let indentation = &line[..line.len() - line.trim_start().len()];
        let end = format!("{indentation}}}");
        if let Some(length) = lines[at..].iter().position(|line| *line == end) {
            found.push((line.trim().to_string(), length + 1));
        }
    }
    found
}

/// Words that stand for no actor, or for something that the field has a word for.
const NOT_USED: &[&str] = &[
    "whoever",
    "somebody",
    "anybody",
    "nobody",
    "someone",
    "anyone",
    "platter",
    "dice",
    "weather",
    "rouse",
    "restless",
    "errand",
    "chore",
    "replication::",
];
/// A doc comment that begins with one of these has no subject.
const PREPOSITIONS: &[&str] = &["Of ", "For ", "To ", "With ", "By ", "From ", "In ", "On ", "At "];
/// Kinds of types whose order of iteration is that of a hash.
const HASHED: &[&str] = &["HashMap", "HashSet"];
/// What is to be had from `io` only: clocks and threads.
const OF_THE_MACHINE: &[&str] =
    &["SystemTime::now", "time::Instant::now", "thread::spawn", "thread::sleep", "thread::Builder", "thread::scope"];
/// A function fits on a screen.
const MAX_FUNCTION_LINES: usize = 70;
/// A file has one subject.
const MAX_FILE_LINES: usize = 500;

/// Where a rule is broken.
type Broken = Vec<String>;

fn lines_with(wanted: impl Fn(&str) -> bool) -> Broken {
    let mut broken = Vec::new();
    for (path, text) in products() {
        for (number, line) in text.lines().enumerate().filter(|(_, line)| wanted(line)) {
            broken.push(format!("src/{}:{}: {}", path.display(), number + 1, line.trim()));
        }
    }
    broken
}

fn words_that_are_not_used() -> Broken {
    lines_with(|line| {
        let line = line.to_lowercase();
        let is_word = |at: usize, word: &str| !line[at + word.len()..].starts_with(|c: char| c.is_alphabetic());
        let begins = |at: usize| !line[..at].ends_with(|c: char| c.is_alphabetic());
        NOT_USED.iter().any(|word| line.match_indices(word).any(|(at, word)| begins(at) && is_word(at, word)))
    })
}

fn comments_without_a_subject() -> Broken {
    let mut broken = Vec::new();
    for (path, text) in products() {
        let mut before = "";
        for (number, line) in text.lines().enumerate() {
            let comment = line.trim_start().strip_prefix("/// ");
            let is_first = !before.trim_start().starts_with("///");
            let has_none = |comment: &str| {
                comment == "See the module." || PREPOSITIONS.iter().any(|word| comment.starts_with(word))
            };
            if is_first && comment.is_some_and(has_none) {
                broken.push(format!("src/{}:{}: {}", path.display(), number + 1, line.trim()));
            }
            before = line;
        }
    }
    broken
}

fn long_functions() -> Broken {
    let mut broken = Vec::new();
    for (path, _, text) in house() {
        let long = functions(&text).into_iter().filter(|(_, length)| *length > MAX_FUNCTION_LINES);
        broken.extend(long.map(|(begin, length)| format!("src/{}: {length} lines: {begin}", path.display())));
    }
    broken
}

fn long_files() -> Broken {
    let long = |(path, text): (PathBuf, String)| {
        let length = text.lines().count();
        (length > MAX_FILE_LINES).then(|| format!("src/{}: {length} lines", path.display()))
    };
    products().into_iter().filter_map(long).collect()
}

fn public_names_that_two_types_have() -> Broken {
    let mut places: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for (path, text) in products() {
        for line in text.lines() {
            let name =
                ["pub struct ", "pub enum ", "pub trait ", "pub type "].iter().find_map(|kind| line.strip_prefix(kind));
            let Some(name) = name else { continue };
            let name: String = name.chars().take_while(|c| c.is_alphanumeric()).collect();
            places.entry(name).or_default().push(path.display().to_string());
        }
    }
    let more = places.into_iter().filter(|(_, files)| files.len() > 1);
    more.map(|(name, files)| format!("{name}: {}", files.join(", "))).collect()
}

fn hashed_collections() -> Broken {
    lines_with(|line| HASHED.iter().any(|word| code(line).contains(word)))
}

fn clocks_and_threads_outside_io() -> Broken {
    let of_io = |line: &String| line.starts_with("src/io/");
    let all = lines_with(|line| OF_THE_MACHINE.iter().any(|word| code(line).contains(word)));
    all.into_iter().filter(|line| !of_io(line)).collect()
}

/// Secrets are compared by what takes the same time for any two: a client measures how far it was right.
fn secrets_that_are_compared_as_they_are() -> Broken {
    const OF_SECRETS: [&str; 3] = ["src/security/sasl", "src/security/crypto.rs", "src/stdx/secret.rs"];
    const SECRETS: [&str; 7] =
        ["password", "proof", "stored_key", "server_key", "signature", "expose()", "one == other"];
    let compares = |line: &str| (line.contains(" == ") || line.contains(" != ")) && !line.contains(".len()");
    let lines = lines_with(|line| compares(code(line)) && SECRETS.iter().any(|word| code(line).contains(word)));
    lines.into_iter().filter(|line| OF_SECRETS.iter().any(|path| line.starts_with(path))).collect()
}

/// Modules that programs outside of the library can see: in the others the compiler finds what nothing uses.
fn modules_seen_from_outside() -> Broken {
    let (_, text) = products().into_iter().find(|(path, _)| path == Path::new("lib.rs")).expect("lib.rs");
    text.lines().filter(|line| line.starts_with("pub mod")).map(str::to_string).collect()
}

/// A rule, what finds where it is broken, and how often it may be.
type Rule = (&'static str, fn() -> Broken, usize);

/// Each rule with how often it is broken today. The numbers only fall.
const RATCHET: &[Rule] = &[
    ("a word that is not used", words_that_are_not_used, 0),
    ("a comment without a subject", comments_without_a_subject, 0),
    ("a function of more than 70 lines", long_functions, 2),
    ("a file of more than 500 lines", long_files, 3),
    ("a public name of two types", public_names_that_two_types_have, 34),
    ("a collection whose order is that of a hash", hashed_collections, 60),
    ("a secret that is compared as it is", secrets_that_are_compared_as_they_are, 0),
    ("a clock or a thread outside of io", clocks_and_threads_outside_io, 5),
    ("a module that is seen from outside", modules_seen_from_outside, 16),
];

#[test]
fn rules_are_broken_less_and_less() {
    let mut wrong = Vec::new();
    for (rule, find, ceiling) in RATCHET {
        let broken = find();
        if broken.len() > *ceiling {
            wrong.push(format!("{rule}: {} times, not more than {ceiling}\n  {}", broken.len(), broken.join("\n  ")));
        } else if broken.len() < *ceiling {
            wrong.push(format!("{rule}: only {} times by now: put that number into the table", broken.len()));
        }
    }
    assert!(wrong.is_empty(), "{}", wrong.join("\n"));
}

/// What must hold is written down where it must hold; the number only rises.
const LEAST_ASSERTIONS: usize = 490;

#[test]
fn what_must_hold_is_written_down() {
    const KINDS: [&str; 6] =
        ["assert!(", "assert_eq!(", "assert_ne!(", "debug_assert!(", "debug_assert_eq!(", "debug_assert_ne!("];
    let asserts = lines_with(|line| {
        KINDS.iter().any(|kind| code(line).trim_start().starts_with(kind)) || code(line).contains(" assert!(")
    });
    let count = asserts.len();
    assert!(count >= LEAST_ASSERTIONS, "{count} assertions in the product, {LEAST_ASSERTIONS} before");
}

#[test]
fn the_checks_themselves_see() {
    assert_eq!(named_modules("use crate::{io::disk, model};"), ["io", "model"]);
    assert_eq!(named_modules("let x = crate::storage::log::open();"), ["storage"]);
    assert!(named_modules("pub(crate) fn f()").is_empty());
    let text = "impl A {\n    pub fn f<T>(a: T) -> T {\n        a\n    }\n}\n\n#[cfg(test)]\nmod tests {\n    use super::*;\n}\n";
    assert_eq!(functions(text), [("pub fn f<T>(a: T) -> T {".to_string(), 3)]);
    assert!(!without_tests(text).contains("super") && without_tests(text).contains("fn f"));
    let file = |path: &str, text: &str| (PathBuf::from(path), String::new(), text.to_string());
    let declared =
        "mod a;\n#[cfg(any(test, feature = \"sim\"))]\n#[doc(hidden)]\npub mod b;\n#[cfg(test)]\nuse x;\nmod c;\n";
    let of_tests = modules_of_tests(&[file("one/mod.rs", declared), file("two.rs", "#[cfg(test)]\nmod tests;\n")]);
    assert_eq!(of_tests, [PathBuf::from("one/b"), PathBuf::from("two/tests")]);
}
