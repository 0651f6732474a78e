//! `--help`, from the table of `commands`: everything, or one command.

use super::commands::{self, COMMANDS, ENVIRONMENT, Entry, Opt, TITLE, TOOLS};

/// Lines of a terminal that is not wide.
const WIDTH: usize = 80;
/// Where the words about an option begin.
const COLUMN: usize = 29;

/// What `--help` prints; `name` is the command or tool that it stands behind.
pub(super) fn text(name: Option<&str>) -> String {
    match name.and_then(|name| commands::command(name).or_else(|| commands::tool(name))) {
        Some(entry) => of_one(entry),
        None => of_all(),
    }
}

fn of_all() -> String {
    let mut out = format!("{TITLE}\n\nUsage:\n");
    for entry in COMMANDS {
        usage(&mut out, entry);
    }
    for entry in COMMANDS {
        out += &format!("\n{}", filled(entry.about, 0));
        if entry.name.is_empty() {
            out += "\nOptions:\n";
            entry.all_options().for_each(|option| line(&mut out, option));
            continue;
        }
        // What is said of the start is not said again.
        let own = entry.options.iter().filter(|option| COMMANDS[0].long(option.long).is_none());
        let own: Vec<&Opt> = own.collect();
        if !own.is_empty() {
            out += &format!("Options of `{}`:\n", entry.name);
            own.into_iter().for_each(|option| line(&mut out, option));
        }
        if entry.name == "tool" {
            TOOLS.iter().for_each(|tool| pair(&mut out, &format!("  {}", tool.name), tool.about));
            out += "`klamm tool NAME --help` has the options of each.\n";
        }
    }
    out += "\nEnvironment (not of `test`):\n";
    ENVIRONMENT.iter().for_each(|(name, about)| pair(&mut out, &format!("  {name}"), about));
    out
}

fn of_one(entry: &Entry) -> String {
    let mut out = format!("{}\nUsage:\n", filled(entry.about, 0));
    usage(&mut out, entry);
    out += "\nOptions:\n";
    entry.all_options().for_each(|option| line(&mut out, option));
    out
}

/// The command as it is typed, with a line for each way.
pub(super) fn spelled(entry: &Entry) -> Vec<String> {
    let name = match (entry.name, commands::command(entry.name)) {
        ("", _) => "klamm".to_string(),
        (name, Some(_)) => format!("klamm {name}"),
        (name, None) => format!("klamm tool {name}"),
    };
    entry.synopsis.split('\n').map(|line| format!("{name} {line}").trim_end().to_string()).collect()
}

fn usage(out: &mut String, entry: &Entry) {
    spelled(entry).iter().for_each(|line| *out += &filled(line, 2));
}

fn line(out: &mut String, option: &Opt) {
    let short = option.short.map_or("      ".to_string(), |letter| format!("  -{letter}, "));
    let value = option.value.map_or(String::new(), |value| format!(" {value}"));
    pair(out, &format!("{short}--{}{value}", option.long), option.about);
}

/// Two columns; a first one that is too wide has a line of its own.
fn pair(out: &mut String, left: &str, right: &str) {
    let right = filled(right, COLUMN);
    let fits = left.chars().count() + 1 < COLUMN;
    *out += &match fits {
        true => format!("{left:COLUMN$}{}", &right[COLUMN..]),
        false => format!("{left}\n{right}"),
    };
}

/// Words in lines that are indented; the last line has its end, too.
fn filled(text: &str, indentation: usize) -> String {
    let mut out = String::new();
    let mut width = 0;
    for word in text.split_whitespace() {
        let length = word.chars().count();
        if width > 0 && indentation + width + 1 + length > WIDTH {
            out.push('\n');
            width = 0;
        }
        match width {
            0 => out.extend(std::iter::repeat_n(' ', indentation)),
            _ => out.push(' '),
        }
        width += length + usize::from(width > 0);
        out += word;
    }
    out.push('\n');
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn help_tells_of_each_option_in_lines_that_fit() {
        let all = text(None);
        for entry in COMMANDS {
            assert!(entry.name.is_empty() || all.contains(&format!("klamm {}", entry.name)), "{}", entry.name);
            for option in entry.all_options() {
                assert!(all.contains(&format!("--{}", option.long)), "{} --{}", entry.name, option.long);
            }
        }
        for shown in [all].into_iter().chain(COMMANDS.iter().chain(TOOLS).map(|entry| text(Some(entry.name)))) {
            assert!(shown.lines().all(|line| line.chars().count() <= WIDTH), "{shown}");
            assert!(shown.ends_with('\n') && !shown.contains("\n\n\n"), "{shown}");
        }
        for tool in TOOLS {
            let own = text(Some(tool.name));
            assert!(tool.options.iter().all(|option| own.contains(&format!("--{}", option.long))), "{own}");
        }
    }
}
