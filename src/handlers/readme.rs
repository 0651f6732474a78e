//! Keeps the table of the README equal to the list of handlers. `UPDATE=1` writes it.

use super::HANDLERS;
use crate::wire::api;

const BEGIN: &str = "<!-- handlers -->\n";
const END: &str = "<!-- /handlers -->";

fn table() -> String {
    let mut table = String::from("| key | API | versions | Kafka 4.4 |\n| --: | --- | --- | --- |\n");
    for handler in HANDLERS {
        let kafka = api::describe(handler.key).expect("every handler serves a live API");
        let range = |min: i16, max: i16| if min == max { min.to_string() } else { format!("{min}–{max}") };
        let ours = range(handler.min_version, handler.max_version);
        let theirs = range(kafka.min_version, kafka.max_version);
        table.push_str(&format!("| {} | {} | {ours} | {theirs} |\n", handler.key.id(), handler.key));
    }
    table
}

#[test]
fn the_readme_shows_the_handlers() {
    let path = concat!(env!("CARGO_MANIFEST_DIR"), "/README.md");
    let readme = std::fs::read_to_string(path).unwrap();
    let (before, rest) = readme.split_once(BEGIN).unwrap();
    let (shown, after) = rest.split_once(END).unwrap();
    if std::env::var_os("UPDATE").is_some() {
        std::fs::write(path, format!("{before}{BEGIN}{}{END}{after}", table())).unwrap();
    } else {
        assert_eq!(shown, table(), "run UPDATE=1 cargo test readme");
    }
}
