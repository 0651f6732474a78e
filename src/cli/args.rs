//! The command line: which command, which file, which overrides.
//!
//! Takes what the table of `commands` has and nothing else. Knows no configuration key; `--override` texts are passed on as
//! pairs.

use super::commands::{self, COMMANDS, Completes, Entry};
use super::explore::arguments::ExploreArguments;
use super::tap::TapArguments;
use super::test_broker::arguments::TestArguments;
use crate::stdx::secret::Secret;
use lexopt::prelude::*;
use std::ffi::OsString;
use std::path::PathBuf;

/// What the user asked for.
#[derive(Clone, PartialEq, Eq, Debug)]
pub enum Command {
    Start(Sources),
    /// Write identity files into the log directories, and nothing else.
    Format {
        sources: Sources,
        /// `None`: a random one.
        cluster_id: Option<String>,
        /// Directories that have an identity already are left as they are instead of being an error.
        ignore_formatted: bool,
        /// Credentials of users, with their passwords.
        add_scram: Vec<Secret>,
    },
    /// Run a broker for one test run.
    Test(TestArguments),
    /// Run a command again and again, with one harm each time.
    Explore(ExploreArguments),
    /// Follow what a broker answers.
    Tap(TapArguments),
    /// Say what will not work.
    Doctor {
        sources: Sources,
        /// The broker that is asked.
        connect: Option<String>,
        is_json: bool,
    },
    /// Print an identifier.
    RandomUuid,
    /// One of Kafka's tools.
    Tool(Given),
    /// Print what makes a shell complete.
    Completions(Shell),
    /// Print the man page.
    Man,
    /// All that there is, or one command.
    Help(Option<&'static str>),
    Version,
}

/// The shells that are known.
#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub enum Shell {
    Bash,
    Zsh,
    Fish,
}

/// Where the configuration comes from, beside the environment.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Sources {
    pub file: Option<PathBuf>,
    pub overrides: Vec<(String, String)>,
}

impl Sources {
    /// Whether the command line names any.
    pub fn are_given(&self) -> bool {
        self.file.is_some() || !self.overrides.is_empty()
    }
}

/// What a command was given, before its meaning.
#[derive(Clone, PartialEq, Eq)]
pub struct Given {
    /// The command's name in the table.
    pub name: &'static str,
    /// Options by their long names, in their order; a flag has no value.
    options: Vec<(&'static str, Option<OsString>)>,
    /// What is no option.
    arguments: Vec<OsString>,
}

/// Without values: there may be passwords among them.
impl std::fmt::Debug for Given {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let options = self.options.iter().map(|(name, _)| name);
        f.debug_struct("Given").field("name", &self.name).field("options", &options.collect::<Vec<_>>()).finish()
    }
}

impl Given {
    pub fn has(&self, long: &str) -> bool {
        self.options.iter().any(|(name, _)| *name == long)
    }

    /// The values of an option, in their order.
    pub fn all<'a>(&'a self, long: &'a str) -> impl Iterator<Item = &'a OsString> {
        self.options.iter().filter(move |(name, _)| *name == long).filter_map(|(_, value)| value.as_ref())
    }

    /// The texts of an option. An error is a sentence.
    pub fn texts(&self, long: &str) -> Result<Vec<String>, String> {
        let text = |value: &OsString| value.to_str().map(str::to_string);
        self.all(long).map(|value| text(value).ok_or_else(|| format!("the value of --{long} is no text"))).collect()
    }

    /// The last text of an option.
    pub fn text(&self, long: &str) -> Result<Option<String>, String> {
        Ok(self.texts(long)?.pop())
    }

    pub fn path(&self, long: &str) -> Option<PathBuf> {
        self.all(long).last().map(PathBuf::from)
    }

    /// The last value of an option, as a number or what else can be read from a text.
    pub fn parsed<T: std::str::FromStr>(&self, long: &str) -> Result<Option<T>, String> {
        let Some(text) = self.text(long)? else { return Ok(None) };
        let parsed = text.trim().parse().map(Some);
        parsed.map_err(|_| format!("cannot parse the value {text:?} of --{long}"))
    }

    /// Options with a value that are given more than once.
    pub fn repeated(&self) -> impl Iterator<Item = &'static str> {
        let with_value = |(at, (name, value)): (usize, &(&'static str, Option<OsString>))| {
            let is_again = self.options[..at].iter().any(|(earlier, _)| earlier == name);
            (is_again && value.is_some()).then_some(*name)
        };
        self.options.iter().enumerate().filter_map(with_value)
    }

    /// What is no option, as texts.
    pub fn words(&self) -> Result<Vec<String>, String> {
        let text = |word: &OsString| word.to_str().map(str::to_string).ok_or_else(|| format!("{word:?} is no text"));
        self.arguments.iter().map(text).collect()
    }

    /// What is no option.
    pub fn arguments(&self) -> &[OsString] {
        &self.arguments
    }

    /// The first of what is no option.
    pub fn argument(&self) -> Option<&OsString> {
        self.arguments.first()
    }
}

/// Reads the arguments, the program's name first. The error is one sentence.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut arguments = arguments.into_iter();
    let program = arguments.next().unwrap_or_default();
    let mut rest: Vec<OsString> = arguments.collect();
    let tool = program.to_str().and_then(commands::tool_of_program);
    let entry = tool.map_or_else(|| chosen(&mut rest), Ok);
    entry.and_then(|entry| read(entry, rest)).map_err(|sentence| format!("{sentence}; see klamm --help"))
}

/// The command that the first words name, which are taken off.
fn chosen(rest: &mut Vec<OsString>) -> Result<&'static Entry, String> {
    let word =
        |at: usize, rest: &[OsString]| rest.get(at).and_then(|word| word.to_str()).unwrap_or_default().to_string();
    let Some(entry) = commands::command(&word(0, rest)) else { return Ok(&COMMANDS[0]) };
    rest.remove(0);
    if entry.name != "tool" {
        return Ok(entry);
    }
    let name = word(0, rest);
    match commands::tool(name.strip_prefix("kafka-").unwrap_or(&name)) {
        Some(tool) => {
            rest.remove(0);
            Ok(tool)
        }
        None if name.is_empty() || name.starts_with('-') => Ok(entry),
        None => Err(format!("there is no tool {name:?}")),
    }
}

fn read(entry: &'static Entry, rest: Vec<OsString>) -> Result<Command, String> {
    let given = given(entry, rest).map_err(|error| error.to_string())?;
    if given.has("help") {
        return Ok(Command::Help((!entry.name.is_empty()).then_some(entry.name)));
    }
    if given.has("version") {
        return Ok(Command::Version);
    }
    if let Some(word) = given.argument().filter(|_| entry.argument == Completes::Nothing) {
        return Err(format!("`{}` takes options only, not {word:?}", entry.name));
    }
    Ok(match entry.name {
        "" | "server-start" => Command::Start(sources(&given)?),
        "format" => format(&given)?,
        "test" => Command::Test(TestArguments::of(&given, overrides(&given)?)?),
        "explore" => Command::Explore(ExploreArguments::of(&given, overrides(&given)?)?),
        "tap" => Command::Tap(TapArguments::of(&given)?),
        "doctor" => doctor(&given)?,
        "storage" => storage(&given)?,
        "completions" => Command::Completions(shell(&given)?),
        "man" => Command::Man,
        "tool" => return Err("which tool?".into()),
        _ => Command::Tool(given),
    })
}

/// What stands on the line, by the table.
fn given(entry: &'static Entry, rest: Vec<OsString>) -> Result<Given, lexopt::Error> {
    let mut parser = lexopt::Parser::from_args(rest);
    let mut given = Given { name: entry.name, options: Vec::new(), arguments: Vec::new() };
    while let Some(argument) = parser.next()? {
        let option = match argument {
            Value(word) => {
                given.arguments.push(word);
                continue;
            }
            Long(name) => entry.long(name).ok_or_else(|| argument.unexpected())?,
            Short(letter) => entry.short(letter).ok_or_else(|| argument.unexpected())?,
        };
        let value = option.value.map(|_| parser.value()).transpose()?;
        given.options.push((option.long, value));
    }
    Ok(given)
}

fn sources(given: &Given) -> Result<Sources, String> {
    let named = given.arguments.iter().chain(given.all("config"));
    let files: Vec<PathBuf> = named.map(PathBuf::from).collect();
    if files.len() > 1 {
        return Err(format!("there can be one configuration, not also {}", files[1].display()));
    }
    Ok(Sources { file: files.into_iter().next(), overrides: overrides(given)? })
}

fn overrides(given: &Given) -> Result<Vec<(String, String)>, String> {
    given.texts("override")?.into_iter().map(pair).collect()
}

fn pair(text: String) -> Result<(String, String), String> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_string(), value.to_string())),
        _ => Err(format!("--override wants key=value, not {text:?}")),
    }
}

fn format(given: &Given) -> Result<Command, String> {
    Ok(Command::Format {
        sources: sources(given)?,
        cluster_id: given.text("cluster-id")?,
        ignore_formatted: given.has("ignore-formatted"),
        add_scram: given.texts("add-scram")?.into_iter().map(Secret::new).collect(),
    })
}

/// `kafka-storage`, whose first word says what it does.
fn storage(given: &Given) -> Result<Command, String> {
    match given.words()?.as_slice() {
        [word] if word == "random-uuid" => Ok(Command::RandomUuid),
        [word] if word == "format" => format(&Given { arguments: Vec::new(), ..given.clone() }),
        words => Err(format!("kafka-storage does random-uuid and format, not {:?}", words.join(" "))),
    }
}

fn doctor(given: &Given) -> Result<Command, String> {
    Ok(Command::Doctor { sources: sources(given)?, connect: given.text("connect")?, is_json: given.has("json") })
}

fn shell(given: &Given) -> Result<Shell, String> {
    match given.words()?.join(" ").as_str() {
        "bash" => Ok(Shell::Bash),
        "zsh" => Ok(Shell::Zsh),
        "fish" => Ok(Shell::Fish),
        _ => Err("which shell? There are bash, zsh and fish".into()),
    }
}

/// What a command is given on such a line.
#[cfg(test)]
pub(super) fn given_for_tests(name: &str, line: &str) -> Given {
    let entry = commands::tool(name).or_else(|| commands::command(name)).expect("it is in the table");
    given(entry, line.split_whitespace().map(OsString::from).collect()).expect("it is a line of the command")
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Command, String> {
        parse(["klamm"].into_iter().chain(line.split_whitespace()).map(OsString::from))
    }

    #[test]
    fn commands_are_read() {
        let sources = |file: Option<&str>, overrides: &[(&str, &str)]| Sources {
            file: file.map(PathBuf::from),
            overrides: overrides.iter().map(|(k, v)| (k.to_string(), v.to_string())).collect(),
        };
        assert_eq!(of(""), Ok(Command::Start(Sources::default())));
        assert_eq!(
            of("a.properties --override node.id=2 --override x=a=b"),
            Ok(Command::Start(sources(Some("a.properties"), &[("node.id", "2"), ("x", "a=b")])))
        );
        assert_eq!(of("--override=k="), Ok(Command::Start(sources(None, &[("k", "")]))));
        assert_eq!(
            of("format -t ABC -c f.properties -g"),
            Ok(Command::Format {
                sources: sources(Some("f.properties"), &[]),
                cluster_id: Some("ABC".into()),
                ignore_formatted: true,
                add_scram: Vec::new()
            })
        );
        let both = of("format -S A=[b] --add-scram C=[d]");
        let expected = ["A=[b]", "C=[d]"].map(Secret::new);
        assert!(matches!(both, Ok(Command::Format { add_scram, .. }) if add_scram == expected));
        let test = TestArguments {
            port: 9,
            overrides: vec![("a".into(), "b".into())],
            stay: true,
            ..TestArguments::default()
        };
        assert_eq!(of("test --port 9 --override a=b --stay"), Ok(Command::Test(test)));
        let words = vec![("api".into(), "Produce".into()), ("topic".into(), "t".into())];
        let tap = TapArguments { http: Some("http://h".into()), words, is_json: true, ..TapArguments::default() };
        assert_eq!(of("tap --http http://h api=Produce --json topic=t"), Ok(Command::Tap(tap)));
        assert!(of("tap Produce").is_err());
        assert_eq!(of("x.properties --help"), Ok(Command::Help(None)));
        assert_eq!(of("doctor -h"), Ok(Command::Help(Some("doctor"))));
        assert_eq!(of("tool kafka-topics --help"), Ok(Command::Help(Some("topics"))));
        assert_eq!(of("-V"), Ok(Command::Version));
    }

    #[test]
    fn wrong_lines_are_refused_in_a_sentence() {
        for line in [
            "--nope",
            "a b",
            "test a",
            "test --nope",
            "tap --nope",
            "tap Produce",
            "tap --override a=b",
            "test --port x",
            "test --user a",
            "--port 1",
            "--override",
            "--override x",
            "--override =v",
            "--cluster-id X",
            "-S x",
            "a format",
            "a -c b",
            "completions",
            "completions tcsh",
            "man x",
            "tool",
            "tool nothing",
            "tool topics --nope",
            "tool storage",
            "tool storage random-uuid x",
            "tool storage format x",
            "tool topics --list x",
            "tool console-producer --topic a x",
            "doctor --connect",
        ] {
            assert!(of(line).is_err_and(|e| e.ends_with("; see klamm --help")), "{line}");
        }
    }

    #[test]
    fn programs_of_kafkas_names_are_its_tools() {
        let of = |words: &[&str]| parse(words.iter().map(OsString::from));
        let Ok(Command::Tool(given)) = of(&["/opt/kafka/bin/kafka-topics.sh", "--list", "--topic", "a"]) else {
            panic!("a tool");
        };
        assert_eq!((given.name, given.has("list"), given.text("topic")), ("topics", true, Ok(Some("a".into()))));
        assert!(!format!("{given:?}").contains("\"a\""), "values are not shown");
        assert_eq!(of(&["kafka-storage", "random-uuid"]), Ok(Command::RandomUuid));
        let expected = of(&["klamm", "format", "-t", "X", "-c", "f", "-S", "A=[b]"]);
        assert_eq!(of(&["kafka-storage.sh", "format", "-t", "X", "-c", "f", "-S", "A=[b]", "--standalone"]), expected);
        assert_eq!(of(&["kafka-server-start.sh", "f"]), of(&["klamm", "f"]));
    }

    /// What is in the table can be given; that nothing else can is how the parser is made.
    #[test]
    fn each_option_of_the_table_is_taken() {
        for entry in COMMANDS.iter().chain(commands::TOOLS) {
            for option in entry.all_options() {
                let names = [Some(format!("--{}", option.long)), option.short.map(|letter| format!("-{letter}"))];
                for name in names.into_iter().flatten() {
                    let words = [Some(name), option.value.map(|_| "x=1".to_string())];
                    let given = given(entry, words.into_iter().flatten().map(OsString::from).collect());
                    assert!(given.is_ok_and(|given| given.has(option.long)), "{} --{}", entry.name, option.long);
                }
            }
        }
    }
}
