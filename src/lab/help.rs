//! `--help` of the lab in the language of its reader.
//!
//! Contract: clap's definition says which commands, flags and values there are; what is said of each is in the
//! catalogue, in both languages. A test holds that each has a text and each text has one.
//!
//! | what | key of its text |
//! |---|---|
//! | the lab; a command | `help-command-lab`; `help-command-lesson` |
//! | a flag of the lab or of every command | `help-seed`; `help-quick` |
//! | a flag or an argument of one command | `help-report-from`; `help-lesson-name` |
//! | a value | the key of its flag with the value: `help-client-ab` |

use std::ffi::OsString;

use clap::builder::PossibleValue;
use clap::{Arg, Command, CommandFactory, ValueEnum};
use fluent_bundle::FluentArgs;

use super::command;
use super::lang::{Lang, text};

/// The name of the lab's own command, without which there is none.
const LAB: &str = "lab";
/// Flags that clap adds by itself, to every command.
const ADDED: [&str; 2] = ["help", "version"];

const EXAMPLES: &str = "
  lab --quick
  lab --peer python --peer haproxy --backends 1,3 --concurrency 10
  lab lesson serial
  lab 2021 --quick
  lab report --markdown lab-report/report.md
  lab compare lab-monday/results.json lab-report/results.json";

/// The language that is asked for. It is looked for before clap reads the arguments, whose errors and help are in it.
pub(super) fn language(argv: &[OsString]) -> Lang {
    let mut words =
        argv.iter().map(|word| word.to_str().unwrap_or_default()).take_while(|word| *word != "--");
    let mut lang = Lang::default();
    while let Some(word) = words.next() {
        let value = match word.strip_prefix("--lang") {
            Some("") => words.next().unwrap_or_default(),
            Some(rest) => rest.strip_prefix('=').unwrap_or_default(),
            None => continue,
        };
        // A value that is no language is clap's error, in the language so far.
        lang = Lang::from_str(value, false).unwrap_or(lang);
    }
    lang
}

/// The command line of the lab, which is started by `program`, with its help in this language.
pub(super) fn command(program: &str, lang: Lang) -> Command {
    let mut command = command::Command::command().bin_name(program);
    // Adds what clap adds by itself, so that it is translated too.
    command.build();
    let examples = EXAMPLES.replace("\n  lab ", &format!("\n  {program} "));
    translated(command, lang).after_help(format!("{}:{examples}", text!(lang, "examples")))
}

fn translated(command: Command, lang: Lang) -> Command {
    let name = command.get_name().to_owned();
    let mut command = command
        .about(said(&key_of_command(&name), lang))
        .mut_args(|arg| argument(arg, &name, lang))
        .mut_subcommands(|command| translated(command, lang))
        .subcommand_help_heading(text!(lang, "commands"))
        .subcommand_value_name(text!(lang, "command"));
    // Clap has these two words in its code.
    let usage = command.render_usage().ansi().to_string();
    let usage = usage.replacen("Usage", &text!(lang, "usage"), 1);
    let usage = usage.replace("[OPTIONS]", &format!("[{}]", text!(lang, "options").to_uppercase()));
    command.help_template(format!("{{about-with-newline}}\n{usage}\n\n{{all-args}}{{after-help}}"))
}

/// A flag or an argument with its text. Its default and its values are part of the text, as clap would introduce
/// them in English.
fn argument(arg: Arg, command: &str, lang: Lang) -> Arg {
    let key = key_of_argument(&arg, command);
    let text = said(&key, lang);
    let heading = if arg.is_positional() { text!(lang, "arguments") } else { text!(lang, "options") };
    let (mut short, mut long) = (text.clone(), text);
    let values = arg.get_possible_values();
    if !values.is_empty() {
        let names: Vec<&str> = values.iter().map(PossibleValue::get_name).collect();
        let introduction = text!(lang, "possible-values");
        short += &format!(" [{introduction}: {}]", names.join(", "));
        long += &format!("\n\n{introduction}:");
        let width = names.iter().map(|name| name.len() + 1).max().unwrap_or_default();
        for name in names {
            let value = format!("{name}:");
            long += &format!("\n- {value:width$} {}", said(&format!("{key}-{name}"), lang));
        }
    }
    let defaults: Vec<_> = arg.get_default_values().iter().map(|value| value.to_string_lossy()).collect();
    if arg.get_action().takes_values() && !defaults.is_empty() {
        let default = format!("[{}: {}]", text!(lang, "default"), defaults.join(","));
        short += &format!(" {default}");
        long += &format!("\n\n{default}");
    }
    arg.help(short).long_help(long).help_heading(heading).hide_default_value(true).hide_possible_values(true)
}

fn key_of_command(name: &str) -> String {
    format!("help-command-{name}")
}

fn key_of_argument(arg: &Arg, command: &str) -> String {
    let name = arg.get_long().unwrap_or(arg.get_id().as_str());
    match command == LAB || arg.is_global_set() || ADDED.contains(&name) {
        true => format!("help-{name}"),
        false => format!("help-{command}-{name}"),
    }
}

fn said(key: &str, lang: Lang) -> String {
    lang.text(key, &FluentArgs::new())
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use super::super::lang::tests::keys;
    use super::*;

    /// The lab's command and all commands below it.
    fn all(command: Command) -> Vec<Command> {
        let below: Vec<Command> = command.get_subcommands().cloned().flat_map(all).collect();
        [vec![command], below].concat()
    }

    #[test]
    fn each_command_flag_and_value_has_a_text_and_each_text_has_one() {
        let mut wanted = BTreeSet::new();
        for command in all(command(LAB, Lang::En)) {
            let name = command.get_name();
            wanted.insert(key_of_command(name));
            for arg in command.get_arguments() {
                let key = key_of_argument(arg, name);
                let values = arg.get_possible_values();
                wanted.extend(values.iter().map(|value| format!("{key}-{}", value.get_name())));
                wanted.insert(key);
            }
        }
        for lang in [Lang::En, Lang::Id] {
            let known: BTreeSet<String> =
                keys(lang).into_iter().filter(|key| key.starts_with("help-")).collect();
            let missing: Vec<_> = wanted.difference(&known).collect();
            let unused: Vec<_> = known.difference(&wanted).collect();
            assert!(
                missing.is_empty() && unused.is_empty(),
                "{lang:?}: missing: {missing:?}, unused: {unused:?}"
            );
        }
    }

    /// The lines of all help of all commands, each text on one line.
    fn lines(lang: Lang) -> BTreeSet<String> {
        let mut lines = BTreeSet::new();
        for command in all(command(LAB, lang).term_width(0)) {
            let mut command = command.term_width(0);
            for help in [command.render_help(), command.render_long_help()] {
                lines.extend(help.to_string().lines().map(|line| line.trim().to_owned()));
            }
        }
        lines
    }

    #[test]
    fn no_sentence_of_the_english_help_is_in_the_indonesian() {
        let (english, indonesian) = (lines(Lang::En), lines(Lang::Id));
        let examples: Vec<&str> = EXAMPLES.lines().map(str::trim).collect();
        let both: Vec<&String> = english.intersection(&indonesian).collect();
        let is_sentence =
            |line: &str| line.split(' ').filter(|word| !word.starts_with(['-', '<', '['])).count() > 1;
        let sentences: Vec<_> =
            both.into_iter().filter(|line| is_sentence(line) && !examples.contains(&line.as_str())).collect();
        assert!(sentences.is_empty(), "{sentences:?}");
        let indonesian = indonesian.into_iter().collect::<Vec<_>>().join("\n");
        for word in [
            "Print",
            "Usage",
            "Options",
            "OPTIONS",
            "Commands",
            "COMMAND",
            "Arguments",
            "ossible",
            "[default",
        ] {
            assert!(!indonesian.contains(word), "{word}: {indonesian}");
        }
        for key in keys(Lang::En).into_iter().filter(|key| key.starts_with("help-")) {
            let english = said(&key, Lang::En);
            assert!(!indonesian.contains(&english), "{key}: {english}");
        }
    }

    #[test]
    fn the_language_is_found_before_the_arguments_are_read() {
        for (flags, lang) in [
            (&["--help"][..], Lang::En),
            (&["--lang", "id", "--help"], Lang::Id),
            (&["lesson", "--lang=id"], Lang::Id),
            (&["--lang", "id", "--lang", "en"], Lang::En),
            (&["--lang"], Lang::En),
            (&["--lang", "ID"], Lang::En),
            (&["--lang=", "--language", "id"], Lang::En),
            (&["--", "--lang", "id"], Lang::En),
        ] {
            let argv: Vec<OsString> = ["lab"].iter().chain(flags).map(OsString::from).collect();
            assert_eq!(language(&argv), lang, "{flags:?}");
        }
    }
}
