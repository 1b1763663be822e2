//! The two ways to make a write durable.

use thalweg_engine::io::FileKind;

/// How a write becomes durable.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Method {
    /// A write, and when it has completed a flush (`fdatasync`).
    Flush,
    /// A write that is durable when it completes (`O_DSYNC`).
    WriteThrough,
}

impl Method {
    pub(crate) const ALL: [Self; 2] = [Self::Flush, Self::WriteThrough];

    /// As it is printed.
    pub(crate) fn label(self) -> &'static str {
        match self {
            Self::Flush => "write + fdatasync",
            Self::WriteThrough => "O_DSYNC write",
        }
    }

    /// As it is called in the history.
    pub(crate) fn key(self) -> &'static str {
        match self {
            Self::Flush => "flush",
            Self::WriteThrough => "write_through",
        }
    }

    pub(crate) fn file_kind(self) -> FileKind {
        FileKind::Log { write_through: self == Self::WriteThrough }
    }

    /// What makes fio do the same.
    pub(crate) fn fio_option(self) -> &'static str {
        match self {
            Self::Flush => "--fdatasync=1",
            Self::WriteThrough => "--sync=dsync",
        }
    }
}
