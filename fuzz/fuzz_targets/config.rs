//! The configuration file: any text gives settings or an error of one line, and settings as they are shown
//! read back as the same settings.
#![no_main]

use clap::Command;
use giliran::app::cli::{Proxy, Role};
use giliran::app::config;
use libfuzzer_sys::fuzz_target;

fn read(command: &Command, text: &str) -> Result<String, String> {
    let argv = vec!["reverse-proxy".into()];
    let given = command.clone().try_get_matches_from(&argv).expect("no flags are fine");
    let matches = config::merge_text(command, &given, "file", text, argv)?;
    Ok(config::show(command, &matches))
}

fuzz_target!(|text: &str| {
    let command = Role::REVERSE_PROXY.command::<Proxy>();
    match read(&command, text) {
        Ok(shown) => assert_eq!(read(&command, &shown), Ok(shown.clone())),
        Err(line) => assert!(!line.is_empty() && !line.trim_end().contains('\n'), "{line:?}"),
    }
});
