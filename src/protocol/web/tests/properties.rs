//! Properties of whole connections.

use super::*;

fn request() -> impl Strategy<Value = String> {
    let target = prop::sample::select(vec![
        "/",
        "/small.txt",
        "/cached.txt",
        "/large.txt",
        "/nothing",
        "/?size=5000",
        "/?size=17000",
        "/?size=5000&chunked=1",
        "/video",
        "/?status=204",
        "http://a/",
        "/..",
        "/?status=304&chunked=1",
    ]);
    let method = prop::sample::select(vec!["GET", "GET", "HEAD", "POST", "PUT", "OPTIONS", "BREW"]);
    let body = prop::option::of((any::<bool>(), prop::collection::vec(97u8..123, 0..300)));
    let rest = prop::sample::select(vec!["", "Range: bytes=1-3\r\n", "X: \u{e9}\r\n", "Connection: x\r\n"]);
    (method, target, rest, body, any::<bool>()).prop_map(|(method, target, rest, body, old)| {
        let (version, kept) = if old { ("1.0", "Connection: keep-alive\r\n") } else { ("1.1", "") };
        let head = format!("{method} {target} HTTP/{version}\r\nHost: a\r\n{kept}{rest}");
        let Some((chunked, body)) = body else { return format!("{head}\r\n") };
        let body = String::from_utf8(body).unwrap();
        let length = body.len();
        match chunked && !old {
            false => format!("{head}Content-Length: {length}\r\n\r\n{body}"),
            true if body.is_empty() => format!("{head}Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
            true => {
                format!("{head}Transfer-Encoding: chunked\r\n\r\n{length:x}\r\n{body}\r\n0\r\nA: b\r\n\r\n")
            }
        }
    })
}

/// Parts of requests in a random order.
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
        "ffffffff",
        "Connection: close\r\n",
        " ",
        "5\r\nhello\r\n",
        "HTTP/1.0",
        "x: y",
        "GET /?delay=1s HTTP/1.0\r\n\r\n",
        "GET /?size=70000 HTTP/1.1\r\nHost: a\r\n\r\n",
        "\u{e9}",
        "GET /large.txt HTTP/1.1\r\nHost: a\r\n\r\n",
    ];
    prop::collection::vec(prop::sample::select(words), 0..40).prop_map(|words| words.concat())
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(200))]

    #[test]
    fn any_requests_in_any_pieces_get_the_same_responses(
        requests in prop::collection::vec(request(), 1..6), seed: u64, ends: bool,
    ) {
        let server = TestServer::new();
        let input = requests.concat();
        let mut whole = server.client().sends(&input);
        whole.ends = ends;
        whole.run();
        for pieces in [Pieces::Bytes, Pieces::Dice(seed)] {
            let mut client = server.client().sends(&input).in_pieces(pieces);
            client.ends = ends;
            client.run();
            prop_assert!(client.text() == whole.text(), "in {:?}", pieces);
            prop_assert_eq!(client.state(), whole.state());
        }
    }

    #[test]
    fn a_connection_with_garbage_comes_to_an_end(input in garbage(), seed: u64, ends: bool, takes in 0usize..300) {
        let server = TestServer::new();
        let mut client = server.client().sends(&input).in_pieces(Pieces::Dice(seed));
        client.ends = ends;
        client.takes = if takes < 200 { takes } else { usize::MAX };
        client.run();
        for _ in 0..100 {
            if client.web.step() == Step::Finish {
                break;
            }
            client.waits();
        }
        prop_assert!(client.web.step() == Step::Finish, "it never ends: {:?}", client.web);
    }
}
