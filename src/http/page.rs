//! `/`: the page of the broker, for people. Three files in `page/`, built in as they are; they hold no data and are served without
//! a token. The script asks for the token where one is needed, and shows what the other paths answer.
//!
//! The browser is told to load nothing from elsewhere and to run nothing but the page's own script.

use axum::http::{StatusCode, header};

use super::reply::{self, Reply};

pub(super) const HTML: &str = "text/html; charset=utf-8";
pub(super) const SCRIPT: &str = "text/javascript; charset=utf-8";
pub(super) const STYLE: &str = "text/css; charset=utf-8";

const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; connect-src 'self'; img-src data:; base-uri 'none'; \
                      form-action 'none'; frame-ancestors 'none'";

pub(super) fn html() -> Reply {
    let page = reply::text(StatusCode::OK, HTML, include_str!("page/page.html"));
    let page = reply::with_header(page, header::CONTENT_SECURITY_POLICY, POLICY);
    reply::with_header(page, header::REFERRER_POLICY, "no-referrer")
}

pub(super) fn script() -> Reply {
    reply::text(StatusCode::OK, SCRIPT, include_str!("page/page.js"))
}

pub(super) fn style() -> Reply {
    reply::text(StatusCode::OK, STYLE, include_str!("page/page.css"))
}
