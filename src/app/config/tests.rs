use clap::Args;

use super::*;
use crate::app::cli::{Balancer, Pool, Proxy, Role, Server, Suite};

/// What `role` makes of this file and these flags, as `show` prints it.
fn effective<A: Args>(role: Role, file: &str, flags: &[&str]) -> Result<String, String> {
    let mut command = role.command::<A>();
    let argv: Vec<OsString> = [role.name].iter().chain(flags).map(OsString::from).collect();
    let given = command.try_get_matches_from_mut(&argv).map_err(|error| one_line(&error))?;
    let matches = merge_text(&command, &given, "role.toml", file, argv)?;
    Ok(show(&command, &matches))
}

fn server(file: &str, flags: &[&str]) -> Result<String, String> {
    effective::<Server>(Role::IMAGE_SERVER, file, flags)
}

fn balancer(file: &str, flags: &[&str]) -> Result<String, String> {
    effective::<Balancer<Pool>>(Role::LB_THREADED, file, flags)
}

fn proxy(file: &str, flags: &[&str]) -> Result<String, String> {
    effective::<Proxy>(Role::REVERSE_PROXY, file, flags)
}

#[track_caller]
fn has(shown: &str, line: &str) {
    assert!(shown.lines().any(|shown| shown == line), "no {line:?} in:\n{shown}");
}

#[track_caller]
fn has_not(shown: &str, key: &str) {
    assert!(!shown.lines().any(|line| line.starts_with(&format!("{key} = "))), "{key} in:\n{shown}");
}

#[test]
fn defaults_are_shown_too() {
    let shown = server("", &[]).unwrap();
    for line in [
        "listen = [\"127.0.0.1:8889\"]",
        "workers = 64",
        "keep-alive = \"15s\"",
        "mirror = false",
        "model = \"threaded\"",
        "log = \"info\"",
        "root = \"public\"",
    ] {
        has(&shown, line);
    }
    assert!(shown.starts_with("# Listening\nlisten = "), "in the order of the flags:\n{shown}");
    for key in ["config", "check", "help", "version", "log-file"] {
        has_not(&shown, key);
    }
}

#[test]
fn what_is_shown_reads_back_the_same() {
    let flags = [
        "--listen",
        "[::1]:0",
        "--listen",
        "localhost:1",
        "--mirror",
        "--root",
        "a \"b\"\\\n",
        "--drain=90s",
    ];
    let shown = server("", &flags).unwrap();
    assert_eq!(server(&shown, &[]).unwrap(), shown);
    for flags in [&[][..], &["--backends=2", "--mode=http"], &["--backend=a:1", "--backend=b:2"]] {
        let shown = balancer("", flags).unwrap();
        assert_eq!(balancer(&shown, &[]).unwrap(), shown);
    }
    for flags in [
        &[][..],
        &["--default=a:1,b:2"],
        &["--route=/x/=a:1,b:2", "--route=/y=c:3", "--trust=10.0.0.0/8", "--trust=::1"],
    ] {
        let shown = proxy("", flags).unwrap();
        assert_eq!(proxy(&shown, &[]).unwrap(), shown);
    }
}

#[test]
fn what_has_changed_is_named() {
    let old = balancer("backends = 2\nkeep-alive = \"4s\"", &[]).unwrap();
    let new = balancer("backend = \"a:1\"\nworkers = 3\nkeep-alive = \"4s\"", &[]).unwrap();
    assert_eq!(changed(&old, &new), ["workers", "backend", "backends"]);
    assert_eq!(changed(&old, &old), [""; 0]);
}

#[test]
fn every_kind_of_value_is_taken() {
    let file = "workers = 0x10\nqueue = \"7\"\nmirror = true\nno-park = false\nlisten = \"localhost:1\"\n\
                log = 'off' # nothing\ndrain = \"\"\"2s\"\"\"\n";
    let shown = server(file, &[]).unwrap();
    for line in [
        "workers = 16",
        "queue = 7",
        "mirror = true",
        "no-park = false",
        "listen = [\"localhost:1\"]",
        "log = \"off\"",
        "drain = \"2s\"",
    ] {
        has(&shown, line);
    }
}

#[test]
fn the_command_line_wins() {
    let file = "workers = 3\nlisten = [\"a:1\", \"b:2\"]\nqueue = 5\n";
    let shown = server(file, &["--workers=4", "--listen=c:3"]).unwrap();
    has(&shown, "workers = 4");
    has(&shown, "listen = [\"c:3\"]");
    has(&shown, "queue = 5");
}

#[test]
fn what_the_command_line_excludes_is_dropped_too() {
    let shown = balancer("backends = 2", &["--backend=a:1"]).unwrap();
    has(&shown, "backend = [\"a:1\"]");
    has_not(&shown, "backends");
    let shown = balancer("backend = [\"a:1\"]", &["--backends=2"]).unwrap();
    has(&shown, "backends = 2");
    has_not(&shown, "backend");
}

#[test]
fn a_default_group_alone_takes_everything() {
    has_not(&proxy("default = [\"a:1\", \"b:2\"]", &[]).unwrap(), "route");
    let shown = proxy("route = \"/x/=a:1\"", &[]).unwrap();
    assert!(shown.ends_with("\n\n[[route]]\nmatch = \"/x/\"\nto = [\"a:1\"]\n"), "{shown}");
    has(&shown, "default = [\"127.0.0.1:8888\"]");
}

#[test]
fn a_route_is_a_table_or_a_text() {
    let tables = "keep-alive = \"4s\"\n[[route]]\nmatch = \"/a/\"\nto = [\"a:1\"]\nstrip = true\n\
                  [[route]]\nmatch = \"b.org\"\nto = \"503 closed; really\"\n";
    let shown = proxy(tables, &[]).unwrap();
    let texts = "keep-alive = \"4s\"\nroute = [\"/a/=a:1; strip\", 'b.org=503 \"closed; really\"']";
    assert_eq!(proxy(texts, &[]).unwrap(), shown);
    let mixed = "keep-alive = \"4s\"\nroute = [\"/a/=a:1; strip\", { match = \"b.org\", to = \"503 closed; really\" }]";
    assert_eq!(proxy(mixed, &[]).unwrap(), shown);
    assert_eq!(proxy(&shown, &[]).unwrap(), shown);
    let over = proxy(tables, &["--route=/c=c:1"]).unwrap();
    assert!(over.contains("/c") && !over.contains("b.org"), "{over}");
    assert_eq!(changed(&shown, &over), ["route"]);
    assert_eq!(changed(&shown, &shown.replace("keep-alive = \"4s\"", "keep-alive = \"5s\"")), ["keep-alive"]);
    // The option of a route is no key of the role.
    assert_eq!(changed(&over, &over.replace("match = ", "max-per-backend = 1\nmatch = ")), ["route"]);
}

#[test]
fn errors_in_a_table_name_file_line_and_key() {
    for (file, words) in [
        ("[[route]]\nmatch = \"/a\"\n", "role.toml, line 1: route: a route without to: write"),
        (
            "[[route]]\nmatch = \"/a\"\nto = \"a:1\"\n\n[[route]]\nto = \"b:1\"\nstripp = true\nmatch = \"/b\"",
            "role.toml, line 7: route: \"stripp\" is no key of a route; did you mean strip?",
        ),
        (
            "[[route]]\nmatch = \"a b\"\nto = \"a:1\"",
            "role.toml, line 2: route: match: the host `a b` is not",
        ),
        (
            "route = [{ to = \"a:1\", match = \"/\" },\n 1]",
            "role.toml, line 2: route: takes a table or a text",
        ),
        ("[route]\nmatch = \"/a\"", "role.toml, line 1: route: takes a text or a number, not a table"),
        ("[[listen]]\nmatch = 1", "role.toml, line 1: listen: takes a text or a number, not a table"),
        ("route = [\"/a=a:1; x\"]", "role.toml, line 1: route: \"/a=a:1; x\": \"x\" is no option of a route"),
    ] {
        let error = proxy(file, &[]).unwrap_err();
        assert!(error.starts_with(words), "{file:?}: {error}");
        assert!(!error.contains('\n'), "{error:?}");
    }
}

#[test]
fn errors_name_file_line_and_key() {
    for (file, words) in [
        (
            "\n\nkeep-alife = \"5s\"",
            "role.toml, line 3: \"keep-alife\" is no key of image-server; did you mean keep-alive?",
        ),
        (
            "keep_alive = \"5s\"",
            "role.toml, line 1: \"keep_alive\" is no key of image-server; did you mean keep-alive?",
        ),
        ("xyzzy = 1", "role.toml, line 1: \"xyzzy\" is no key of image-server; --help lists them"),
        ("check = true", "role.toml, line 1: \"check\" is no key of image-server"),
        ("backend = \"a:1\"", "role.toml, line 1: \"backend\" is no key of image-server"),
        ("[workers]\nn = 1", "role.toml, line 1: workers: takes a text or a number, not a table"),
        ("queue = 1\nworkers = 0", "role.toml, line 2: workers: 0 is out of range: 1 to 4096"),
        ("workers = -1", "role.toml, line 1: workers: -1 is out of range: 1 to 4096"),
        ("workers = [1]", "role.toml, line 1: workers: takes one value, not a list"),
        ("mirror = 1", "role.toml, line 1: mirror: write true or false"),
        ("listen = []", "role.toml, line 1: listen: an empty list"),
        ("listen = [\"a:1\",\n true]", "role.toml, line 1: listen: takes a text or a number, not a boolean"),
        ("drain = 4", "role.toml, line 1: drain: 4 has no unit: write 4s or 4ms"),
        ("model = \"fast\"", "role.toml, line 1: model: \"fast\" is not one of threaded, async"),
        ("root = \"a\"\nroot = \"b\"", "role.toml, line 2: duplicate key"),
        ("root = ", "role.toml, line 1: "),
    ] {
        let error = server(file, &[]).unwrap_err();
        assert!(error.starts_with(words), "{file:?}: {error}");
        assert!(!error.contains('\n'), "{error:?}");
    }
}

#[test]
fn two_keys_that_exclude_each_other_are_named() {
    let error = balancer("backends = 2\nbackend = [\"a:1\"]", &[]).unwrap_err();
    assert!(error.starts_with("role.toml, line "), "{error}");
    assert!(
        error.contains("--backend and --backends exclude")
            || error.contains("--backends and --backend exclude"),
        "{error}"
    );
}

#[test]
fn a_file_that_cannot_be_read_is_named() {
    let mut command = Role::SUITE.command::<Suite>();
    let given = command.try_get_matches_from_mut(["suite"]).unwrap();
    let error = merge(&command, &given, Path::new("not-there.toml"), Vec::new()).unwrap_err();
    assert!(error.starts_with("cannot read the configuration file not-there.toml: "), "{error}");
}
