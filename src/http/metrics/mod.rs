//! `/metrics`: what the broker counts and knows, in Prometheus's text format. Everything is read when it is asked for; nothing
//! is kept between two looks.

mod family;
mod groups;
mod partitions;
mod process;
mod shards;

use std::sync::Arc;

use axum::http::StatusCode;

use self::family::Page;
use super::control::Control;
use super::reply::{self, Reply};
use crate::shard::context::Shared;

pub(super) const CONTENT_TYPE: &str = "text/plain; version=0.0.4; charset=utf-8";

/// Every family, in the order of the page: name, labels and what it tells.
#[cfg(test)]
pub(super) fn families() -> impl Iterator<Item = (&'static str, &'static [&'static str], &'static str)> {
    let all = [partitions::FAMILIES, groups::FAMILIES, shards::FAMILIES, process::FAMILIES];
    all.into_iter().flatten().map(|family| (family.name, family.labels, family.help))
}

/// A page of a broker with very many partitions takes some time: it is made beside the HTTP thread, one at a time.
pub(super) async fn answer(control: Arc<Control>) -> Reply {
    let shared = match control.ready() {
        Ok(shared) => shared,
        Err(refused) => return *refused,
    };
    reply::text(StatusCode::OK, CONTENT_TYPE, control.pages.run(move || page(&shared)).await)
}

fn page(shared: &Shared) -> String {
    let view = shared.view.load_full();
    let mut page = Page::default();
    partitions::write(&mut page, shared, &view);
    groups::write(&mut page, shared, &view);
    shards::write(&mut page, shared);
    process::write(&mut page);
    page.finish()
}
