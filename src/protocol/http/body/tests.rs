use super::*;
use crate::protocol::limits::CHUNK_LINE_BYTES_MAX;
use proptest::prelude::*;

/// Reads `bytes` in pieces, cut at `cuts`; returns the content, how many bytes were used, and whether the
/// body has ended.
fn read(framing: Framing, bytes: &[u8], cuts: &[usize]) -> Result<(Vec<u8>, usize, bool), BodyFault> {
    let mut reader = BodyReader::new(framing);
    let (mut content, mut used) = (Vec::new(), 0);
    for end in cuts.iter().copied().chain([bytes.len()]) {
        while let Some(part) = reader.next(&bytes[used..end.max(used)])? {
            if let Part::Content(count) = part {
                content.extend_from_slice(&bytes[used..used + count]);
            }
            used += part.length();
        }
    }
    Ok((content, used, reader.is_done()))
}

/// Reads a body whole, cut at every byte, and with the next message behind it.
fn three_ways(framing: Framing, body: &[u8], content: &[u8]) {
    let expected = Ok((content.to_vec(), body.len(), true));
    let trailing = [body, b"GET / HTTP/1.1\r\n"].concat();
    assert_eq!(read(framing, body, &[]), expected);
    assert_eq!(read(framing, &trailing, &[]), expected);
    for cut in 0..trailing.len() {
        assert_eq!(read(framing, &trailing, &[cut]), expected, "cut at {cut}");
    }
    assert_eq!(read(framing, &trailing, &(0..trailing.len()).collect::<Vec<_>>()), expected);
}

#[test]
fn each_framing_finds_the_end_of_its_body() {
    three_ways(Framing::None, b"", b"");
    three_ways(Framing::Length(5), b"hello", b"hello");
    three_ways(Framing::Chunked, b"0\r\n\r\n", b"");
    three_ways(
        Framing::Chunked,
        b"5\r\nhello\r\n00A;x=\"y z\"\r\n0123456789\r\n0\r\n\r\n",
        b"hello0123456789",
    );
    three_ways(Framing::Chunked, b"1\r\nx\r\n0\r\nX-Sum: 1\r\nY:\r\n\r\n", b"x");
}

#[test]
fn a_body_is_done_with_its_last_byte_and_not_before() {
    let chunked = b"1\r\nx\r\n0\r\nA: b\r\n\r\n";
    for (framing, body) in [(Framing::Length(3), &b"abc"[..]), (Framing::Chunked, chunked)] {
        for cut in 0..=body.len() {
            let (_, _, is_done) = read(framing, &body[..cut], &[]).unwrap();
            assert_eq!(is_done, cut == body.len(), "{framing:?}, {cut}");
        }
    }
    let mut endless = BodyReader::new(Framing::UntilClose);
    assert_eq!(endless.next(b"x"), Ok(Some(Part::Content(1))));
    assert!(!endless.is_done());
    assert!(endless.close() == Ok(()) && endless.is_done());
}

#[test]
fn malformed_chunks_are_refused() {
    for bad in [
        "\r\n",
        ";\r\n",
        "+5\r\n",
        "-5\r\n",
        " 5\r\n",
        "5 \r\n",
        "0x5\r\n",
        "5\n",
        "5\r\r\n",
        "g\r\n",
        "5;a\nb\r\n",
        "10000000000000000\r\n",
        "5\r\nhelloX",
        "5\r\nhello\n",
        "0\r\n\n",
        "0\r\nA b: c\r\n\r\n",
        "0\r\nA\r\n",
        "0\r\n: x\r\n",
        "0\r\nA: \0\r\n",
        "0\r\n b: c\r\n",
        "0\r\nA: b\n\r\n",
    ] {
        let result = read(Framing::Chunked, bad.as_bytes(), &[]);
        assert_eq!(result.map(|_| ()), Err(BodyFault::BadChunk), "{bad:?}");
    }
}

#[test]
fn chunk_size_lines_and_trailers_are_bounded() {
    let extension = format!("1;{}\r\n", "x".repeat(CHUNK_LINE_BYTES_MAX));
    assert_eq!(read(Framing::Chunked, extension.as_bytes(), &[]).map(|_| ()), Err(BodyFault::BadChunk));
    let zeros = "0".repeat(CHUNK_LINE_BYTES_MAX + 1);
    assert_eq!(read(Framing::Chunked, zeros.as_bytes(), &[]).map(|_| ()), Err(BodyFault::BadChunk));
    let trailers = format!("0\r\n{}", "A: b\r\n".repeat(TRAILER_BYTES_MAX / 3 + 2));
    assert_eq!(read(Framing::Chunked, trailers.as_bytes(), &[]).map(|_| ()), Err(BodyFault::BadChunk));
    let endless = format!("0\r\nA: {}", "b".repeat(TRAILER_BYTES_MAX));
    assert_eq!(read(Framing::Chunked, endless.as_bytes(), &[]).map(|_| ()), Err(BodyFault::BadChunk));
}

#[test]
fn a_trailer_line_has_all_the_room_and_not_a_byte_more() {
    let line = |bytes: usize| format!("0\r\nA: {}", "b".repeat(bytes - 3));
    let all = line(TRAILER_BYTES_MAX - 1);
    assert_eq!(read(Framing::Chunked, all.as_bytes(), &[]), Ok((Vec::new(), 3, false)));
    let more = line(TRAILER_BYTES_MAX);
    assert_eq!(read(Framing::Chunked, more.as_bytes(), &[]).map(|_| ()), Err(BodyFault::BadChunk));
    let exact = format!("0\r\nA: {}\r\n", "b".repeat(TRAILER_BYTES_MAX - 5));
    assert_eq!(read(Framing::Chunked, exact.as_bytes(), &[]).map(|(.., is_done)| is_done), Ok(false));
}

#[test]
fn the_framing_of_a_body_is_bounded_by_its_content() {
    let body = |line: &str, size: usize, chunks: usize| {
        let chunk = format!("{line}\r\n{}\r\n", "x".repeat(size));
        read(Framing::Chunked, chunk.repeat(chunks).as_bytes(), &[]).map(|_| ())
    };
    // Some programs send many small chunks, some send large chunks with an extension each.
    assert_eq!(body("1", 1, 100_000), Ok(()));
    assert_eq!(body(&format!("80;sig={}", "f".repeat(64)), 128, 10_000), Ok(()));
    for line in [format!("1;{}", "x".repeat(200)), format!("{}1", "0".repeat(200))] {
        assert_eq!(body(&line, 1, 50), Ok(()), "{line}");
        assert_eq!(body(&line, 1, 100), Err(BodyFault::BadChunk), "{line}");
    }
}

#[test]
fn trailers_are_read_line_by_line() {
    let mut reader = BodyReader::new(Framing::Chunked);
    assert_eq!(reader.next(b"0\r\nA: b\r\n"), Ok(Some(Part::Framing(3))));
    assert_eq!(reader.next(b"A: b\r"), Ok(None));
    assert_eq!(reader.next(b"A: b\r\nC:\r\n"), Ok(Some(Part::Trailer(6))));
    assert_eq!(reader.next(b"C:\r\n\r\n"), Ok(Some(Part::Trailer(4))));
    assert_eq!(reader.next(b"\r\nGET"), Ok(Some(Part::Framing(2))));
    assert!(reader.is_done());
}

#[test]
fn blanks_before_the_colon_of_a_trailer_are_accepted_from_a_back_end_only() {
    for (line, lenient) in [
        ("A : b\r\n", true),
        ("A \t: b\r\n", true),
        ("A\r: b\r\n", false),
        (" : b\r\n", false),
        ("A b: c\r\n", false),
    ] {
        let body = format!("0\r\n{line}\r\n");
        assert!(read(Framing::Chunked, body.as_bytes(), &[]).is_err(), "{line:?}");
        let mut reader = BodyReader::lenient(Framing::Chunked);
        assert_eq!(reader.next(body.as_bytes()), Ok(Some(Part::Framing(3))));
        assert_eq!(reader.next(&body.as_bytes()[3..]).is_ok(), lenient, "{line:?}");
    }
}

#[test]
fn a_body_that_is_cut_short_is_an_error() {
    let mut reader = BodyReader::new(Framing::Length(3));
    assert_eq!(reader.next(b"ab"), Ok(Some(Part::Content(2))));
    assert_eq!(reader.close(), Err(BodyFault::Cut));
    let mut reader = BodyReader::new(Framing::Chunked);
    assert_eq!(reader.next(b"0\r\n"), Ok(Some(Part::Framing(3))));
    assert_eq!(reader.close(), Err(BodyFault::Cut));
    let mut reader = BodyReader::new(Framing::UntilClose);
    assert_eq!(reader.next(b"ab"), Ok(Some(Part::Content(2))));
    assert_eq!((reader.close(), reader.is_done()), (Ok(()), true));
}

#[test]
fn forwarding_leaves_extensions_out_in_one_pass() {
    let body = "4 ;a=b\r\nsatu\r\n3;c=\"d\"\r\ndua\r\n0;e\r\nX: 1\r\nY: 2\r\n\r\n";
    let expected = "4\r\nsatu\r\n3\r\ndua\r\n0\r\nY: 2\r\n\r\n";
    let passes = |part, bytes: &[u8]| match part {
        Part::Content(_) | Part::Framing(_) => true,
        Part::Extension(_) => false,
        Part::Trailer(_) => bytes.starts_with(b"Y"),
    };
    for cut in 0..=body.len() {
        let (mut reader, mut buffer, mut ready) = (BodyReader::new(Framing::Chunked), Buffer::new(), 0);
        for piece in [&body[..cut], &body[cut..], "GET / HTTP/1.1\r\n"] {
            assert!(buffer.push(piece.as_bytes()));
            reader.forward(&mut buffer, &mut ready, passes).unwrap();
        }
        assert_eq!(&buffer.bytes()[..ready], expected.as_bytes(), "cut at {cut}");
        assert_eq!(&buffer.bytes()[ready..], b"GET / HTTP/1.1\r\n", "cut at {cut}");
        assert!(reader.is_done());
    }
}

proptest! {
    #[test]
    fn chunked_content_survives_any_split(
        chunks in prop::collection::vec(prop::collection::vec(any::<u8>(), 1..40), 0..6),
        mut cuts in prop::collection::vec(0usize..300, 0..6),
    ) {
        let mut body = Vec::new();
        for chunk in &chunks {
            body.extend(format!("{:x}\r\n", chunk.len()).bytes());
            body.extend(chunk);
            body.extend(b"\r\n");
        }
        body.extend(b"0\r\n\r\n");
        cuts.iter_mut().for_each(|cut| *cut = (*cut).min(body.len()));
        cuts.sort_unstable();
        prop_assert_eq!(read(Framing::Chunked, &body, &cuts), Ok((chunks.concat(), body.len(), true)));
    }

    #[test]
    fn any_bytes_give_the_same_result_at_any_split(
        bytes in prop::collection::vec(prop::sample::select(b"05aF;=\"\\\r\n:x \t".to_vec()), 0..40),
        cut in 0usize..40,
    ) {
        let whole = read(Framing::Chunked, &bytes, &[]);
        prop_assert_eq!(read(Framing::Chunked, &bytes, &[cut.min(bytes.len())]), whole);
    }
}
