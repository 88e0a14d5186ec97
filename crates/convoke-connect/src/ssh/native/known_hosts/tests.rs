use super::*;

const KEY: &str =
    "ssh-ed25519 AAAAC3NzaC1lZDI1NTE5AAAAIJdD7y3aLq454yWBdwLWbieU1ebz9/cu7/QEXn9OIeZJ";

fn found(text: &str, name: &str) -> Vec<(usize, Mark)> {
    let book = KnownHosts::parse("/k".into(), text.as_bytes().to_vec());
    book.of(name)
        .map(|known| (known.place.line, known.mark))
        .collect()
}

#[test]
fn every_line_about_a_name_is_found_with_its_number() {
    let text = format!(
        "# a comment\n\nh {KEY} ann@home\r\n\t@revoked h,g {KEY}\n@cert-authority *.lan {KEY}\nx {KEY}"
    );
    assert_eq!(found(&text, "h"), [(3, Mark::Key), (4, Mark::Revoked)]);
    assert_eq!(found(&text, "a.lan"), [(5, Mark::Authority)]);
    assert_eq!(found(&text, "x"), [(6, Mark::Key)]);
    assert_eq!(found(&text, "y"), []);
}

#[test]
fn a_line_that_is_not_understood_is_passed_over() {
    for bad in [
        "h",
        "h ssh-ed25519",
        "h ssh-ed25519 AAAA",
        &format!("@other h {KEY}"),
        &format!("@revoked @revoked h {KEY}"),
        &format!("@revoked\th {KEY}"),
        &format!("@ h {KEY}"),
        &format!("h {}", KEY.replace("ed25519 ", "rsa ")),
        "\u{0}",
    ] {
        assert_eq!(
            found(&format!("{bad}\nh {KEY}"), "h"),
            [(2, Mark::Key)],
            "{bad:?}"
        );
    }
}

#[test]
fn any_bytes_are_read() {
    for text in [&b"\xff\xfe h\n"[..], b"\0\0\n@", b"|1|\n|", b"h \xff"] {
        let book = KnownHosts::parse("/k".into(), text.to_vec());
        assert_eq!(book.of("h").count(), 0);
    }
}

#[test]
fn a_place_is_shown_as_ssh_shows_it() {
    let book = KnownHosts::parse("/r/known_hosts".into(), format!("\nh {KEY}").into_bytes());
    let known = book.of("h").next().unwrap();
    assert_eq!(known.place.to_string(), "/r/known_hosts:2");
}
