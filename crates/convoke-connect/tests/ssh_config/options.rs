//! The page that says what follows from each option.

use std::fmt::Write as _;

use convoke_connect::ssh::force::{Ruling, rows};

const PAGE: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/../../docs/ssh-options.md");

/// `CONVOKE_WRITE_DOCS=1` writes it anew.
#[test]
fn the_page_of_options_shows_the_table() {
    let page = std::fs::read_to_string(PAGE).unwrap();
    let begin = page.find("| option |").unwrap_or(page.len());
    let (before, shown) = page.split_at(begin);
    let table = table();
    if std::env::var_os("CONVOKE_WRITE_DOCS").is_some() {
        std::fs::write(PAGE, format!("{before}{table}")).unwrap();
        return;
    }
    assert_eq!(shown, table, "write it anew with CONVOKE_WRITE_DOCS=1");
}

fn table() -> String {
    let mut table = String::from("| option | what follows | why |\n| --- | --- | --- |\n");
    for row in rows() {
        let what = match row.ruling {
            Ruling::Native => "native".to_owned(),
            Ruling::Irrelevant => "irrelevant".to_owned(),
            Ruling::NativeIf(values) => {
                format!("native with `{}`, else delegated", values.join("`, `"))
            }
            Ruling::NativeIfAddress => "native with an address, else delegated".to_owned(),
            Ruling::NativeIfCommand => {
                "native with the tokens `%h %k %n %p %r %%`, else delegated".to_owned()
            }
            Ruling::NativeIfJump => {
                "native with names that a shell leaves alone, else delegated".to_owned()
            }
            Ruling::DelegatedIf(values) => format!("delegated with `{}`", values.join("`, `")),
            Ruling::DelegatedIfOnWith(other) => format!("delegated when on and `{other}` is set"),
            Ruling::NativeIfList => "native with a list of keys, else delegated".to_owned(),
            Ruling::DelegatedIfSet => "delegated when set".to_owned(),
            Ruling::DelegatedUnlessDefault => "delegated unless it is the default".to_owned(),
            Ruling::DelegatedWithCredentials => {
                "delegated when on and there are Kerberos credentials".to_owned()
            }
            Ruling::DelegatedWithDisplay => "delegated when on and there is a `DISPLAY`".to_owned(),
            Ruling::DelegatedIfAllowed(by) => format!("delegated when set and `{by}` is on"),
            Ruling::DelegatedIfSocket => "delegated when that socket is there".to_owned(),
        };
        let _ = writeln!(table, "| `{}` | {what} | {} |", row.name, row.why);
    }
    table
}
