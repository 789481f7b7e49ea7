//! What is sent between two processes: frames of a kind, a length and a body.

use std::io::{self, Read, Write};

/// The kind of a frame, its first byte.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[repr(u8)]
pub(super) enum FrameKind {
    /// A step of the handshake, as JSON.
    Handshake = 1,
    /// Bytes of timely.
    Data = 2,
    /// The sender lives; whether it reaches what it reads, as JSON.
    Heartbeat = 3,
    /// The sender's dataflow is done: no data follows.
    End = 4,
    /// The sender ends with success: nothing follows.
    Finished = 5,
    /// The sender fails, as JSON: nothing follows.
    Failure = 6,
}

/// The most bytes of a body between processes that have agreed.
pub(super) const MAX_BODY: usize = 1 << 20;

/// Bytes before a body: the kind, and the length as a little-endian `u32`.
pub(super) const HEAD: usize = 5;

/// Puts a frame into `out`.
pub(super) fn write(out: &mut impl Write, kind: FrameKind, body: &[u8]) -> io::Result<()> {
    let length = u32::try_from(body.len()).map_err(io::Error::other)?;
    let mut head = [kind as u8, 0, 0, 0, 0];
    head[1..].copy_from_slice(&length.to_le_bytes());
    out.write_all(&head)?;
    out.write_all(body)
}

/// Takes the next frame from `input` into `body`, which may have `most` bytes.
///
/// # Errors
/// Those of `input`; [`io::ErrorKind::UnexpectedEof`] at its end; [`io::ErrorKind::InvalidData`] for what is no frame.
pub(super) fn read(input: &mut impl Read, body: &mut Vec<u8>, most: usize) -> io::Result<FrameKind> {
    let mut head = [0; HEAD];
    input.read_exact(&mut head)?;
    let kind = match head[0] {
        1 => FrameKind::Handshake,
        2 => FrameKind::Data,
        3 => FrameKind::Heartbeat,
        4 => FrameKind::End,
        5 => FrameKind::Finished,
        6 => FrameKind::Failure,
        other => return Err(invalid(format!("a frame of the unknown kind {other}"))),
    };
    let length = u32::from_le_bytes([head[1], head[2], head[3], head[4]]) as usize;
    if length > most {
        return Err(invalid(format!("a frame of {length} bytes")));
    }
    body.resize(length, 0);
    input.read_exact(body)?;
    Ok(kind)
}

pub(super) fn invalid(what: String) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, what)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_frame_reads_as_it_was_written() {
        let kinds = [
            FrameKind::Handshake,
            FrameKind::Data,
            FrameKind::Heartbeat,
            FrameKind::End,
            FrameKind::Finished,
            FrameKind::Failure,
        ];
        let mut bytes = Vec::new();
        for (number, kind) in kinds.into_iter().enumerate() {
            write(&mut bytes, kind, &vec![7; number * 100]).expect("memory");
        }
        let mut input = bytes.as_slice();
        let mut body = Vec::new();
        for (number, kind) in kinds.into_iter().enumerate() {
            assert_eq!(read(&mut input, &mut body, MAX_BODY).expect("a frame"), kind);
            assert_eq!(body, vec![7; number * 100]);
        }
        assert_eq!(read(&mut input, &mut body, MAX_BODY).expect_err("the end").kind(), io::ErrorKind::UnexpectedEof);
    }

    #[test]
    fn what_is_no_frame_is_an_error() {
        let mut body = Vec::new();
        for (bytes, kind) in [
            (&b"GET / HTTP/1.1\r\n"[..], io::ErrorKind::InvalidData),
            (&[2, 0xff, 0xff, 0xff, 0xff][..], io::ErrorKind::InvalidData),
            (&[2, 9, 0, 0, 0, 1][..], io::ErrorKind::UnexpectedEof),
            (&[2, 9][..], io::ErrorKind::UnexpectedEof),
        ] {
            assert_eq!(read(&mut &*bytes, &mut body, MAX_BODY).expect_err("no frame").kind(), kind, "{bytes:?}");
        }
    }
}
