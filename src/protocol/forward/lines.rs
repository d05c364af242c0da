//! Writes the lines of a head without allocating.

use std::fmt::Write;
use std::net::IpAddr;

/// A head that is being written into the free space of a buffer. It becomes part of the buffer only when it is
/// complete.
pub(super) struct Lines<'o> {
    space: &'o mut [u8],
    written: usize,
    full: bool,
}

impl<'o> Lines<'o> {
    /// Begins a head in this space. The caller then adds as many bytes to the buffer as [`finish`](Lines::finish)
    /// returns.
    pub(super) fn new(space: &'o mut [u8]) -> Lines<'o> {
        Lines { space, written: 0, full: false }
    }

    pub(super) fn put(&mut self, bytes: &[u8]) {
        let end = self.written + bytes.len();
        match self.space.get_mut(self.written..end) {
            Some(space) => {
                space.copy_from_slice(bytes);
                self.written = end;
            }
            None => self.full = true,
        }
    }

    pub(super) fn field(&mut self, name: &str, value: &[u8]) {
        self.put(name.as_bytes());
        self.put(b": ");
        self.put(value);
        self.put(b"\r\n");
    }

    pub(super) fn length(&mut self, bytes: u64) {
        self.put(b"Content-Length: ");
        self.number(bytes);
        self.put(b"\r\n");
    }

    pub(super) fn number(&mut self, number: u64) {
        // 20 digits are enough for any u64.
        let mut digits = [0; 20];
        let mut start = digits.len();
        let mut rest = number;
        loop {
            start -= 1;
            digits[start] = b'0' + (rest % 10) as u8;
            rest /= 10;
            if rest == 0 {
                return self.put(&digits[start..]);
            }
        }
    }

    pub(super) fn address(&mut self, address: IpAddr) {
        self.full |= write!(self, "{address}").is_err();
    }

    /// Ends the head: the number of its bytes, or `None` if it did not fit.
    pub(super) fn finish(mut self) -> Option<usize> {
        self.put(b"\r\n");
        if self.full { None } else { Some(self.written) }
    }
}

impl Write for Lines<'_> {
    fn write_str(&mut self, text: &str) -> std::fmt::Result {
        self.put(text.as_bytes());
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_did_not_fit_is_not_forgotten() {
        for (room, written) in [(14, None), (17, Some(17))] {
            let mut space = vec![0; room];
            let mut lines = Lines::new(&mut space);
            // Of 15 bytes; the line end behind them would fit.
            lines.address(IpAddr::from([255; 4]));
            assert_eq!(lines.finish(), written);
        }
    }
}
