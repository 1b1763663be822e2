//! What the child tells its parent, a line each.

use std::fmt;
use std::str::FromStr;

use anyhow::{Context, bail};

/// One line.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(super) enum Saying {
    /// The folder is open.
    Opened,
    /// A record amid the data was read and is what was written there.
    Read,
    /// An append is durable; it has this offset.
    Appended(u64),
    /// The folder holds what it should; from now on appends are under way all the time.
    Filled,
    /// Every record before this offset is durable.
    Acknowledged(u64),
    /// What recovery read behind the checkpoint. Bytes.
    Replayed(u64),
}

impl fmt::Display for Saying {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Opened => f.write_str("opened"),
            Self::Read => f.write_str("read"),
            Self::Appended(offset) => write!(f, "appended {offset}"),
            Self::Filled => f.write_str("filled"),
            Self::Acknowledged(offset) => write!(f, "acknowledged {offset}"),
            Self::Replayed(bytes) => write!(f, "replayed {bytes}"),
        }
    }
}

impl FromStr for Saying {
    type Err = anyhow::Error;

    fn from_str(line: &str) -> Result<Self, anyhow::Error> {
        let (word, number) = line.split_once(' ').unwrap_or((line, ""));
        let number = || number.parse().with_context(|| format!("'{line}' lacks its number"));
        Ok(match word {
            "opened" => Self::Opened,
            "read" => Self::Read,
            "appended" => Self::Appended(number()?),
            "filled" => Self::Filled,
            "acknowledged" => Self::Acknowledged(number()?),
            "replayed" => Self::Replayed(number()?),
            _ => bail!("the child said '{line}'"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_said_is_understood() {
        for saying in [
            Saying::Opened,
            Saying::Read,
            Saying::Appended(0),
            Saying::Filled,
            Saying::Acknowledged(u64::MAX),
            Saying::Replayed(17),
        ] {
            assert_eq!(saying.to_string().parse::<Saying>().unwrap(), saying);
        }
        assert!("acknowledged".parse::<Saying>().is_err());
        assert!("note: something".parse::<Saying>().is_err());
    }
}
