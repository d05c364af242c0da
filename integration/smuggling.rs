//! The published ways to make two programs see different messages in the same bytes, as our own cases.
//!
//! Each is named after what it does and the rule it breaks (sections of RFC 9112 unless another is
//! named). Behind each stands a second request, for `/selundup`: whoever answers or forwards that
//! one has been fooled. Every case comes whole and byte by byte, to the web server, the reverse
//! proxy and the balancer, on both drivers, in the clear and over TLS.

use std::sync::{Arc, Mutex};

use crate::support::backend::{Backend, ok};
use crate::support::client::{Client, get, request};
use crate::support::launch::Launch;
use crate::support::role::Role;
use crate::support::tls::Setup;
use crate::support::watched::Watched;
use crate::support::{Model, WAIT_MAX, both};

both![
    heads_that_leave_a_doubt_are_refused_by_the_web_server,
    heads_that_leave_a_doubt_are_refused_by_the_reverse_proxy,
    heads_that_leave_a_doubt_are_refused_by_the_balancer,
    bodies_that_leave_a_doubt_are_refused_by_the_web_server,
    bodies_that_leave_a_doubt_never_reach_a_back_end_whole,
    what_only_looks_like_framing_is_one_request,
    any_byte_beside_a_field_is_refused_or_is_no_framing,
    other_protocols_are_refused_at_once,
    answers_that_leave_a_doubt_are_502,
    answers_that_break_off_are_seen_to_be_cut,
    interim_answers_are_passed_on_and_bounded,
    an_answer_nobody_asked_for_is_nobodys_answer,
    a_late_answer_nobody_asked_for_is_nobodys_answer,
    a_route_cannot_be_gone_around,
];

/// What each case tries to get past us.
const SMUGGLED: &str = "GET /selundup HTTP/1.1\r\nHost: a\r\n\r\n";

/// Name, section, and what is sent.
type Case<T> = (&'static str, &'static str, T);

/// Refused by their heads alone: not a byte may reach a back end.
const HEADS: &[Case<&[u8]>] = &[
    // The length of a body, said twice or not quite.
    ("CL.TE", "6.3", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 6\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\nG"),
    ("TE.CL", "6.3", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nContent-Length: 4\r\n\r\n0\r\n\r\n"),
    ("CL.TE with a length of 0", "6.3", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("two lengths", "6.3", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0\r\nContent-Length: 5\r\n\r\nhello"),
    ("two equal lengths", "6.3", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: 5\r\n\r\nhello"),
    ("list of lengths", "6.3", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0, 5\r\n\r\nhello"),
    ("length with plus", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: +5\r\n\r\nhello"),
    ("length with minus", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -5\r\n\r\nhello"),
    ("minus zero", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: -0\r\n\r\n"),
    ("hexadecimal length", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 0x5\r\n\r\nhello"),
    ("length with a point", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5.0\r\n\r\nhello"),
    ("length with an exponent", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5e0\r\n\r\nhello"),
    ("length with an underscore", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 1_0\r\n\r\nhello"),
    ("length with a space within", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5 0\r\n\r\nhello"),
    ("length with a parameter", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5;a=b\r\n\r\nhello"),
    ("quoted length", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \"5\"\r\n\r\nhello"),
    ("empty length", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \r\n\r\nhello"),
    ("length of 64 bits and one", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551621\r\n\r\nhello"),
    ("length of 2^63", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 9223372036854775808\r\n\r\nhello"),
    ("length of 2^64 - 1", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 18446744073709551615\r\n\r\nhello"),
    ("length in other digits", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: \xd9\xa5\r\n\r\nhello"),
    ("length with NBSP", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\xa0\r\n\r\nhello"),
    ("length with form feed", "9110 5.5", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\x0c5\r\n\r\nhello"),
    ("space before a length's colon", "5.1", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length : 5\r\n\r\nhello"),
    ("length of 20 nines", "9110 8.6", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 99999999999999999999\r\n\r\nhello"),
    ("two lengths in other letters", "6.3", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\ncONTENT-lENGTH: 0\r\n\r\nhello"),
    ("no length on a second line", "6.3", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nContent-Length: \r\n\r\nhello"),
    // A coding that one side knows and the other does not.
    ("chunked twice", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
    ("chunked on two lines", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked, identity", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, identity\r\n\r\n0\r\n\r\n"),
    ("identity, chunked", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n"),
    ("identity", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity\r\n\r\n0\r\n\r\n"),
    ("chunked not last", "6.3", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked, gzip\r\n\r\n0\r\n\r\n"),
    ("another before chunked", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
    ("cow", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-Encoding: cow\r\n\r\n0\r\n\r\n"),
    ("xchunked", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: xchunked\r\n\r\n0\r\n\r\n"),
    ("chunk", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunk\r\n\r\n0\r\n\r\n"),
    ("chunked in the middle", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: identity, chunked, identity\r\n\r\n0\r\n\r\n"),
    ("identity on a second line", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nTransfer-encoding: identity\r\n\r\n0\r\n\r\n"),
    ("chunked in parentheses", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: (chunked)\r\n\r\n0\r\n\r\n"),
    ("chunkedfoo", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunkedfoo\r\n\r\n0\r\n\r\n"),
    ("chunked with a parameter", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;q=0.5\r\n\r\n0\r\n\r\n"),
    ("chunked in quotes", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \"chunked\"\r\n\r\n0\r\n\r\n"),
    ("chunked in single quotes", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: 'chunked'\r\n\r\n0\r\n\r\n"),
    ("chunked in brackets", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: [chunked]\r\n\r\n0\r\n\r\n"),
    ("chunked behind a colon", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:: chunked\r\n\r\n0\r\n\r\n"),
    ("chunked behind vertical tab", "9110 5.5", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\x0bchunked\r\n\r\n0\r\n\r\n"),
    ("chunked before NEL", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\x85\r\n\r\n0\r\n\r\n"),
    ("chunked before NUL", "9110 5.5", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\0\r\n\r\n0\r\n\r\n"),
    ("chunked in Kelvin", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chun\xe2\x84\xaaed\r\n\r\n0\r\n\r\n"),
    ("empty coding", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \r\n\r\n0\r\n\r\n"),
    ("coding of a comma", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: ,\r\n\r\n0\r\n\r\n"),
    ("chunked in two words", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked chunked\r\n\r\n0\r\n\r\n"),
    ("chunked before a semicolon", "6.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked;\r\n\r\n0\r\n\r\n"),
    ("chunked in HTTP/1.0", "6.1", b"POST / HTTP/1.0\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("both in HTTP/1.0", "6.1", b"POST / HTTP/1.0\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("both in a GET", "6.3", b"GET / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("length behind a doubtful coding", "6.3", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: x\r\nContent-Length: 5\r\n\r\nhello"),
    // Field lines that one side reads as another field, or as none.
    ("space before the colon", "5.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding : chunked\r\n\r\n0\r\n\r\n"),
    ("tab before the colon", "5.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\t: chunked\r\n\r\n0\r\n\r\n"),
    ("line end before the colon", "5.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\r\n: chunked\r\n\r\n0\r\n\r\n"),
    ("bare LF before the colon", "5.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\n : chunked\r\n\r\n0\r\n\r\n"),
    ("a word before the colon", "5.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding x: chunked\r\n\r\n0\r\n\r\n"),
    ("backslash in a name", "9110 5.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer\\Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("space before the name", "5.2", b"POST / HTTP/1.1\r\nHost: a\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("space before the first name", "2.2", b"POST / HTTP/1.1\r\n Host: b\r\nHost: a\r\n\r\n"),
    ("tab before the name", "5.2", b"POST / HTTP/1.1\r\nHost: a\r\n\tContent-Length: 5\r\n\r\nhello"),
    ("control before the name", "9110 5.1", b"POST / HTTP/1.1\r\nHost: a\r\n\x0bTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("NUL in a name", "9110 5.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer\0-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("space in a name", "9110 5.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("high byte in a name", "9110 5.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding\xff: chunked\r\n\r\n0\r\n\r\n"),
    ("empty name", "9110 5.1", b"POST / HTTP/1.1\r\nHost: a\r\n: chunked\r\n\r\n"),
    ("no colon", "5", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length\r\n\r\n"),
    ("folded coding", "5.2", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n chunked\r\n\r\n0\r\n\r\n"),
    ("coding folded by a tab", "5.2", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\r\n\tchunked\r\n\r\n0\r\n\r\n"),
    ("coding folded behind a bare LF", "5.2", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\n chunked\r\n\r\n0\r\n\r\n"),
    ("coding behind a vertical tab", "9110 5.1", b"POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: \n\x0bchunked\r\n\r\n0\r\n\r\n"),
    ("folded value", "5.2", b"POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n Transfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("bare CR hides a field", "2.2", b"POST / HTTP/1.1\r\nHost: a\r\nX: y\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("bare CR before a name", "2.2", b"POST / HTTP/1.1\r\nHost: a\r\nX: y\r\n\rTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("bare CR in a name", "2.2", b"POST / HTTP/1.1\r\nHost: a\r\nTra\rnsfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    ("bare CR behind a value", "2.2", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\r\r\n\r\nhello"),
    ("bare CR ends the head", "2.2", b"POST / HTTP/1.1\r\nHost: a\r\nX: y\r\r\n\r\n"),
    ("NUL in a value", "9110 5.5", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\0z\r\n\r\n"),
    ("DEL in a value", "9110 5.5", b"GET / HTTP/1.1\r\nHost: a\r\nX: y\x7fz\r\n\r\n"),
    ("both, one behind a bare LF", "2.2", b"POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 5\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
    // Whom the request is for.
    ("no Host", "3.2", b"GET / HTTP/1.1\r\n\r\n"),
    ("two Hosts", "3.2", b"GET / HTTP/1.1\r\nHost: a\r\nHost: b\r\n\r\n"),
    ("two equal Hosts", "3.2", b"GET / HTTP/1.1\r\nHost: a\r\nhost: a\r\n\r\n"),
    ("list of Hosts", "3.2", b"GET / HTTP/1.1\r\nHost: a, b c\r\n\r\n"),
    ("Host with a path", "9110 7.2", b"GET / HTTP/1.1\r\nHost: a/b\r\n\r\n"),
    ("Host with a user", "9110 7.2", b"GET / HTTP/1.1\r\nHost: a@b\r\n\r\n"),
    ("Host with a space", "9110 7.2", b"GET / HTTP/1.1\r\nHost: a b\r\n\r\n"),
    ("Host with two ports", "9110 7.2", b"GET / HTTP/1.1\r\nHost: a:80:80\r\n\r\n"),
    ("Host with a port of letters", "9110 7.2", b"GET / HTTP/1.1\r\nHost: a:b\r\n\r\n"),
    ("Host with a scheme", "9110 7.2", b"GET / HTTP/1.1\r\nHost: http://a\r\n\r\n"),
    ("Host with a query", "9110 7.2", b"GET / HTTP/1.1\r\nHost: a?b\r\n\r\n"),
    ("Host with a fragment", "9110 7.2", b"GET / HTTP/1.1\r\nHost: a#b\r\n\r\n"),
    ("Host with a NUL", "9110 5.5", b"GET / HTTP/1.1\r\nHost: a\0b\r\n\r\n"),
    ("folded Host", "5.2", b"GET / HTTP/1.1\r\nHost:\r\n a\r\n\r\n"),
    ("space before the colon of Host", "5.1", b"GET / HTTP/1.1\r\nHost : a\r\n\r\n"),
    ("no Host, but one in the target", "3.2", b"GET http://a/ HTTP/1.1\r\n\r\n"),
    ("a user in the target", "9110 4.2.4", b"GET http://a@b/ HTTP/1.1\r\nHost: b\r\n\r\n"),
    ("another scheme in the target", "3.2.2", b"GET file:///etc/passwd HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("authority form", "3.2.3", b"GET a:80 HTTP/1.1\r\nHost: a:80\r\n\r\n"),
    ("asterisk form", "3.2.4", b"GET * HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("a tunnel", "9110 9.3.6", b"CONNECT b:443 HTTP/1.1\r\nHost: b:443\r\n\r\n"),
    // The request line.
    ("space before the method", "3", b" GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("two spaces", "3", b"GET  / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("tab for a space", "3", b"GET\t/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("tab before the version", "3", b"GET /\tHTTP/1.1\r\nHost: a\r\n\r\n"),
    ("space behind the version", "3", b"GET / HTTP/1.1 \r\nHost: a\r\n\r\n"),
    ("two versions", "3", b"GET / HTTP/1.1 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("space in the target", "3.2", b"GET /a b HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("bare CR in the target", "3.2", b"GET /\rX HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("NUL in the target", "3.2", b"GET /\0 HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("fragment in the target", "3.2", b"GET /#a HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("method in brackets", "9110 9.1", b"(GET) / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("method with a colon", "9110 9.1", b"GET: / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("method with a slash", "9110 9.1", b"GET/ / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("method in quotes", "9110 9.1", b"\"GET\" / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("target without a slash", "3.2.1", b"GET pdf/ HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("no target", "3", b"GET HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("NUL before the method", "3", b"\0GET / HTTP/1.1\r\nHost: a\r\n\r\n"),
    ("HTTP/0.9", "2.3", b"GET /\r\nHost: a\r\n\r\n"),
    ("HTTP/0.9 by name", "2.3", b"GET / HTTP/0.9\r\nHost: a\r\n\r\n"),
    ("version without a minor digit", "2.3", b"GET / HTTP/1\r\nHost: a\r\n\r\n"),
    ("version with letters behind", "2.3", b"GET / HTTP/1.1x\r\nHost: a\r\n\r\n"),
    ("version behind a space", "2.3", b"GET / HTTP/ 1.1\r\nHost: a\r\n\r\n"),
    ("version in small letters", "2.3", b"GET / http/1.1\r\nHost: a\r\n\r\n"),
    ("version 1.10", "2.3", b"GET / HTTP/1.10\r\nHost: a\r\n\r\n"),
    ("version 01.1", "2.3", b"GET / HTTP/01.1\r\nHost: a\r\n\r\n"),
    ("version 1.2", "2.3", b"GET / HTTP/1.2\r\nHost: a\r\n\r\n"),
    ("version 2.0", "2.3", b"GET / HTTP/2.0\r\nHost: a\r\n\r\n"),
    ("version with a comma", "2.3", b"GET / HTTP/1,1\r\nHost: a\r\n\r\n"),
];

/// Refused by their chunks; section 7.1 unless another is named.
const BODIES: &[Case<&str>] = &[
    ("size with plus", "7.1", "+5\r\nhello\r\n0\r\n\r\n"),
    ("size with minus", "7.1", "-5\r\nhello\r\n0\r\n\r\n"),
    ("size with 0x", "7.1", "0x5\r\nhello\r\n0\r\n\r\n"),
    ("last size with 0x", "7.1", "5\r\nhello\r\n0x0\r\n\r\n"),
    ("space before the size", "7.1", " 5\r\nhello\r\n0\r\n\r\n"),
    ("space behind the size", "7.1", "5 \r\nhello\r\n0\r\n\r\n"),
    ("underscore in the size", "7.1", "0_5\r\nhello\r\n0\r\n\r\n"),
    ("size of 64 bits and one", "7.1", "10000000000000005\r\nhello\r\n0\r\n\r\n"),
    ("size in quotes", "7.1", "\"5\"\r\nhello\r\n0\r\n\r\n"),
    ("size with h", "7.1", "5h\r\nhello\r\n0\r\n\r\n"),
    ("size with a point", "7.1", "5.0\r\nhello\r\n0\r\n\r\n"),
    ("two sizes", "7.1", "5,5\r\nhello\r\n0\r\n\r\n"),
    ("size behind a NUL", "7.1", "\x005\r\nhello\r\n0\r\n\r\n"),
    ("last size with minus", "7.1", "5\r\nhello\r\n-0\r\n\r\n"),
    ("size of 17 digits", "7.1", "ffffffffffffffff0\r\nhello\r\n0\r\n\r\n"),
    ("no size", "7.1", "\r\nhello\r\n0\r\n\r\n"),
    ("no size but an extension", "7.1", ";a=b\r\nhello\r\n0\r\n\r\n"),
    ("size without digits", "7.1", "xyz\r\nhello\r\n0\r\n\r\n"),
    ("bare LF behind the size", "7.1", "5\nhello\r\n0\r\n\r\n"),
    ("bare CR behind the size", "7.1", "5\rhello\r\n0\r\n\r\n"),
    ("CR CR LF behind the size", "7.1", "5\r\r\nhello\r\n0\r\n\r\n"),
    ("size of 2^63", "7.1", "8000000000000000\r\nhello\r\n0\r\n\r\n"),
    ("size of 2^64 - 1", "7.1", "ffffffffffffffff\r\nhello\r\n0\r\n\r\n"),
    ("empty extension", "7.1.1", "5;\r\nhello\r\n0\r\n\r\n"),
    ("empty extension of the last size", "7.1.1", "5\r\nhello\r\n0;\r\n\r\n"),
    ("extension whose name is no token", "7.1.1", "5;bad[=x\r\nhello\r\n0\r\n\r\n"),
    ("extension without a name", "7.1.1", "5;=a\r\nhello\r\n0\r\n\r\n"),
    ("extension of a quoted name", "7.1.1", "5;\"\u{ff}\"\r\nhello\r\n0\r\n\r\n"),
    ("extension without a value", "7.1.1", "5;a=\r\nhello\r\n0\r\n\r\n"),
    ("extension with an open quote", "7.1.1", "5;a=\"b\r\nhello\r\n0\r\n\r\n"),
    ("extension with an open escape", "7.1.1", "5;a=\"b\\\"\r\nhello\r\n0\r\n\r\n"),
    ("word behind a quoted value", "7.1.1", "5;a=\"b\"c\r\nhello\r\n0\r\n\r\n"),
    ("blank behind an extension", "7.1.1", "5;a \r\nhello\r\n0\r\n\r\n"),
    ("bare LF in an extension", "7.1.1", "5;\nxhello\r\n0\r\n\r\n"),
    ("bare CR in an extension", "7.1.1", "5;a\rb\r\nhello\r\n0\r\n\r\n"),
    ("NUL in an extension", "7.1.1", "5;a=\0\r\nhello\r\n0\r\n\r\n"),
    (
        "endless extension",
        "7.1.1",
        concat!(
            "5;a=",
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb",
            "bbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbbb"
        ),
    ),
    ("chunk longer than its size", "7.1", "5\r\nhello!\r\n0\r\n\r\n"),
    ("no line end behind the chunk", "7.1", "5\r\nhello0\r\n\r\n"),
    ("bare LF behind the chunk", "7.1", "5\r\nhello\n0\r\n\r\n"),
    ("any two bytes behind the chunk", "7.1", "5\r\nhelloXX0\r\n\r\n"),
    ("bare LF behind the last size", "7.1", "0\n\r\n"),
    ("bare LF for the last line", "7.1", "0\r\n\n"),
    ("folded trailer", "7.1.2", "0\r\nX: y\r\n z\r\n\r\n"),
    ("trailer without a colon", "7.1.2", "0\r\nX\r\n\r\n"),
    ("space before a trailer's colon", "7.1.2", "0\r\nX : y\r\n\r\n"),
    ("space before a trailer's name", "7.1.2", "0\r\n X: y\r\n\r\n"),
    ("bare CR in a trailer", "7.1.2", "0\r\nX: y\rz\r\n\r\n"),
    ("NUL in a trailer", "7.1.2", "0\r\nX: \0\r\n\r\n"),
    ("bare LF behind a trailer", "7.1.2", "0\r\nX: y\n\r\n"),
];

/// Looks like framing to a careless reader and is none: forwarded as the one request that it is.
const ONE_REQUEST: &[Case<&str>] = &[
    (
        "another Host in the target",
        "3.2.2",
        "POST http://b/ HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}",
    ),
    (
        "another port in the target",
        "3.2.2",
        "POST http://a:81?x HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}",
    ),
    (
        "content coding",
        "9110 8.4",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nContent-Encoding: chunked\r\n\r\n{body}",
    ),
    (
        "prefix of a coding",
        "6.1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nX-Transfer-Encoding: chunked\r\n\r\n{body}",
    ),
    (
        "escape in a name",
        "9110 5.1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nTransfer-%45ncoding: chunked\r\n\r\n{body}",
    ),
    (
        "underscore for a hyphen",
        "9110 5.1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nTransfer_Encoding: chunked\r\n\r\n{body}",
    ),
    (
        "body of a GET (CL.0)",
        "9110 9.3.1",
        "GET / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}",
    ),
    ("body of a HEAD", "9110 9.3.2", "HEAD / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}"),
    (
        "body of a DELETE",
        "9110 9.3.5",
        "DELETE / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}",
    ),
    (
        "chunks of an OPTIONS (TE.0)",
        "9110 9.3.7",
        "OPTIONS / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}",
    ),
    (
        "chunks of a GET",
        "9110 9.3.1",
        "GET / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{chunk}",
    ),
    (
        "body of an unknown method",
        "9110 9.1",
        "SELUNDUP / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}",
    ),
    (
        "method in small letters",
        "9110 9.1",
        "post / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}",
    ),
    (
        "method of other signs",
        "9110 9.1",
        "P*O'S|T~ / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}",
    ),
    (
        "leading zeros of a length",
        "9110 8.6",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: 000{length}\r\n\r\n{body}",
    ),
    (
        "tab before a length",
        "5.1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length:\t{length}\t \r\n\r\n{body}",
    ),
    (
        "leading zeros of a size",
        "7.1",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n000{chunk}",
    ),
    (
        "blank before an extension",
        "7.1.1",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{hex}\t;a=b\r\n{body}\r\n0 ;a\r\n\r\n",
    ),
    (
        "quoted line end of an extension",
        "7.1.1",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{hex};a=\"\\\"\\r\\n0\"\r\n{body}\r\n0\r\n\r\n",
    ),
    (
        "long last size",
        "7.1",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\n\r\n{hex}\r\n{body}\r\n00000000\r\n\r\n",
    ),
    (
        "length named by Connection",
        "9110 7.6.1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nConnection: Content-Length\r\n\r\n{body}",
    ),
    (
        "chunks named by Connection",
        "9110 7.6.1",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked\r\nConnection: Transfer-Encoding\r\n\r\n{chunk}",
    ),
    (
        "Host named by Connection",
        "9110 7.6.1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nConnection: keep-alive, Host\r\n\r\n{body}",
    ),
    (
        "X-Forwarded-For named by Connection",
        "9110 7.6.1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nConnection: X-Forwarded-For\r\n\r\n{body}",
    ),
    ("small letters", "9110 5.1", "POST / HTTP/1.1\r\nHost: a\r\ntransfer-encoding:CHUNKED\r\n\r\n{chunk}"),
    (
        "tab before chunked",
        "5.1",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding:\tchunked \t\r\n\r\n{chunk}",
    ),
    (
        "comma behind chunked",
        "9110 5.6.1.2",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: chunked,\r\n\r\n{chunk}",
    ),
    (
        "comma before chunked",
        "9110 5.6.1.2",
        "POST / HTTP/1.1\r\nHost: a\r\nTransfer-Encoding: , chunked\r\n\r\n{chunk}",
    ),
    (
        "an expectation nobody knows",
        "9110 10.1.1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nExpect: y 100-continue\r\n\r\n{body}",
    ),
    (
        "an upgrade with a body",
        "9110 7.8",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n{body}",
    ),
    (
        "h2c",
        "9113 3.1",
        "POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\nConnection: Upgrade, HTTP2-Settings\r\nUpgrade: h2c\r\nHTTP2-Settings: AAMAAABkAAQAAP__\r\n\r\n{body}",
    ),
    ("bare LF ends lines", "2.2", "POST / HTTP/1.1\nHost: a\nContent-Length: {length}\n\n{body}"),
    (
        "empty lines before",
        "2.2",
        "\r\n\r\nPOST / HTTP/1.1\r\nHost: a\r\nContent-Length: {length}\r\n\r\n{body}",
    ),
];

/// A second answer to one request, for whoever asks next on that connection.
const POISON: &str = "HTTP/1.1 200 OK\r\nContent-Length: 7\r\n\r\nberacun";

/// The names of these cases, a line for each section of the RFCs.
fn listed<T>(cases: &[Case<T>]) -> String {
    let mut sections: Vec<(&str, Vec<&str>)> = Vec::new();
    for (name, section, _) in cases {
        match sections.iter_mut().find(|(known, _)| known == section) {
            Some((_, names)) => names.push(name),
            None => sections.push((section, vec![name])),
        }
    }
    let line = |(section, names): &(&str, Vec<&str>)| {
        let rfc =
            if section.contains(' ') { format!("RFC {section}") } else { format!("RFC 9112 {section}") };
        format!("- {rfc}: {}.\n", names.join("; "))
    };
    sections.iter().map(line).collect()
}

#[test]
fn the_documentation_names_every_case() {
    let page = concat!(env!("CARGO_MANIFEST_DIR"), "/docs/testing.md");
    let page = std::fs::read_to_string(page).unwrap();
    for list in [listed(HEADS), listed(BODIES), listed(ONE_REQUEST)] {
        assert!(page.contains(&list), "docs/testing.md lacks this list:\n{list}");
    }
}

/// Sends `bytes` and the smuggled request whole, then byte by byte; each time one refusal and then
/// the end must come.
fn expect_refused(role: &Role, name: &str, bytes: &[u8]) {
    let bytes = [bytes, SMUGGLED.as_bytes()].concat();
    for byte_by_byte in [false, true] {
        let mut client = Client::connect(role.address());
        for piece in bytes.chunks(if byte_by_byte { 1 } else { bytes.len() }) {
            // Refused already, and given up waiting for the rest: the answer is there all the same.
            if client.wire().send(piece).is_err() {
                break;
            }
        }
        let response = client.response();
        assert!(matches!(response.status, 400..=499 | 501 | 505), "{name}: {response:?}");
        assert_eq!(response.field("connection"), Some("close"), "{name}: {response:?}");
        client.expect_end();
    }
}

/// A back end that answers good requests only, and remembers every byte it was sent.
struct Recorder {
    backend: Backend,
    bytes: Arc<Mutex<Vec<u8>>>,
}

impl Recorder {
    fn start() -> Recorder {
        let bytes = Arc::<Mutex<Vec<u8>>>::default();
        let record = Arc::clone(&bytes);
        let backend = Backend::start(move |visit| {
            let mut visited = Vec::new();
            loop {
                let some = visit.some()?;
                if some.is_empty() {
                    return Ok(());
                }
                record.lock().unwrap().extend(&some);
                visited.extend(some);
                // An early answer to a bad one would come before the refusal.
                if visited.starts_with(b"GET /akhir ") && visited.ends_with(b"\r\n\r\n") {
                    visit.send(ok("satu"))?;
                    visited.clear();
                }
            }
        });
        Recorder { backend, bytes }
    }

    /// Everything so far, after one more request that is as it should be.
    fn seen(&self, role: &Role) -> String {
        assert_eq!(get(role.address(), "/akhir").text(), "satu");
        String::from_utf8_lossy(&self.bytes.lock().unwrap()).into_owned()
    }
}

/// This role in the clear, and over TLS.
fn in_both_forms(launch: Launch) -> [Role; 2] {
    let setup = Setup::new();
    let secure = setup.before(launch.clone()).start().through_tls(&setup);
    [launch.start(), secure]
}

fn heads_that_leave_a_doubt_are_refused_by_the_web_server(model: Model) {
    for role in in_both_forms(Launch::web_server(model)) {
        for (name, section, bytes) in HEADS {
            expect_refused(&role, &format!("{name} ({section})"), bytes);
        }
    }
}

fn expect_heads_refused_before_forwarding(role: &Role, recorder: &Recorder) {
    for (name, section, bytes) in HEADS {
        expect_refused(role, &format!("{name} ({section})"), bytes);
    }
    let seen = recorder.seen(role);
    assert!(seen.starts_with("GET /akhir HTTP/1.1\r\n"), "a refused request was forwarded: {seen:?}");
}

fn heads_that_leave_a_doubt_are_refused_by_the_reverse_proxy(model: Model) {
    let recorder = Recorder::start();
    for role in in_both_forms(Launch::reverse_proxy(model, recorder.backend.address())) {
        expect_heads_refused_before_forwarding(&role, &recorder);
    }
}

fn heads_that_leave_a_doubt_are_refused_by_the_balancer(model: Model) {
    let recorder = Recorder::start();
    for role in in_both_forms(Launch::balancer(model, "http", [recorder.backend.address()])) {
        expect_heads_refused_before_forwarding(&role, &recorder);
    }
}

fn chunked(body: &str) -> Vec<u8> {
    format!("{}{body}", request("POST", "/", "Transfer-Encoding: chunked\r\n")).into_bytes()
}

fn bodies_that_leave_a_doubt_are_refused_by_the_web_server(model: Model) {
    for role in in_both_forms(Launch::web_server(model)) {
        for (name, section, body) in BODIES {
            expect_refused(&role, &format!("{name} ({section})"), &chunked(body));
        }
    }
}

fn bodies_that_leave_a_doubt_never_reach_a_back_end_whole(model: Model) {
    let recorder = Recorder::start();
    for role in gateways(model, &recorder.backend) {
        for (name, section, body) in BODIES {
            expect_refused(&role, &format!("{name} ({section})"), &chunked(body));
        }
        // The part before the fault may be there already; an end of the body, or what stood behind it, may not.
        let seen = recorder.seen(&role);
        assert!(!seen.contains("selundup") && !seen.contains("0\r\n\r\n"), "{seen:?}");
    }
}

fn what_only_looks_like_framing_is_one_request(model: Model) {
    let body = format!("0\r\n\r\n{SMUGGLED}");
    let length = body.len();
    let backend = Backend::saying("satu");
    // `{length}` is how long the body is, `{body}` the body and `{chunk}` the same as one chunk.
    let as_chunk = format!("{length:x}\r\n{body}\r\n0\r\n\r\n");
    for role in gateways(model, &backend) {
        for (name, section, text) in ONE_REQUEST {
            let bytes = text
                .replace("{length}", &length.to_string())
                .replace("{hex}", &format!("{length:x}"))
                .replace("{body}", &body)
                .replace("{chunk}", &as_chunk);
            let name = format!("{name} ({section})");
            let before = backend.requests().len();
            let mut client = Client::connect(role.address());
            let method = text.split(' ').next().unwrap();
            let response = client.send(&bytes).answer_to(method);
            assert_eq!(response.text(), if method == "HEAD" { "" } else { "satu" }, "{name}");
            assert_eq!(client.get("/sesudah").text(), "satu", "{name}");
            let seen = &backend.requests()[before..];
            assert_eq!(seen.len(), 2, "{name}: {seen:?}");
            assert_eq!(String::from_utf8_lossy(&seen[0].body), body, "{name}");
            assert_eq!(seen[1].head.word(1), "/sesudah", "{name}");
            // One that is to be trusted tells who asks, and for whom.
            assert_eq!(seen[0].head.all("host").len(), 1, "{name}: {seen:?}");
            assert_eq!(seen[0].head.all("x-forwarded-for"), ["127.0.0.1"], "{name}: {seen:?}");
            // A back end that reads environment variables cannot tell `_` from `-` in a name.
            for field in ["transfer_encoding", "http2-settings"] {
                assert_eq!(seen[0].head.field(field), None, "{name}");
            }
            // A back end may switch once it has read the body; to h2c it may not.
            let upgrade = text.contains("Upgrade: x\r\n").then_some("x");
            assert_eq!(seen[0].head.field("upgrade"), upgrade, "{name}");
        }
    }
}

/// Any byte at any place around a coding or a length (RFC 9112 section 5.1): together with a plain
/// length, it is refused, or forwarded as the one request that the plain length makes of it.
fn any_byte_beside_a_field_is_refused_or_is_no_framing(model: Model) {
    let backend = Backend::saying("satu");
    let role = Launch::reverse_proxy(model, backend.address()).start();
    for (field, value) in [("Transfer-Encoding", "chunked"), ("Content-Length", "0")] {
        let (half, rest) = field.split_at(8);
        for byte in 0..=255u8 {
            let places: [(&str, [&str; 2]); 6] = [
                ("before the name", ["", &format!("{field}: {value}")]),
                ("in the name", [half, &format!("{rest}: {value}")]),
                ("before the colon", [field, &format!(": {value}")]),
                ("behind the colon", [&format!("{field}:"), value]),
                ("behind the value", [&format!("{field}: {value}"), ""]),
                ("in the field before", ["X: x", &format!("{field}: {value}")]),
            ];
            for (place, [before, behind]) in places {
                let line = [before.as_bytes(), &[byte], behind.as_bytes()].concat();
                expect_refused_or_one_request(
                    &role,
                    &backend,
                    &line,
                    &format!("{byte:#04x} {place} of {field}"),
                );
            }
        }
    }
}

fn expect_refused_or_one_request(role: &Role, backend: &Backend, line: &[u8], name: &str) {
    let head = format!("POST / HTTP/1.1\r\nHost: a\r\nContent-Length: {}\r\n", SMUGGLED.len());
    let bytes = [head.as_bytes(), line, b"\r\n\r\n", SMUGGLED.as_bytes()].concat();
    // A line may end in a bare LF (section 2.2): an empty one ends the head where it stands.
    let ends = [&b"\n\r\n"[..], b"\n\n"].map(|end| {
        let place = bytes.windows(end.len()).position(|window| window == end);
        place.map_or(bytes.len(), |place| place + end.len())
    });
    let body = &bytes[ends[0].min(ends[1])..][..SMUGGLED.len()];
    let before = backend.request_count();
    let mut client = Client::connect(role.address());
    let response = client.send(&bytes).response();
    let seen = backend.requests_after(before);
    match response.status {
        400 => {
            assert_eq!(response.field("connection"), Some("close"), "{name}: {response:?}");
            assert!(seen.is_empty(), "{name}: {seen:?}");
        }
        200 => {
            assert_eq!(seen.len(), 1, "{name}: {seen:?}");
            assert_eq!(seen[0].body, body, "{name}: {seen:?}");
            assert_eq!(seen[0].head.all("content-length").len(), 1, "{name}: {seen:?}");
            assert_eq!(seen[0].head.field("transfer-encoding"), None, "{name}: {seen:?}");
            // What is left of the line is a token and a value to everyone.
            let is_plain = |(name, value): &(String, String)| {
                name.bytes().all(|byte| byte.is_ascii_alphanumeric() || b"!#$%&'*+-.^_`|~".contains(&byte))
                    && !value.contains(|letter: char| letter.is_ascii_control() && letter != '\t')
            };
            assert!(seen[0].head.fields.iter().all(is_plain), "{name}: {seen:?}");
        }
        _ => panic!("{name}: {response:?}"),
    }
}

fn other_protocols_are_refused_at_once(model: Model) {
    let backend = Backend::saying("satu");
    for role in [
        Launch::web_server(model).start(),
        Launch::reverse_proxy(model, backend.address()).start(),
        Launch::balancer(model, "http", [backend.address()]).start(),
    ] {
        let hellos: [(&str, &[u8]); 10] = [
            ("HTTP/2 (RFC 9113 3.4)", b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n\0\0\x12\x04\0\0\0\0\0"),
            ("TLS (RFC 8446 4.1.2)", b"\x16\x03\x01\x02\x00\x01\x00\x01\xfc\x03\x03"),
            ("SSH (RFC 4253 4.2)", b"SSH-2.0-OpenSSH_9.2p1\r\n"),
            ("SMTP (RFC 5321 4.1.1.1)", b"EHLO a.example\r\nMAIL FROM:<a@b>\r\n"),
            ("RTSP (RFC 2326)", b"OPTIONS rtsp://a/b RTSP/1.0\r\nCSeq: 1\r\n\r\n"),
            ("Redis", b"*1\r\n$4\r\nPING\r\n"),
            ("SOCKS 5 (RFC 1928)", b"\x05\x01\x00"),
            ("PROXY v1, unasked", b"PROXY TCP4 1.2.3.4 5.6.7.8 9 80\r\nGET / HTTP/1.1\r\nHost: a\r\n\r\n"),
            ("PROXY v2, unasked", b"\r\n\r\n\0\r\nQUIT\n\x21\x11\0\x0c\x7f\0\0\x01\x7f\0\0\x01\0\x01\0\x50"),
            ("noise", b"\x80\xff\x00\x01\x02\x03"),
        ];
        for (name, hello) in hellos {
            let mut client = Client::connect(role.address());
            let response = client.send(hello).response();
            assert!(matches!(response.status, 400 | 505), "{name}: {response:?}");
            assert_eq!(response.field("connection"), Some("close"), "{name}: {response:?}");
            client.expect_end();
        }
    }
    assert_eq!(backend.visits(), 0);
}

/// The two gateways before one back end, each in both forms.
fn gateways(model: Model, backend: &Backend) -> Vec<Role> {
    let launches = [
        Launch::reverse_proxy(model, backend.address()),
        Launch::balancer(model, "http", [backend.address()]),
    ];
    launches.into_iter().flat_map(in_both_forms).collect()
}

/// A back end that answers the request for `/N` with the Nth of `answers`, and closes.
fn answering_by_number(responses: Vec<Vec<u8>>) -> Backend {
    Backend::start(move |visit| {
        let seen = visit.request()?;
        let number: usize = seen.head.word(1)[1..].parse().unwrap();
        visit.send(&responses[number])?;
        visit.finish_sending()?;
        visit.hold()
    })
}

fn answers_that_leave_a_doubt_are_502(model: Model) {
    let many = format!("HTTP/1.1 200 OK\r\n{}\r\n", "X: y\r\n".repeat(101));
    let long = format!("HTTP/1.1 200 OK\r\nX: {}\r\n\r\n", "x".repeat(17 * 1024));
    let cases: &[(&str, &str, &[u8])] = &[
        (
            "both lengths",
            "6.3",
            b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        (
            "both lengths, 0",
            "6.3",
            b"HTTP/1.1 200 OK\r\nContent-Length: 0\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n",
        ),
        ("two lengths", "6.3", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\nContent-Length: 5\r\n\r\nsatu"),
        ("list of lengths", "6.3", b"HTTP/1.1 200 OK\r\nContent-Length: 4, 5\r\n\r\nsatu"),
        ("length with plus", "9110 8.6", b"HTTP/1.1 200 OK\r\nContent-Length: +4\r\n\r\nsatu"),
        ("length of 2^63", "9110 8.6", b"HTTP/1.1 200 OK\r\nContent-Length: 9223372036854775808\r\n\r\nsatu"),
        ("empty length", "9110 8.6", b"HTTP/1.1 200 OK\r\nContent-Length:\r\n\r\nsatu"),
        ("another coding", "6.1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: gzip, chunked\r\n\r\n0\r\n\r\n"),
        ("chunked twice", "6.1", b"HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked, chunked\r\n\r\n0\r\n\r\n"),
        ("chunked in HTTP/1.0", "6.1", b"HTTP/1.0 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n0\r\n\r\n"),
        (
            "identity, chunked",
            "6.1",
            b"HTTP/1.1 200 OK\r\nTransfer-Encoding: identity, chunked\r\n\r\n0\r\n\r\n",
        ),
        ("folded value", "5.2", b"HTTP/1.1 200 OK\r\nX: y\r\n z\r\nContent-Length: 4\r\n\r\nsatu"),
        (
            "bare CR in a value",
            "2.2",
            b"HTTP/1.1 200 OK\r\nX: y\rSet-Cookie: z\r\nContent-Length: 4\r\n\r\nsatu",
        ),
        ("NUL in a value", "9110 5.5", b"HTTP/1.1 200 OK\r\nX: y\0z\r\nContent-Length: 4\r\n\r\nsatu"),
        ("no colon", "5", b"HTTP/1.1 200 OK\r\nContent-Length 4\r\n\r\nsatu"),
        ("status of two digits", "4", b"HTTP/1.1 20 OK\r\nContent-Length: 4\r\n\r\nsatu"),
        ("status of four digits", "4", b"HTTP/1.1 2000 OK\r\nContent-Length: 4\r\n\r\nsatu"),
        ("status 099", "9110 15", b"HTTP/1.1 099 No\r\nContent-Length: 4\r\n\r\nsatu"),
        ("status 600", "9110 15", b"HTTP/1.1 600 No\r\nContent-Length: 4\r\n\r\nsatu"),
        ("version 2", "2.3", b"HTTP/2 200 OK\r\nContent-Length: 4\r\n\r\nsatu"),
        ("HTTP/0.9", "2.3", b"satu\r\n\r\n"),
        ("another protocol", "2.3", b"ICY 200 OK\r\nContent-Length: 4\r\n\r\nsatu"),
        ("nothing", "8", b""),
        ("only line ends", "8", b"\r\n\r\n\r\n"),
        ("an unfinished head", "8", b"HTTP/1.1 200 OK\r\nContent-Length: 4\r\n"),
        (
            "101 that nobody asked for",
            "9110 15.2.2",
            b"HTTP/1.1 101 Switching Protocols\r\nConnection: Upgrade\r\nUpgrade: x\r\n\r\n",
        ),
        ("100 and no more", "9110 15.2", b"HTTP/1.1 100 Continue\r\n\r\n"),
        ("more than 100 fields", "9110 5.4", many.as_bytes()),
        ("a field longer than any head", "9110 5.4", long.as_bytes()),
    ];
    let backend = answering_by_number(cases.iter().map(|case| case.2.to_vec()).collect());
    for role in gateways(model, &backend) {
        for (number, (name, section, _)) in cases.iter().enumerate() {
            let mut client = Client::connect(role.address());
            client.send(request("GET", &format!("/{number}"), ""));
            let mut response = client.response();
            if response.status == 100 {
                response = client.response();
            }
            // The back end is taken out after some failures in a row: that is no fault of the answer.
            let expected = [502, 503].contains(&response.status) && response.field("proxy-status").is_some();
            assert!(expected, "{name} ({section}): {response:?}");
        }
    }
}

fn answers_that_break_off_are_seen_to_be_cut(model: Model) {
    let chunked = "HTTP/1.1 200 OK\r\nTransfer-Encoding: chunked\r\n\r\n";
    let cases = [
        ("short of its length", "6.3", "HTTP/1.1 200 OK\r\nContent-Length: 9\r\n\r\nsatu".to_owned()),
        ("no last chunk", "7.1", format!("{chunked}4\r\nsatu\r\n")),
        ("half a last chunk", "7.1", format!("{chunked}4\r\nsatu\r\n0\r\n")),
        ("half a trailer", "7.1.2", format!("{chunked}4\r\nsatu\r\n0\r\nX: ")),
        ("half a chunk", "7.1", format!("{chunked}9\r\nsatu")),
        ("bare LF behind a size", "7.1", format!("{chunked}4\nsatu\r\n0\r\n\r\n")),
        ("signed size", "7.1", format!("{chunked}+4\r\nsatu\r\n0\r\n\r\n")),
        ("size of 2^63", "7.1", format!("{chunked}4\r\nsatu\r\n8000000000000000\r\n\r\n")),
        ("empty extension", "7.1.1", format!("{chunked}4;\r\nsatu\r\n0\r\n\r\n")),
        ("extension with an open quote", "7.1.1", format!("{chunked}4;a=\"b\r\nsatu\r\n0\r\n\r\n")),
        ("extension whose name is no token", "7.1.1", format!("{chunked}4;bad[=x\r\nsatu\r\n0\r\n\r\n")),
        ("size of 64 bits and more", "7.1", format!("{chunked}4\r\nsatu\r\n10000000000000000\r\n\r\n")),
        ("chunk longer than its size", "7.1", format!("{chunked}2\r\nsatu\r\n0\r\n\r\n")),
        ("an endless extension", "7.1.1", format!("{chunked}4;{}", "x".repeat(100_000))),
        ("endless trailers", "7.1.2", format!("{chunked}0\r\n{}", "X: y\r\n".repeat(20_000))),
    ];
    let backend = answering_by_number(cases.iter().map(|case| case.2.clone().into_bytes()).collect());
    for role in gateways(model, &backend) {
        for (number, (name, section, _)) in cases.iter().enumerate() {
            let mut client = Client::connect(role.address());
            client.send(request("GET", &format!("/{number}"), ""));
            match client.try_response("GET") {
                Ok(response) => {
                    assert!(
                        [502, 503].contains(&response.status),
                        "{name} ({section}) looks whole: {response:?}"
                    )
                }
                Err(error) => {
                    assert_ne!(error.kind(), std::io::ErrorKind::TimedOut, "{name} ({section}): {error}")
                }
            }
        }
    }
}

fn interim_answers_are_passed_on_and_bounded(model: Model) {
    let few = format!("{}{}", "HTTP/1.1 103 Early Hints\r\nLink: </a>\r\n\r\n".repeat(20), ok("satu"));
    let backend = Backend::start(move |visit| {
        match visit.request()?.head.word(1) {
            "/sedikit" => visit.send(&few),
            // And never an answer.
            _ => loop {
                visit.send("HTTP/1.1 102 Processing\r\n\r\n".repeat(100))?;
            },
        }
    });
    for role in gateways(model, &backend) {
        let mut client = Client::connect(role.address());
        client.send(request("GET", "/sedikit", ""));
        let responses: Vec<_> = (0..21).map(|_| client.response()).collect();
        assert!(responses[..20].iter().all(|response| response.status == 103));
        assert_eq!(responses[20].text(), "satu");
        // One that never comes to its answer is given up, however lively it is.
        let mut client = Client::connect(role.address());
        client.send(request("GET", "/banjir", ""));
        let last = loop {
            match client.try_response("GET") {
                Ok(response) if response.status < 200 => {}
                last => break last,
            }
        };
        assert!(last.as_ref().map_or(true, |response| response.status == 502), "{last:?}");
        // To a client that cannot read them, they are as many.
        let old = Client::connect(role.address()).send("GET /banjir HTTP/1.0\r\n\r\n").response();
        assert_eq!(old.status, 502);
        // And to one that does not, they are no more than the buffers hold.
        Client::connect(role.address()).send(request("GET", "/banjir", ""));
    }
}

fn an_answer_nobody_asked_for_is_nobodys_answer(model: Model) {
    let backend = Backend::start(move |visit| {
        loop {
            let path = visit.request()?.head.word(1).to_owned();
            visit.send(ok(&path) + if path == "/racun" { POISON } else { "" })?;
        }
    });
    for role in gateways(model, &backend) {
        for turn in 0..20 {
            let mut client = Client::connect(role.address());
            assert_eq!(client.get("/racun").text(), "/racun", "{turn}");
            assert_eq!(client.get("/sama").text(), "/sama", "{turn}: on the same connection");
            assert_eq!(get(role.address(), "/lain").text(), "/lain", "{turn}: on another one");
        }
    }
}

/// The same with time in between: the connection lies among the kept ones when the second answer
/// comes. One that came only after the next request was sent could not be told from its answer.
fn a_late_answer_nobody_asked_for_is_nobodys_answer(model: Model) {
    let poisoned = Arc::<Watched<usize>>::default();
    let count = Arc::clone(&poisoned);
    let backend = Backend::start(move |visit| {
        loop {
            let path = visit.request()?.head.word(1).to_owned();
            visit.send(ok(&path))?;
            if path == "/racun" {
                visit.freeze();
                visit.send(POISON)?;
                count.change(|count| *count += 1);
            }
        }
    });
    for (turn, role) in gateways(model, &backend).into_iter().enumerate() {
        assert_eq!(get(role.address(), "/racun").text(), "/racun");
        backend.release();
        poisoned.wait(WAIT_MAX, |count| (*count > turn).then_some(())).unwrap();
        assert_eq!(get(role.address(), "/lain").text(), "/lain");
    }
}

/// What counts is what the back end will see: it resolves dots, merges slashes and decodes.
fn a_route_cannot_be_gone_around(model: Model) {
    let [rest, pdf] = ["rest", "pdf"].map(Backend::saying);
    let role = Launch::reverse_proxy(model, rest.address())
        .flag("--route", format!("/pdf/={}", pdf.address()))
        .start();
    let found = |target: &str| {
        let response = get(role.address(), target);
        if response.status == 400 { "refused".to_owned() } else { response.text().to_owned() }
    };
    for target in [
        "/pdf/",
        "/pdf/a",
        "//pdf/",
        "/./pdf/",
        "/x/../pdf/",
        "/x/%2e%2e/pdf/",
        "/x/.%2E/pdf/",
        "/%70%64%66/",
        "/pdf//",
        "/pdf/./a",
        "/pdf/a/..",
        "/x//../pdf/",
        "/pdf/?a=/../../",
        "http://localhost/pdf/",
        "/pdf/../pdf/",
    ] {
        assert_eq!(found(target), "pdf", "{target}");
    }
    for target in [
        "/",
        "/x/pdf/",
        "/pdf/..",
        "/pdf/../",
        "/pdf/%2e%2e/",
        "/pdf/../x",
        "/pdfx/",
        "/?/pdf/",
        "/x?/../pdf/",
        "/PDF/",
        "/.pdf/",
        "/pdf%2f..",
        "/pdf.../",
    ] {
        assert_eq!(found(target), "rest", "{target}");
    }
    // Read one way they are within the route, read another way without: nobody knows what the back end does.
    for target in [
        "/../pdf/",
        "/%2e%2e/pdf/",
        "/pdf/../../x",
        "/pdf%2fa",
        "/pdf/..%2fx",
        "/pdf/%2e%2e%2fx",
        "/x%2f..%2fpdf/",
        "/x/..%2Fpdf/",
        "/%2fpdf/",
        "/pdf/..;/x",
        "/pdf;a=b/x",
        "/x/..;a/pdf/",
        "/pdf/..%5cx",
        "/x\\..\\pdf\\",
        "/pdf\\x",
        "/pdf/..%00/x",
    ] {
        assert_eq!(found(target), "refused", "{target}");
    }
}
