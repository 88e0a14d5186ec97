//! Convoke's program on a host.

fn main() -> std::process::ExitCode {
    convoke_agent::run::run(std::env::args_os())
}
