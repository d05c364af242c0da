use super::*;
use crate::balance::Group;
use crate::net::shutdown::Shutdown;
use crate::observe::role_view::{RoleFacts, RoleView};
use crate::protocol::http::head::FieldSpace;
use crate::protocol::testing;

fn role(board: &Board, shutdown: &Shutdown) -> Arc<RoleView> {
    let facts = RoleFacts {
        role: "lb-async",
        model: "async".to_owned(),
        service: "relay",
        listen: vec!["127.0.0.1:44444".parse().unwrap()],
        workers: 0,
        loops: 2,
        connections_max: 10,
        worker_queue_max: 0,
    };
    let view = board.add(facts, shutdown);
    view.set_groups(vec![Arc::new(Group::new("back ends", vec!["127.0.0.1:9001".parse().unwrap()]))]);
    view
}

fn site() -> (StatusSite, Arc<RoleView>, Shutdown) {
    let (board, shutdown) = (Arc::new(Board::new()), Shutdown::new());
    let view = role(&board, &shutdown);
    (StatusSite::new(board, Guard::default()), view, shutdown)
}

fn ask(site: &StatusSite, line: &str) -> (u16, String) {
    let text = format!("{line} HTTP/1.1\r\nHost: 127.0.0.1:9900\r\n\r\n");
    let mut space = FieldSpace::default();
    let head = RequestHead::parse(text.as_bytes(), &mut space).unwrap().unwrap();
    let response = web::Site::respond(site, &head, &testing::start());
    let (status, text) = response.parts();
    (status, text.to_owned())
}

#[test]
fn each_address_has_its_page() {
    let (site, ..) = site();
    for path in ["/", "/metrics", "/healthz", "/readyz", "/status.json", "/lanes.json"] {
        assert_eq!(ask(&site, &format!("GET {path}")).0, 200, "{path}");
        assert_eq!(ask(&site, &format!("POST {path}")).0, 405, "{path}");
    }
    assert_eq!(ask(&site, "GET /nothing").0, 404);
    assert_eq!(ask(&site, "GET /backends/back%20ends/127.0.0.1:9001/drain").0, 405);
    assert_eq!(ask(&site, "DELETE /").0, 405);
}

#[test]
fn readiness_says_why_not() {
    let (site, _view, shutdown) = site();
    assert_eq!(ask(&site, "GET /readyz"), (200, "ready\n".to_owned()));
    assert_eq!(ask(&site, "POST /backends/back%20ends/127.0.0.1:9001/down").0, 200);
    let (status, text) = ask(&site, "GET /readyz");
    assert_eq!((status, text.as_str()), (503, "lb-async 127.0.0.1:44444: no back end is usable\n"));
    assert_eq!(ask(&site, "POST /backends/back%20ends/127.0.0.1:9001/ready").0, 200);
    assert_eq!(ask(&site, "GET /readyz").0, 200);
    shutdown.trigger();
    assert_eq!(ask(&site, "GET /readyz").0, 503);
    assert_eq!(ask(&site, "GET /healthz").0, 200, "it is alive all the same");
}

#[test]
fn a_decision_reaches_its_back_end_only() {
    let (site, view, _) = site();
    let (status, text) = ask(&site, "POST /backends/back%20ends/127.0.0.1:9001/drain?role=lb-async");
    assert_eq!(status, 200, "{text}");
    assert_eq!(view.groups()[0].backends()[0].control(), crate::balance::Control::Drain);
    for path in
        ["back%20ends/127.0.0.1:9002/drain", "other/127.0.0.1:9001/drain", "back%20ends/127.0.0.1:9001/off"]
    {
        assert_eq!(ask(&site, &format!("POST /backends/{path}")).0, 404, "{path}");
    }
    let elsewhere = ask(&site, "POST /backends/back%20ends/127.0.0.1:9001/ready?role=lb-threaded");
    assert_eq!(elsewhere.0, 404);
}

#[test]
fn the_documents_are_json_of_schema_1() {
    let (site, ..) = site();
    let status: serde_json::Value = serde_json::from_str(&ask(&site, "GET /status.json").1).unwrap();
    assert_eq!(status["schema"], 1);
    let role = &status["roles"][0];
    assert_eq!(role["role"], "lb-async");
    assert_eq!(role["groups"][0]["backends"][0]["state"], "up");
    assert_eq!(role["groups"][0]["backends"][0]["next"], true);
    assert_eq!(role["latency"]["total"]["buckets"].as_array().unwrap().len(), 17);
    let lanes: serde_json::Value = serde_json::from_str(&ask(&site, "GET /lanes.json").1).unwrap();
    assert_eq!(lanes["phases"][6], "parked");
    assert_eq!(lanes["roles"][0]["listen"], "127.0.0.1:44444");
}

#[test]
fn one_trace_is_recorded_at_a_time_and_one_that_is_given_up_ends() {
    let (site, ..) = site();
    for query in ["seconds=0", "seconds=31", "seconds=x", "second=1"] {
        assert_eq!(ask(&site, &format!("GET /trace?{query}")).0, 400, "{query}");
    }
    let text = "GET /trace?seconds=1 HTTP/1.1\r\nHost: a\r\n\r\n".to_owned();
    let mut space = FieldSpace::default();
    let head = RequestHead::parse(text.as_bytes(), &mut space).unwrap().unwrap();
    let recording = web::Site::respond(&site, &head, &testing::start());
    assert_eq!(web::Response::delay(&recording), Some(Duration::from_secs(1)));
    assert_eq!(ask(&site, "GET /trace").0, 409);
    drop(recording);
    assert!(site.board.begin_trace(), "the client went away, and the trace with it");
}
