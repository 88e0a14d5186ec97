//! Where a word is cut, and what is refused, as tables.

use super::*;

#[test]
fn hosts_and_path_are_cut_where_they_meet() {
    for (word, hosts, path) in [
        ("web1:/etc/motd", "web1", "/etc/motd"),
        ("web1:notes.txt", "web1", "notes.txt"),
        ("web1:./a:b", "web1", "./a:b"),
        ("web1:../a:b", "web1", "../a:b"),
        ("web1:/a:/b", "web1", "/a:/b"),
        ("web1:~", "web1", "~"),
        ("web1:~www/x:y", "web1", "~www/x:y"),
        ("web1:.", "web1", "."),
        ("web1:.profile", "web1", ".profile"),
        ("web[1-9]:/x", "web[1-9]", "/x"),
        ("@web[0:2]:/x", "@web[0:2]", "/x"),
        ("@web[0:2]:x", "@web[0:2]", "x"),
        ("@source:group:/x", "@source:group", "/x"),
        ("root@web1:22:/x", "root@web1:22", "/x"),
        ("root@web1:22:x", "root@web1:22", "x"),
        ("[::1]:/x", "[::1]", "/x"),
        ("2001:db8::1:/x", "2001:db8::1", "/x"),
        ("a,2001:db8::1:x", "a,2001:db8::1", "x"),
        ("2001:db8::1,web1:x", "2001:db8::1,web1", "x"),
        ("fe80::1%eth0:x", "fe80::1%eth0", "x"),
        ("root@2001:db8::1:x", "root@2001:db8::1", "x"),
        ("ssh:2001:db8::1:x", "ssh:2001:db8::1", "x"),
        ("h:22[01-10]:x", "h:22[01-10]", "x"),
        ("h:[2201-2203]:x", "h:[2201-2203]", "x"),
        ("h:[22,23],g:x", "h:[22,23],g", "x"),
        ("h1:22,h2:23:x", "h1:22,h2:23", "x"),
        ("openssh:h:22:x", "openssh:h:22", "x"),
        ("^a:b:/x", "^a:b", "/x"),
        ("docker:web:/x", "docker:web", "/x"),
        ("[::1]:22:/x", "[::1]:22", "/x"),
        ("[2001:db8::1%eth0]:22:x", "[2001:db8::1%eth0]:22", "x"),
        ("ssh://u@h:22:/x", "ssh://u@h:22", "/x"),
        ("ssh://h:/x", "ssh://h", "/x"),
        ("ssh://h1/docker:web:/x", "ssh://h1/docker:web", "/x"),
        ("ssh+native://h:/x", "ssh+native://h", "/x"),
        ("local:demo1:/x", "local:demo1", "/x"),
        ("local:demo1:x", "local:demo1", "x"),
        ("local::/x", "local:", "/x"),
        ("local:[a,b]:/x", "local:[a,b]", "/x"),
        ("/web.*:x\\/y/:/etc", "/web.*:x\\/y/", "/etc"),
        ("a!/b:/:/x", "a!/b:/", "/x"),
        ("a,(b:22,/c:d/)!e:/x", "a,(b:22,/c:d/)!e", "/x"),
        ("%{role=a:b and x!=y}:/x", "%{role=a:b and x!=y}", "/x"),
        ("^hosts.txt:/x", "^hosts.txt", "/x"),
        ("^/etc/hosts.txt:/x", "^/etc/hosts.txt", "/x"),
        ("a^/b:/:/x", "a^/b:/", "/x"),
        ("-:/x", "-", "/x"),
        ("web1,db1:/x", "web1,db1", "/x"),
        ("web1:/a b", "web1", "/a b"),
        ("web1:/22", "web1", "/22"),
        ("web1:./22", "web1", "./22"),
        ("/a/:/b:/c", "/a/", "/b:/c"),
        ("h:./22/x", "h", "./22/x"),
        ("h:123456/x", "h", "123456/x"),
        ("h:/./a,b:/c", "h", "/./a,b:/c"),
    ] {
        let place = Place::parse(OsStr::new(word));
        let place = place.unwrap_or_else(|error| panic!("{word}: {error:?}"));
        assert_eq!(
            (&*place.hosts, place.path.as_bstr()),
            (hosts, path.into()),
            "{word}"
        );
    }
}

#[test]
fn a_path_may_hold_any_byte() {
    let place = Place::parse(OsStr::from_bytes(b"web1:/\xff\n*")).unwrap();
    assert_eq!(place.path, b"/\xff\n*".as_bstr());
}

#[test]
fn what_may_be_meant_otherwise_is_refused_with_the_right_spelling() {
    for (word, what, hint) in [
        (
            "web1",
            "\"web1\" names no path on a host",
            "write HOSTS:PATH, such as \"web1:/PATH\"",
        ),
        (
            "",
            "\"\" names no path on a host",
            "write HOSTS:PATH, such as \"web1:/PATH\"; is a shell variable empty?",
        ),
        (
            "./file",
            "\"./file\" names no host",
            "write HOSTS:PATH, such as \"web1:./file\"",
        ),
        (
            "/tmp/x",
            "\"/tmp/x\" names no host",
            "write HOSTS:PATH, such as \"web1:/tmp/x\"",
        ),
        (
            "/web.*/",
            "\"/web.*/\" names no path on a host",
            "write HOSTS:PATH, such as \"/web.*/:/PATH\"",
        ),
        (
            "web[1-3:/x",
            "the hosts of \"web[1-3:/x\": bracket opened at byte 3 is never closed",
            "a \"]\" is missing",
        ),
        (
            "/web.*/!web3",
            "\"/web.*/!web3\" names no path on a host",
            "write HOSTS:PATH, such as \"/web.*/!web3:/PATH\"",
        ),
        (
            "/etc",
            "\"/etc\" names no host",
            "write HOSTS:PATH, such as \"web1:/etc\"",
        ),
        (
            "ssh://web1/x",
            "\"ssh://web1/x\" names no path on a host",
            "write \"ssh://web1:/x\"",
        ),
        (
            "web[1:2]",
            "\"web[1:2]\" names no path on a host",
            "write HOSTS:PATH, such as \"web[1:2]:/PATH\"",
        ),
        (
            "ssh://web1",
            "\"ssh://web1\" names no path on a host",
            "write HOSTS:PATH, such as \"ssh://web1:/PATH\"",
        ),
        (
            "web1:",
            "\"web1:\" names no path",
            "the login home is \"web1:~/\"",
        ),
        (
            ":/x",
            "\":/x\" names no host",
            "write HOSTS:PATH, such as \"web1:/PATH\"",
        ),
        (
            "root@web1:22",
            "\"22\" in \"root@web1:22\" may be a port or a file",
            "write \"root@web1:22:/PATH\" for the port, \"root@web1:./22\" for the file",
        ),
        (
            "ssh://u@h:22/tmp/o",
            "\"22\" in \"ssh://u@h:22/tmp/o\" may be a port or a directory",
            "write \"ssh://u@h:22:/tmp/o\" for the port, \"ssh://u@h:./22/tmp/o\" for the directory",
        ),
        (
            "h:2222/etc/motd",
            "\"2222\" in \"h:2222/etc/motd\" may be a port or a directory",
            "write \"h:2222:/etc/motd\" for the port, \"h:./2222/etc/motd\" for the directory",
        ),
        (
            "h1:names/a:b",
            "\"names/a\" in \"h1:names/a:b\" is no port",
            "write \"h1:./names/a:b\" when the path begins there",
        ),
        (
            "web1:8o:x",
            "\"8o\" in \"web1:8o:x\" is no port",
            "write \"web1:./8o:x\" when the path begins there",
        ),
        (
            "web1:a:22",
            "\"a\" in \"web1:a:22\" is no port",
            "write \"web1:./a:22\" when the path begins there",
        ),
        (
            "root@web1:22:a:b",
            "\"a\" in \"root@web1:22:a:b\" is no port",
            "write \"root@web1:22:./a:b\" when the path begins there",
        ),
        (
            "local:demo:a:b",
            "\"a\" in \"local:demo:a:b\" is no port",
            "write \"local:demo:./a:b\" when the path begins there",
        ),
        (
            "db1,web[1,3]:a,b:c",
            "\"a\" in \"db1,web[1,3]:a,b:c\" is no port",
            "write \"db1,web[1,3]:./a,b:c\" when the path begins there",
        ),
        (
            "web1:/a,web2:/b",
            "\"web1:/a,web2:/b\" names a second host behind its path",
            "write \"HOST,HOST:/a\" for one path on both; a path of that name begins with \"/./\" or \"./\"",
        ),
        (
            "local:demo1",
            "\"local\" in \"local:demo1\" says how a host is reached, and not which",
            "write \"local:demo1:/PATH\"",
        ),
        (
            "a,local:/tmp/x",
            "\"local\" in \"a,local:/tmp/x\" says how a host is reached, and not which",
            "write \"a,local:NAME:/tmp/x\"",
        ),
    ] {
        let error = Place::parse(OsStr::new(word)).unwrap_err();
        assert_eq!(error.what, what);
        assert_eq!(error.hint.as_deref(), Some(hint));
    }
    assert!(Place::parse(OsStr::from_bytes(b"\xff:/x")).is_err());
    assert!(Place::parse(OsStr::from_bytes(b"web1:/a\0b")).is_err());
}
