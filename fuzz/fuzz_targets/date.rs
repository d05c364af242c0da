//! Dates: a date that can be read can be written, and then reads as the same moment.
#![no_main]

use giliran::protocol::http::date;
use libfuzzer_sys::fuzz_target;

/// The last second of the year 9999.
const LAST: u64 = 253_402_300_799;

fuzz_target!(|bytes: &[u8]| {
    if let Some(seconds) = date::parse(bytes)
        && seconds <= LAST
    {
        assert_eq!(date::parse(&date::format(seconds)), Some(seconds));
    }
    if let Some(first) = bytes.first_chunk() {
        let seconds = u64::from_le_bytes(*first) % (LAST + 1);
        assert_eq!(date::parse(&date::format(seconds)), Some(seconds));
    }
});
