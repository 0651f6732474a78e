//! What makes bash, zsh and fish complete, from the table of `commands`. Each script stands alone: none needs a package of
//! completions, and none asks `klamm` while the user types.

use std::fmt::Write;

use super::args::Shell;
use super::commands::{COMMANDS, Completes, Entry, Opt, TOOLS};
use crate::config::definitions;

/// The script for a shell.
pub(super) fn script(shell: Shell) -> String {
    match shell {
        Shell::Bash => bash(),
        Shell::Zsh => zsh(),
        Shell::Fish => fish(),
    }
}

fn settings() -> Vec<String> {
    definitions::broker_all().iter().filter(|known| !known.internal).map(|known| format!("{}=", known.name)).collect()
}

fn names(entries: &[Entry]) -> Vec<&'static str> {
    entries.iter().map(|entry| entry.name).filter(|name| !name.is_empty()).collect()
}

/// `-c` and `--config`
fn spellings(option: &Opt) -> Vec<String> {
    let short = option.short.map(|letter| format!("-{letter}"));
    short.into_iter().chain([format!("--{}", option.long)]).collect()
}

/// How a command is called in the scripts' cases: tools have a name that no command has.
fn key(entry: &Entry, is_tool: bool) -> String {
    match (entry.name, is_tool) {
        ("", _) => "start".into(),
        (name, true) => format!("tool-{name}"),
        (name, false) => name.into(),
    }
}

fn all() -> impl Iterator<Item = (String, &'static Entry)> {
    let commands = COMMANDS.iter().map(|entry| (key(entry, false), entry));
    commands.chain(TOOLS.iter().map(|entry| (key(entry, true), entry)))
}

const BASH_HEAD: &str = r#"# Completions of klamm for bash: source this file, or put it into the folder of bash-completion under the name klamm.
_klamm() {
    local cur=${COMP_WORDS[COMP_CWORD]} prev=${COMP_WORDS[COMP_CWORD - 1]} command=start first=1
    COMPREPLY=()
    # In bash `=` is a word of its own.
    [[ $cur == = ]] && cur=
    [[ $prev == = && $COMP_CWORD -ge 2 ]] && prev=${COMP_WORDS[COMP_CWORD - 2]}
"#;

fn bash() -> String {
    let mut out = BASH_HEAD.to_string();
    let (commands, tools) = (names(COMMANDS), names(TOOLS));
    let _ = writeln!(out, "    case ${{COMP_WORDS[0]##*/}} in");
    for tool in &tools {
        let _ = writeln!(out, "    kafka-{tool} | kafka-{tool}.sh) command=tool-{tool} first=0 ;;");
    }
    let _ = writeln!(out, "    *)\n        case $COMP_CWORD:${{COMP_WORDS[1]}} in\n        1:*) ;;");
    let _ = writeln!(
        out,
        "        2:tool) ;;\n        *:tool) [[ \" {} \" == *\" ${{COMP_WORDS[2]#kafka-}} \"* ]] && command=tool-${{COMP_WORDS[2]#kafka-}} first=2 ;;",
        tools.join(" ")
    );
    let others: Vec<_> = commands.iter().filter(|name| **name != "tool").map(|name| format!("*:{name}")).collect();
    let _ = writeln!(out, "        {}) command=${{COMP_WORDS[1]}} first=1 ;;", others.join(" | "));
    let _ = writeln!(
        out,
        "        esac\n        [[ $COMP_CWORD -gt 1 && ${{COMP_WORDS[1]}} == tool && $command == start ]] && command=tool\n        ;;\n    esac"
    );
    let _ = writeln!(out, "    case $command:$prev in");
    for (key, entry) in all() {
        for option in entry.options.iter().filter(|option| option.value.is_some()) {
            let patterns: Vec<_> = spellings(option).iter().map(|name| format!("{key}:{name}")).collect();
            let _ = writeln!(out, "    {}) {}; return ;;", patterns.join(" | "), bash_reply(option.completes));
        }
    }
    let _ = writeln!(out, "    esac\n    if [[ $cur == -* ]]; then\n        case $command in");
    for (key, entry) in all() {
        let options: Vec<_> = entry.all_options().flat_map(spellings).collect();
        let _ = writeln!(out, "        {key}) COMPREPLY=($(compgen -W '{}' -- \"$cur\")) ;;", options.join(" "));
    }
    let _ = writeln!(out, "        esac\n        return\n    fi\n    case $command in");
    for (key, entry) in all() {
        let reply = bash_reply(entry.argument);
        let _ = match key.as_str() {
            "start" => {
                let words = commands.join(" ");
                writeln!(
                    out,
                    "    start)\n        {reply}\n        [[ $COMP_CWORD -ne 1 ]] || COMPREPLY+=($(compgen -W '{words}' -- \"$cur\"))\n        ;;"
                )
            }
            _ => writeln!(out, "    {key}) {reply} ;;"),
        };
    }
    out += "    esac\n}\ncomplete -F _klamm klamm";
    tools.iter().for_each(|tool| out += &format!(" kafka-{tool} kafka-{tool}.sh"));
    out + "\n"
}

fn bash_reply(completes: Completes) -> String {
    let words = |words: &str| format!("COMPREPLY=($(compgen -W '{words}' -- \"$cur\"))");
    match completes {
        Completes::Nothing => ":".into(),
        Completes::File => "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -f -- \"$cur\"))".into(),
        Completes::Directory => "compopt -o filenames 2>/dev/null; COMPREPLY=($(compgen -d -- \"$cur\"))".into(),
        Completes::Setting => format!("compopt -o nospace 2>/dev/null; {}", words(&settings().join(" "))),
        Completes::Words(list) => words(&list.join(" ")),
        Completes::Tool => words(&names(TOOLS).join(" ")),
    }
}

fn zsh() -> String {
    let tools: Vec<_> =
        names(TOOLS).iter().flat_map(|tool| [format!("kafka-{tool}"), format!("kafka-{tool}.sh")]).collect();
    let mut out = format!("#compdef klamm {}\n\n_klamm() {{\n    local command=start\n", tools.join(" "));
    out += "    case ${words[1]:t} in\n    kafka-*) command=tool-${${words[1]:t:r}#kafka-} ;;\n    *)\n        case ${words[2]} in\n        tool)\n            (( CURRENT > 3 )) && command=tool-${words[3]#kafka-} && shift 2 words && (( CURRENT -= 2 ))\n            [[ $command == start ]] && command=tool && (( CURRENT > 2 )) && shift words && (( CURRENT -= 1 ))\n            ;;\n";
    let others: Vec<_> = names(COMMANDS).into_iter().filter(|name| *name != "tool").collect();
    let _ = writeln!(
        out,
        "        {}) (( CURRENT > 2 )) && command=${{words[2]}} && shift words && (( CURRENT -= 1 )) ;;\n        esac\n        ;;\n    esac",
        others.join(" | ")
    );
    let _ = writeln!(out, "    [[ $command == tool && $CURRENT -eq 2 && ${{words[2]}} == tool ]] && command=start");
    out += "    case $command in\n";
    for (key, entry) in all() {
        let _ = write!(out, "    {key})\n        _arguments -S");
        for option in entry.all_options() {
            let name = match option.short {
                Some(letter) => format!("'(-{letter} --{long})'{{-{letter},--{long}}}", long = option.long),
                None => format!("'--{}", option.long),
            };
            let about = zsh_quoted(option.about);
            let value = option.value.map_or(String::new(), |value| {
                format!(":{}:{}", zsh_quoted(value).replace(':', "\\:"), zsh_action(option.completes))
            });
            let open = if option.short.is_some() { "'" } else { "" };
            let _ = write!(out, " \\\n            {name}{open}[{about}]{value}'");
        }
        let argument = match (key.as_str(), entry.argument) {
            ("start", _) => {
                format!(" '1:command or file:{{_values command {}; _files}}'", names(COMMANDS).join(" "))
            }
            (_, Completes::Nothing) => String::new(),
            (_, argument) => format!(" '*:argument:{}'", zsh_action(argument)),
        };
        let _ = writeln!(out, "{argument}\n        ;;");
    }
    out + "    esac\n}\n\n_klamm \"$@\"\n"
}

fn zsh_quoted(text: &str) -> String {
    text.replace('\'', "'\\''").replace('[', "\\[").replace(']', "\\]")
}

fn zsh_action(completes: Completes) -> String {
    match completes {
        Completes::Nothing => " ".into(),
        Completes::File => "_files".into(),
        Completes::Directory => "_files -/".into(),
        Completes::Setting => format!("({})", settings().join(" ")),
        Completes::Words(list) => format!("({})", list.join(" ")),
        Completes::Tool => format!("({})", names(TOOLS).join(" ")),
    }
}

fn fish() -> String {
    let mut out = String::from("# Completions of klamm for fish.\n");
    let commands = names(COMMANDS).join(" ");
    let tools = names(TOOLS).join(" ");
    let at_start = format!("not __fish_seen_subcommand_from {commands}");
    for entry in COMMANDS.iter().filter(|entry| !entry.name.is_empty()) {
        let (name, about) = (entry.name, fish_quoted(entry.about.split('.').next().unwrap_or_default()));
        let _ = writeln!(out, "complete -c klamm -n '{at_start}' -a {name} -d '{about}'");
    }
    for (key, entry) in all() {
        let condition = match key.strip_prefix("tool-") {
            _ if key == "start" => at_start.clone(),
            Some(tool) => format!("__fish_seen_subcommand_from tool; and __fish_seen_subcommand_from {tool}"),
            None if key == "tool" => {
                format!("__fish_seen_subcommand_from tool; and not __fish_seen_subcommand_from {tools}")
            }
            None => format!("__fish_seen_subcommand_from {key}"),
        };
        if entry.argument != Completes::Nothing && key != "start" {
            let _ = writeln!(out, "complete -c klamm -n '{condition}' {}", fish_action(entry.argument));
        }
        for option in entry.all_options() {
            let short = option.short.map_or(String::new(), |letter| format!(" -s {letter}"));
            let value = option.value.map_or(String::new(), |_| format!(" -r {}", fish_action(option.completes)));
            let about = fish_quoted(option.about);
            let _ = writeln!(out, "complete -c klamm -n '{condition}'{short} -l {}{value} -d '{about}'", option.long);
        }
    }
    out
}

fn fish_quoted(text: &str) -> String {
    text.replace('\\', "\\\\").replace('\'', "\\'")
}

fn fish_action(completes: Completes) -> String {
    match completes {
        Completes::Nothing => "-f".into(),
        Completes::File => "-F".into(),
        Completes::Directory => "-f -a '(__fish_complete_directories)'".into(),
        Completes::Setting => format!("-f -a '{}'", settings().join(" ")),
        Completes::Words(list) => format!("-f -a '{}'", list.join(" ")),
        Completes::Tool => format!("-f -a '{}'", names(TOOLS).join(" ")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// What bash offers for the last of these words.
    fn offered(words: &[&str]) -> Vec<String> {
        let quoted: Vec<_> = words.iter().map(|word| format!("'{word}'")).collect();
        let asked = format!(
            "{}\ncomplete -p klamm >/dev/null || exit 9\nCOMP_WORDS=({})\nCOMP_CWORD={}\n_klamm\nprintf '%s\\n' \"${{COMPREPLY[@]}}\"\n",
            script(Shell::Bash),
            quoted.join(" "),
            words.len() - 1
        );
        let nothing = tempfile::tempdir().unwrap();
        let told = Command::new("bash").args(["--norc", "-c", &asked]).current_dir(&nothing).output().expect("bash");
        assert!(told.status.success() && told.stderr.is_empty(), "{}", String::from_utf8_lossy(&told.stderr));
        String::from_utf8(told.stdout).unwrap().lines().map(str::to_string).filter(|line| !line.is_empty()).collect()
    }

    #[test]
    fn bash_offers_what_the_table_has() {
        assert_eq!(offered(&["klamm", "do"]), ["doctor"]);
        assert_eq!(offered(&["klamm", "test", "--as"]), ["--as-version"]);
        assert_eq!(offered(&["klamm", "test", "--as-version", "4.4"]), ["4.4"]);
        assert_eq!(offered(&["klamm", "--override", "num.part"]), ["num.partitions="]);
        assert_eq!(offered(&["klamm", "tool", "top"]), ["topics"]);
        assert_eq!(offered(&["klamm", "tool", "topics", "--cre"]), ["--create"]);
        assert_eq!(offered(&["/x/kafka-topics.sh", "--cre"]), ["--create"]);
        assert_eq!(offered(&["klamm", "completions", ""]), ["bash", "zsh", "fish"]);
        assert_eq!(offered(&["klamm", "test", "--port", ""]), [""; 0]);
        let directory = tempfile::tempdir().unwrap();
        let file = directory.path().join("server.properties");
        std::fs::write(&file, "").unwrap();
        let begun = directory.path().join("ser").display().to_string();
        assert_eq!(offered(&["klamm", "doctor", &begun]), [file.display().to_string()]);
        for (_, entry) in all().filter(|(key, _)| !key.starts_with("tool") && key != "start") {
            for option in entry.all_options() {
                let long = format!("--{}", option.long);
                assert!(offered(&["klamm", entry.name, &long]).contains(&long), "{} {long}", entry.name);
            }
        }
    }

    #[test]
    fn other_shells_are_told_of_each_option() {
        let (zsh, fish) = (script(Shell::Zsh), script(Shell::Fish));
        for (_, entry) in all() {
            for option in entry.all_options() {
                assert!(zsh.contains(&format!("--{}", option.long)), "{} --{}", entry.name, option.long);
                assert!(fish.contains(&format!(" -l {}", option.long)), "{} --{}", entry.name, option.long);
            }
        }
    }
}
