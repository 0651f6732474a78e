//! Who may ask: a request is addressed to this broker by a name of its own, changes come from no foreign page, and where a
//! token is set it is shown.
//!
//! The first two keep web pages out. A page that its owner's name server sends to this machine (DNS rebinding) speaks of its
//! own name in `Host`; a form of a foreign page names its page in `Origin`; what a foreign page loads (an image, a frame) comes
//! with `Sec-Fetch-Site: cross-site`.

use axum::http::{HeaderMap, Method, StatusCode, Uri, header};

use super::control::Control;
use super::reply::{self, Reply};
use crate::io::web::Way;
use crate::stdx::secret::Secret;

const BEARER: &str = "Bearer ";
/// A browser says by it where the page is that asks.
const FETCH_SITE: &str = "sec-fetch-site";

/// What is looked at of a request.
pub(super) struct Asked<'a> {
    pub method: &'a Method,
    pub uri: &'a Uri,
    pub headers: &'a HeaderMap,
    /// Where it came in; none in tests that have no sockets.
    pub way: Option<Way>,
    /// It is answered without a token.
    pub is_open: bool,
}

/// Refuses what may not be answered.
pub(super) fn check(control: &Control, asked: &Asked<'_>) -> Result<(), Box<Reply>> {
    let authority = authority(asked).ok_or_else(|| refused(StatusCode::BAD_REQUEST, "the request has no Host"))?;
    let local = asked.way.map(|way| way.local.ip());
    if !control.is_own_host(host_of(authority), local) {
        let sentence = format!(
            "the host {authority:?} is not this broker's; names other than localhost are listed in klamm.http.hosts"
        );
        return Err(refused(StatusCode::FORBIDDEN, &sentence));
    }
    let is_change = asked.method != Method::GET && asked.method != Method::HEAD;
    let origin = asked.headers.get(header::ORIGIN).filter(|_| is_change);
    if let Some(origin) = origin
        && origin.to_str().ok().and_then(|origin| Some(origin.split_once("://")?.1)) != Some(authority)
    {
        return Err(refused(StatusCode::FORBIDDEN, "a page of another origin may not ask for this"));
    }
    if !asked.is_open && asked.headers.get(FETCH_SITE).is_some_and(|site| site == "cross-site") {
        return Err(refused(StatusCode::FORBIDDEN, "a page of another site may not ask for this"));
    }
    match &control.settings.token {
        Some(token) if !asked.is_open && !shows(asked.headers, token) => {
            let sentence = "a token is needed: Authorization: Bearer, and the value of klamm.http.token";
            let reply = reply::refuse(StatusCode::UNAUTHORIZED, sentence);
            Err(Box::new(reply::with_header(reply, header::WWW_AUTHENTICATE, "Bearer")))
        }
        _ => Ok(()),
    }
}

fn refused(status: StatusCode, sentence: &str) -> Box<Reply> {
    Box::new(reply::refuse(status, sentence))
}

/// What the request is addressed to: it stands in the target where that is a whole URL.
fn authority<'a>(asked: &Asked<'a>) -> Option<&'a str> {
    let of_target = asked.uri.authority().map(|authority| authority.as_str());
    of_target.or_else(|| asked.headers.get(header::HOST)?.to_str().ok())
}

/// The host without port and brackets.
fn host_of(authority: &str) -> &str {
    match authority.strip_prefix('[') {
        Some(rest) => rest.split(']').next().unwrap_or_default(),
        None => authority.rsplit_once(':').map_or(authority, |(host, _)| host),
    }
}

fn shows(headers: &HeaderMap, token: &Secret) -> bool {
    let shown = headers.get(header::AUTHORIZATION).map(|value| value.as_bytes());
    let shown = shown.and_then(|value| value.strip_prefix(BEARER.as_bytes()));
    shown.is_some_and(|shown| Secret::new(shown) == *token)
}
