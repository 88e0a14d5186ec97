//! Login shells and what their start-up files say: neither is seen in the output of a command.

use convoke_testkit::fleet::{Fleet, Noise, Shell};

use crate::is_full;
use crate::operator::Operator;

/// What a shell would change if it saw it.
const WORD: &str = "it's \"so\" $HOME `x` \\ * ! é\n\tend ";

#[test]
fn every_shell_with_every_noise_gives_exactly_what_the_command_says() {
    for shell in Shell::ALL {
        let noises = [None, Some(Noise::Motd), Some(Noise::Unfinished)];
        for noise in noises {
            let builder = Fleet::builder().shell(shell);
            let fleet = match noise.clone() {
                Some(noise) => builder.noise(noise).start(),
                None => builder.start(),
            };
            let operator = Operator::new();
            // The first one sends the agent, the second one finds it.
            let runs = if noise.is_none() || is_full() { 2 } else { 1 };
            for _ in 0..runs {
                let ran = operator.run(&fleet, ["h1", "printf", "%s", WORD]);
                let told = (ran.code, ran.text(), ran.stderr.as_str());
                assert_eq!(told, (Some(0), WORD, ""), "{shell:?}, {noise:?}");
            }
            operator.end(&fleet);
        }
    }
}

#[test]
fn input_and_exit_codes_pass_every_shell() {
    for shell in Shell::ALL {
        let (operator, fleet) = (Operator::new(), Fleet::builder().shell(shell).start());
        let words = [
            "--stdin",
            "h[1-2]",
            "--sh",
            "cat >&2; exit \"$1\"",
            "--",
            "7",
        ];
        let mut command = operator.on(&fleet, words);
        let input = operator.file("input", "some\n");
        command.stdin(std::fs::File::open(input).unwrap());
        let ran = crate::live::Live::start(command).finish();
        assert_eq!(ran.code, Some(1), "{shell:?}");
        for line in [
            "h1! some\n",
            "h2! some\n",
            "2 hosts: 2 failed\n  h[1-2] (2): exited 7\n",
        ] {
            assert!(ran.stderr.contains(line), "{shell:?}");
        }
        operator.end(&fleet);
    }
}

#[test]
fn a_shell_that_talks_for_too_long_is_no_shell() {
    for shell in [Shell::Sh, Shell::Bash, Shell::Fish] {
        let operator = Operator::new();
        let fleet = Fleet::builder().shell(shell).noise(Noise::Long).start();
        let ran = operator.run(&fleet, ["--json", "h[1-2]", "true"]);
        assert_eq!(ran.code, Some(3), "{shell:?}");
        for host in ["h1", "h2"] {
            let outcome = ran.outcome(host);
            assert_eq!(outcome["kind"], "no_shell", "{outcome}");
            let text = outcome["text"].as_str().unwrap();
            assert!(text.contains("64 bytes every line."), "{text}");
            assert!(outcome["hint"].is_string(), "{outcome}");
        }
        operator.end(&fleet);
    }
}
