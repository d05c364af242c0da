//! Routes as people write them: any text is a route or an error of one line, and a route as it is shown, as a
//! `[[route]]` table, reads back as the same route.
#![no_main]

use giliran::app::cli::{Proxy, Role};
use giliran::app::config;
use libfuzzer_sys::fuzz_target;

fuzz_target!(|text: &str| {
    let command = Role::REVERSE_PROXY.command::<Proxy>();
    let argv = ["reverse-proxy".to_owned(), format!("--route={text}")];
    let Ok(matches) = command.clone().try_get_matches_from(&argv) else { return };
    let shown = config::show(&command, &matches);
    let argv = vec!["reverse-proxy".into()];
    let given = command.clone().try_get_matches_from(&argv).expect("no flags are fine");
    let again = config::merge_text(&command, &given, "file", &shown, argv).expect("what is shown can be read");
    assert_eq!(config::show(&command, &again), shown);
});
