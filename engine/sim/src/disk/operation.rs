//! One operation of the disk, from its submission to its answer.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::path::PathBuf;
use std::rc::Rc;
use std::task::Waker;

use thalweg_engine::io::{DiskError, DiskOperation, OpenMode};

use super::buffer::SimBuffer;
use super::submit::NodeId;

/// Order of submission.
#[derive(Clone, Copy, Debug, Eq, Ord, PartialEq, PartialOrd)]
pub(crate) struct OperationId(pub(crate) u64);

/// What is asked of the disk.
#[derive(Clone, Debug)]
pub(crate) enum Request {
    Write {
        node: NodeId,
        position: u64,
        data: Rc<SimBuffer>,
        through: bool,
    },
    Read {
        node: NodeId,
        position: u64,
        size: usize,
    },
    /// Covers what had landed up to the `covered`th event of the disk.
    Flush {
        node: NodeId,
        covered: u64,
    },
    Allocate {
        node: NodeId,
        size: u64,
    },
    Size {
        node: NodeId,
    },
    CreateFolder {
        path: PathBuf,
    },
    ListFolder {
        path: PathBuf,
    },
    /// Covers the names as they were when it was issued.
    SyncFolder {
        path: PathBuf,
        files: BTreeMap<PathBuf, NodeId>,
        folders: Vec<PathBuf>,
    },
    Open {
        path: PathBuf,
        mode: OpenMode,
    },
    Remove {
        path: PathBuf,
    },
}

impl Request {
    pub(crate) fn name(&self) -> &'static str {
        match self {
            Self::Write { .. } => "write",
            Self::Read { .. } => "read",
            Self::Flush { .. } => "flush",
            Self::Allocate { .. } => "allocate",
            Self::Size { .. } => "size",
            Self::CreateFolder { .. } => "create folder",
            Self::ListFolder { .. } => "list folder",
            Self::SyncFolder { .. } => "sync folder",
            Self::Open { .. } => "open",
            Self::Remove { .. } => "remove",
        }
    }

    pub(super) fn operation(&self) -> DiskOperation {
        match self {
            Self::Write { .. } => DiskOperation::Write,
            Self::Read { .. } | Self::Size { .. } => DiskOperation::Read,
            Self::Flush { .. } | Self::SyncFolder { .. } => DiskOperation::Flush,
            Self::Allocate { .. } => DiskOperation::Allocate,
            Self::CreateFolder { .. } | Self::Open { .. } => DiskOperation::Open,
            Self::ListFolder { .. } => DiskOperation::List,
            Self::Remove { .. } => DiskOperation::Remove,
        }
    }

    /// Number of the file concerned; zero if there is none yet.
    pub(crate) fn subject(&self) -> u64 {
        self.node().map_or(0, |node| node.0)
    }

    pub(super) fn node(&self) -> Option<NodeId> {
        match self {
            Self::Write { node, .. }
            | Self::Read { node, .. }
            | Self::Flush { node, .. }
            | Self::Allocate { node, .. }
            | Self::Size { node } => Some(*node),
            _ => None,
        }
    }
}

/// What the disk answers.
#[derive(Debug)]
pub(crate) enum Reply {
    Done,
    Bytes(SimBuffer),
    Size(u64),
    Names(Vec<String>),
    Node(NodeId),
}

/// Where an operation's answer is left, and who waits for it.
#[derive(Debug, Default)]
pub(crate) struct Outcome {
    pub(crate) answer: RefCell<Option<Result<Reply, DiskError>>>,
    pub(crate) waker: RefCell<Option<Waker>>,
}

#[derive(Debug)]
pub(super) struct Operation {
    pub(super) request: Request,
    pub(super) outcome: Rc<Outcome>,
    /// It will fail.
    pub(super) fails: bool,
    /// Bytes of a write that have landed, or of a read that have been copied.
    pub(super) done: usize,
    /// Where the step under way ends. Bytes.
    pub(super) step_end: usize,
    /// What a read has copied so far.
    pub(super) copied: Option<SimBuffer>,
}
