//! The build script: reads the table of messages and writes the Rust for each module that includes some of it.
//!
//! No dependencies, some milliseconds. `schema.rs` reads the table, `rust.rs` writes a message, `groups.rs` what stands
//! around messages (modules, key and record enums, the table of APIs), `shapes.rs` the table as data. `loggers.rs` lists the
//! modules that write log lines.

mod groups;
mod loggers;
mod rust;
mod schema;
mod shapes;

use std::path::Path;

fn main() {
    let root = std::env::var("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let out = std::env::var("OUT_DIR").expect("cargo sets it");
    let folder = Path::new(&root).join("src/codec/schema");
    println!("cargo::rerun-if-changed=src");
    println!("cargo::rerun-if-changed=build");
    let table = schema::load(&folder);
    let names = loggers::list(&Path::new(&root).join("src"));
    let others = [("loggers.rs", names), ("shapes.rs", shapes::file(&table))];
    for (file, text) in groups::files(&table).into_iter().chain(others) {
        let path = Path::new(&out).join(file);
        std::fs::write(&path, text).unwrap_or_else(|e| panic!("{}: {e}", path.display()));
    }
}
