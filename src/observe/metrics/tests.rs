use super::*;
use crate::balance::{Control, Group};
use crate::net::shutdown::Shutdown;
use crate::observe::lane::{self, Kind};
use crate::observe::role_view::RoleFacts;
use crate::protocol::event::Closing;
use crate::protocol::outcome::{How, Outcome, Phase, Who};
use std::sync::Arc;
use std::time::Duration;

fn board() -> Board {
    let board = Board::new();
    let facts = RoleFacts {
        role: "reverse-proxy",
        model: "async".to_owned(),
        service: "gateway",
        listen: vec!["127.0.0.1:18000".parse().unwrap()],
        workers: 0,
        loops: 1,
        connections_max: 10,
        worker_queue_max: 0,
    };
    let view = board.add(facts, &Shutdown::new());
    let group = Arc::new(Group::new("a \"b\"\\", vec!["127.0.0.1:9001".parse().unwrap()]));
    group.control(&group.backends()[0], Control::Drain, "a test");
    view.set_groups(vec![group]);
    let closing = Closing {
        group: Some(0),
        status: Some(200),
        bytes_in: 1,
        bytes_out: 2,
        total: Duration::from_millis(3),
        ..Closing::of(Outcome::new(Who::Us, How::Finished, Phase::ResponseBody))
    };
    let lanes = Arc::clone(&view);
    std::thread::spawn(move || {
        lanes.attach(Kind::Loop, "loop-0");
        lane::with(|lane| lane.counters.closed(&closing));
    })
    .join()
    .unwrap();
    board
}

#[test]
fn both_formats_have_the_same_samples() {
    let board = board();
    let samples = |format| {
        let text = text(&board, format);
        let is_sample = |line: &&str| !line.starts_with('#');
        // What changes between two readings is left out.
        let is_still = |line: &&str| !line.starts_with("process_") && !line.starts_with("giliran_uptime");
        text.lines().filter(is_sample).filter(is_still).map(ToOwned::to_owned).collect::<Vec<_>>()
    };
    assert_eq!(samples(Format::Open), samples(Format::Plain));
    assert!(samples(Format::Open).len() > 100);
}

#[test]
fn samples_have_labels_that_are_escaped() {
    let text = text(&board(), Format::Open);
    let labels = "role=\"reverse-proxy\",listen=\"127.0.0.1:18000\"";
    for line in [
        format!("giliran_requests_total{{{labels},status=\"2xx\"}} 1"),
        format!("giliran_route_requests_total{{{labels},route=\"a \\\"b\\\"\\\\\",status=\"2xx\"}} 1"),
        format!("giliran_total_seconds_bucket{{{labels},le=\"0.0025\"}} 0"),
        format!("giliran_total_seconds_bucket{{{labels},le=\"0.005\"}} 1"),
        format!("giliran_total_seconds_bucket{{{labels},le=\"+Inf\"}} 1"),
        format!("giliran_total_seconds_sum{{{labels}}} 0.003"),
        format!("giliran_ready{{{labels}}} 0"),
        "giliran_build_info{version=\"0.1.0\"} 1".to_owned(),
    ] {
        assert!(text.lines().any(|one| one == line), "{line} is not in\n{text}");
    }
    assert!(text.contains("backend=\"127.0.0.1:9001\",state=\"drain\"} 1"), "{text}");
}

#[test]
fn the_formats_differ_where_openmetrics_wants_it() {
    let board = board();
    let (open, plain) = (text(&board, Format::Open), text(&board, Format::Plain));
    assert!(open.ends_with("# EOF\n") && !plain.contains("# EOF"));
    assert!(open.contains("# TYPE giliran_requests counter\n"));
    assert!(plain.contains("# TYPE giliran_requests_total counter\n"));
    assert!(
        open.contains("# TYPE giliran_build info\n") && plain.contains("# TYPE giliran_build_info gauge\n")
    );
}

#[test]
fn a_scraper_gets_what_it_accepts() {
    let openmetrics = "application/openmetrics-text;version=1.0.0,text/plain;version=0.0.4;q=0.5";
    assert_eq!(Format::accepted(Some(openmetrics)), Format::Open);
    assert_eq!(Format::accepted(Some("*/*")), Format::Plain);
    assert_eq!(Format::accepted(None), Format::Plain);
}

#[test]
fn every_metric_is_described_once_and_before_its_samples() {
    let text = text(&board(), Format::Plain);
    let mut described = Vec::new();
    for line in text.lines() {
        if let Some(rest) = line.strip_prefix("# TYPE ") {
            let name = rest.split(' ').next().unwrap();
            assert!(!described.contains(&name), "{name} is described twice");
            described.push(name);
        } else if !line.starts_with('#') {
            let last = described.last().unwrap();
            assert!(line.starts_with(last), "{line} stands under {last}");
        }
    }
}
