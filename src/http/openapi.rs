//! The description of the paths, made of the table that the router is made of.

use serde_json::{Map, Value, json};

use super::fixtures;
use super::reply::JSON;
use super::routes::{Answered, BodyShape, BodyTaken, Route};

pub(super) fn description(routes: &[Route]) -> Value {
    let mut paths = Map::new();
    for route in routes {
        assert!(!route.summary.is_empty() && !route.answers.is_empty(), "{} is described", route.path);
        let of_path = paths.entry(route.path).or_insert_with(|| json!({}));
        of_path[route.verb.name().to_lowercase()] = operation(route);
    }
    json!({
        "openapi": "3.1.0",
        "info": {
            "title": "Klamm",
            "version": env!("CARGO_PKG_VERSION"),
            "description": "Health, metrics, the journal of requests and the control plane for tests of a Klamm broker. \
                            A method that a path does not have is answered with 405, its Allow names those that it has.",
        },
        "paths": paths,
        "components": {
            "securitySchemes": { "token": { "type": "http", "scheme": "bearer" } },
            "schemas": { "Error": {
                "type": "object",
                "required": ["error"],
                "properties": { "error": { "type": "string", "description": "A sentence for people." } },
            } },
        },
    })
}

fn operation(route: &Route) -> Value {
    let parameters: Vec<Value> = route
        .parameters
        .iter()
        .map(|parameter| {
            let (name, summary) = (parameter.name, parameter.summary);
            json!({ "name": name, "in": "query", "description": summary, "schema": { "type": "string" } })
        })
        .collect();
    let answers = route.answers.iter().chain(refusals(route)).rev();
    let answers = answers.map(|answer| (answer.status.to_string(), answered(answer)));
    let mut operation = json!({
        "summary": route.summary,
        "parameters": parameters,
        "responses": answers.collect::<Map<_, _>>(),
        "security": if route.is_open { json!([]) } else { json!([{}, { "token": [] }]) },
    });
    if let Some(body) = &route.body {
        operation["requestBody"] = body_taken(body);
    }
    operation
}

const fn refusal(status: u16, summary: &'static str) -> Answered {
    Answered { status, content_type: JSON, summary }
}

/// What every path may answer, what it does unless it is open, and what it does that takes a body.
const REFUSALS: &[Answered] = &[
    refusal(400, "A parameter is not known, or something asked for has no such form; the sentence says what."),
    refusal(403, "The request is addressed to a foreign host, or comes from a page of another site."),
];
const WITHOUT_TOKEN: &[Answered] = &[refusal(401, "The broker has a token, which the request does not show.")];
const OF_BODIES: &[Answered] =
    &[refusal(408, "The body has not come in time."), refusal(413, "The body cannot be read, or is too large.")];

/// The refusals that come before a path is asked.
fn refusals(route: &Route) -> impl DoubleEndedIterator<Item = &'static Answered> {
    let without_token = if route.is_open { &[] } else { WITHOUT_TOKEN };
    let of_bodies = if route.body.is_some() { OF_BODIES } else { &[] };
    REFUSALS.iter().chain(without_token).chain(of_bodies)
}

fn body_taken(body: &BodyTaken) -> Value {
    let object = || json!({ "type": "object" });
    let (content_type, schema) = match body.shape {
        BodyShape::Object | BodyShape::ObjectOrNothing => (JSON, object()),
        BodyShape::ObjectOrArray => (JSON, json!({ "oneOf": [object(), { "type": "array", "items": object() }] })),
        BodyShape::Lines => (fixtures::CONTENT_TYPE, json!({ "type": "string" })),
    };
    json!({
        "required": body.shape != BodyShape::ObjectOrNothing,
        "description": body.summary,
        "content": { content_type: { "schema": schema } },
    })
}

fn answered(answer: &Answered) -> Value {
    let schema = match (answer.content_type, answer.status) {
        ("application/json", 400..) => json!({ "$ref": "#/components/schemas/Error" }),
        ("application/json", _) => json!({ "type": "object" }),
        _ => json!({ "type": "string" }),
    };
    json!({ "description": answer.summary, "content": { answer.content_type: { "schema": schema } } })
}
