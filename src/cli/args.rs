//! The command line: which command, which file, which overrides.
//!
//! Knows no configuration key; `--override` texts are passed on as pairs.

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
    /// Follow what a broker answers.
    Tap(TapArguments),
    Help,
    Version,
}

/// Where the configuration comes from, beside the environment.
#[derive(Clone, Default, PartialEq, Eq, Debug)]
pub struct Sources {
    pub file: Option<PathBuf>,
    pub overrides: Vec<(String, String)>,
}

pub const HELP: &str = "\
Klamm, a Kafka broker in one small binary

Usage:
  klamm [server.properties] [--override key=value]...
  klamm format [--cluster-id ID] [server.properties] [--override key=value]...
  klamm test [--topic name:partitions]... [--user name:password]... [OPTION]...
  klamm tap [--http URL] [--token TOKEN] [--bodies] [--json] [name=value]...

Without a file and without options a broker listens on 127.0.0.1:9092 and keeps
its data in ./klamm-data.

Options:
      --override key=value   set one configuration; wins over environment and file
  -c, --config FILE          the same as naming the file
  -h, --help                 print this and exit
  -V, --version              print the version and exit

Options of `format`:
  -t, --cluster-id ID        22 characters as `kafka-storage random-uuid` makes them
  -g, --ignore-formatted     leave directories that are formatted already as they are
  -S, --add-scram CREDENTIAL a user from the beginning, as often as there are users:
                             'SCRAM-SHA-256=[name=alice,password=alice-secret]'

Options of `test`, a broker in memory on a free port of 127.0.0.1 that prints one
line of JSON when it is ready, and ends with its parent, when a pipe that is its
standard input is closed, or by a signal:
      --port N               the port; a free one without it
      --dir DIR              keep the data there; a DIR that was not there is
                             removed at the end
      --memory BYTES         the most that data take in memory: 256M
      --topic NAME[:PARTITIONS[:key=value]...]
                             a topic from the beginning
      --user NAME:PASSWORD   a user of PLAIN, SCRAM-SHA-256 and SCRAM-SHA-512
      --tls DIR              TLS; an authority and certificates are written there
      --as-version X         offer what Apache Kafka X did: 2.8 to 4.4
      --stay                 end by a signal only
      --explain              print how it differs from Kafka's defaults and exit

Options of `tap`, which follows the requests that a broker answers, a line for each,
those that match all of api=, client_id=, topic=, group=, principal= and error=:
      --http URL             the broker's HTTP side; without it KLAMM_HTTP, or
                             http://127.0.0.1:8080
      --token TOKEN          what it asks for; without it KLAMM_HTTP_TOKEN
      --bodies               what was asked and answered, with records
      --json                 each request as a line of JSON

Environment (not of `test`):
  KAFKA_<KEY>                a configuration: KAFKA_NUM_PARTITIONS is num.partitions
                             (`__` is an underscore, `___` a dash)
  CLUSTER_ID                 the cluster id with which a fresh directory is formatted
";

/// Reads the arguments after the program's name. The error is one sentence.
pub fn parse(arguments: impl IntoIterator<Item = OsString>) -> Result<Command, String> {
    let mut parser = lexopt::Parser::from_args(arguments);
    read(&mut parser).map_err(|error| format!("{error}; see klamm --help"))
}

fn read(parser: &mut lexopt::Parser) -> Result<Command, lexopt::Error> {
    let mut sources = Sources::default();
    let mut cluster_id = None;
    let mut ignore_formatted = false;
    let mut add_scram = Vec::new();
    let mut format = false;
    let mut test: Option<TestArguments> = None;
    let mut tap: Option<TapArguments> = None;
    let mut first = true;
    while let Some(argument) = parser.next()? {
        match argument {
            Short('h') | Long("help") => return Ok(Command::Help),
            Short('V') | Long("version") => return Ok(Command::Version),
            Value(word) if first && word == "format" => format = true,
            Value(word) if first && word == "test" => test = Some(TestArguments::default()),
            Value(word) if first && word == "tap" => tap = Some(TapArguments::default()),
            Value(word) if tap.is_some() => tap.as_mut().map_or(Ok(()), |tap| tap.add_word(word.string()?))?,
            Value(path) if test.is_none() && sources.file.is_none() => sources.file = Some(path.into()),
            Long(name) if tap.is_some() => {
                let name = name.to_string();
                if !tap.as_mut().map_or(Ok(false), |tap| tap.take(&name, parser))? {
                    return Err(Long(&name).unexpected());
                }
            }
            Short('c') | Long("config") if test.is_none() && tap.is_none() && sources.file.is_none() => {
                sources.file = Some(parser.value()?.into())
            }
            Long("override") => sources.overrides.push(pair(parser.value()?.string()?)?),
            Short('t') | Long("cluster-id") if format => cluster_id = Some(parser.value()?.string()?),
            Short('g') | Long("ignore-formatted") if format => ignore_formatted = true,
            Short('S') | Long("add-scram") if format => add_scram.push(Secret::new(parser.value()?.string()?)),
            Long(name) if test.is_some() => {
                let name = name.to_string();
                let is_taken = test.as_mut().map_or(Ok(false), |test| test.take(&name, parser))?;
                if !is_taken {
                    return Err(Long(&name).unexpected());
                }
            }
            other => return Err(other.unexpected()),
        }
        first = false;
    }
    if let Some(tap) = tap {
        return Ok(Command::Tap(tap));
    }
    if let Some(test) = test {
        return Ok(Command::Test(TestArguments { overrides: sources.overrides, ..test }));
    }
    Ok(if format {
        Command::Format { sources, cluster_id, ignore_formatted, add_scram }
    } else {
        Command::Start(sources)
    })
}

fn pair(text: String) -> Result<(String, String), lexopt::Error> {
    match text.split_once('=') {
        Some((key, value)) if !key.trim().is_empty() => Ok((key.trim().to_string(), value.to_string())),
        _ => Err(lexopt::Error::Custom(format!("--override wants key=value, not {text:?}").into())),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn of(line: &str) -> Result<Command, String> {
        parse(line.split_whitespace().map(OsString::from))
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
        assert_eq!(of("x.properties --help"), Ok(Command::Help));
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
        ] {
            assert!(of(line).is_err_and(|e| e.ends_with("; see klamm --help")), "{line}");
        }
    }
}
