//! The binary `klamm`: everything it does is in [`klamm::cli`].
fn main() -> std::process::ExitCode {
    klamm::cli::run()
}
