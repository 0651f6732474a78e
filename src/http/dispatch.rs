//! From a request to its route and back: what the paths of [`ROUTES`] are asked, and nothing else is.

use std::sync::Arc;
use std::time::Duration;

use axum::Router;
use axum::body::{Body, to_bytes};
use axum::extract::Query;
use axum::http::{Request, StatusCode, header};
use axum::routing::any;
use serde_json::json;

use super::control::Control;
use super::fixtures;
use super::guard::{self, Asked};
use super::reply::{self, Reply};
use super::routes::{Call, ROUTES, Route, Verb};
use crate::io::web::Way;

/// The largest body of a request.
const MOST_BODY_BYTES: usize = 64 << 10;
/// How long a body may take to come.
const BODY_PATIENCE: Duration = Duration::from_secs(10);

/// Answers the paths of [`ROUTES`] and no others.
pub(super) fn router(control: &Arc<Control>) -> Router {
    let mut router = Router::new();
    let mut last = "";
    for route in ROUTES {
        // The verbs of a path stand together.
        if route.path != last {
            let control = control.clone();
            router = router.route(
                route.path,
                any(move |request: Request<Body>| answer(control.clone(), Some(route.path), request)),
            );
        }
        last = route.path;
    }
    let control = control.clone();
    router.fallback(move |request: Request<Body>| answer(control.clone(), None, request))
}

async fn answer(control: Arc<Control>, path: Option<&'static str>, request: Request<Body>) -> Reply {
    let of_path: Vec<&'static Route> = ROUTES.iter().filter(|route| Some(route.path) == path).collect();
    let verb = Verb::of(request.method());
    let route = of_path.iter().find(|route| Some(route.verb) == verb).copied();
    let asked = Asked {
        method: request.method(),
        uri: request.uri(),
        headers: request.headers(),
        way: request.extensions().get::<Way>().copied(),
        is_open: route.is_some_and(|route| route.is_open),
    };
    if let Err(refused) = guard::check(&control, &asked) {
        return *refused;
    }
    let Some(route) = route else {
        return if of_path.is_empty() { no_such_path() } else { no_such_method(&of_path) };
    };
    // Only a broker of a test holds a large body in its memory.
    let is_of_test = || control.shared().is_some_and(|shared| shared.faults.is_some());
    let is_large = route.path == fixtures::PATH && is_of_test();
    let most_bytes = if is_large { fixtures::MOST_BODY_BYTES } else { MOST_BODY_BYTES };
    match call(route, request, most_bytes).await {
        Ok(call) => (route.answer)(control, call).await,
        Err(refused) => *refused,
    }
}

fn no_such_path() -> Reply {
    let mut paths: Vec<&str> = ROUTES.iter().map(|route| route.path).collect();
    paths.dedup();
    reply::json(StatusCode::NOT_FOUND, &json!({ "error": "there is no such path", "paths": paths }))
}

fn no_such_method(of_path: &[&Route]) -> Reply {
    let verbs: Vec<&str> = of_path.iter().map(|route| route.verb.name()).collect();
    let sentence = format!("this path answers {} only", verbs.join(" and "));
    let refused = reply::refuse(StatusCode::METHOD_NOT_ALLOWED, sentence);
    reply::with_header(refused, header::ALLOW, &verbs.join(", "))
}

/// Takes in what a route gets of a request.
async fn call(route: &Route, request: Request<Body>, most_bytes: usize) -> Result<Call, Box<Reply>> {
    let refuse = |status, sentence: String| Err(Box::new(reply::refuse(status, sentence)));
    let Ok(Query(parameters)) = Query::<Vec<(String, String)>>::try_from_uri(request.uri()) else {
        return refuse(StatusCode::BAD_REQUEST, "the words behind the question mark cannot be read".into());
    };
    let is_known = |name: &str| route.parameters.iter().any(|known| known.name == name);
    if let Some((unknown, _)) = parameters.iter().find(|(name, _)| !is_known(name)) {
        let known: Vec<_> = route.parameters.iter().map(|parameter| parameter.name).collect();
        let known = if known.is_empty() { "there are none".into() } else { known.join(", ") };
        return refuse(StatusCode::BAD_REQUEST, format!("no parameter is named {unknown:?}: {known}"));
    }
    let body = to_bytes(request.into_body(), most_bytes);
    match tokio::time::timeout(BODY_PATIENCE, body).await {
        Ok(Ok(body)) => Ok(Call { parameters, body }),
        Ok(Err(_)) => refuse(
            StatusCode::PAYLOAD_TOO_LARGE,
            format!("the body cannot be read, or is larger than {most_bytes} bytes"),
        ),
        Err(_) => refuse(StatusCode::REQUEST_TIMEOUT, "the body has not come in time".into()),
    }
}
