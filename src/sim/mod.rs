//! The broker's real code on the simulated machine: sockets, disk and clock from a seed, one thread, the same run again
//! for the same seed. Tests only: sees everything, seen by nobody.

mod client;
mod cluster;
mod groups;
mod housekeeping;
mod stories;
