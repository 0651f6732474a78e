//! The broker's real code on the simulated machine: sockets, disk and clock from a seed, one thread, the same run again
//! for the same seed. For tests and `examples/sim.rs` only: sees everything, seen by nobody.
//!
//! Two kinds of runs: stories, written by hand, and random ones. [`run`] is a random one: a [`plan`] from a seed, clients
//! that speak through an independent codec, faults, and an [`oracle`] of what each client was promised. [`shrink`] makes a
//! failure small.

mod admin;
mod classic_member;
mod cluster;
mod consumer;
mod consumer_member;
mod faults;
mod history;
mod invariants;
mod ledger;
mod link;
mod member;
mod oracle;
pub mod plan;
mod producer;
pub mod run;
mod scene;
pub mod shrink;
mod wire;
mod worker;

#[cfg(test)]
mod bounds;
#[cfg(test)]
mod broken;
#[cfg(test)]
mod broken_logins;
#[cfg(test)]
mod cleaning;
#[cfg(test)]
mod client;
#[cfg(test)]
mod delegation_tokens;
#[cfg(test)]
mod encrypted;
#[cfg(test)]
mod groups;
#[cfg(test)]
mod housekeeping;
#[cfg(test)]
mod inlets;
#[cfg(test)]
mod layered;
#[cfg(test)]
mod limits;
#[cfg(test)]
mod login;
#[cfg(test)]
mod logins;
#[cfg(test)]
mod moving;
#[cfg(test)]
mod quotas;
#[cfg(test)]
mod seeds;
#[cfg(test)]
mod sessions;
#[cfg(test)]
mod stories;
#[cfg(test)]
mod transactions;
#[cfg(test)]
mod transactor;
