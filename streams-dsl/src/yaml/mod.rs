//! Topologies as YAML.
//!
//! ```yaml
//! topology: word-count
//! steps:
//!   - {from: lines}
//!   - {flat_map: words}
//!   - {group_by: value}
//!   - {count: {store: counts}}
//!   - {to: word-counts}
//! tests: [{in: ["Hello hello world"], out: {hello: 2, world: 1}}]
//! ```
//!
//! Keys are bytes. Values are bytes until a `count` makes them numbers. Each step goes on from the stream of the
//! step before it.
//!
//! | step | what it does |
//! |---|---|
//! | `from: TOPIC` or `[TOPIC, …]` | reads topics as one stream |
//! | `flat_map: words` | cuts values into words of `[a-z0-9_]`, lower case; other bytes separate |
//! | `flat_map: unicode_words` | the same for alphanumeric characters of any script |
//! | `flat_map: lines` | cuts values at line ends, which are dropped |
//! | `map_values: lowercase`, `uppercase`, `trim`, `text` | changes each value; `text` makes numbers decimal text |
//! | `filter: PREDICATE`, `filter_not: PREDICATE` | keeps or drops what the predicate holds for |
//! | `select_key: value` | makes each value its record's key |
//! | `group_by: value`, `group_by: key` | groups; `count` or `reduce` must follow |
//! | `count: {store: NAME}` | counts per key; goes on with the changed counts |
//! | `reduce: {store: NAME, with: FUNCTION}` | `first`, `last`, `min`, `max`; of numbers also `sum` |
//! | `as: NAME` | names the stream, for `use` and `merge` further down |
//! | `use: NAME` | goes on from a named stream |
//! | `merge: NAME` or `[NAME, …]` | adds the records of named streams |
//! | `branch: [{as: NAME, when: PREDICATE}, …, {as: NAME}]` | names a stream for each predicate; the last may take the rest. `use` follows |
//! | `to: TOPIC` | writes the stream; more steps may follow |
//!
//! A predicate is a map of one of: `contains`, `starts_with`, `ends_with`, `equals` (text); `min_length`,
//! `max_length` (bytes); `at_least`, `at_most` (numbers); `key: PREDICATE` (of the key); `not: PREDICATE`;
//! `all: [PREDICATE, …]`, `any: [PREDICATE, …]`.
//!
//! Beside `topology`, `steps` and `tests` a file may have `description`, a text for its readers, and `guarantee`, whose
//! one value is `exactly_once`: how every topology runs.
//!
//! Limits: 1 MiB, 128 lists and maps inside of one another, 1,000 steps. Control characters, a key given twice and a
//! second document are refused. Topics whose names end in `-repartition` belong
//! to topologies and are neither read nor written.
//!
//! A test writes its `in` to the topic read and compares what was written with `out`: a map is the latest value
//! of each key, a list all values in order. Where several topics are read or written, both are maps by topic.
//! An item of `in` is a value or `{key: K, value: V}`.

mod compile;
mod cursor;
mod error;
mod file;
mod flow;
mod locate;
mod predicate;
mod suggest;
mod tests;

pub use error::YamlError;
pub use file::YamlTopology;
pub use tests::{TestFailure, YamlTest};
