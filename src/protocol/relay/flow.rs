//! One direction of a relay: what was read and not sent yet, and whether its sender has ended.

use crate::protocol::buffer::Buffer;
use crate::protocol::limits::BUFFER_BYTES;

/// One direction of a relay. Its bytes are in the buffer, or in a pipe of the driver; those are only counted.
#[derive(Debug, Default)]
pub(super) struct Flow {
    pub(super) buffer: Buffer,
    /// Bytes in the driver's pipe; 0 while the buffer holds some, since their order would be lost.
    pub(super) piped: usize,
    /// The last read was so long that the next bytes may go into a pipe.
    bulk: bool,
    /// The sender has closed its sending side: nothing more will come.
    pub(super) ended: bool,
    /// That half-close was passed on to the receiver.
    pub(super) end_passed_on: bool,
}

impl Flow {
    pub(super) fn of(buffer: Buffer) -> Flow {
        Flow { buffer, ..Flow::default() }
    }

    /// False while the pipe holds bytes: bytes read into the buffer now belong behind them.
    pub(super) fn can_read(&self) -> bool {
        !self.ended && self.piped == 0 && self.buffer.room() > 0
    }

    pub(super) fn is_empty(&self) -> bool {
        self.buffer.is_empty() && self.piped == 0
    }

    /// Everything that came was sent, and nothing more will come.
    pub(super) fn is_through(&self) -> bool {
        self.ended && self.is_empty()
    }

    pub(super) fn may_be_piped(&self) -> bool {
        self.bulk && self.is_empty()
    }

    /// `count` bytes were read into the buffer; 0 is the end of the stream, or that there was nothing to read.
    pub(super) fn buffered(&mut self, count: usize) {
        self.buffer.filled(count);
        self.bulk = self.buffer.room() == 0;
    }

    /// `count` bytes were moved into the pipe; 0 is the end of the stream.
    pub(super) fn piped(&mut self, count: usize) {
        self.piped += count;
        self.bulk = count >= BUFFER_BYTES;
    }

    /// `count` bytes were sent, from the buffer or from the pipe.
    pub(super) fn sent(&mut self, count: usize) {
        match self.piped {
            0 => self.buffer.consume(count),
            piped => self.piped = piped.saturating_sub(count),
        }
    }
}
