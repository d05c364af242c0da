//! The lab as its users run it: the grid with all bodies verified, a stopped grid that goes on, and
//! lessons that name the right cause. No time is asserted: test machines are busy.

use std::fs;
use std::path::Path;
use std::process::{Command, Output};

use crate::support::needs::{PYTHON, lacks};

/// Runs the lab, whatever build it is.
fn lab(folder: &Path, flags: &[&str]) -> Output {
    command(folder, flags).output().unwrap()
}

fn command(folder: &Path, flags: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_lab"));
    command.args(flags).args(["--allow-debug", "--out"]).arg(folder);
    command
}

fn printed(output: &Output) -> String {
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

const SMALL: [&str; 8] = ["--backends", "1,2", "--concurrency", "2,10", "--requests", "200", "--repeat", "1"];

#[test]
fn the_grid_verifies_every_body_and_leaves_a_report() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed(&lab(folder.path(), &SMALL));
    assert!(text.contains("Load balancer: threaded") && text.contains("Load balancer: async"), "{text}");
    assert!(text.contains("2021"), "{text}");
    let csv = fs::read_to_string(folder.path().join("results.csv")).unwrap();
    let rows: Vec<Vec<&str>> = csv.lines().map(|line| line.split(',').collect()).collect();
    assert_eq!(rows.len(), 1 + 8);
    let column = |name: &str| rows[0].iter().position(|column| *column == name).unwrap();
    for row in &rows[1..] {
        assert_eq!(row[column("answered")], "200", "{row:?}");
        for fault in ["non_2xx", "refused", "reset", "timed_out", "short", "wrong", "other"] {
            assert_eq!(row[column(fault)], "0", "{fault}: {row:?}");
        }
    }
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert_eq!(page.matches("<svg").count(), 4, "two plots a concurrency");
    assert!(!page.contains("<script") && !page.contains("src="));
    assert!(!folder.path().join("runs.jsonl").exists(), "nothing is left to go on from");

    let results = folder.path().join("results.json");
    let results = results.to_str().unwrap();
    let text = printed(&lab(folder.path(), &["compare", results, results]));
    assert!(text.contains("In the machine and in the settings nothing differs."), "{text}");
    assert!(text.contains("`async`: B answers 1.00 times") && text.contains("4 cells"), "{text}");
    let refused = lab(folder.path(), &["compare", results, "nowhere/results.json"]);
    assert_eq!(refused.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("nowhere/results.json: "), "{refused:?}");
}

#[test]
fn a_grid_with_serial_connects_answers_every_request() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed(&lab(folder.path(), &[&SMALL[..], &["--connects", "serial"]].concat()));
    assert!(text.contains("serial connects") && text.contains("; 0 failed."), "{text}");
    let page = fs::read_to_string(folder.path().join("report.html")).unwrap();
    assert!(page.contains("--connects serial"));
    let refused = lab(folder.path(), &["--connects", "serial", "--client", "ab"]);
    assert_eq!(refused.status.code(), Some(2));
    assert!(String::from_utf8_lossy(&refused.stderr).contains("leave --client ab out"), "{refused:?}");
}

/// The load tool that waits in each connect makes another experiment of the same programs.
#[cfg(target_os = "linux")]
#[test]
fn a_client_that_waits_in_each_connect_is_the_bottleneck() {
    if lacks(&[PYTHON]) {
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let text = printed(&lab(folder.path(), &["lesson", "serial", "--quick", "--no-guess"]));
    assert!(text.contains("It was: a few a second: each connect that waits holds up all clients"), "{text}");
}

#[test]
fn both_languages_and_kept_connections() {
    let folder = tempfile::tempdir().unwrap();
    let flags = [&SMALL[..], &["--keep-alive", "--lang", "id"]].concat();
    // From a folder that is not the project's, where there is no site.
    let text = printed(&command(folder.path(), &flags).current_dir(folder.path()).output().unwrap());
    assert!(text.contains("request/dtk") && text.contains("konkurensi"), "{text}");
}

/// A folder of the shape of a course checkout: the ports are in the sources, the rest is imported.
fn checkout() -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let write = |name: &str, text: String| fs::write(folder.path().join(name), text).unwrap();
    let counterparts = Path::new(env!("CARGO_MANIFEST_DIR")).join("integration/python");
    for entry in fs::read_dir(counterparts).unwrap().map(Result::unwrap) {
        fs::copy(entry.path(), folder.path().join(entry.file_name())).unwrap();
    }
    // The course's async programs import it; on a newer Python it would come from a package.
    write("asyncore.py", String::new());
    let servers: String =
        (9001..=9005).map(|port| format!("\t\tself.servers.append(('127.0.0.1',{port}))\n")).collect();
    for (balancer, of, port) in [("lbthread.py", "lb_thread", 666), ("lb.py", "lb_async", 44444)] {
        write(
            balancer,
            format!(
                "import sys\nimport backends\nimport {of}\n\n\
                 class BackendList(backends.BackendList):\n\tdef __init__(self, _):\n\t\tself.servers = []\n{servers}\
                 \t\tself.current = 0\n\n{of}.BackendList = BackendList\nportnumber={port}\n\
                 sys.argv[1:] = [str(portnumber), '--backends', '-']\n{of}.main()\n"
            ),
        );
    }
    for number in 9001..=9005 {
        for (prefix, of) in [("server_thread_", "server_thread_http"), ("async_server", "server_async_http")]
        {
            let text = format!("import sys\nfrom {of} import main\nsys.argv[1:] = [str({number})]\nmain()\n");
            write(&format!("{prefix}{number}.py"), text);
        }
    }
    folder
}

#[test]
fn a_course_checkout_runs_on_free_ports_in_the_same_grid() {
    if lacks(&[PYTHON]) {
        return;
    }
    let (folder, checkout) = (tempfile::tempdir().unwrap(), checkout());
    let flags = ["--backends", "1,3", "--concurrency", "2", "--requests", "60", "--repeat", "1", "--python"];
    let text = printed(&lab(folder.path(), &[&flags[..], &[checkout.path().to_str().unwrap()]].concat()));
    for title in ["threaded", "async", "course-threaded", "course-async"] {
        assert!(text.contains(&format!("Load balancer: {title}\n")), "{text}");
    }
    let csv = fs::read_to_string(folder.path().join("results.csv")).unwrap();
    let course: Vec<&str> = csv.lines().filter(|row| row.starts_with("course-")).collect();
    assert_eq!(course.len(), 4);
    for row in course {
        let model = if row.starts_with("course-async") { "async" } else { "threaded" };
        assert!(
            row.starts_with(&format!("course-{model},{model},")) && row.contains(",60,60,0,0,0,0,0,0,0,0,"),
            "{row}"
        );
    }
}

#[test]
fn bad_usage_is_status_2() {
    let folder = tempfile::tempdir().unwrap();
    assert_eq!(lab(folder.path(), &["--backends", "0"]).status.code(), Some(2));
    assert_eq!(lab(folder.path(), &["lesson", "nothing"]).status.code(), Some(2));
    // Before anything is measured, and with what it needs.
    let no_course = lab(folder.path(), &["--python", "nowhere", "--backends", "1,2"]);
    assert_eq!(no_course.status.code(), Some(2));
    let said = String::from_utf8_lossy(&no_course.stderr);
    for part in
        ["nowhere cannot be opened", "lbthread.py, server_thread_9001.py to server_thread_9002.py, lb.py"]
    {
        assert!(said.contains(part) && said.lines().count() == 1, "{said}");
    }
    if cfg!(debug_assertions) {
        let refused = Command::new(env!("CARGO_BIN_EXE_lab")).arg("--quick").output().unwrap();
        assert_eq!(refused.status.code(), Some(2));
        assert!(String::from_utf8_lossy(&refused.stderr).contains("debug build"));
    }
}

/// The course's students read Indonesian, also before anything is measured.
#[test]
fn help_and_errors_are_indonesian_when_asked_for() {
    let folder = tempfile::tempdir().unwrap();
    let help = printed(&lab(folder.path(), &["--lang", "id", "--help"]));
    for text in [
        "Mengulang percobaan mata kuliah",
        "\nPemakaian: lab [OPSI] [PERINTAH]\n",
        "\nPerintah:\n",
        "\nOpsi:\n",
        "Siapa yang mengirim request",
        "- ab:",
        "[bawaan: 2,5,10]",
        "\nContoh:\n  lab --quick\n",
    ] {
        assert!(help.contains(text), "{text}: {help}");
    }
    // The language may come behind what asks for help, too.
    let help = printed(&lab(folder.path(), &["report", "--help", "--lang=id"]));
    assert!(help.starts_with("Membuat laporan lagi dari putaran tersimpan, tanpa mengukur\n"), "{help}");
    assert!(help.contains("\nPemakaian: lab report [OPSI]\n"), "{help}");
    for (flags, status, said) in [
        (&["lesson", "nothing"][..], 2, "lab: NAME: \"nothing\" bukan salah satu dari backlog, "),
        (
            &["--backends", "0"],
            2,
            "lab: --backends: \"0\" bukan bilangan bulat dari 1 sampai 64; lihat --help",
        ),
        (
            &["--python", "nowhere", "--backends", "1,2"],
            2,
            "lab: --python: nowhere tidak bisa dibuka: file atau foldernya tidak ada; yang diperlukan: lbthread.py, ",
        ),
        (&["compare", "a", "b"], 1, "lab: a: file atau foldernya tidak ada\n"),
        (&["report"], 1, &format!("lab: di {} tidak ada putaran tersimpan: ", folder.path().display())),
        (
            &["--client", "wrk", "--connects", "serial"],
            2,
            "lab: --connects serial hanya untuk klien lab sendiri",
        ),
    ] {
        let refused = lab(folder.path(), &[flags, &["--lang", "id"]].concat());
        let text = String::from_utf8_lossy(&refused.stderr);
        assert_eq!(refused.status.code(), Some(status), "{text}");
        assert!(text.starts_with(said) && text.lines().count() == 1, "{text}");
    }
    if cfg!(debug_assertions) {
        let refused =
            Command::new(env!("CARGO_BIN_EXE_lab")).args(["--quick", "--lang", "id"]).output().unwrap();
        assert!(
            String::from_utf8_lossy(&refused.stderr).starts_with("lab: ini build debug, "),
            "{refused:?}"
        );
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_small_backlog_overflows_and_is_named_and_a_large_one_does_not() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed(&lab(folder.path(), &["lesson", "backlog", "--quick", "--no-guess"]));
    let overflows = |backlog: &str| {
        let row = text.lines().find(|line| line.contains(&format!("│ {backlog:>7} ┆"))).unwrap();
        let last = row.trim_end_matches(['│', ' ']).rsplit('┆').next().unwrap();
        last.trim().parse::<u64>().unwrap()
    };
    assert!(overflows("1") > 0, "{text}");
    assert!(overflows("1") > overflows("1024"), "{text}");
    assert!(text.contains("Backlog, not threads"), "{text}");
    assert!(folder.path().join("lesson-backlog.svg").exists());
}

#[test]
fn idle_clients_starve_a_pool_that_does_not_park() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed(&lab(folder.path(), &["lesson", "pool", "--quick", "--no-guess"]));
    assert!(text.contains("It was: they get nothing at all"), "{text}");
}

#[test]
fn clients_that_do_not_read_cost_bounded_buffers() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed(&lab(folder.path(), &["lesson", "slow-reader", "--no-guess"]));
    assert!(text.contains("It was: some MiB for all of them"), "{text}");
    let row = text.lines().find(|line| line.contains("│      64 ┆")).unwrap();
    let kib = |column: usize| row.split('┆').nth(column).unwrap().trim().parse::<u64>().unwrap();
    // The buffers towards the clients are full by then, but for those of the 32 streams that are in
    // pipes of the kernel, and of nothing else is there so much.
    for balancer in [kib(1), kib(2)] {
        assert!((32 * 40..64 * 200).contains(&balancer), "{text}");
    }
}

#[test]
fn our_servers_wait_for_the_whole_request() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed(&lab(folder.path(), &["lesson", "one-byte", "--quick", "--no-guess"]));
    assert!(text.contains("Ours answered after 51, 51"), "{text}");
}

/// The rows of the lesson's table: balancer, request, threads, from, until, with a thread, without one.
fn timeline_rows(text: &str) -> Vec<Vec<String>> {
    let rows = text.lines().filter(|line| line.starts_with('│') && line.contains(" lb-"));
    let cells = |line: &str| line.trim_matches('│').split('┆').map(|cell| cell.trim().to_owned()).collect();
    rows.map(cells).collect()
}

#[test]
fn the_timeline_shows_ten_requests_on_every_thread_that_had_one() {
    let folder = tempfile::tempdir().unwrap();
    let text = printed(&lab(folder.path(), &["lesson", "timeline", "--quick", "--no-guess"]));
    let rows = timeline_rows(&text);
    let picture = fs::read_to_string(folder.path().join("lesson-timeline.svg")).unwrap();
    let panels: Vec<&str> = picture.split("font-weight=\"600\"").skip(2).collect();
    for (balancer, panel) in ["lb-threaded --no-park", "lb-threaded", "lb-async"].into_iter().zip(panels) {
        let rows: Vec<&Vec<String>> = rows.iter().filter(|row| row[0] == balancer).collect();
        assert_eq!(rows.len(), 10, "{balancer}: {text}");
        // The back end takes 400 ms for it: no trace of it can be shorter, on however busy a machine.
        let took = |row: &Vec<String>| row[4].parse::<f64>().unwrap() - row[3].parse::<f64>().unwrap();
        let (slow, quick): (Vec<_>, Vec<_>) = rows.iter().partition(|row| row[1].ends_with(" (slow)"));
        assert_eq!(slow.len(), 1, "{balancer}: {text}");
        assert!(took(slow[0]) >= 399.0, "{balancer}: {text}");
        assert!(quick.iter().all(|row| took(row) < took(slow[0])), "{balancer}: {text}");
        for thread in rows.iter().flat_map(|row| row[2].split(", ")) {
            assert!(panel.contains(&format!(">{thread}</text>")), "{balancer}, {thread}: {panel}");
        }
        // Who keeps a request has it all the time; who does not, has it for a moment now and then.
        let without = |row: &Vec<String>| row[6].parse::<f64>().unwrap();
        match balancer {
            "lb-threaded --no-park" => assert!(without(slow[0]) < 1.0, "{text}"),
            "lb-async" => {
                assert!(rows.iter().all(|row| row[2] == "loop-0"), "{text}");
                // Each request at least once, and the legend.
                assert!(panel.matches("class=\"held").count() > 10, "{panel}");
            }
            _ => {}
        }
        let trace = folder.path().join(format!("lesson-timeline-{}.json", balancer.replace(" --", "-")));
        assert!(trace.exists(), "{}", trace.display());
    }
}
