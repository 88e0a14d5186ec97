//! What is true of the host, as its kernel and its files say it.
//!
//! Nothing here asks a file system that may hang, or reads without a bound. What cannot be had is left out.

use std::fs::File;
use std::io::Read;
use std::time::{SystemTime, UNIX_EPOCH};

use bstr::{BString, ByteSlice};
use convoke_proto::operation::{Answer, Failure};
use rustix::process::{getegid, geteuid};

use super::interfaces::interfaces;
use super::{PART, Say, Verbs, say_part};

/// The longest fact in bytes; of a longer one the whole lines that fit.
const MAX_FACT: usize = 256 * 1024;

/// How much of a file is read to find one line in it, in bytes.
const MAX_SEARCHED: u64 = 64 * 1024;

/// Facts that are files, with where they are; the first that is there counts.
const FILES: [(&str, &[&str]); 6] = [
    ("os-release", &["/etc/os-release", "/usr/lib/os-release"]),
    ("cpus.online", &["/sys/devices/system/cpu/online"]),
    ("meminfo", &["/proc/meminfo"]),
    ("mountinfo", &["/proc/self/mountinfo"]),
    ("uptime", &["/proc/uptime"]),
    ("boot-id", &["/proc/sys/kernel/random/boot_id"]),
];

impl Verbs {
    /// All facts, in parts.
    pub(super) fn facts(&self, say: Say<'_>) -> Result<Answer, Failure> {
        let mut facts = kernel();
        facts.extend(self.login_facts());
        let files = FILES.iter().filter_map(|(name, paths)| {
            let content = paths.iter().find_map(|path| read(path, MAX_FACT as u64))?;
            Some((*name, content))
        });
        facts.extend(files);
        facts.extend(read("/proc/1/comm", MAX_SEARCHED).map(|name| ("init", name)));
        facts.extend(cpu_model().map(|model| ("cpu.model", model)));
        facts.extend(interfaces().map(|lines| ("interfaces", lines)));
        facts.extend(time().map(|time| ("time", time)));
        let (mut part, mut size) = (Vec::new(), 0);
        for (name, fact) in facts {
            let fact = cut(fact);
            if size + fact.len() > PART && !part.is_empty() {
                size = 0;
                say_part(say, Answer::Facts(std::mem::take(&mut part)))?;
            }
            size += fact.len();
            part.push((name.to_owned(), fact));
        }
        Ok(Answer::Facts(part))
    }

    fn login_facts(&self) -> Vec<(&'static str, BString)> {
        let account = self.login.account(&self.service);
        let uid = geteuid().as_raw();
        vec![
            ("user", self.names.user(&self.service, uid)),
            ("uid", uid.to_string().into()),
            ("gid", getegid().as_raw().to_string().into()),
            ("home", account.home.clone()),
            ("shell", account.shell.clone()),
        ]
    }
}

fn kernel() -> Vec<(&'static str, BString)> {
    let name = rustix::system::uname();
    [
        ("kernel.name", name.sysname()),
        ("kernel.release", name.release()),
        ("kernel.version", name.version()),
        ("machine", name.machine()),
        ("hostname", name.nodename()),
    ]
    .map(|(fact, text)| (fact, text.to_bytes().into()))
    .into()
}

fn cpu_model() -> Option<BString> {
    let text = read("/proc/cpuinfo", MAX_SEARCHED)?;
    let models = text.lines().filter_map(|line| {
        let (name, value) = line.split_once_str(":")?;
        (name.trim_ascii() == b"model name").then(|| value.trim_ascii().into())
    });
    models.into_iter().next()
}

fn time() -> Option<BString> {
    let time = SystemTime::now().duration_since(UNIX_EPOCH).ok()?;
    Some(format!("{}.{:09}", time.as_secs(), time.subsec_nanos()).into())
}

/// The beginning of a regular file, a little more than what may be told of it.
fn read(path: &str, limit: u64) -> Option<BString> {
    let file = File::open(path).ok()?;
    let mut content = Vec::new();
    file.take(limit + 1).read_to_end(&mut content).ok()?;
    Some(content.into())
}

/// Without the newline at its end, and without the lines that are too much.
fn cut(mut fact: BString) -> BString {
    if fact.len() > MAX_FACT {
        let fitting = fact.get(..MAX_FACT).unwrap_or_default();
        let end = fitting.rfind_byte(b'\n').unwrap_or(MAX_FACT);
        fact.truncate(end);
    }
    if fact.ends_with(b"\n") {
        fact.pop();
    }
    fact
}
