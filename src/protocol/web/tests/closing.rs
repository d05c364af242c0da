//! Closing lines: what is logged of each request.

use super::*;
use crate::protocol::event::{Connection, Observer};

/// An observer that keeps what the access log would say of each request, and counts the bytes sent.
#[derive(Debug, Default)]
struct Closings(std::sync::Mutex<(Vec<String>, usize)>);

impl Observer for Closings {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, _connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::Closed(Closing { request, status, cause, bytes_in, bytes_out, outcome, .. }) = event {
            let request = request.map(String::from_utf8_lossy);
            let (lines, sent) = &mut *self.0.lock().unwrap();
            lines.push(format!("{request:?} {status:?} {cause:?} {bytes_in} {outcome}"));
            *sent += *bytes_out as usize;
        }
    }
}

/// A client, and what is logged of it.
fn logged(server: &TestServer) -> (Client, Arc<Closings>) {
    let closings = Arc::new(Closings::default());
    let context = RoleContext::new("test", Arc::clone(&closings) as Arc<dyn Observer>);
    let service = Arc::new(WebService { context: Arc::new(context), site: Arc::clone(&server.site) });
    let web = Web::new(service, client(), server.now.instant, &server.now);
    (Client { web, ..server.client() }, closings)
}

#[test]
fn each_request_is_logged_with_its_status_and_its_cause() {
    let server = TestServer::new();
    let (client, closings) = logged(&server);
    let mut client =
        client.sends("GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /");
    client.run().waits();
    assert_eq!(client.statuses(), [200, 404, 408]);
    assert_eq!(
        closings.0.lock().unwrap().0,
        [
            r#"Some("GET /small.txt") Some(200) None 72 finished"#,
            r#"Some("GET /none") Some(404) Some("missing") 0 finished"#,
            r#"Some("GET /") Some(408) Some("The request head took too long.") 0 client timed out in request head"#,
        ]
    );
}

#[test]
fn every_byte_that_is_sent_is_counted_once() {
    let requests = ["/small.txt", "/cached.txt", "/large.txt", "/?size=40000", "/?size=40000&chunked=1"];
    for server in [TestServer::new(), TestServer::mirror()] {
        for takes in [usize::MAX, 100, 0] {
            for path in requests {
                let (client, closings) = logged(&server);
                let request = format!("GET {path} HTTP/1.1\r\nHost: a\r\n\r\n");
                let mut client = client.sends(&request.repeat(2)).takes(takes);
                client.run().takes = usize::MAX;
                client.run();
                assert_eq!(closings.0.lock().unwrap().1, client.received.len(), "{path}");
            }
        }
    }
}
