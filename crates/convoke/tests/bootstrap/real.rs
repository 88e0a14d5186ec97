//! The agent that this build embeds, over the local connector.

use std::fs;
use std::time::{Duration, SystemTime};

use convoke::agents::{Agent, Agents};
use convoke::bootstrap::Nonce;
use convoke::connect::surroundings::Surroundings;
use convoke::event::AgentOrigin;
use convoke::host::{Connection, Host as Target, Reach};

use crate::host::{Host, files_below, platform};

/// The embedded agent, made another one by bytes behind its end: see [`crate::host::PARROT`].
fn embedded() -> Agents {
    let agents = Agents::embedded();
    let agent = agents.find(&platform()).unwrap();
    let mut executable = agent.executable().unwrap();
    executable.extend_from_slice(Nonce::random().as_str().as_bytes());
    Agents::new(vec![Agent::from_bytes(&platform(), &executable).unwrap()])
}

/// How this machine is reached as the account of `host`.
fn reach(host: &Host, agents: &Agents) -> Reach {
    let environment = host.environment.iter();
    let surroundings = Surroundings {
        environment: environment
            .map(|(name, value)| (name.into(), value.clone()))
            .collect(),
        home: Some(host.home()),
        host_name: "scratch".to_owned(),
        temporary: host.root.path().to_owned(),
    };
    Reach::new(surroundings, agents.clone())
}

/// Connects, waits for the agent's hello, and closes. Returns the platform the agent gives.
async fn greet(host: &Host, agents: &Agents) -> String {
    let target = Target::new("local:scratch").unwrap();
    let connection = Connection::open(&target, &reach(host, agents))
        .await
        .unwrap();
    let hello = connection.hello().await.unwrap();
    connection.close().await;
    hello.platform.clone()
}

#[tokio::test]
async fn the_embedded_agent_says_hello_when_sent_and_when_found() {
    let (host, agents) = (Host::new(), embedded());
    for _ in 0..2 {
        assert_eq!(greet(&host, &agents).await, platform());
    }
    let cached = host.cached(&agents);
    assert_eq!(files_below(&host.cache()), [cached]);
}

#[tokio::test]
async fn the_embedded_agent_ends_with_its_input() {
    let (host, agents) = (Host::new(), embedded());
    for origin in [AgentOrigin::Sent, AgentOrigin::Cached] {
        let mut talk = host.open(&agents);
        let greeting = talk.exchange(&agents).await.unwrap();
        assert_eq!(greeting.origin, origin);
        talk.finish().await;
    }
}

#[tokio::test]
async fn an_agent_that_starts_is_not_old_any_more() {
    let (host, agents) = (Host::new(), embedded());
    greet(&host, &agents).await;
    let file = fs::File::open(host.cached(&agents)).unwrap();
    let long_ago = SystemTime::now() - Duration::from_secs(100 * 24 * 3600);
    file.set_modified(long_ago).unwrap();
    greet(&host, &agents).await;
    let age = file.metadata().unwrap().modified().unwrap().elapsed();
    assert!(age.unwrap_or_default() < Duration::from_secs(3600));
}
