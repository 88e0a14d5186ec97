//! Configurations that once were understood in another way than ssh does, or easily are.
//!
//! Each is a file of `cases`: what is asked and expected in comments, then the files behind `=== NAME`.

use convoke_connect::ssh::config::Purpose;
use convoke_connect::ssh::force::{Credentials, Way, World, way};
use convoke_connect::surroundings::Surroundings;

use crate::oracle::{Case, Verdict, installed};

/// A case as it is written down.
struct Written {
    name: String,
    case: Case,
    expected: String,
}

fn written() -> Vec<Written> {
    let directory = concat!(env!("CARGO_MANIFEST_DIR"), "/tests/ssh_config/cases");
    let mut paths: Vec<_> = std::fs::read_dir(directory)
        .unwrap()
        .map(|entry| entry.unwrap().path())
        .collect();
    paths.sort();
    let read = |path: &std::path::PathBuf| {
        let text = std::fs::read_to_string(path).unwrap();
        parse(path.file_stem().unwrap().to_str().unwrap(), &text)
    };
    paths.iter().map(read).collect()
}

fn parse(name: &str, text: &str) -> Written {
    let mut parts = text.split("=== ");
    let mut case = Case::default();
    let mut expected = String::new();
    for line in parts.next().unwrap().lines() {
        let (what, value) = line[2..].split_once(": ").unwrap();
        match what {
            "host" => case.host = value.into(),
            "login" => case.login = Some(value.into()),
            "port" => case.port = Some(value.parse().unwrap()),
            "option" => case.options.push(value.into()),
            "identity" => case.identities.push(value.into()),
            "expected" => expected = value.into(),
            "about" => {}
            _ => panic!("{name}: {what}"),
        }
    }
    for part in parts {
        let (file, text) = part.split_once('\n').unwrap();
        case.files.push((file.into(), text.into()));
    }
    Written {
        name: name.into(),
        case,
        expected,
    }
}

#[test]
fn each_case_means_what_ssh_makes_of_it() {
    let Some(installed) = installed() else { return };
    let written = written();
    assert!(!written.is_empty());
    for Written {
        name,
        case,
        expected,
    } in written
    {
        let verdict = match case.verdict(installed, &Purpose::Command) {
            Verdict::Equal => "told".to_owned(),
            Verdict::Asked(_) => "asked".to_owned(),
            Verdict::Refused(_) => "refused".to_owned(),
            Verdict::Wrong(how) => panic!("{name}: {how}"),
        };
        let wanted = expected.split(' ').next().unwrap();
        assert_eq!(
            verdict,
            wanted,
            "{name}: {:?}",
            case.verdict(installed, &Purpose::Command)
        );
        let surroundings = Surroundings::of_this_process();
        let found = case.told(installed).map(|settings| {
            let world = World {
                defaults: installed.defaults(),
                surroundings: &surroundings,
                credentials: Credentials::Absent,
            };
            way(&settings, &world)
        });
        match expected.split(' ').nth(1) {
            Some("native") => assert_eq!(found, Some(Way::Native), "{name}"),
            Some("system") => assert!(matches!(found, Some(Way::System(_))), "{name}: {found:?}"),
            _ => {}
        }
    }
}
