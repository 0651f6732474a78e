//! Measures Klamm beside its peers: the same client, the same settings, the same machine, one broker after the other, several
//! rounds. `scripts/bench.sh` calls it. `drive ORDER` is the load generator, a process of its own; `price` measures Klamm
//! beside itself.

mod aligned;
mod clients;
mod doors;
mod drive;
mod grid;
mod idle;
mod limits;
mod meter;
mod peer;
mod plot;
mod price;
mod report;
mod run;

use compat_tests::{Context, Result, bail};
use doors::{Certificates, Door, Doors};
use peer::{Kind, Peer};
use report::Report;
use run::Run;
use std::path::PathBuf;

/// What is asked for on the command line.
struct Arguments {
    grid: Grid,
    rounds: usize,
    peers: Vec<Kind>,
    /// Only cells whose group and name hold this.
    only: String,
    /// Broker and load on processors of their own.
    is_pinned: bool,
    /// Where the results go, and what their files are called apart from those of a plain run.
    out: Option<PathBuf>,
    name: Option<String>,
}

/// Which loads are run.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Grid {
    Quick,
    Full,
    /// TLS and logins, without Tansu, whose wheel has neither.
    Secured,
}

const USAGE: &str =
    "quick|full|secured [--pinned] [--rounds N] [--only TEXT] [--peers A,B] [--out DIRECTORY [--name TEXT]]";
/// Few, so that a run ends soon; more make the spread more telling.
const ROUNDS: usize = 2;

fn main() -> Result<()> {
    let given: Vec<String> = std::env::args().skip(1).collect();
    if let [command, order] = given.as_slice()
        && command == "drive"
    {
        return drive::main(order);
    }
    if let [command, rest @ ..] = given.as_slice()
        && command == "price"
    {
        return price::main(rest);
    }
    bench(&parse(given)?)
}

fn parse(given: Vec<String>) -> Result<Arguments> {
    let mut arguments = Arguments {
        grid: Grid::Quick,
        rounds: ROUNDS,
        peers: Kind::ALL.to_vec(),
        only: String::new(),
        is_pinned: false,
        out: None,
        name: None,
    };
    let mut given = given.into_iter();
    while let Some(argument) = given.next() {
        let mut value = || given.next().with_context(|| format!("{argument} needs a value"));
        match argument.as_str() {
            "quick" => arguments.grid = Grid::Quick,
            "full" => arguments.grid = Grid::Full,
            "secured" => arguments.grid = Grid::Secured,
            "--pinned" => arguments.is_pinned = true,
            "--rounds" => arguments.rounds = value()?.parse()?,
            "--only" => arguments.only = value()?,
            "--out" => arguments.out = Some(value()?.into()),
            "--name" => arguments.name = Some(value()?),
            "--peers" => arguments.peers = value()?.split(',').map(kind).collect::<Result<_>>()?,
            other => bail!("{other}: {USAGE}"),
        }
    }
    if arguments.grid == Grid::Secured {
        arguments.peers.retain(|kind| *kind != Kind::Tansu);
        arguments.name.get_or_insert("secured".into());
    }
    Ok(arguments)
}

fn kind(name: &str) -> Result<Kind> {
    let found = Kind::ALL.into_iter().find(|kind| kind.name().to_lowercase().contains(&name.to_lowercase()));
    found.with_context(|| format!("no peer is called {name}"))
}

fn bench(arguments: &Arguments) -> Result<()> {
    let processors = std::thread::available_parallelism()?.get();
    // One half of the processors each; with one there is nothing to part.
    let half = processors / 2;
    let (broker, load) = match arguments.is_pinned && half > 0 {
        true => ((0..half).collect(), (half..processors).collect()),
        false => (Vec::new(), Vec::new()),
    };
    let run = Run { broker, load };
    let certificates = (arguments.grid == Grid::Secured).then(Certificates::make).transpose()?;
    let mut cells = match arguments.grid {
        Grid::Secured => grid::secured(),
        grid => grid::cells(grid == Grid::Full),
    };
    cells.retain(|cell| format!("{}: {}", cell.group, cell.name).contains(&arguments.only));
    limits::warm_memory()?;
    let directory = tempfile::Builder::new().prefix("klamm-bench-").tempdir()?;
    let mut report = Report::new(limits::measure(directory.path())?, arguments.is_pinned);
    for round in 0..arguments.rounds {
        measure_round(&run, arguments, certificates.as_ref(), &cells, round, &mut report)?;
    }
    let idle = if certificates.is_some() { idle::SECURED } else { idle::GROUP };
    // It takes Kafka minutes, and rounds differ little.
    if arguments.only.is_empty() || arguments.only.starts_with(idle) {
        for kind in &arguments.peers {
            let measured = match &certificates {
                Some(certificates) => idle::measure_secured(&run, *kind, certificates, &mut report),
                None => idle::measure(&run, *kind, &mut report),
            };
            // What a broker cannot bear is a line of the report, not its end.
            if let Err(failure) = measured {
                println!("{}: idle: {failure:#}", kind.name());
            }
        }
    }
    report.print();
    match &arguments.out {
        Some(out) => report.write(out, arguments.name.as_deref().or(arguments.is_pinned.then_some("pinned"))),
        None => Ok(()),
    }
}

/// Each load meets one broker directly behind the other: what the machine's host does to one it does to the other as well,
/// unless it lasts for less than a load. The brokers that are not measured are stopped; which is first changes.
fn measure_round(
    run: &Run,
    arguments: &Arguments,
    certificates: Option<&Certificates>,
    cells: &[grid::Cell],
    round: usize,
    report: &mut Report,
) -> Result<()> {
    let mut peers = Vec::new();
    // Tansu has no files: what one round of it says is only a mark beside the rows.
    for kind in arguments.peers.iter().filter(|kind| round == 0 || **kind != Kind::Tansu) {
        let doors = certificates.map(Doors::new);
        let peer = Peer::start_with_doors(*kind, &run.broker, &[], doors)?;
        run.warm_up(*kind, &peer, Door::Plain)?;
        if certificates.is_some() {
            run.warm_up(*kind, &peer, Door::Tls)?;
        }
        if *kind != Kind::Tansu && cells.iter().any(|cell| cell.is_of_transactions()) {
            run.warm_up_transactions(*kind, &peer)?;
        }
        peer.pause();
        peers.push((*kind, peer));
    }
    for (number, cell) in cells.iter().enumerate() {
        let mut order: Vec<_> = peers.iter().filter(|(kind, _)| *kind != Kind::Tansu || cell.in_memory).collect();
        if (round + number) % 2 == 1 {
            order.reverse();
        }
        for (kind, peer) in order {
            peer.go_on();
            let sample = run.cell(peer, cell);
            peer.pause();
            report.add(*kind, round, cell, sample);
        }
    }
    peers.into_iter().try_for_each(|(_, peer)| peer.finish())
}
