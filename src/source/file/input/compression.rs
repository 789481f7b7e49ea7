//! An input that is compressed, read as the text that it holds: gzip of any number of members, zstd of any number of frames.
//!
//! Every position is one of the text: a file means the same whether it is compressed or not, and however. To continue at a
//! position, all before it is decompressed and left out.

use std::error::Error;
use std::fmt;
use std::io::{self, Cursor, ErrorKind, Read};

use flate2::read::MultiGzDecoder;
use zstd::zstd_safe::zstd_sys::ZSTD_ErrorCode;

const GZIP: &[u8] = b"\x1F\x8B";
const ZSTD: &[u8] = b"\x28\xB5\x2F\xFD";
/// A frame of zstd that holds no text begins with one of sixteen bytes and these.
const ZSTD_SKIPPABLE: &[u8] = b"\x2A\x4D\x18";
/// The largest window of a frame that zstd knows, as a power of two.
const ZSTD_WINDOW_LOG_MAX: u32 = if usize::BITS == 64 { 31 } else { 30 };
/// Bytes that show whether an input is compressed.
const MAGIC_BYTES: usize = 4;

/// How an input is compressed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Compression {
    Gzip,
    Zstd,
}

impl Compression {
    /// How an input is compressed that begins with these bytes; `is_all` if no more come: then it may be cut short.
    fn of(head: &[u8], is_all: bool) -> Option<Compression> {
        let is_zstd = head.starts_with(ZSTD) || is_skippable(head);
        match head {
            _ if head.starts_with(GZIP) => Some(Compression::Gzip),
            _ if is_zstd => Some(Compression::Zstd),
            [0x1F] if is_all => Some(Compression::Gzip),
            // One byte alone is a bracket.
            [_, _, ..] if is_all && ZSTD.starts_with(head) => Some(Compression::Zstd),
            _ => None,
        }
    }

    /// Its name in messages.
    pub(super) fn name(self) -> &'static str {
        match self {
            Compression::Gzip => "gzip",
            Compression::Zstd => "zstd",
        }
    }

    /// The text of compressed bytes; an error that is not the system's has a [`Damage`] inside.
    pub(super) fn text<'a>(self, bytes: impl Read + Send + 'a) -> io::Result<Box<dyn Read + Send + 'a>> {
        let decoder: Box<dyn Read + Send + 'a> = match self {
            Compression::Gzip => Box::new(MultiGzDecoder::new(bytes)),
            Compression::Zstd => {
                let mut decoder = zstd::Decoder::new(bytes)?;
                // What zstd --long writes too: a frame then takes as much memory as its window, of 2 GiB at most.
                decoder.window_log_max(ZSTD_WINDOW_LOG_MAX)?;
                Box::new(decoder)
            }
        };
        Ok(Box::new(Text { compression: self, decoder, length: 0 }))
    }
}

/// Whether these are the first bytes of a frame that zstd's tools put before or between those of text.
fn is_skippable(head: &[u8]) -> bool {
    head.split_first().is_some_and(|(first, rest)| (0x50..=0x5F).contains(first) && rest.starts_with(ZSTD_SKIPPABLE))
}

/// Whether more bytes decide whether an input is compressed that begins with these.
fn is_undecided(head: &[u8]) -> bool {
    let is_begin = |magic: &[u8]| head.len() < magic.len() && magic.starts_with(head);
    let is_begin_of_skippable = match head.split_first() {
        Some((first, rest)) => {
            (0x50..=0x5F).contains(first) && rest.len() < ZSTD_SKIPPABLE.len() && ZSTD_SKIPPABLE.starts_with(rest)
        }
        None => true,
    };
    is_begin(GZIP) || is_begin(ZSTD) || is_begin_of_skippable
}

/// Reads the first bytes of an input, and how it is compressed that begins with them.
pub(super) fn compression_of(input: &mut impl Read) -> io::Result<(Vec<u8>, Option<Compression>)> {
    let (mut head, mut bytes) = (Vec::new(), [0; MAGIC_BYTES]);
    while is_undecided(&head) {
        match input.read(&mut bytes[head.len()..]) {
            Err(error) if error.kind() == ErrorKind::Interrupted => {}
            Err(error) => return Err(error),
            Ok(0) => {
                let compression = Compression::of(&head, true);
                return Ok((head, compression));
            }
            Ok(read) => head.extend_from_slice(&bytes[head.len()..][..read]),
        }
    }
    let compression = Compression::of(&head, false);
    Ok((head, compression))
}

/// The text of a stream, which is decompressed if it is compressed.
pub(super) fn text_of(mut stream: Box<dyn Read + Send>) -> io::Result<Box<dyn Read + Send>> {
    let (head, compression) = compression_of(&mut stream)?;
    let stream = Cursor::new(head).chain(stream);
    match compression {
        Some(compression) => compression.text(stream),
        None => Ok(Box::new(stream)),
    }
}

/// Compressed bytes that are not whole, or not as they were written.
#[derive(Debug)]
pub struct Damage {
    compression: Compression,
    /// How many bytes of text stand before it.
    at: u64,
    source: io::Error,
}

impl Damage {
    /// Whether it is none: a frame of zstd that cannot be read without its dictionary.
    pub(in crate::source::file) fn is_of_dictionary(&self) -> bool {
        let error = self.source.get_ref().and_then(|error| error.downcast_ref::<zstd::Error>());
        error.is_some_and(|error| error.is(ZSTD_ErrorCode::ZSTD_error_dictionary_wrong))
    }
}

impl fmt::Display for Damage {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Damage { compression, at, source } = self;
        let name = compression.name();
        match source.kind() {
            ErrorKind::UnexpectedEof => {
                write!(f, "compressed by {name}, and ends too early, behind byte {at} of its text")
            }
            _ => write!(f, "compressed by {name}, and damaged behind byte {at} of its text ({source})"),
        }
    }
}

impl Error for Damage {
    fn source(&self) -> Option<&(dyn Error + 'static)> {
        Some(&self.source)
    }
}

struct Text<'a> {
    compression: Compression,
    decoder: Box<dyn Read + Send + 'a>,
    /// Bytes that were read.
    length: u64,
}

impl Read for Text<'_> {
    fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
        match self.decoder.read(bytes) {
            Ok(read) => {
                self.length += read as u64;
                Ok(read)
            }
            Err(source) if source.raw_os_error().is_some() || source.kind() == ErrorKind::Interrupted => Err(source),
            Err(source) => {
                let damage = Damage { compression: self.compression, at: self.length, source };
                Err(io::Error::new(ErrorKind::InvalidData, damage))
            }
        }
    }
}

#[cfg(test)]
pub(super) mod tests {
    use std::io::Write;

    use super::*;

    pub(in crate::source::file::input) fn gzip(text: &[u8]) -> Vec<u8> {
        let mut encoder = flate2::write::GzEncoder::new(Vec::new(), flate2::Compression::fast());
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    fn zstd(text: &[u8]) -> Vec<u8> {
        let mut encoder = zstd::Encoder::new(Vec::new(), 1).expect("memory");
        encoder.include_checksum(true).expect("a known setting");
        encoder.write_all(text).expect("memory");
        encoder.finish().expect("memory")
    }

    /// Bytes that come a few at a time.
    struct Slowly(Cursor<Vec<u8>>, usize);

    impl Read for Slowly {
        fn read(&mut self, bytes: &mut [u8]) -> io::Result<usize> {
            let most = bytes.len().min(self.1);
            self.0.read(&mut bytes[..most])
        }
    }

    /// The text, as far as it can be read, and why no further.
    fn read(bytes: &[u8], piece: usize) -> (Vec<u8>, Option<String>) {
        let stream = Box::new(Slowly(Cursor::new(bytes.to_vec()), piece));
        let (mut text, mut part) = (Vec::new(), [0; 1000]);
        let mut reader = text_of(stream).expect("memory");
        loop {
            match reader.read(&mut part) {
                Ok(0) => return (text, None),
                Ok(read) => text.extend_from_slice(&part[..read]),
                Err(error) => return (text, Some(error.to_string())),
            }
        }
    }

    const LINE: &str = "table a.b: INSERT: v[text]:'x'\n";

    #[test]
    fn members_and_frames_are_one_text() {
        let (one, two) = (LINE.repeat(100).into_bytes(), LINE.repeat(3).to_lowercase().into_bytes());
        let skippable = b"\x53\x2A\x4D\x18\x02\0\0\0xy".to_vec();
        for (bytes, text) in [
            ([gzip(&one), gzip(b""), gzip(&two)].concat(), [&one[..], &two].concat()),
            ([zstd(&one), zstd(b""), zstd(&two)].concat(), [&one[..], &two].concat()),
            ([&skippable[..], &zstd(&one), &skippable].concat(), one.clone()),
            (gzip(b""), Vec::new()),
            (zstd(b""), Vec::new()),
            (one.clone(), one.clone()),
            (b"(8 rows)\n".to_vec(), b"(8 rows)\n".to_vec()),
            (b"(".to_vec(), b"(".to_vec()),
            (b"PR".to_vec(), b"PR".to_vec()),
            (Vec::new(), Vec::new()),
        ] {
            for piece in [1, 7, 1 << 20] {
                assert_eq!(read(&bytes, piece), (text.clone(), None), "in pieces of {piece}");
            }
        }
    }

    #[test]
    fn frames_with_the_largest_windows_are_read() {
        for window_log in [27, 28, 31] {
            // A header with nothing but the window, and a raw block of one byte.
            let frame = [ZSTD, &[0, (window_log - 10) << 3], b"\x09\0\0x"].concat();
            assert_eq!(read(&frame, 1 << 20), (b"x".to_vec(), None), "window of 2^{window_log}");
        }
    }

    #[test]
    fn a_frame_that_needs_a_dictionary_is_known() {
        // The header of a frame with the number of a dictionary in one byte, and a raw block of one byte.
        let bytes = b"\x28\xB5\x2F\xFD\x21\x07\x01\x09\0\0x";
        let mut text = text_of(Box::new(Cursor::new(bytes.to_vec()))).expect("memory");
        let error = text.read(&mut [0; 10]).expect_err("there is no dictionary");
        let damage = error.downcast::<Damage>().expect("it is not the system's");
        assert!(damage.is_of_dictionary(), "{damage}");
    }

    #[test]
    fn what_is_cut_anywhere_is_an_error_behind_what_is_whole() {
        let text = (0..300).map(|number| format!("{number} {LINE}")).collect::<String>().into_bytes();
        for (bytes, name) in [(gzip(&text), "gzip"), (zstd(&text), "zstd")] {
            let two = [&bytes[..], &bytes].concat();
            let first = if name == "gzip" { 1 } else { 2 };
            for cut in (first..two.len()).filter(|cut| *cut != bytes.len()) {
                let (read, error) = read(&two[..cut], 1 << 20);
                let expected =
                    format!("compressed by {name}, and ends too early, behind byte {} of its text", read.len());
                assert_eq!(error, Some(expected), "cut at {cut} of {}", two.len());
                assert!(text.repeat(2).starts_with(&read), "cut at {cut}");
            }
        }
    }

    #[test]
    fn damage_is_an_error() {
        let text = (0..300).map(|number| format!("{number} {LINE}")).collect::<String>().into_bytes();
        for (bytes, checksum) in [(gzip(&text), 8), (zstd(&text), 4)] {
            for at in [bytes.len() / 2, bytes.len() - checksum] {
                let mut damaged = bytes.clone();
                damaged[at] ^= 0x55;
                let (_, error) = read(&damaged, 1 << 20);
                assert!(error.is_some_and(|error| error.contains("behind byte")), "byte {at}");
            }
            let (read, error) = read(&[&bytes[..], b"rubbish behind it"].concat(), 1 << 20);
            assert!(read == text && error.is_some_and(|error| error.contains("damaged")));
        }
    }
}
