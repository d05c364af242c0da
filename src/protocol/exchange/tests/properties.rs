//! Properties of whole connections.

use super::*;

fn request() -> impl Strategy<Value = (String, bool)> {
    let method = prop::sample::select(vec!["GET", "HEAD", "POST", "PUT", "BREW"]);
    let target = prop::sample::select(vec!["/", "/a/b?c", "http://a/", "/%70"]);
    let rest =
        prop::sample::select(vec!["", "X: \u{e9}\r\n", "Connection: x\r\nX: y\r\n", "TE: trailers\r\n"]);
    let body = prop::option::of((any::<bool>(), prop::collection::vec(97u8..123, 0..300)));
    (method, target, rest, body).prop_map(|(method, target, rest, body)| {
        let head = format!("{method} {target} HTTP/1.1\r\nHost: a\r\n{rest}");
        let is_head = method == "HEAD";
        let Some((chunked, body)) = body else { return (format!("{head}\r\n"), is_head) };
        let body = String::from_utf8(body).unwrap();
        let length = body.len();
        let text = match chunked {
            false => format!("{head}Content-Length: {length}\r\n\r\n{body}"),
            true if body.is_empty() => format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            true => {
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\nA: b\r\n\r\n")
            }
        };
        (text, is_head)
    })
}

fn response() -> impl Strategy<Value = String> {
    prop::sample::select(vec![
        OK,
        "HTTP/1.1 204 No\r\n\r\n",
        "HTTP/1.1 304 Same\r\nContent-Length: 9\r\n\r\n",
        "HTTP/1.1 103 E\r\n\r\nHTTP/1.1 404 No\r\nContent-Length: 0\r\n\r\n",
        "HTTP/1.1 200 \r\nTransfer-Encoding: chunked\r\n\r\n4\r\nsatu\r\n10\r\n0123456789abcdef\r\n0\r\n\r\n",
        "HTTP/1.0 200 OK\r\nContent-Length: 4\r\n\r\nsatu",
    ])
    .prop_map(str::to_owned)
}

/// Parts of messages in a random order.
fn garbage() -> impl Strategy<Value = String> {
    let words = vec![
        "GET / HTTP/1.1\r\n",
        "Host: a\r\n",
        "\r\n",
        "\r",
        "\n",
        "POST / HTTP/1.1\r\nHost: a\r\n",
        "0\r\n\r\n",
        "Content-Length: 4\r\n",
        "Transfer-Encoding: chunked\r\n",
        "Expect: 100-continue\r\n",
        "\0",
        "satu",
        "Connection: close\r\n",
        " ",
        "5\r\nhello\r\n",
        "HTTP/1.0",
        "HTTP/1.1 200 OK\r\n",
        UPGRADE,
        SWITCHING,
        OK,
        GET,
        POST,
        OLD,
        "HTTP/1.1 100 Continue\r\n\r\n",
        "\u{e9}",
        "HTTP/1.1 204 No\r\n",
        "ffffffffffffffff",
    ];
    prop::collection::vec(prop::sample::select(words), 0..30).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    #[test]
    fn any_requests_in_any_pieces_get_the_same_responses(
        requests in prop::collection::vec((request(), response()), 1..6), seed: u64,
    ) {
        let gateway = TestGateway::new(1);
        let input: String = requests.iter().map(|((request, _), _)| request.as_str()).collect();
        // Each back end responds once it has the whole request, whatever the pieces.
        let scripts: Vec<_> = requests.iter().map(|((request, is_head), response)| {
            let body_at = response.rfind("\r\n\r\n").map_or(response.len(), |at| at + 4);
            let text = if *is_head && response.starts_with("HTTP/1.1 200 OK") { &response[..body_at] } else { response };
            says(text).after(gateway.forwarded(request))
        }).collect();
        let whole = gateway.run(&input, &scripts);
        for pieces in [Pieces::Bytes, Pieces::Dice(seed)] {
            let mut connection = TestConnection { pieces, ..gateway.connection(&input, &scripts) };
            connection.run();
            prop_assert_eq!(connection.text(), whole.text());
            prop_assert_eq!(connection.state(), whole.state());
            let got = |connection: &TestConnection| connection.visits.iter().map(|visit| visit.got.clone()).collect::<Vec<_>>();
            prop_assert_eq!(got(&connection), got(&whole));
        }
    }

    #[test]
    fn a_connection_with_garbage_on_either_side_comes_to_an_end(
        input in garbage(), responses in prop::collection::vec((garbage(), 0..3, 0..4usize), 40),
        seed: u64, ends: bool, takes in 0usize..300,
    ) {
        let gateway = TestGateway::new(2);
        let scripts: Vec<_> = responses.into_iter().cycle().take(400).map(|(text, then, kind)| {
            let then = [AfterResponse::Holds, AfterResponse::Ends, AfterResponse::Resets][then as usize];
            let script = BackendScript { then, ..says(&text) };
            match kind {
                0 => refuses(),
                1 => script.takes(30),
                2 => script.breaks(130),
                _ => script,
            }
        }).collect();
        let mut connection = TestConnection { pieces: Pieces::Dice(seed), ends, ..gateway.connection(&input, &scripts) };
        connection.takes = if takes < 200 { takes } else { usize::MAX };
        connection.run();
        for _ in 0..400 {
            if matches!(connection.exchange.state, State::Over(_) | State::Tunnel) {
                break;
            }
            connection.waits();
        }
        prop_assert!(matches!(connection.exchange.state, State::Over(_) | State::Tunnel), "{:?}", connection.exchange);
    }
}
