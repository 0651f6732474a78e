//! The man page `klamm(1)`, from the table of `commands`, in the macros of `man(7)`.

use super::commands::{COMMANDS, ENVIRONMENT, EXIT_CODES, Entry, Opt, TITLE, TOOLS};
use super::help;

/// When the words of this page were last changed.
const DATE: &str = "2026-11-30";

/// The whole page.
pub(super) fn page() -> String {
    let mut out = format!(".TH KLAMM 1 {DATE} \"klamm {}\" \"Klamm\"\n", env!("CARGO_PKG_VERSION"));
    let title = TITLE.strip_prefix("Klamm, ").unwrap_or(TITLE);
    out += &format!(".SH NAME\nklamm \\- {}\n.SH SYNOPSIS\n", shown(title));
    let lines = COMMANDS.iter().flat_map(help::spelled).map(|line| {
        let (name, rest) = line.split_once(' ').unwrap_or((&line, ""));
        format!(".B {}\n{}", shown(name), text_line(rest))
    });
    out += &lines.collect::<Vec<_>>().join(".br\n");
    out += ".SH DESCRIPTION\n";
    out += &text_line(
        "A Kafka broker: it speaks the Kafka protocol and keeps Kafka's own files on disk, so that Kafka's clients and tools work with it unchanged. It takes Kafka's own settings, from server.properties, from variables KAFKA_* and from --override, each of which goes before the one in front of it.",
    );
    out += ".SH OPTIONS\n";
    help::everywhere().for_each(|option| item(&mut out, option));
    out += ".SH COMMANDS\n";
    COMMANDS.iter().chain(TOOLS).for_each(|entry| command(&mut out, entry));
    out += ".SH ENVIRONMENT\n";
    ENVIRONMENT.iter().for_each(|(name, about)| tagged(&mut out, &format!("\\fB{}\\fR", shown(name)), about));
    out += ".SH \"EXIT STATUS\"\n";
    EXIT_CODES.iter().for_each(|(code, about)| tagged(&mut out, &format!("\\fB{code}\\fR"), about));
    out += ".SH SIGNALS\n";
    tagged(&mut out, "\\fBSIGTERM\\fR, \\fBSIGINT\\fR", "stop the broker in order");
    tagged(&mut out, "\\fBSIGUSR1\\fR", "writes what the broker has counted into its log");
    out
}

fn command(out: &mut String, entry: &Entry) {
    let lines = help::spelled(entry);
    *out += &format!(".SS \\fB{}\\fR\n", shown(&lines[0]));
    lines[1..].iter().for_each(|line| *out += &format!("\\fB{}\\fR\n.br\n", shown(line)));
    *out += &text_line(entry.about);
    entry.options.iter().for_each(|option| item(out, option));
}

fn item(out: &mut String, option: &Opt) {
    let short = option.short.map_or(String::new(), |letter| format!("\\fB\\-{letter}\\fR, "));
    let value = option.value.map_or(String::new(), |value| format!(" \\fI{}\\fR", shown(value)));
    tagged(out, &format!("{short}\\fB\\-\\-{}\\fR{value}", shown(option.long)), option.about);
}

fn tagged(out: &mut String, tag: &str, about: &str) {
    *out += &format!(".TP\n{tag}\n{}", text_line(about));
}

/// A line of text, which may begin with what would be a request there.
fn text_line(text: &str) -> String {
    let text = shown(text);
    let guard = if text.starts_with(['.', '\'']) { "\\&" } else { "" };
    format!("{guard}{text}\n")
}

fn shown(text: &str) -> String {
    text.replace('\\', "\\e").replace('-', "\\-").replace('`', "\\(ga")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_page_tells_of_each_option_and_begins_no_line_by_accident() {
        let page = page();
        for entry in COMMANDS.iter().chain(TOOLS) {
            for option in entry.options {
                assert!(page.contains(&format!("\\-\\-{}", shown(option.long))), "{} --{}", entry.name, option.long);
            }
        }
        let known = [".TH", ".SH", ".SS", ".TP", ".B", ".br"];
        for line in page.lines().filter(|line| line.starts_with(['.', '\''])) {
            assert!(known.contains(&line.split(' ').next().unwrap()), "{line}");
        }
        assert_eq!(text_line(".a-b\\"), "\\&.a\\-b\\e\n");
    }
}
