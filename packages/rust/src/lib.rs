//! Nothing of its own: each piece of Rust in README.md is a test of the documentation, and `tests/` has the rest.
#![doc = include_str!("../README.md")]
