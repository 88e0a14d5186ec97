//! Trees of steps, and what they leave behind.

use convoke_proto::command::Start;

use super::host::{self, Doomed, is_alive};
use super::{Agent, grace, sh};

/// Starts a tree that ignores TERM and has left its session in part, and waits until it stands.
pub fn stubborn_tree(agent: &mut Agent) -> u32 {
    let line = "trap '' TERM; setsid -f sh -c 'echo ready; while :; do sleep 1; done'; while :; do sleep 1; done";
    let channel = agent.start_step(Start {
        limits: grace(200),
        ..sh(line)
    });
    agent.read_until(channel, 1, "ready");
    channel
}

/// Runs a step that leaves a daemon behind, and returns the daemon.
pub fn released_daemon(agent: &mut Agent) -> Doomed {
    let finished = agent.step_of(sh(
        "setsid -f sh -c 'echo $$; exec sleep 1000 >&- 2>&-'; sleep 0.1",
    ));
    assert_eq!(finished.exit().left_running, 1);
    Doomed(finished.stdout().trim().parse().unwrap())
}

pub fn assert_only_the_daemon_is_left(agent: &Agent, daemon: &Doomed) {
    host::eventually("the trees of running steps are gone", || {
        host::marked(agent.link) == [daemon.0]
    });
    assert!(is_alive(daemon.0));
}
