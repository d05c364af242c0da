//! The exercises: each test fails with the text that a student begins with, and passes with the model answer.

use std::env;
use std::fs;
use std::path::{Path, PathBuf};
use std::process::{Command, Output};

use crate::support::needs::{PYTHON, lacks};

/// Each with a test that the text a student begins with fails.
const EXERCISES: [(&str, &str); 5] = [
    ("1_policy", "a_busy_one_waits_until_the_others_have_as_many"),
    ("2_bounded_queue", "a_client_behind_a_full_queue_is_given_back_and_the_others_are_served"),
    ("3_starvation", "nobody_waits_for_one_that_never_stops"),
    ("4_half_close", "who_finishes_sending_still_gets_the_response"),
    ("5_deadline", "a_client_that_sends_byte_after_byte_is_given_up"),
];

fn folder() -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("exercises")
}

/// Builds a file with its tests, without Cargo, and runs them.
fn test(source: &str) -> Output {
    let folder_of_program = tempfile::tempdir().unwrap();
    let program = folder_of_program.path().join("tests");
    let mut compiler = Command::new(env::var_os("RUSTC").unwrap_or_else(|| "rustc".into()));
    compiler.args(["--edition", "2024", "-D", "warnings", "--test"]).arg(folder().join(source));
    let compiled = compiler.arg("-o").arg(&program).output().unwrap();
    assert!(compiled.status.success(), "{source}: {}", String::from_utf8_lossy(&compiled.stderr));
    Command::new(program).output().unwrap()
}

#[test]
fn every_exercise_fails_at_first_and_passes_with_its_answer() {
    std::thread::scope(|scope| {
        for (name, test_of_it) in EXERCISES {
            scope.spawn(move || {
                let first = test(&format!("{name}/exercise.rs"));
                let text = String::from_utf8_lossy(&first.stdout).into_owned();
                assert!(text.contains(&format!("test tests::{test_of_it} ... FAILED")), "{name}: {text}");
                let answer = test(&format!("answers/{name}.rs"));
                assert!(answer.status.success(), "{name}: {}", String::from_utf8_lossy(&answer.stdout));
            });
        }
    });
}

#[test]
fn the_python_is_mended_in_the_python() {
    if lacks(&[PYTHON]) {
        return;
    }
    let run = |program: &str| {
        let script = folder().join("6_python/tests.py");
        let output = PYTHON.command().arg(script).arg(folder().join(program)).output().unwrap();
        (output.status.success(), String::from_utf8_lossy(&output.stderr).into_owned())
    };
    let (is_mended, text) = run("6_python/exercise.py");
    assert!(!is_mended && text.contains("FAIL: test_a_large_response_arrives_whole"), "{text}");
    let (is_mended, text) = run("answers/6_python.py");
    assert!(is_mended, "{text}");
}

#[test]
fn every_folder_is_an_exercise_with_an_answer_and_a_line_in_the_list() {
    let list = fs::read_to_string(folder().join("README.md")).unwrap();
    let manifest = fs::read_to_string(folder().join("Cargo.toml")).unwrap();
    let mut count = 0;
    for entry in fs::read_dir(folder()).unwrap().map(Result::unwrap) {
        let name = entry.file_name().into_string().unwrap();
        if !name.starts_with(|first: char| first.is_ascii_digit()) {
            continue;
        }
        count += 1;
        let ending = if name == "6_python" { "py" } else { "rs" };
        for file in [format!("{name}/exercise.{ending}"), format!("answers/{name}.{ending}")] {
            assert!(folder().join(&file).is_file(), "{file}");
            assert!(list.contains(&file), "exercises/README.md does not name {file}");
        }
        assert!(ending == "py" || manifest.contains(&format!("path = \"{name}/exercise.rs\"")), "{name}");
    }
    assert_eq!(count, EXERCISES.len() + 1);
}
