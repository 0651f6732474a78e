//! Bad input over raw sockets. Each test runs on both back ends and ends with the same questions: does the broker live, is
//! its memory flat, does a connection that was opened before still work. Error codes were read off Apache Kafka 4.3.1 by
//! running the same tests with `KLAMM_PEER=kafka`.

mod arrays;
mod batches;
mod crowds;
mod frames;
mod guard;
mod topics;

use compat_tests::broker::{self, Peer};
use compat_tests::suite::{ALL, BOTH, Suite};
use std::process::ExitCode;

fn main() -> ExitCode {
    let limits = &[("message.max.bytes", "100000"), ("socket.request.max.bytes", "1000000")];
    let suite = Suite::new("bad_input")
        .test("random_bytes", ALL, &[], frames::random_bytes)
        .test("impossible_lengths", ALL, &[], frames::impossible_lengths)
        .test("cut_frames", ALL, &[], frames::cut_frames)
        .test("headers", ALL, &[], frames::headers)
        .test("unknown_apis_and_versions", ALL, &[], frames::unknown_apis_and_versions)
        .test("array_counts", ALL, &[], arrays::array_counts)
        .test("batches", ALL, &[], batches::batches)
        .test("producer_ids", BOTH, &[], batches::producer_ids)
        .test("too_large", BOTH, limits, batches::too_large)
        .test("topics", BOTH, &[], topics::topics)
        .test("many_connections", ALL, &[], crowds::many_connections)
        .test("never_reads", ALL, &[], crowds::never_reads);
    // Apache Kafka lets its clients have all the descriptors there are.
    if broker::peer() == Peer::Kafka {
        return suite.run();
    }
    suite.own_start("more_connections_than_descriptors", BOTH, &[], crowds::more_connections_than_descriptors).run()
}
