//! What follows from the facts: a pure function, one part of it for each subject, advertised listeners first.

use super::facts::{self, Facts, ListenFailure, ListenerFacts};
use super::{Finding, Severity};
use crate::config::{HttpListener, Notice};
use crate::io::look::{DirectoryLook, FileSystemKind};
use crate::io::machine::Backend;
use crate::model::SecurityProtocol;

/// Fewer descriptors are not enough for a few thousand segments and connections.
const FEW_DESCRIPTORS: u64 = 10_000;
/// Each partition takes files, and metadata and internal topics some.
const LEAST_FREE_BYTES: u64 = 1 << 30;
const SECONDS_PER_DAY: i64 = 24 * 3600;
const EXPIRES_SOON_DAYS: i64 = 30;

/// A configuration with which the broker does not start.
pub(super) fn of_invalid(sentence: &str) -> Finding {
    Finding::new(
        Severity::Error,
        "configuration",
        format!("the broker does not start: {sentence}"),
        "Correct this value; what else there may be is looked at only then.",
    )
}

pub(super) fn of(facts: &Facts) -> Vec<Finding> {
    let is_running = facts.directories.iter().any(|(_, look)| look.as_ref().is_ok_and(|look| look.is_locked));
    let mut found = Vec::new();
    for listener in &facts.listeners {
        found.extend(advertised(listener));
        let at = (listener.listener.host.as_deref(), listener.listener.port);
        found.extend(listens((&about(listener), "listeners"), at, &listener.listens, is_running));
        found.extend(certificate(listener, facts.now));
        found.extend(open_by_accident(listener, facts.config.authorizer.is_some()));
    }
    found.extend(inter_broker(facts));
    for (listener, listens) in &facts.http_listeners {
        found.extend(http(listener, listens, is_running));
    }
    for (path, look) in &facts.directories {
        found.extend(directory(path, look));
    }
    found.extend(machine(facts));
    found.extend(facts.notices.iter().map(notice));
    found
}

fn about(listener: &ListenerFacts) -> String {
    format!("listener {}", listener.listener.name)
}

/// What clients are told.
fn advertised(facts: &ListenerFacts) -> Vec<Finding> {
    let (listener, about) = (&facts.listener, about(facts));
    let add = |severity, sentence: String, advice: &str| vec![Finding::new(severity, &about, sentence, advice)];
    let Some(told) = &listener.advertised else {
        let sentence = "advertised.listeners leaves it out, so that no client is ever told of it".to_string();
        return add(Severity::Warning, sentence, "Name it in advertised.listeners, or take it out of listeners.");
    };
    let Some(host) = &facts.told_host else {
        assert!(told.is_by_connection, "a host is told, or the address of the connection");
        let sentence =
            "each client is told the address by which it came, as advertised.listeners is not set".to_string();
        return add(Severity::Note, sentence, "");
    };
    let at = format!("{host}:{}", facts.told_port);
    let is_loopback = crate::config::is_loopback(host);
    let mut found = Vec::new();
    if is_loopback && !facts::is_loopback(listener) {
        let sentence = format!(
            "it listens on {} and tells clients to connect to {at}: clients on other machines and in other containers will look for the broker on their own",
            place(facts)
        );
        let advice = format!(
            "Set advertised.listeners={}://NAME:{}, with a name by which they reach this machine; or leave advertised.listeners out, and each client is told the address by which it came.",
            listener.name, facts.told_port
        );
        found.extend(add(Severity::Warning, sentence, &advice));
    }
    match &facts.told_addresses {
        Err(reason) => {
            let sentence = format!(
                "clients are told to connect to {at}, and this machine finds no address of that name ({reason})"
            );
            let advice = "Clients that cannot resolve it either stop after their first request. Advertise a name that they know, or an address.";
            found.extend(add(Severity::Warning, sentence, advice));
        }
        Ok(addresses) if !facts.is_own => {
            let all: Vec<String> = addresses.iter().map(ToString::to_string).collect();
            let sentence = format!(
                "clients are told to connect to {at}, which is not an address of this machine ({})",
                all.join(", ")
            );
            found.extend(add(
                Severity::Note,
                sentence,
                "Something must forward it to here: a port mapping, a load balancer, a NAT.",
            ));
        }
        Ok(_) if facts::is_loopback(listener) && !is_loopback => {
            let sentence = format!("clients are told to connect to {at}, and it listens on {} only", place(facts));
            let advice = format!("Set listeners={}://:{}, which is every address.", listener.name, listener.port);
            found.extend(add(Severity::Error, sentence, &advice));
        }
        Ok(_) => {}
    }
    if facts.told_port != listener.port && listener.port != 0 {
        let sentence = format!("clients are told the port {}, and it listens on {}", facts.told_port, listener.port);
        found.extend(add(
            Severity::Note,
            sentence,
            "Something must forward the one to the other: a port mapping, a proxy.",
        ));
    }
    found
}

fn place(facts: &ListenerFacts) -> String {
    facts::place(facts.listener.host.as_deref(), facts.listener.port)
}

/// Whether the broker can listen there; `setting` has the address.
fn listens(
    (about, setting): (&str, &str),
    (host, port): (Option<&str>, u16),
    listens: &Result<(), ListenFailure>,
    is_running: bool,
) -> Option<Finding> {
    let Err(failure) = listens else { return None };
    let at = facts::place(host, port);
    let (severity, sentence, advice) = match failure {
        ListenFailure::Taken if is_running => {
            (Severity::Note, format!("{at} is taken, by the running broker as it seems"), String::new())
        }
        ListenFailure::Taken => (
            Severity::Error,
            format!("{at} is taken by another process"),
            format!("Find it with `ss -ltnp 'sport = :{port}'` and stop it, or choose another port in {setting}."),
        ),
        ListenFailure::Forbidden => (
            Severity::Error,
            format!("this user may not listen on {at}"),
            "Ports below 1024 are for processes with CAP_NET_BIND_SERVICE; choose another.".into(),
        ),
        ListenFailure::NotOurs => (
            Severity::Error,
            format!("{at} is not an address of this machine"),
            format!(
                "{setting} is where the broker listens; the address that clients are told belongs into advertised.listeners."
            ),
        ),
        ListenFailure::Other(reason) => (
            Severity::Error,
            format!("it cannot listen on {at}: {reason}"),
            format!("{setting} is where the broker listens: an address of this machine, or 0.0.0.0 for all of them."),
        ),
    };
    Some(Finding::new(severity, about, sentence, advice))
}

fn http(listener: &HttpListener, failure: &Result<(), ListenFailure>, is_running: bool) -> Vec<Finding> {
    const ABOUT: &str = "klamm.http.listeners";
    let at = (Some(listener.host.as_str()), listener.port);
    let mut found: Vec<Finding> = listens((ABOUT, ABOUT), at, failure, is_running).into_iter().collect();
    if !crate::config::is_loopback(&listener.host) {
        let at = facts::place(at.0, at.1);
        let sentence =
            format!("the HTTP side at {at} has no TLS: the token and all that is told can be read on the way");
        let advice = "Listen on 127.0.0.1, or put a proxy with TLS in front of it.";
        found.push(Finding::new(Severity::Warning, ABOUT, sentence, advice));
    }
    found
}

fn certificate(facts: &ListenerFacts, now: i64) -> Vec<Finding> {
    let about = about(facts);
    let shown = match &facts.certificate {
        None => return Vec::new(),
        Some(Err(reason)) => {
            let sentence = format!("the broker does not start: {reason}");
            return vec![Finding::new(
                Severity::Error,
                &about,
                sentence,
                "Correct the ssl.* settings of the listener.",
            )];
        }
        Some(Ok(shown)) => shown,
    };
    let mut found = Vec::new();
    let told_host = facts.told_host.as_ref().filter(|host| !shown.vouch_for(host));
    if let Some(host) = told_host.filter(|host| shown.vouch_by_subject(host)) {
        let sentence = format!(
            "clients are told to connect to {host}, which its certificate ({}) has as the common name only: many clients look for a subject alternative name and refuse it",
            shown.subject
        );
        let advice = format!("Make a certificate with {host} among its subject alternative names.");
        found.push(Finding::new(Severity::Warning, &about, sentence, advice));
    } else if let Some(host) = told_host {
        let names = match shown.other_names.is_empty() {
            true => "no host at all".to_string(),
            false => shown.other_names.join(", "),
        };
        let sentence = format!(
            "clients are told to connect to {host}, and its certificate ({}) is for {names}: clients that check names refuse it",
            shown.subject
        );
        let advice = format!(
            "Make a certificate with {host} among its subject alternative names, or advertise a name that it has."
        );
        found.push(Finding::new(Severity::Error, &about, sentence, advice));
    }
    let left = shown.not_after - now;
    if left <= 0 {
        let sentence = format!("its certificate ({}) has expired: clients refuse it", shown.subject);
        found.push(Finding::new(
            Severity::Error,
            &about,
            sentence,
            "Make a new one; a running broker takes it within ten seconds.",
        ));
    } else if left < EXPIRES_SOON_DAYS * SECONDS_PER_DAY {
        let sentence = format!("its certificate ({}) expires in {} days", shown.subject, left / SECONDS_PER_DAY);
        found.push(Finding::new(
            Severity::Warning,
            &about,
            sentence,
            "Make a new one; a running broker takes it within ten seconds.",
        ));
    }
    found
}

fn open_by_accident(facts: &ListenerFacts, has_authorizer: bool) -> Option<Finding> {
    let (listener, about) = (&facts.listener, about(facts));
    if facts::is_loopback(listener) {
        return None;
    }
    let at = place(facts);
    let (severity, sentence, advice) = match (listener.security_protocol, has_authorizer) {
        (SecurityProtocol::Plaintext, false) => (
            Severity::Warning,
            format!(
                "every machine that reaches {at} may read, write and delete everything, and what it sends can be read on the way"
            ),
            "Listen on 127.0.0.1, or see \"Secure it\" in README.md: TLS or SASL, and authorizer.class.name.",
        ),
        (SecurityProtocol::Plaintext, true) => (
            Severity::Warning,
            format!(
                "clients of {at} do not log in: all of them are User:ANONYMOUS, and what they send can be read on the way"
            ),
            "Give the listener the protocol SASL_SSL or SSL, unless ACLs for User:ANONYMOUS are meant.",
        ),
        (SecurityProtocol::SaslPlaintext, _) => (
            Severity::Warning,
            format!(
                "clients of {at} log in over a connection that can be read on the way, by PLAIN with their passwords"
            ),
            "Give the listener the protocol SASL_SSL.",
        ),
        (SecurityProtocol::Ssl | SecurityProtocol::SaslSsl, false) => (
            Severity::Note,
            format!(
                "every client that may connect to {at} may read, write and delete everything: authorizer.class.name is not set"
            ),
            "See \"Secure it\" in README.md.",
        ),
        (SecurityProtocol::Ssl | SecurityProtocol::SaslSsl, true) => return None,
    };
    Some(Finding::new(severity, &about, sentence, advice))
}

fn inter_broker(facts: &Facts) -> Option<Finding> {
    let name = &facts.config.inter_broker_listener_name;
    let listener = facts.listeners.iter().find(|facts| facts.listener.name == *name)?;
    let is_plain = listener.listener.security_protocol == SecurityProtocol::Plaintext;
    let are_others_secure =
        facts.listeners.iter().any(|facts| facts.listener.security_protocol != SecurityProtocol::Plaintext);
    let is_open = is_plain && are_others_secure && !facts::is_loopback(&listener.listener);
    is_open.then(|| {
        let sentence = format!("the listener between brokers, {name}, is PLAINTEXT beside listeners that are secured: clients can come in by it as well");
        let advice = "There is one broker, and it does not connect to itself: let that listener be on 127.0.0.1.";
        Finding::new(Severity::Warning, "inter.broker.listener.name", sentence, advice)
    })
}

fn directory(path: &str, look: &Result<DirectoryLook, String>) -> Vec<Finding> {
    let add = |severity, sentence: String, advice: &str| Finding::new(severity, "log.dirs", sentence, advice);
    let look = match look {
        Ok(look) => look,
        Err(reason) => return vec![add(Severity::Error, format!("{path} cannot be looked at: {reason}"), "")],
    };
    let (shown, nearest) = (look.path.display(), look.nearest.display());
    if !look.is_directory {
        return vec![add(Severity::Error, format!("{nearest} is not a directory"), "Name another place in log.dirs.")];
    }
    let mut found = Vec::new();
    if look.is_locked {
        let sentence = format!("a running broker has {shown}");
        found.push(add(
            Severity::Note,
            sentence,
            "Another one with the same directory would not start; `klamm doctor --connect` asks the one that runs.",
        ));
    }
    let is_owner = look.owner == look.asking || look.asking == 0;
    match (look.exists(), look.is_writable) {
        (true, false) => {
            let whose = if is_owner {
                String::new()
            } else {
                format!(": it belongs to user {}, and this is user {}", look.owner, look.asking)
            };
            found.push(add(
                Severity::Error,
                format!("nothing can be written into {shown}{whose}"),
                "Give it to the broker's user with chown, or mount it for writing.",
            ));
        }
        (false, false) => {
            let sentence = format!("{shown} is not there and cannot be made in {nearest}");
            found.push(add(Severity::Error, sentence, "Make it, and give it to the broker's user with chown."));
        }
        (false, true) => found.push(add(Severity::Note, format!("{shown} is not there: the first start makes it"), "")),
        (true, true) if look.owner != look.asking => {
            let sentence = format!("{shown} belongs to user {}, and this is user {}", look.owner, look.asking);
            found.push(add(
                Severity::Warning,
                sentence,
                "What one user's broker writes, the other's may not be able to open: always start the broker as the same user.",
            ));
        }
        (true, true) => {}
    }
    found.extend(file_system(look));
    found
}

/// What kind of place it is, and how much room there is.
fn file_system(look: &DirectoryLook) -> Vec<Finding> {
    let add = |severity, sentence: String, advice: &str| Finding::new(severity, "log.dirs", sentence, advice);
    let shown = look.path.display();
    let mut found = Vec::new();
    match look.kind {
        FileSystemKind::Memory => {
            let sentence =
                format!("{shown} is in memory (tmpfs): what is acknowledged is gone with the machine's next start");
            found.push(add(Severity::Warning, sentence, "Name a place on a disk in log.dirs."));
        }
        FileSystemKind::Overlay => {
            let sentence = format!("{shown} is in a container's own layer: it is gone with the container");
            found.push(add(Severity::Note, sentence, "Mount a volume there if the data shall stay."));
        }
        FileSystemKind::Other => {}
    }
    if look.usable_bytes < LEAST_FREE_BYTES {
        let severity = if look.usable_bytes < LEAST_FREE_BYTES / 1024 { Severity::Error } else { Severity::Warning };
        let sentence =
            format!("{} MiB of {} MiB are free where {shown} is", look.usable_bytes >> 20, look.total_bytes >> 20);
        found.push(add(
            severity,
            sentence,
            "A full disk takes its directory offline. Make room, or set log.retention.bytes.",
        ));
    }
    found
}

fn machine(facts: &Facts) -> Vec<Finding> {
    let mut found = Vec::new();
    if let Some(most) = facts.most_descriptors.filter(|most| *most < FEW_DESCRIPTORS) {
        let sentence = format!("this process may have {most} files and connections open at a time");
        let advice = "Raise the hard limit: `ulimit -Hn 1048576`, LimitNOFILE of a unit of systemd, `--ulimit nofile` of a container.";
        found.push(Finding::new(Severity::Warning, "file descriptors", sentence, advice));
    }
    match &facts.driver {
        Err(reason) => {
            let sentence = format!("io_uring cannot be had: {reason}");
            found.push(Finding::new(
                Severity::Error,
                "klamm.io",
                sentence,
                "Leave klamm.io out, and epoll is used instead.",
            ));
        }
        Ok(choice) if choice.backend == Backend::Readiness && !choice.reason.starts_with("klamm.io") => {
            let sentence = format!(
                "io_uring cannot be had ({}); epoll is used instead, at the same speed for nearly all loads",
                choice.reason
            );
            found.push(Finding::new(Severity::Note, "klamm.io", sentence, ""));
        }
        Ok(_) => {}
    }
    found
}

fn notice(notice: &Notice) -> Finding {
    let severity = if notice.is_warning() { Severity::Warning } else { Severity::Note };
    Finding::new(severity, "configuration", notice.to_string(), "")
}

#[cfg(test)]
mod tests;
