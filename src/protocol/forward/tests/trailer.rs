//! Trailers.

use super::*;

#[test]
fn trailers_cannot_carry_fields_of_heads() {
    for name in [
        "X-Forwarded-For",
        "x-forwarded-anything",
        "Forwarded",
        "Via",
        "Content-Length",
        "Transfer-Encoding",
        "Connection",
        "TE",
        "Host",
        "Expect",
        "Upgrade",
        "Keep-Alive",
        "Proxy-Authorization",
        "Max-Forwards",
        "Authorization",
        "Cookie",
        "Set-Cookie",
        "If-Match",
        "Range",
        "Content-Type",
        "Trailer",
        "Location",
        "X_Forwarded_For",
        "Content_Length",
        "If_None_Match",
        "Set_Cookie",
        "WWW-Authenticate",
    ] {
        assert!(!may_forward_trailer(format!("{name}: 1\r\n").as_bytes()), "{name}");
    }
    assert!(!may_forward_trailer(b"Digest : 1\r\n") && !may_forward_trailer(b"Host\t: 1\r\n"));
    for name in ["Digest", "Server-Timing", "X-Sum", "ETag", "grpc-status", "If", "Viable", "Ranges"] {
        assert!(may_forward_trailer(format!("{name}:1\r\n").as_bytes()), "{name}");
    }
}

#[test]
fn a_connection_field_with_unknown_names_stops_trailers() {
    for (lines, passes) in [
        ("Host: a", true),
        ("Host: a\r\nConnection: close, TE, Upgrade", true),
        ("Host: a\r\nConnection: X-Sum", false),
    ] {
        let text = format!("GET / HTTP/1.1\r\n{lines}\r\n\r\n");
        assert_eq!(may_forward_trailers(&request_head(&text).fields), passes, "{lines}");
    }
}
