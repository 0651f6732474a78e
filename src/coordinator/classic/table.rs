//! Every state of a group × every request × every kind of member × generations: `testdata/classic.table`, whose rows
//! are written by `UPDATE=1` and held against Apache Kafka's own coordinator by `compat-tests`.

use std::fmt::Write;

use crate::coordinator::step::Reply;
use crate::coordinator::story::{check, execute, shorten};
use crate::coordinator::world::World;

/// Waits for the request that the row is about.
const WAITER: u64 = 99;

/// Members: a#1 leads, i#2 is static (instance i), b#3 follows, p#4 is pending.
const FOUR: &str = "join as=1 client=a protocols=x:t,y:t v=3; join as=2 client=i instance=i protocols=x:t,y:t; \
                    join as=3 client=b protocols=x:t,y:t v=3";
const PENDING: &str = "join as=4 client=p protocols=x:t,y:t";
const SYNC: &str = "sync as=5 member=a#1 generation=1 assignments=a#1:A,i#2:I,b#3:B; \
                    sync as=6 member=i#2 instance=i generation=1";

fn states() -> Vec<(&'static str, String)> {
    let delay = |ms: u32| format!("settings initial_delay_ms={ms} max_size=4");
    let completing = format!("{}; {FOUR}; wait ms=0; {PENDING}", delay(0));
    let stable = format!("{completing}; {SYNC}; commit generation=1 member=a#1 offsets=t-0:1,u-0:1");
    vec![
        ("none", delay(0)),
        ("simple", format!("{}; commit offsets=t-0:1,u-0:1", delay(0))),
        ("pending", format!("{}; join as=1 client=p protocols=x:t", delay(0))),
        ("initial", format!("{}; {FOUR}; {PENDING}", delay(3000))),
        ("completing", completing.clone()),
        ("full", format!("{completing}; settings max_size=3")),
        ("stable", stable.clone()),
        ("preparing", format!("{stable}; join as=7 client=a member=a#1 protocols=x:t,y:t")),
        ("empty", format!("{stable}; leave members=a#1,i#2/i,b#3,p#4")),
        ("loaded", format!("{stable}; restart")),
    ]
}

const MEMBERS: &[&str] = &[
    "member=",
    "member= instance=i",
    "member= instance=k",
    "member=a#1",
    "member=b#3",
    "member=i#2",
    "member=i#2 instance=i",
    "member=b#3 instance=i",
    "member=a#1 instance=k",
    "member=p#1",
    "member=p#4",
    "member=x",
    "member=x instance=i",
];

fn requests() -> Vec<String> {
    let mut out = Vec::new();
    for member in MEMBERS {
        for generation in [-1, 1, 2] {
            out.push(format!("heartbeat {member} generation={generation}"));
            out.push(format!("sync as={WAITER} {member} generation={generation} assignments=a#1:A,b#3:B"));
            out.push(format!("commit {member} generation={generation} offsets=t-0:5"));
        }
        out.push(format!("sync as={WAITER} {member} generation=1 type=other"));
        out.push(format!("sync as={WAITER} {member} generation=1 type=consumer protocol=y"));
        out.push(format!("sync as={WAITER} {member} generation=1 type=consumer protocol=x"));
        let leaving = member["member=".len()..].replace(" instance=", "/");
        out.push(format!("leave members={}", if leaving.is_empty() { "-" } else { &leaving }));
        for protocols in ["x:t,y:t", "x:u", "y:t,x:t", "y:t", "z:t", ""] {
            out.push(format!("join as={WAITER} {member} protocols={protocols}"));
            if member.starts_with("member= ") || *member == "member=" {
                out.push(format!("join as={WAITER} {member} protocols={protocols} v=3"));
            }
        }
        out.push(format!("join as={WAITER} {member} protocols=x:t,y:t type=other"));
        out.push(format!("join as={WAITER} {member} protocols=x:t,y:t type="));
    }
    let others = [
        "commit v=8 generation=1 member=x offsets=t-0:5",
        "delete group=g",
        "delete_offsets partitions=t-0,u-0,v-0",
        "leave members=a#1,i#2/i,b#3,p#4,x",
        "fetch partitions=t-0,v-0",
        "wait ms=10000",
        "wait ms=70000",
        "restart",
    ];
    out.extend(others.map(String::from));
    out
}

/// What comes of a request: answers, how many records, and the state afterwards.
fn outcome(setup: &str, request: &str) -> String {
    let mut world = World::default();
    setup.split("; ").for_each(|command| drop(execute(&mut world, command)));
    let (replied, written) = (world.replies.len(), world.log.len());
    let mut out = execute(&mut world, request).trim_end().replace('\n', ", ");
    let mut replies: Vec<_> =
        world.replies[replied..].iter().map(|(waiter, reply)| (waiter.key, tell(reply))).collect();
    replies.sort();
    for (waiter, reply) in replies {
        write!(out, " {waiter}:{reply}").unwrap();
    }
    if request.contains(&format!("as={WAITER} ")) && !world.replies.iter().any(|(waiter, _)| waiter.key == WAITER) {
        out += " waits";
    }
    let state = world.groups.describe_classic("g").map_or("gone".into(), |description| description.state);
    let records = world.log.len() - written;
    shorten(&format!("{} +{records} {state}", out.trim()))
}

fn tell(reply: &Reply) -> String {
    match reply {
        Reply::Join(reply) if reply.error.is_error() => format!("{:?}({})", reply.error, reply.member_id),
        Reply::Join(reply) => format!(
            "joined({} generation={} {} leader={} members={}{})",
            reply.member_id,
            reply.generation_id,
            reply.protocol_name.as_deref().unwrap_or("null"),
            reply.leader,
            reply.members.len(),
            if reply.skip_assignment { " skip" } else { "" }
        ),
        Reply::Sync(reply) if reply.error.is_error() => format!("{:?}", reply.error),
        Reply::Sync(reply) => format!("synced({})", String::from_utf8_lossy(&reply.assignment)),
    }
}

#[test]
fn the_table_is_true() {
    let mut out = String::from("# Written by src/coordinator/classic/table.rs\n");
    for (state, setup) in states() {
        writeln!(out, "\nstate {state} = {setup}").unwrap();
        for request in requests() {
            writeln!(out, "{state} | {request} | {}", outcome(&setup, &request)).unwrap();
        }
    }
    let path = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("src/coordinator/testdata/classic.table");
    check(&path, &out);
}
