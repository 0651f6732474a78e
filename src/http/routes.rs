//! The paths: each with what it takes, what it answers and the function that does. One list for router and description, so
//! that there is no path without words.

use std::future::{Future, ready};
use std::pin::Pin;
use std::sync::Arc;

use axum::body::Bytes;
use axum::http::Method;

use super::control::Control;
use super::reply::{self, JSON, Reply};
use super::{
    brokers, clock, deeds, faults, fixtures, groups, health, metrics, openapi, page, records, requests, reset, topics,
    wait,
};

#[derive(Clone, Copy, PartialEq, Eq, Debug)]
pub(super) enum Verb {
    Get,
    Post,
    Delete,
}

impl Verb {
    pub(super) fn name(self) -> &'static str {
        match self {
            Verb::Get => "GET",
            Verb::Post => "POST",
            Verb::Delete => "DELETE",
        }
    }

    /// The verb that answers a method: HEAD is a GET whose body is not sent.
    pub(super) fn of(method: &Method) -> Option<Verb> {
        match *method {
            Method::GET | Method::HEAD => Some(Verb::Get),
            Method::POST => Some(Verb::Post),
            Method::DELETE => Some(Verb::Delete),
            _ => None,
        }
    }
}

/// A word behind the question mark.
pub(super) struct Parameter {
    pub name: &'static str,
    pub summary: &'static str,
}

/// What a path answers with a status.
pub(super) struct Answered {
    pub status: u16,
    pub content_type: &'static str,
    pub summary: &'static str,
}

/// What stands in the body of a request.
#[derive(Clone, Copy)]
pub(super) struct BodyTaken {
    pub summary: &'static str,
    pub shape: BodyShape,
}

#[derive(Clone, Copy, PartialEq, Eq)]
pub(super) enum BodyShape {
    /// An object of JSON.
    Object,
    /// An object of JSON, or nothing.
    ObjectOrNothing,
    /// An object of JSON, or an array of them.
    ObjectOrArray,
    /// Objects of JSON, each on a line.
    Lines,
}

pub(super) struct Route {
    pub verb: Verb,
    pub path: &'static str,
    pub summary: &'static str,
    pub parameters: &'static [Parameter],
    pub body: Option<BodyTaken>,
    pub answers: &'static [Answered],
    /// It is answered without a token.
    pub is_open: bool,
    pub answer: fn(Arc<Control>, Call) -> Answering,
}

/// A request as a route gets it: its parameters are known ones, its body is there.
pub(super) struct Call {
    pub parameters: Vec<(String, String)>,
    pub body: Bytes,
}

pub(super) type Answering = Pin<Box<dyn Future<Output = Reply> + Send>>;

fn now(reply: Reply) -> Answering {
    Box::pin(ready(reply))
}

const fn ok(content_type: &'static str, summary: &'static str) -> Answered {
    Answered { status: 200, content_type, summary }
}

const fn takes(shape: BodyShape, summary: &'static str) -> Option<BodyTaken> {
    Some(BodyTaken { summary, shape })
}

pub(super) const ROUTES: &[Route] = &[
    Route {
        verb: Verb::Get,
        path: "/",
        summary: "The page: requests as they come, topics, groups, rules and the clock. It asks the paths below for its data.",
        parameters: &[],
        body: None,
        answers: &[ok(page::HTML, "The page, without data.")],
        is_open: true,
        answer: |_, _| now(page::html()),
    },
    Route {
        verb: Verb::Get,
        path: "/page.js",
        summary: "The page's script.",
        parameters: &[],
        body: None,
        answers: &[ok(page::SCRIPT, "The script.")],
        is_open: true,
        answer: |_, _| now(page::script()),
    },
    Route {
        verb: Verb::Get,
        path: "/page.css",
        summary: "The page's style.",
        parameters: &[],
        body: None,
        answers: &[ok(page::STYLE, "The style.")],
        is_open: true,
        answer: |_, _| now(page::style()),
    },
    Route {
        verb: Verb::Get,
        path: "/livez",
        summary: "Whether the process lives.",
        parameters: &[],
        body: None,
        answers: &[ok(JSON, "It does.")],
        is_open: true,
        answer: |_, _| now(health::livez()),
    },
    Route {
        verb: Verb::Get,
        path: "/readyz",
        summary: "Whether the broker can be sent requests: its shards turn, all logs and coordinators are loaded.",
        parameters: &[],
        body: None,
        answers: &[
            ok(JSON, "It can."),
            Answered { status: 503, content_type: JSON, summary: "It cannot; the sentence says why." },
        ],
        is_open: true,
        answer: |control, _| now(health::readyz(&control)),
    },
    Route {
        verb: Verb::Get,
        path: "/version",
        summary: "What runs here: version, node and cluster.",
        parameters: &[],
        body: None,
        answers: &[ok(JSON, "The versions; cluster and metadata are null before the metadata log is replayed.")],
        is_open: false,
        answer: |control, _| now(health::version(&control)),
    },
    Route {
        verb: Verb::Get,
        path: "/openapi.json",
        summary: "This description.",
        parameters: &[],
        body: None,
        answers: &[ok(JSON, "OpenAPI 3.1.")],
        is_open: false,
        answer: |_, _| now(reply::ok(&openapi::description(ROUTES))),
    },
    Route {
        verb: Verb::Get,
        path: "/metrics",
        summary: "What the broker counts, for Prometheus.",
        parameters: &[],
        body: None,
        answers: &[
            ok(metrics::CONTENT_TYPE, "Prometheus's text format."),
            Answered { status: 503, content_type: JSON, summary: "The broker has not come far enough to count." },
        ],
        is_open: false,
        answer: |control, _| Box::pin(metrics::answer(control)),
    },
    Route {
        verb: Verb::Get,
        path: "/v1/clock",
        summary: "The clock that the broker goes by.",
        parameters: &[],
        body: None,
        answers: &[ok(JSON, "Its wall clock, in milliseconds since 1970, and whether it stands still."), NO_CLOCK],
        is_open: false,
        answer: |control, _| now(clock::show(&control)),
    },
    Route {
        verb: Verb::Post,
        path: "/v1/clock",
        summary: "Freezes the clock, moves it ahead or sets it.",
        parameters: &[],
        body: takes(
            BodyShape::Object,
            "One of frozen (true or false), advance_ms (how far ahead) and wall_ms (milliseconds since 1970).",
        ),
        answers: &[
            ok(JSON, "What it shows, and the deadlines that were met; all that became due has been done."),
            NO_CLOCK,
            Answered {
                status: 503,
                content_type: JSON,
                summary: "Some thread still does what became due, or the broker stops.",
            },
        ],
        is_open: false,
        answer: |control, call| Box::pin(clock::change(control, call.body)),
    },
    Route {
        verb: Verb::Post,
        path: "/v1/deeds",
        summary: "Does something to a group or a producer at once: expires members, forces a rebalance, fences a producer.",
        parameters: &[],
        body: takes(BodyShape::Object, deeds::BODY),
        answers: &[
            ok(JSON, "It is done."),
            Answered { status: 404, content_type: JSON, summary: "There is no such group or member." },
            Answered {
                status: 409,
                content_type: JSON,
                summary: "The broker does not break on purpose, or its coordinator refuses.",
            },
        ],
        is_open: false,
        answer: |control, call| Box::pin(deeds::perform(control, call.body)),
    },
    Route {
        verb: Verb::Get,
        path: "/v1/faults",
        summary: "The rules by which the broker breaks, with what they have done.",
        parameters: &[],
        body: None,
        answers: &[ok(JSON, "The rules in their order; struck says how often each has."), NO_FAULTS],
        is_open: false,
        answer: |control, _| now(faults::list(&control)),
    },
    Route {
        verb: Verb::Post,
        path: "/v1/faults",
        summary: "Adds rules behind those that are there: the first one that is for a request strikes it.",
        parameters: &[],
        body: takes(BodyShape::ObjectOrArray, faults::BODY),
        answers: &[ok(JSON, "The ids of the rules."), NO_FAULTS],
        is_open: false,
        answer: |control, call| now(faults::add(&control, &call)),
    },
    Route {
        verb: Verb::Delete,
        path: "/v1/faults",
        summary: "Takes rules away; what they hold goes on.",
        parameters: faults::PARAMETERS,
        body: None,
        answers: &[ok(JSON, "How many there were."), NO_FAULTS, NO_RULE],
        is_open: false,
        answer: |control, call| now(faults::remove(&control, &call)),
    },
    Route {
        verb: Verb::Post,
        path: "/v1/faults/release",
        summary: "Lets go on what rules hold; what comes behind is held again.",
        parameters: faults::PARAMETERS,
        body: None,
        answers: &[ok(JSON, "It goes on."), NO_FAULTS, NO_RULE],
        is_open: false,
        answer: |control, call| now(faults::release(&control, &call)),
    },
    Route {
        verb: Verb::Get,
        path: fixtures::PATH,
        summary: "Topics with their committed records, as JSON lines that can be put into another broker.",
        parameters: fixtures::PARAMETERS,
        body: None,
        answers: &[
            ok(fixtures::CONTENT_TYPE, "Each topic in front of its records."),
            NO_TOPIC,
            Answered { status: 413, content_type: JSON, summary: "They are too many bytes." },
        ],
        is_open: false,
        answer: |control, call| Box::pin(fixtures::give(control, call.parameters)),
    },
    Route {
        verb: Verb::Post,
        path: fixtures::PATH,
        summary: "Makes topics and writes records, in a broker of a test.",
        parameters: &[],
        body: takes(BodyShape::Lines, fixtures::BODY),
        answers: &[ok(JSON, "How many topics were made, and how many records were written."), NO_FAULTS],
        is_open: false,
        answer: |control, call| Box::pin(fixtures::take(control, call.body)),
    },
    Route {
        verb: Verb::Get,
        path: "/v1/groups",
        summary: "Groups with members, committed offsets and lag, and why their consumers do not read, as sentences.",
        parameters: groups::PARAMETERS,
        body: None,
        answers: &[ok(JSON, "The groups, and how many more there are."), NO_GROUP],
        is_open: false,
        answer: |control, call| Box::pin(groups::list(control, call.parameters)),
    },
    Route {
        verb: Verb::Get,
        path: "/v1/records",
        summary: "The newest records of a partition, the newest first.",
        parameters: records::PARAMETERS,
        body: None,
        answers: &[ok(JSON, "The records, and the partition's offsets."), NO_TOPIC],
        is_open: false,
        answer: |control, call| Box::pin(records::list(control, call.parameters)),
    },
    Route {
        verb: Verb::Get,
        path: "/v1/brokers",
        summary: "The brokers of this process: one, or those that it plays for a test.",
        parameters: &[],
        body: None,
        answers: &[ok(JSON, "Each with its rack, its listeners, whether it is up, and how many partitions it leads.")],
        is_open: false,
        answer: |control, _| Box::pin(async move { brokers::list(&control) }),
    },
    Route {
        verb: Verb::Get,
        path: "/v1/requests",
        summary: "The last requests that match, with their bodies; or, with follow, those that come.",
        parameters: requests::PARAMETERS,
        body: None,
        answers: &[
            ok(JSON, "The requests in their order, and how many are not kept."),
            Answered { status: 404, content_type: JSON, summary: "No requests are kept." },
            TOO_MANY_STAY,
        ],
        is_open: false,
        answer: |control, call| Box::pin(requests::list(control, call.parameters)),
    },
    Route {
        verb: Verb::Post,
        path: "/v1/requests/assert",
        summary: "Judges how many of the kept requests match.",
        parameters: &[],
        body: takes(
            BodyShape::Object,
            "What is matched by the words of /v1/requests, and how many there may be: at_most, at_least.",
        ),
        answers: &[
            ok(JSON, "As many match as were expected."),
            Answered { status: 404, content_type: JSON, summary: "No requests are kept." },
            Answered {
                status: 409,
                content_type: JSON,
                summary: "More or fewer match, or too many are forgotten; some are shown.",
            },
        ],
        is_open: false,
        answer: |control, call| Box::pin(requests::assert(control, call.body)),
    },
    Route {
        verb: Verb::Post,
        path: "/v1/reset",
        summary: "Puts a broker in memory back to its beginning, or to a snapshot, by a restart on other data.",
        parameters: &[],
        body: takes(BodyShape::ObjectOrNothing, reset::BODY),
        answers: &[
            ok(JSON, "It is there, after so many milliseconds; its clients connect again."),
            ON_DISK,
            NO_SNAPSHOT,
        ],
        is_open: false,
        answer: |control, call| Box::pin(reset::reset(control, call.body)),
    },
    Route {
        verb: Verb::Get,
        path: "/v1/snapshots",
        summary: "The snapshots that a broker in memory can go back to.",
        parameters: &[],
        body: None,
        answers: &[ok(JSON, "Their names, and the bytes that they take."), ON_DISK],
        is_open: false,
        answer: |control, _| Box::pin(reset::list(control)),
    },
    Route {
        verb: Verb::Post,
        path: "/v1/snapshots",
        summary: "Keeps what a broker in memory has now, by a restart.",
        parameters: &[],
        body: takes(BodyShape::Object, reset::SNAPSHOT_BODY),
        answers: &[ok(JSON, "It is kept."), ON_DISK],
        is_open: false,
        answer: |control, call| Box::pin(reset::snapshot(control, call.body)),
    },
    Route {
        verb: Verb::Delete,
        path: "/v1/snapshots",
        summary: "Forgets a snapshot.",
        parameters: reset::PARAMETERS,
        body: None,
        answers: &[ok(JSON, "It is forgotten."), ON_DISK, NO_SNAPSHOT],
        is_open: false,
        answer: |control, call| Box::pin(reset::forget(control, call)),
    },
    Route {
        verb: Verb::Get,
        path: "/v1/topics",
        summary: "Topics with the configs set on them, their partitions, leaders, offsets and sizes.",
        parameters: topics::PARAMETERS,
        body: None,
        answers: &[ok(JSON, "The topics, and how many more there are."), NO_TOPIC],
        is_open: false,
        answer: |control, call| Box::pin(topics::list(control, call.parameters)),
    },
    Route {
        verb: Verb::Get,
        path: "/v1/wait",
        summary: "Answers when all that is asked for is there: members of a group, its lag, records of a topic, what clients have fetched, the end of a transaction.",
        parameters: wait::PARAMETERS,
        body: None,
        answers: &[
            ok(JSON, "It is there."),
            Answered {
                status: 404,
                content_type: JSON,
                summary: "What is fetched is not known: no requests are kept.",
            },
            Answered {
                status: 408,
                content_type: JSON,
                summary: "The time is over; the sentence says what was missing.",
            },
            TOO_MANY_STAY,
        ],
        is_open: false,
        answer: |control, call| Box::pin(wait::wait(control, call.parameters)),
    },
];

const TOO_MANY_STAY: Answered =
    Answered { status: 503, content_type: JSON, summary: "As many requests as may wait or follow do so already." };

/// What a broker answers that does not break on purpose, and one that has no such rule.
const NO_FAULTS: Answered =
    Answered { status: 409, content_type: JSON, summary: "The broker does not break on purpose." };
const NO_RULE: Answered = Answered { status: 404, content_type: JSON, summary: "There is no such rule." };

/// What a broker answers that cannot go back, and one that has no such snapshot.
const ON_DISK: Answered =
    Answered { status: 409, content_type: JSON, summary: "Its data are on the disk, or would take too much memory." };
const NO_SNAPSHOT: Answered = Answered { status: 404, content_type: JSON, summary: "There is no such snapshot." };
const NO_TOPIC: Answered =
    Answered { status: 404, content_type: JSON, summary: "There is no such topic or partition." };
const NO_GROUP: Answered = Answered { status: 404, content_type: JSON, summary: "There is no such group." };

/// What a broker without such a clock answers.
const NO_CLOCK: Answered = Answered {
    status: 409,
    content_type: JSON,
    summary: "The broker goes by the machine's clock, or this one is being moved.",
};
