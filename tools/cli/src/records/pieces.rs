//! An input read by a thread of its own, so that whoever takes it need not wait longer than it wants to.

use std::io::{self, ErrorKind, Read};
use std::time::Duration;

use flume::{Receiver, RecvTimeoutError};

use crate::clock;

/// Most bytes of one piece.
const PIECE_SIZE_MAX: usize = 256 << 10;

/// Pieces that are read ahead.
const PIECES_AHEAD: usize = 8;

/// What has come of an input.
#[derive(Debug)]
pub enum Next {
    /// These bytes.
    Piece(Vec<u8>),
    /// Nothing in the time given.
    Nothing,
    /// Its end.
    End,
    /// An error, which ends it.
    Failed(io::Error),
}

/// An input, in pieces of any size.
#[derive(Debug)]
pub struct Pieces(Receiver<io::Result<Vec<u8>>>);

impl Pieces {
    /// Begins to read `input`. The reading thread ends with the input, or at the next piece after this was
    /// dropped.
    pub fn of(mut input: impl Read + Send + 'static) -> Self {
        let (sender, receiver) = flume::bounded(PIECES_AHEAD);
        clock::spawn(move || {
            loop {
                let mut piece = vec![0; PIECE_SIZE_MAX];
                let read = match input.read(&mut piece) {
                    Ok(0) => return,
                    Ok(size) => {
                        piece.truncate(size);
                        Ok(piece)
                    }
                    Err(error) if error.kind() == ErrorKind::Interrupted => continue,
                    Err(error) => Err(error),
                };
                let is_end = read.is_err();
                if sender.send(read).is_err() || is_end {
                    return;
                }
            }
        });
        Self(receiver)
    }

    /// What comes next, waiting for it for at most `limit`.
    #[must_use]
    pub fn next(&self, limit: Duration) -> Next {
        match self.0.recv_timeout(limit) {
            Ok(Ok(piece)) => Next::Piece(piece),
            Ok(Err(error)) => Next::Failed(error),
            Err(RecvTimeoutError::Timeout) => Next::Nothing,
            Err(RecvTimeoutError::Disconnected) => Next::End,
        }
    }
}
