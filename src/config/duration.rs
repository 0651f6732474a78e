//! Durations as configurations write them: ISO 8601 in the form that Java's `Duration.parse` reads.

/// Java holds a duration as seconds of 64 bits and nanoseconds; what does not fit is no duration.
const SECONDS_PER_DAY: i128 = 86_400;
const NANOS_PER_SECOND: i128 = 1_000_000_000;
const MAX_FRACTION_DIGITS: usize = 9;

/// The nanoseconds of `[-]PnDTnHnMn.nS`; `None` if it is no duration.
pub(super) fn parse_nanos(text: &str) -> Option<i128> {
    let text = text.to_ascii_uppercase();
    let (negated, unsigned) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(&text)),
    };
    let body = unsigned.strip_prefix('P')?;
    let (date, time) = match body.split_once('T') {
        Some((_, "")) => return None,
        Some((date, time)) => (date, time),
        None if body.is_empty() => return None,
        None => (body, ""),
    };
    let (days, rest) = whole(date, 'D', SECONDS_PER_DAY)?;
    let (hours, time) = whole(time, 'H', 3600)?;
    let (minutes, time) = whole(time, 'M', 60)?;
    if !rest.is_empty() {
        return None;
    }
    let nanos = (days + hours + minutes) * NANOS_PER_SECOND + seconds(time)?;
    let nanos = if negated { -nanos } else { nanos };
    i64::try_from(nanos.div_euclid(NANOS_PER_SECOND)).is_ok().then_some(nanos)
}

/// The part of the text that ends with `unit`, in seconds, and what follows it; 0 if there is no such part.
fn whole(text: &str, unit: char, seconds: i128) -> Option<(i128, &str)> {
    let Some((number, rest)) = text.split_once(unit) else { return Some((0, text)) };
    let seconds = i128::from(number.parse::<i64>().ok()?) * seconds;
    i64::try_from(seconds).is_ok().then_some((seconds, rest))
}

/// `n.nS` in nanoseconds, or nothing at all. The sign counts for the fraction too.
fn seconds(text: &str) -> Option<i128> {
    if text.is_empty() {
        return Some(0);
    }
    let number = text.strip_suffix('S')?;
    let (seconds, fraction) = number.split_once(['.', ',']).unwrap_or((number, ""));
    if fraction.len() > MAX_FRACTION_DIGITS || !fraction.bytes().all(|b| b.is_ascii_digit()) {
        return None;
    }
    let nanos: i128 = format!("{fraction:0<MAX_FRACTION_DIGITS$}").parse().ok()?;
    let signed = if seconds.starts_with('-') { -nanos } else { nanos };
    Some(i128::from(seconds.parse::<i64>().ok()?) * NANOS_PER_SECOND + signed)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Each as `Duration.parse` of Java 17 has it.
    #[test]
    fn durations_are_read_as_java_reads_them() {
        let second = NANOS_PER_SECOND;
        let table = [
            ("PT1H", Some(3600 * second)),
            ("P1DT2H3M4.5S", Some(93_784 * second + 500_000_000)),
            ("p1dt1,s", Some(86_401 * second)),
            ("-PT1S", Some(-second)),
            ("-PT-1S", Some(second)),
            ("PT-0.5S", Some(-500_000_000)),
            ("PT1H-59M", Some(60 * second)),
            ("P106751991167300D", Some(106_751_991_167_300 * 86_400 * second)),
            ("P106751991167301D", None),
            ("PT9223372036854775808S", None),
            ("P", None),
            ("PT", None),
            ("P1DT", None),
            ("P1H", None),
            ("P1Y", None),
            ("PT1M1H", None),
            ("PT.5S", None),
            ("PT0.1234567890S", None),
            ("PT1", None),
            ("T1H", None),
            ("", None),
        ];
        for (text, nanos) in table {
            assert_eq!(parse_nanos(text), nanos, "{text}");
        }
    }
}
