//! Families of metrics: what each is called, what it tells, by which labels; and the page that samples are written to.
//!
//! Names are those that dashboards ask for: of Kafka's beans as the JMX exporter's example and Strimzi name them, of
//! kafka_exporter and kafka-lag-exporter, of Prometheus's client libraries (`process_`). What none of them has is `klamm_`. A
//! name that others use means here what it means there, or is not used.

use std::fmt::{Display, Write};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum FamilyKind {
    Counter,
    Gauge,
    Histogram,
}

/// Samples of one name.
#[derive(Debug)]
pub(super) struct Family {
    pub kind: FamilyKind,
    pub name: &'static str,
    pub labels: &'static [&'static str],
    pub help: &'static str,
}

pub(super) const fn counter(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { kind: FamilyKind::Counter, name, labels, help }
}

pub(super) const fn gauge(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { kind: FamilyKind::Gauge, name, labels, help }
}

pub(super) const fn histogram(name: &'static str, labels: &'static [&'static str], help: &'static str) -> Family {
    Family { kind: FamilyKind::Histogram, name, labels, help }
}

/// Defines families and the list of them.
macro_rules! families {
    ($($id:ident = $make:ident($name:literal, $labels:expr, $help:literal);)*) => {
        $(static $id: Family = $make($name, $labels, $help);)*
        #[cfg(test)]
        pub(super) const FAMILIES: &[&Family] = &[$(&$id,)*];
    };
}
pub(super) use families;

/// Prometheus's text format, version 0.0.4.
#[derive(Default)]
pub(super) struct Page {
    text: String,
    families: Vec<&'static str>,
}

impl Page {
    /// Begins a family; all of its samples follow.
    pub(super) fn begin(&mut self, family: &'static Family) -> Samples<'_> {
        assert!(!self.families.contains(&family.name), "the samples of {} stand together", family.name);
        self.families.push(family.name);
        let kind = match family.kind {
            FamilyKind::Counter => "counter",
            FamilyKind::Gauge => "gauge",
            FamilyKind::Histogram => "histogram",
        };
        let _ = writeln!(self.text, "# HELP {0} {1}\n# TYPE {0} {kind}", family.name, family.help);
        Samples { text: &mut self.text, family }
    }

    /// A family of one sample.
    pub(super) fn single(&mut self, family: &'static Family, value: impl Display) {
        self.begin(family).add(&[], value);
    }

    pub(super) fn finish(self) -> String {
        self.text
    }
}

/// The samples of one family.
pub(super) struct Samples<'p> {
    text: &'p mut String,
    family: &'static Family,
}

impl Samples<'_> {
    /// Adds a sample; the labels' values in the order of their names.
    pub(super) fn add(&mut self, labels: &[&str], value: impl Display) {
        assert!(self.family.kind != FamilyKind::Histogram, "{} has buckets", self.family.name);
        self.write("", labels, None, value);
    }

    /// Adds a histogram: how many were within each bound, in the order of the bounds, then the sum of all.
    pub(super) fn add_histogram(&mut self, labels: &[&str], buckets: &[(f64, u64)], count: u64, sum: f64) {
        assert!(self.family.kind == FamilyKind::Histogram, "{} has no buckets", self.family.name);
        for (bound, within) in buckets {
            self.write("_bucket", labels, Some(&bound.to_string()), within);
        }
        self.write("_bucket", labels, Some("+Inf"), count);
        self.write("_sum", labels, None, sum);
        self.write("_count", labels, None, count);
    }

    fn write(&mut self, suffix: &str, labels: &[&str], bound: Option<&str>, value: impl Display) {
        assert_eq!(labels.len(), self.family.labels.len(), "{} has its labels", self.family.name);
        let _ = write!(self.text, "{}{suffix}", self.family.name);
        let bound = bound.map(|bound| ("le", bound));
        let all = self.family.labels.iter().copied().zip(labels.iter().copied()).chain(bound);
        let mut between = '{';
        for (name, value) in all {
            let _ = write!(self.text, "{between}{name}=\"");
            escape(value, self.text);
            self.text.push('"');
            between = ',';
        }
        if between == ',' {
            self.text.push('}');
        }
        let _ = writeln!(self.text, " {value}");
    }
}

fn escape(value: &str, out: &mut String) {
    for c in value.chars() {
        match c {
            '\\' => out.push_str("\\\\"),
            '"' => out.push_str("\\\""),
            '\n' => out.push_str("\\n"),
            c => out.push(c),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn samples_are_written_as_prometheus_reads_them() {
        static COUNT: Family = counter("a_total", &["topic", "partition"], "How many.");
        static TIMES: Family = histogram("b_seconds", &["api"], "How long.");
        let mut page = Page::default();
        page.begin(&COUNT).add(&["quo\"te\\\n", "0"], 7);
        page.begin(&TIMES).add_histogram(&["Fetch"], &[(0.001, 1), (0.5, 3)], 4, 2.25);
        let expected = "# HELP a_total How many.\n# TYPE a_total counter\na_total{topic=\"quo\\\"te\\\\\\n\",partition=\"0\"} 7\n\
                        # HELP b_seconds How long.\n# TYPE b_seconds histogram\n\
                        b_seconds_bucket{api=\"Fetch\",le=\"0.001\"} 1\nb_seconds_bucket{api=\"Fetch\",le=\"0.5\"} 3\n\
                        b_seconds_bucket{api=\"Fetch\",le=\"+Inf\"} 4\nb_seconds_sum{api=\"Fetch\"} 2.25\n\
                        b_seconds_count{api=\"Fetch\"} 4\n";
        assert_eq!(page.finish(), expected);
    }
}
