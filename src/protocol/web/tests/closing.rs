//! Closing lines: what is logged of each request.

use super::*;
use crate::protocol::event::{Connection, Observer};

/// An observer that keeps what the access log would say of each request.
#[derive(Debug, Default)]
struct Closings(std::sync::Mutex<Vec<String>>);

impl Observer for Closings {
    fn wants_closings(&self) -> bool {
        true
    }

    fn observe(&self, _connection: &Connection<'_>, event: &Event<'_>) {
        if let Event::Closed(Closing { request, status, cause, outcome, .. }) = event {
            self.0.lock().unwrap().push(format!("{request:?} {status:?} {cause:?} {outcome}"));
        }
    }
}

#[test]
fn each_request_is_logged_with_its_status_and_its_cause() {
    let server = TestServer::new();
    let closings = Arc::new(Closings::default());
    let context = RoleContext::new("test", Arc::clone(&closings) as Arc<dyn Observer>);
    let service = Arc::new(WebService { context: Arc::new(context), site: Arc::clone(&server.site) });
    let web = Web::new(service, client(), server.now.instant, &server.now);
    let mut client = Client { web, ..server.client() }
        .sends("GET /small.txt HTTP/1.1\r\nHost: a\r\n\r\nGET /none HTTP/1.1\r\nHost: a\r\n\r\nGET /");
    client.run().waits();
    assert_eq!(client.statuses(), [200, 404, 408]);
    assert_eq!(
        *closings.0.lock().unwrap(),
        [
            r#"Some("GET /small.txt") Some(200) None finished"#,
            r#"Some("GET /none") Some(404) Some("missing") finished"#,
            r#"Some("GET /") Some(408) Some("The request head took too long.") client timed out in request head"#,
        ]
    );
}
