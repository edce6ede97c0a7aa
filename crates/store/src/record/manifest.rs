//! The order of a multipart object's segments: key `M ‖ version ‖ page`. The digest of all pages' segment
//! entries stands in the object record, so that no part can be dropped, moved or exchanged.

use seal::Segment;
use seal::record::SEGMENT_BYTES;
use words::VersionId;
use words::wire::{Reader, WireError, Writer};

const VERSION: u8 = 1;
/// Segments in one page.
pub const PAGE_SEGMENTS: usize = 512;

/// One line: a segment and the part number it came under, which is the segment number in its key's context.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Line {
    /// The part number.
    pub number: u32,
    /// The row of the segment table.
    pub segment: Segment,
}

/// The row's key.
#[must_use]
pub fn key(version: VersionId, page: u32) -> Vec<u8> {
    Writer::bare()
        .u8(b'M')
        .raw(version.as_bytes())
        .u32(page)
        .finish()
}

/// What the keys of all pages of a version begin with.
#[must_use]
pub fn prefix(version: VersionId) -> Vec<u8> {
    Writer::bare().u8(b'M').raw(version.as_bytes()).finish()
}

fn write(writer: Writer, line: &Line) -> Writer {
    writer.u32(line.number).raw(&line.segment.to_bytes())
}

/// One page's value.
#[must_use]
pub fn encode(lines: &[Line]) -> Vec<u8> {
    let count = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    lines
        .iter()
        .fold(Writer::versioned(VERSION).u16(count), write)
        .finish()
}

/// Reads one page's value.
pub fn decode(bytes: &[u8]) -> Result<Vec<Line>, WireError> {
    let (_, mut reader) = Reader::versioned(bytes, VERSION)?;
    let count = usize::from(reader.u16()?);
    if count > PAGE_SEGMENTS {
        return Err(WireError::Field("segment count"));
    }
    let mut lines = Vec::with_capacity(count);
    for _ in 0..count {
        lines.push(Line {
            number: reader.u32()?,
            segment: Segment::parse(reader.raw(SEGMENT_BYTES)?)?,
        });
    }
    reader.finish()?;
    Ok(lines)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn round_trip() {
        let segment = super::super::chunk_list::tests::sample(10).segment;
        let lines: Vec<Line> = [1, 4, 9].map(|number| Line { number, segment }).to_vec();
        let bytes = encode(&lines);
        assert_eq!(decode(&bytes), Ok(lines));
        assert!(decode(&bytes[..bytes.len() - 1]).is_err());
    }
}
