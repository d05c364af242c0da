//! The files in `docs/operations.md` for people who come from nginx, HAProxy and Caddy: each is one that starts.

use std::path::Path;

use crate::support::launch::Launch;
use crate::support::tls::Setup;

#[test]
fn each_file_for_people_from_elsewhere_is_accepted() {
    let document = Path::new(env!("CARGO_MANIFEST_DIR")).join("docs/operations.md");
    let document = std::fs::read_to_string(document).unwrap();
    let section = document.split("## From nginx, HAProxy and Caddy").nth(1).unwrap();
    let files: Vec<&str> =
        section.split("```toml\n").skip(1).map(|rest| rest.split("```").next().unwrap()).collect();
    assert_eq!(files.len(), 3, "one each for nginx, HAProxy and Caddy");
    let setup = Setup::new();
    for name in ["fullchain.pem", "privkey.pem", "site.pem"] {
        setup.write(name, setup.identity.pem());
    }
    // The password is `secret`: htpasswd -nbB -C 4 teacher secret
    setup.write("users.htpasswd", "teacher:$2y$04$Ve6XUoKlH0TY5WkA9ivXhOoX9WbBqh3os3YqL9kjWnuYJ2gJJcra2\n");
    for text in files {
        let folder = setup.path("");
        let there = |name: &str| format!("\"{}\"", folder.join(name).display());
        let names = ["fullchain.pem", "privkey.pem", "site.pem", "users.htpasswd"];
        let text = names
            .iter()
            .fold(text.to_owned(), |text, name| text.replace(&format!("\"{name}\""), &there(name)));
        let config = setup.write("giliran.toml", &text);
        let ended = Launch::bare("reverse-proxy").flag("--config", config.display()).switch("--check").end();
        assert_eq!(ended.status, Some(0), "{text}\n{}", ended.err);
    }
}
