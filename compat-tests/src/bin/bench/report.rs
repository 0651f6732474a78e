//! What was measured, as a table that goes into `benches/README.md`, a plot, and lines for other programs.

use crate::grid::{Cell, Measure};
use crate::limits::Limit;
use crate::peer::Kind;
use crate::plot::{self, Point};
use crate::run::Sample;
use compat_tests::Result;
use std::collections::BTreeMap;
use std::fmt::Write as _;
use std::path::Path;

/// The date, the versions and the command, from the script that knows them.
const TITLE: &str = "KLAMM_BENCH_TITLE";
const MARKS: (&str, &str) = ("<!-- bench -->", "<!-- /bench -->");

pub struct Report {
    limits: Vec<Limit>,
    is_pinned: bool,
    rows: Vec<Row>,
}

struct Row {
    group: &'static str,
    name: String,
    measure: Measure,
    /// By round: what was measured in the same one is compared.
    samples: BTreeMap<Kind, BTreeMap<usize, Sample>>,
    /// What a broker said instead.
    failures: BTreeMap<Kind, String>,
}

/// The middle of some values (of an even number the geometric mean of the two), and the least and the largest.
#[derive(Clone, Copy)]
pub struct Spread {
    pub middle: f64,
    pub least: f64,
    pub most: f64,
}

impl Spread {
    pub fn of(values: impl Iterator<Item = f64>) -> Option<Spread> {
        let mut sorted: Vec<f64> = values.filter(|value| value.is_finite()).collect();
        sorted.sort_by(f64::total_cmp);
        let (least, most) = (*sorted.first()?, *sorted.last()?);
        let (below, above) = (sorted[(sorted.len() - 1) / 2], sorted[sorted.len() / 2]);
        let middle = if below == above { below } else { (below * above).sqrt() };
        Some(Spread { middle, least, most })
    }
}

impl Row {
    fn spread(&self, kind: Kind, of: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        Spread::of(self.samples.get(&kind)?.values().filter_map(of))
    }

    fn is_of_a_load(&self) -> bool {
        self.samples.values().flat_map(BTreeMap::values).any(|sample| sample.records > 0)
    }

    fn value(&self, kind: Kind) -> Option<Spread> {
        self.spread(kind, |sample| Some(sample.value))
    }

    /// How much that is of what the machine gave at the time, where that was measured.
    fn share(&self, kind: Kind) -> String {
        let share = self.spread(kind, |sample| Some(100.0 * sample.value / sample.machine?));
        share.map_or(String::new(), |share| {
            let (least, most) = (number(share.least), number(share.most));
            format!(", {} % ({least} – {most}) of `sendfile` just before and after", number(share.middle))
        })
    }

    /// What was read meanwhile, by somebody whose latencies are not the ones that count: who gives them more has less left.
    fn read_meanwhile(&self, kind: Kind) -> String {
        let rate = |sample: &Sample| {
            let outcome = sample.outcome.as_ref().filter(|outcome| outcome.consumed.bytes > 0)?;
            (self.measure == Measure::AcknowledgedP99).then(|| outcome.consumed.bytes as f64 / 1e6 / outcome.seconds)
        };
        let rate = self.spread(kind, rate);
        rate.map_or(String::new(), |rate| format!(", {} MB/s read meanwhile", number(rate.middle)))
    }

    /// The other half of what is said about a latency: the 99th percentile is the machine's as much as the broker's.
    fn median(&self, kind: Kind) -> String {
        let median = self.spread(kind, |sample| sample.median(self.measure));
        median.map_or(String::new(), |median| format!(", {} at p50", number(median.middle)))
    }

    /// What else is said where requests are counted: how long one takes (of a transaction its commit), and what it costs the
    /// broker.
    fn request(&self, kind: Kind) -> String {
        let late = self.spread(kind, |sample| sample.request_p99(self.measure));
        let late =
            late.map_or(String::new(), |late| format!(", {} {} µs at p99", self.request_name(), number(late.middle)));
        let cost = self.spread(kind, |sample| sample.request_cost(self.measure));
        late + &cost.map_or(String::new(), |cost| format!(", {} µs of processor each", number(cost.middle)))
    }

    /// How many times as good as a peer we are, round by round.
    fn advantage(&self, over: Kind) -> Option<Spread> {
        self.advantage_in(over, self.measure.is_better_high(), |sample| Some(sample.value))
    }

    fn advantage_in(&self, over: Kind, high_is_better: bool, of: impl Fn(&Sample) -> Option<f64>) -> Option<Spread> {
        let (ours, theirs) = (self.samples.get(&Kind::Klamm)?, self.samples.get(&over)?);
        let ratio = |(round, ours): (&usize, &Sample)| {
            let (ours, theirs) = (of(ours)?, of(theirs.get(round)?)?);
            Some(if high_is_better { ours / theirs } else { theirs / ours })
        };
        Spread::of(ours.iter().filter_map(ratio))
    }

    /// The ratios of what stands beside the one figure.
    fn advantages_aside(&self) -> String {
        let of = |what: &str, of: fn(&Sample, Measure) -> Option<f64>| {
            let ratio = self.advantage_in(Kind::Kafka, false, |sample| of(sample, self.measure));
            ratio.map_or(String::new(), |ratio| format!(", {} {what}", number(ratio.middle)))
        };
        let median = of("at p50", Sample::median);
        let late = of(&format!("in p99 of the {}", self.request_name()), Sample::request_p99);
        median + &late + &of("in processor", Sample::request_cost)
    }

    fn request_name(&self) -> &'static str {
        if self.measure == Measure::HandshakesPerSecond { "handshake" } else { "commit" }
    }
}

impl Report {
    pub fn new(limits: Vec<Limit>, is_pinned: bool) -> Report {
        Report { limits, is_pinned, rows: Vec::new() }
    }

    fn row(&mut self, group: &'static str, name: &str, measure: Measure) -> &mut Row {
        let at = self.rows.iter().position(|row| row.group == group && row.name == name);
        let at = at.unwrap_or_else(|| {
            let (samples, failures) = (BTreeMap::new(), BTreeMap::new());
            // Behind the others of its group.
            let at = self.rows.iter().rposition(|row| row.group == group).map_or(self.rows.len(), |last| last + 1);
            self.rows.insert(at, Row { group, name: name.to_string(), measure, samples, failures });
            at
        });
        &mut self.rows[at]
    }

    /// A load that a broker cannot bear is a line of the report, not its end.
    pub fn add(&mut self, kind: Kind, round: usize, cell: &Cell, sample: Result<Sample>) {
        let row = self.row(cell.group, &cell.name, cell.measure);
        match sample {
            Ok(sample) => {
                let unit = cell.measure.unit();
                println!("round {round}, {}: {}: {}: {:.0} {unit}", kind.name(), cell.group, cell.name, sample.value);
                row.samples.entry(kind).or_default().insert(round, sample);
            }
            Err(failure) => {
                println!("round {round}, {}: {}: {}: {failure:#}", kind.name(), cell.group, cell.name);
                row.failures.insert(kind, format!("{failure:#}").lines().next().unwrap_or_default().to_string());
            }
        }
    }

    /// A figure that no load gave.
    pub fn note(&mut self, kind: Kind, group: &'static str, name: &str, measure: Measure, value: f64) {
        println!("{}: {group}: {name}: {value:.2} {}", kind.name(), measure.unit());
        let (used, outcome, machine, handover_ns) = Default::default();
        let sample = Sample { value, records: 0, used, outcome, machine, handover_ns };
        self.row(group, name, measure).samples.entry(kind).or_default().insert(0, sample);
    }

    pub fn print(&self) {
        println!("\n{}", self.markdown());
    }

    /// Writes the results into a directory. A run without a name also replaces the table in the directory's README.md.
    pub fn write(&self, directory: &Path, name: Option<&str>) -> Result<()> {
        std::fs::create_dir_all(directory)?;
        let is_plain = name.is_none();
        let name = name.map_or("results".to_string(), |name| format!("results-{name}"));
        std::fs::write(directory.join(format!("{name}.md")), self.markdown())?;
        let page = directory.join("README.md");
        if let Some(page_text) = std::fs::read_to_string(&page).ok().filter(|_| is_plain) {
            let text = format!("{}\n{}{}", heading(self.is_pinned), self.ratios(), self.machine());
            std::fs::write(page, replaced(&page_text, &text))?;
        }
        std::fs::write(directory.join(format!("{name}.json")), self.json()?)?;
        plot::draw(&directory.join(format!("{name}.svg")), &self.points())
    }

    fn points(&self) -> Vec<Point> {
        let point = |row: &Row| {
            let ratio = row.advantage(Kind::Kafka)?;
            let name = format!("{}: {}", row.group, row.name);
            Some(Point { name, ratio: ratio.middle, least: ratio.least, most: ratio.most })
        };
        self.rows.iter().filter_map(point).collect()
    }

    fn json(&self) -> Result<String> {
        let mut lines = String::new();
        for row in &self.rows {
            for (kind, samples) in &row.samples {
                for (round, sample) in samples {
                    let line = serde_json::json!({
                        "group": row.group, "name": row.name, "unit": row.measure.unit(), "broker": kind.name(),
                        "round": round, "sample": sample,
                    });
                    writeln!(lines, "{}", serde_json::to_string(&line)?)?;
                }
            }
        }
        Ok(lines)
    }

    fn markdown(&self) -> String {
        format!("{}\n{}{}{}", heading(self.is_pinned), self.ratios(), self.costs(), self.machine())
    }

    fn ratios(&self) -> String {
        let mut text = String::from(
            "| | Klamm | Apache Kafka | Klamm is so many times as good | Tansu (memory) |\n| --- | --: | --: | --: | --: |\n",
        );
        let mut group = "";
        for row in &self.rows {
            if row.group != group {
                group = row.group;
                let _ = writeln!(text, "| **{group}** | | | | |");
            }
            let shown = |kind: Kind| match (row.value(kind), row.failures.get(&kind)) {
                (Some(value), _) => {
                    let aside = row.median(kind) + &row.share(kind) + &row.read_meanwhile(kind) + &row.request(kind);
                    let unit = row.measure.unit();
                    format!("{} {unit}{aside}", number(value.middle))
                }
                (None, Some(_)) => "fails".to_string(),
                (None, None) => "–".to_string(),
            };
            let ratio = row.advantage(Kind::Kafka).map_or("–".into(), |ratio| {
                format!("**{}** ({} – {})", number(ratio.middle), number(ratio.least), number(ratio.most))
            }) + &row.advantages_aside();
            let (ours, kafka, tansu) = (shown(Kind::Klamm), shown(Kind::Kafka), shown(Kind::Tansu));
            let _ = writeln!(text, "| {} | {ours} | {kafka} | {ratio} | {tansu} |", row.name);
        }
        text
    }

    fn costs(&self) -> String {
        let mut text = String::from(
            "\nWhat a record costs the broker (a transaction, where these are counted), and how many processors it keeps busy \
             (Klamm / Apache Kafka):\n\n\
             | | processor, ns | processors busy | system calls | switches of threads | memory, MB | taken by the host, % | a line to the other processor, ns |\n\
             | --- | --: | --: | --: | --: | --: | --: | --: |\n",
        );
        for row in self.rows.iter().filter(|row| row.is_of_a_load()) {
            let pair = |of: &dyn Fn(&Sample) -> Option<f64>| {
                let shown = |kind| row.spread(kind, of).map_or("–".into(), |spread| number(spread.middle));
                format!("{} / {}", shown(Kind::Klamm), shown(Kind::Kafka))
            };
            let per = |total: f64, sample: &Sample| total / sample.records.max(1) as f64;
            let processor = pair(&|sample| Some(per(sample.used.processor_s * 1e9, sample)));
            let busy = pair(&|sample| Some(sample.used.processor_s / sample.used.seconds));
            let calls = pair(&|sample| Some(per(sample.used.system_calls? as f64, sample)));
            let switches = pair(&|sample| Some(per(sample.used.context_switches as f64, sample)));
            let memory = pair(&|sample| Some(sample.used.peak_memory_bytes as f64 / 1e6));
            let stolen = pair(&|sample| Some(sample.used.stolen * 100.0));
            let handover = pair(&|sample| sample.handover_ns);
            let (group, name) = (row.group, &row.name);
            let _ = writeln!(
                text,
                "| {group}: {name} | {processor} | {busy} | {calls} | {switches} | {memory} | {stolen} | {handover} |"
            );
        }
        text
    }

    fn machine(&self) -> String {
        let mut text = String::from("\nThe machine's own limits in the same run:\n\n| | |\n| --- | --: |\n");
        for Limit { what, value, unit } in &self.limits {
            let _ = writeln!(text, "| {what} | {} {unit} |", number(*value));
        }
        text
    }
}

/// What was measured, and on what.
pub fn heading(is_pinned: bool) -> String {
    let read = |path: &str| std::fs::read_to_string(path).unwrap_or_default().trim().to_string();
    let model = read("/proc/cpuinfo");
    let model = model.lines().find_map(|line| line.strip_prefix("model name")).unwrap_or_default();
    let processors = std::thread::available_parallelism().map_or(0, usize::from);
    let congestion = read("/proc/sys/net/ipv4/tcp_congestion_control");
    let place = if is_pinned { "broker and load each on one half" } else { "broker and load share them" };
    format!(
        "{}{processors} × {}, {place}; Linux {}; TCP congestion control {congestion}.\n",
        std::env::var(TITLE).map(|title| title + "\n").unwrap_or_default(),
        model.trim_start_matches([' ', '\t', ':']),
        read("/proc/sys/kernel/osrelease"),
    )
}

/// A page with other text between its two marks.
fn replaced(page: &str, text: &str) -> String {
    let parts = page.split_once(MARKS.0).and_then(|(before, rest)| Some((before, rest.split_once(MARKS.1)?.1)));
    match parts {
        Some((before, after)) => format!("{before}{}\n{text}{}{after}", MARKS.0, MARKS.1),
        None => page.to_string(),
    }
}

/// Three digits that matter.
pub fn number(value: f64) -> String {
    let digits = match value.abs() {
        0.0 => 0,
        ..1.0 => 3,
        ..10.0 => 2,
        ..100.0 => 1,
        _ => 0,
    };
    let plain = format!("{value:.digits$}");
    let (whole, rest) = plain.split_once('.').map_or((plain.as_str(), String::new()), |(w, r)| (w, format!(".{r}")));
    let mut grouped = String::new();
    for (at, digit) in whole.chars().enumerate() {
        if at > 0 && (whole.len() - at).is_multiple_of(3) && digit.is_ascii_digit() && whole.len() > 4 {
            grouped.push(',');
        }
        grouped.push(digit);
    }
    grouped + &rest
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_what_is_between_the_marks_is_replaced() {
        let page = "before\n<!-- bench -->\nold\n<!-- /bench -->\nafter\n";
        assert_eq!(replaced(page, "new\n"), "before\n<!-- bench -->\nnew\n<!-- /bench -->\nafter\n");
        assert_eq!(replaced("no marks\n", "new\n"), "no marks\n");
    }

    #[test]
    fn the_middle_favours_nobody() {
        let middle = |values: &[f64]| Spread::of(values.iter().copied()).unwrap().middle;
        assert_eq!(middle(&[8.0, 0.5]), 2.0);
        assert_eq!((middle(&[3.0]), middle(&[9.0, 1.0, 4.0]), middle(&[0.0, 0.0])), (3.0, 4.0, 0.0));
    }

    #[test]
    fn what_failed_in_one_round_is_not_compared_with_another() {
        let mut report = Report::new(Vec::new(), false);
        let mut add = |kind, round, value| {
            let (used, outcome, machine, handover_ns) = Default::default();
            let sample = Sample { value, records: 1, used, outcome, machine, handover_ns };
            let row = report.row("group", "name", Measure::RecordsPerSecond);
            row.samples.entry(kind).or_default().insert(round, sample);
        };
        add(Kind::Klamm, 0, 10.0);
        add(Kind::Klamm, 1, 30.0);
        add(Kind::Kafka, 1, 10.0);
        let ratio = report.rows[0].advantage(Kind::Kafka).unwrap();
        assert_eq!((ratio.least, ratio.middle, ratio.most), (3.0, 3.0, 3.0));
    }

    #[test]
    fn only_a_run_without_a_name_replaces_the_page_beside_the_results() {
        let directory = tempfile::tempdir().unwrap();
        let page = directory.path().join("README.md");
        let before = format!("before\n{}\nold\n{}\n", MARKS.0, MARKS.1);
        std::fs::write(&page, &before).unwrap();
        let mut report = Report::new(Vec::new(), false);
        report.note(Kind::Klamm, "group", "name", Measure::Milliseconds, 1.0);
        report.note(Kind::Kafka, "group", "name", Measure::Milliseconds, 3.0);
        report.write(directory.path(), Some("named")).unwrap();
        assert_eq!(std::fs::read_to_string(&page).unwrap(), before);
        report.write(directory.path(), None).unwrap();
        let after = std::fs::read_to_string(&page).unwrap();
        assert!(after.starts_with("before\n<!-- bench -->\n") && after.contains("**3.00**"), "{after}");
        assert!(!after.contains("old"), "{after}");
    }

    #[test]
    fn numbers_are_short() {
        assert_eq!(number(0.1234), "0.123");
        assert_eq!(number(12.34), "12.3");
        assert_eq!(number(1234.0), "1234");
        assert_eq!(number(1_234_567.8), "1,234,568");
    }
}
