//! Output, its order, and its end.

mod driver;

use convoke_proto::exit::{Cause, Status};
use driver::{Agent, rounds, sh};

#[test]
fn output_arrives_before_the_exit() {
    let mut agent = Agent::start();
    let finished = agent.step_of(sh("echo out; echo err >&2; exit 3"));
    assert_eq!(
        (finished.text(1).as_str(), finished.text(2).as_str()),
        ("out\n", "err\n")
    );
    let exit = finished.exit();
    assert_eq!(
        (exit.status, exit.cause, exit.left_running),
        (Status::Code(3), Cause::Itself, 0)
    );
    agent.close();
}

#[test]
fn many_short_commands_lose_nothing() {
    let mut agent = Agent::start();
    for _ in 0..rounds(200, 5_000) {
        let finished = agent.step_of(sh("echo out; echo err >&2"));
        assert_eq!(
            (finished.text(1).as_str(), finished.text(2).as_str()),
            ("out\n", "err\n")
        );
    }
    agent.close();
}
