//! The parts of one file on their way to an object store, sent by a task while the file is still being written.

use std::collections::VecDeque;
use std::io;

use object_store::multipart::PartId;
use object_store::{Error, PutPayload, Result};
use tokio::sync::mpsc::{Receiver, Sender, channel};
use tokio::task::{JoinError, JoinHandle};

use super::calls;
use super::failure::io_error;
use super::generation::expect_generation_request;
use super::objects::Objects;
use super::ticket::Ticket;

/// The parts of a file that are sent at the same time.
const MOST_SENDING: usize = 2;

/// An upload whose parts are being sent. Dropped before it is finished it is aborted.
pub(super) struct Upload {
    messages: Sender<Message>,
    /// Returns the ticket with all parts; `None` if the upload was aborted.
    task: Option<JoinHandle<io::Result<Option<Ticket>>>>,
}

enum Message {
    Part(Vec<u8>),
    /// There are no more parts.
    Finish,
}

impl Upload {
    /// Begins to upload a staged file to its destination. What fails is returned when the next part is sent, or when it is finished.
    ///
    /// # Errors
    /// When there is no thread for requests.
    pub(super) fn begin(objects: &Objects, staged: &str, destination: &str) -> io::Result<Upload> {
        let (messages, received) = channel(1);
        let task = calls::begin(send_parts(objects.clone(), staged.to_owned(), destination.to_owned(), received))?;
        Ok(Upload { messages, task: Some(task) })
    }

    /// Hands over a part, and waits while too many others are on their way.
    ///
    /// # Errors
    /// `NotFound` when the generation of the staged file was swept; any error of the store.
    pub(super) fn send(&mut self, part: Vec<u8>) -> io::Result<()> {
        match self.hand_over(Message::Part(part))? {
            true => Ok(()),
            false => Err(self.outcome().err().unwrap_or_else(aborted)),
        }
    }

    /// Waits for all parts.
    ///
    /// # Errors
    /// As [`Upload::send`].
    pub(super) fn finish(mut self) -> io::Result<Ticket> {
        // If the task has failed it does not listen, and says why.
        self.hand_over(Message::Finish)?;
        self.outcome()?.ok_or_else(aborted)
    }

    fn outcome(&mut self) -> io::Result<Option<Ticket>> {
        self.task.take().map_or_else(|| Err(aborted()), |task| calls::finish(task)?)
    }

    /// Whether the task listens.
    fn hand_over(&self, message: Message) -> io::Result<bool> {
        let messages = self.messages.clone();
        calls::wait(async move { messages.send(message).await.is_ok() })
    }
}

fn aborted() -> io::Error {
    io::Error::other("the upload was aborted")
}

async fn send_parts(
    objects: Objects,
    staged: String,
    destination: String,
    mut messages: Receiver<Message>,
) -> io::Result<Option<Ticket>> {
    expect_generation_request(&objects, &staged).await?;
    let upload = objects.begin_upload_request(&destination).await.map_err(io_error)?;
    let mut parts = Parts {
        ticket: Ticket { path: destination, upload, parts: None, bytes: 0 },
        objects,
        sending: VecDeque::new(),
        sent: Vec::new(),
        begun: 0,
    };
    // Before its first part: the start after a crash finds it by its ticket.
    let put = parts.ticket.put_request(&parts.objects, &staged).await;
    let sent = match put {
        Ok(()) => parts.send_all(&mut messages).await,
        Err(error) => Err(error),
    };
    if let Ok(true) = sent {
        let Parts { ticket, sent, .. } = parts;
        return Ok(Some(Ticket { parts: Some(sent), ..ticket }));
    }
    parts.sending.iter().for_each(JoinHandle::abort);
    parts.ticket.abort_in_time(&parts.objects).await;
    sent.map(|_| None).map_err(io_error)
}

/// The parts of an upload.
struct Parts {
    objects: Objects,
    ticket: Ticket,
    sending: VecDeque<JoinHandle<Result<PartId>>>,
    /// The store's names of those that were sent, in order.
    sent: Vec<String>,
    /// The number of parts that were begun.
    begun: usize,
}

impl Parts {
    /// Sends what it receives; whether that came to its end. A part is received when there is room for it.
    async fn send_all(&mut self, messages: &mut Receiver<Message>) -> Result<bool> {
        loop {
            while self.sending.len() >= MOST_SENDING {
                self.wait_for_first().await?;
            }
            match messages.recv().await {
                Some(Message::Part(part)) => self.send(part),
                Some(Message::Finish) => break,
                None => return Ok(false),
            }
        }
        while !self.sending.is_empty() {
            self.wait_for_first().await?;
        }
        Ok(true)
    }

    fn send(&mut self, part: Vec<u8>) {
        let (bucket, key, id) =
            (self.objects.bucket(), self.objects.key(&self.ticket.path), self.ticket.upload.clone());
        let number = self.begun;
        self.begun += 1;
        self.ticket.bytes += part.len() as u64;
        let request = async move { bucket.put_part(&key, &id, number, PutPayload::from(part)).await };
        self.sending.push_back(tokio::spawn(request));
    }

    async fn wait_for_first(&mut self) -> Result<()> {
        let Some(first) = self.sending.pop_front() else { return Ok(()) };
        let panicked = |error: JoinError| Error::Generic { store: "requests", source: error.into() };
        self.sent.push(first.await.map_err(panicked)??.content_id);
        Ok(())
    }
}
