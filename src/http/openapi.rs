//! The description of the paths, made of the table that the router is made of.

use serde_json::{Map, Value, json};

use super::routes::{Answered, Route};

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
            "description": "Health, metrics and the journal of requests of a Klamm broker.",
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
    let answers = route.answers.iter().map(|answer| (answer.status.to_string(), answered(answer)));
    let mut operation = json!({
        "summary": route.summary,
        "parameters": parameters,
        "responses": answers.collect::<Map<_, _>>(),
        "security": if route.is_open { json!([]) } else { json!([{}, { "token": [] }]) },
    });
    if let Some(body) = route.body {
        operation["requestBody"] = json!({
            "required": true,
            "description": body,
            "content": { "application/json": { "schema": { "type": "object" } } },
        });
    }
    operation
}

fn answered(answer: &Answered) -> Value {
    let schema = match (answer.content_type, answer.status) {
        ("application/json", 400..) => json!({ "$ref": "#/components/schemas/Error" }),
        ("application/json", _) => json!({ "type": "object" }),
        _ => json!({ "type": "string" }),
    };
    json!({ "description": answer.summary, "content": { answer.content_type: { "schema": schema } } })
}
