//! The events of a run's live stream (`/api/live`), each with the time at which it arrived.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::{SocketAddr, TcpStream};
use std::time::{Duration, Instant};

use serde_json::Value;

use crate::Outcome;

/// How long nothing may arrive.
const READ_TIMEOUT: Duration = Duration::from_secs(30);

/// An open stream.
pub(crate) struct LiveStream {
    reader: BufReader<TcpStream>,
    text: String,
    /// Until when it may be read: heartbeats keep a stream open on which nothing is counted any more.
    deadline: Instant,
}

impl LiveStream {
    /// Opens it for tables that match a pattern, to be read for so long.
    pub(crate) fn open(address: SocketAddr, table: &str, time: Duration) -> Outcome<LiveStream> {
        let mut stream = TcpStream::connect(address)?;
        stream.set_read_timeout(Some(READ_TIMEOUT))?;
        stream.set_nodelay(true)?;
        write!(stream, "GET /api/live?table={table} HTTP/1.1\r\nHost: {address}\r\n\r\n")?;
        let mut reader = BufReader::new(stream);
        let mut status = String::new();
        reader.read_line(&mut status)?;
        if !status.starts_with("HTTP/1.1 200") {
            return Err(format!("the live stream is refused: {}", status.trim_end()).into());
        }
        let mut line = status;
        while !line.trim_end().is_empty() {
            line.clear();
            reader.read_line(&mut line)?;
        }
        Ok(LiveStream { reader, text: String::new(), deadline: Instant::now() + time })
    }

    /// The data of the next event, and when the last byte of it was there.
    pub(crate) fn next(&mut self) -> Outcome<(Instant, Value)> {
        loop {
            while let Some(end) = self.text.find("\n\n") {
                let arrived = Instant::now();
                let block: String = self.text.drain(..end + 2).collect();
                if let Some(data) = block.lines().find_map(|line| line.strip_prefix("data: ")) {
                    return Ok((arrived, serde_json::from_str(data)?));
                }
            }
            if Instant::now() > self.deadline {
                return Err("the live stream took too long".into());
            }
            let chunk = self.chunk()?;
            self.text.push_str(std::str::from_utf8(&chunk)?);
        }
    }

    fn chunk(&mut self) -> Outcome<Vec<u8>> {
        let mut size = String::new();
        self.reader.read_line(&mut size)?;
        let size = usize::from_str_radix(size.trim(), 16)?;
        if size == 0 {
            return Err("the live stream has ended".into());
        }
        let mut chunk = vec![0; size + 2];
        self.reader.read_exact(&mut chunk)?;
        chunk.truncate(size);
        Ok(chunk)
    }
}
