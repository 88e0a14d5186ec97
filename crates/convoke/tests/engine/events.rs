//! What the consumer of events can rely on.

use std::collections::HashMap;
use std::sync::Arc;
use std::time::Duration;

use convoke::action::QUEUE;
use convoke::cancel::Cancel;
use convoke::event::{AgentOrigin, Connected, Kind, Stream};
use convoke_testkit::leak::Leaks;
use convoke_testkit::memory::{Emulated, Memory, PLATFORM, Said, Script};
use tokio::sync::mpsc;

use super::{everywhere, run};

fn talkative() -> Script {
    let up = Script::new().noise("motd\n").have().hello().started(42);
    up.grumbles("banner\n").stdout("out").stderr("err").exit(0)
}

#[tokio::test(start_paused = true)]
async fn the_events_of_a_host_are_numbered_without_gaps_and_end_once() {
    let memory = Memory::new(talkative())
        .host("h2", Script::panics("a bug"))
        .host("h3", Script::never_connects())
        .host("h4", Script::new().have().hello().started(7).close())
        .host(
            "h5",
            Script::new()
                .need()
                .hello()
                .started(7)
                .flood(1_000_000)
                .exit(1),
        );
    let ran = run(&memory, everywhere(6), &Cancel::new()).await;
    let mut next: HashMap<Arc<str>, u64> = HashMap::new();
    let mut ended: Vec<Arc<str>> = Vec::new();
    for event in &ran.events {
        let number = next.entry(event.host.clone()).or_default();
        assert_eq!(event.seq, *number, "{event:?}");
        *number += 1;
        assert!(!ended.contains(&event.host), "after the end: {event:?}");
        if let Kind::Ended(_) = event.kind {
            ended.push(event.host.clone());
        }
    }
    assert_eq!(ended.len(), 6);
}

#[tokio::test(start_paused = true)]
async fn the_last_event_of_a_host_carries_the_outcome_of_the_report() {
    let memory = Memory::new(talkative()).host("h2", Script::panics("a bug"));
    let ran = run(&memory, everywhere(3), &Cancel::new()).await;
    for result in &ran.report.results {
        let of_host = ran.events.iter().filter(|e| e.host == result.host);
        let last = of_host.last().unwrap();
        assert_eq!(last.kind, Kind::Ended(result.outcome.clone()));
    }
}

#[tokio::test(start_paused = true)]
async fn all_events_carry_the_name_of_the_run() {
    let action = everywhere(3);
    let id = action.id().clone();
    let ran = run(&Memory::new(talkative()), action, &Cancel::new()).await;
    assert!(ran.events.iter().all(|event| event.run == id));
}

#[tokio::test(start_paused = true)]
async fn a_host_is_announced_before_its_command_starts() {
    for (script, agent) in [
        (Script::new().have(), AgentOrigin::Cached),
        (Script::new().need(), AgentOrigin::Sent),
    ] {
        let memory = Memory::new(script.hello().started(42).exit(0));
        let ran = run(&memory, everywhere(1), &Cancel::new()).await;
        let connected = Connected {
            connector: "memory",
            agent,
            platform: PLATFORM.into(),
            took: Duration::ZERO,
        };
        let kinds: Vec<_> = ran.events.iter().map(|event| &event.kind).collect();
        assert_eq!(
            kinds[..3],
            [
                &Kind::Connecting { attempt: 1 },
                &Kind::Connected(connected),
                &Kind::Started { pid: 42 }
            ]
        );
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 4)]
async fn a_host_is_announced_first_whatever_threads_do() {
    let quick = Script::exits(0);
    let memory = Memory::new(quick).host("h1", Script::new().have().close());
    for _ in 0..50 {
        let ran = run(&memory, everywhere(40), &Cancel::new()).await;
        for host in (2..=40).map(super::name) {
            let mut of_host = ran.events.iter().filter(|event| event.host == host);
            let words: Vec<_> = of_host.by_ref().map(|event| event.kind.word()).collect();
            assert_eq!(words, ["connecting", "connected", "started", "ended"]);
        }
        assert_eq!(ran.words()[0], "unreachable");
    }
}

#[tokio::test(start_paused = true)]
async fn the_noise_of_a_connection_is_no_output() {
    let ran = run(&Memory::new(talkative()), everywhere(1), &Cancel::new()).await;
    assert_eq!(ran.output("memory:h1", Stream::Stdout), b"out");
    assert_eq!(ran.output("memory:h1", Stream::Stderr), b"err");
    let notice = Kind::Notice {
        text: "banner\n".into(),
    };
    assert!(ran.events.iter().any(|event| event.kind == notice));
}

#[tokio::test(start_paused = true)]
async fn much_output_of_many_hosts_arrives_whole() {
    let said: Vec<u8> = (0..3_000_000_u32).flat_map(u32::to_le_bytes).collect();
    let program = {
        let said = said.clone();
        Emulated::new(move |_, _| Said {
            stdout: said.clone(),
            stderr: b"warning\n".to_vec(),
            code: 0,
        })
    };
    let memory = Memory::new(Script::emulated(program));
    let ran = run(&memory, everywhere(3), &Cancel::new()).await;
    for host in ["memory:h1", "memory:h2", "memory:h3"] {
        assert!(ran.output(host, Stream::Stdout) == said);
        assert_eq!(ran.output(host, Stream::Stderr), b"warning\n");
    }
}

/// What a queue that is full, and what stands before it, may hold of a host's output: a window that
/// could grow while the queue filled, and the pieces in the queue.
const MOST: usize = (QUEUE + 1) * 64 * 1024 + 4 * 1024 * 1024;

#[tokio::test(start_paused = true)]
async fn a_consumer_that_stops_reading_stops_the_host() {
    let leaks = Leaks::begin();
    let all = 64 * 1024 * 1024;
    let script = Script::new().have().hello().started(42).flood(all).exit(0);
    let memory = Memory::new(script);
    let reach = memory.reach();
    let (sender, mut receiver) = mpsc::channel(QUEUE);
    let cancel = Cancel::new();
    let action = everywhere(1).run(&reach, sender, &cancel);
    let consume = async {
        // A paused clock moves only when nothing else can.
        tokio::time::sleep(Duration::from_secs(100)).await;
        let sent = memory.record("h1").sent;
        assert!(sent <= MOST, "{sent} bytes were sent to nobody");
        tokio::time::sleep(Duration::from_secs(100)).await;
        assert_eq!(memory.record("h1").sent, sent);
        let mut came = 0;
        while let Some(event) = receiver.recv().await {
            if let Kind::Output { data, .. } = event.kind {
                came += data.len();
            }
        }
        came
    };
    let (report, came) = tokio::join!(action, consume);
    assert!(report.is_ok());
    assert_eq!(came, all);
    drop(reach);
    leaks.end().await;
}

#[tokio::test(start_paused = true)]
async fn one_host_that_floods_does_not_stop_the_others_from_ending() {
    let flood = Script::new().have().hello().started(42);
    let memory = Memory::new(Script::exits(0)).host("h1", flood.flood(20_000_000).exit(0));
    let ran = run(&memory, everywhere(10), &Cancel::new()).await;
    assert_eq!(ran.words(), ["exited"; 10]);
}
