//! Names of the topics that topologies keep for themselves.
//!
//! Topology and store names are made of the characters of topic names, so that joining them by one of these
//! says not always where the one ends. Each name here belongs to one topology and store only:
//!
//! | name | when |
//! |---|---|
//! | `TOPOLOGY-STORE-repartition` | the store has no `-` in its name: it begins behind the last one |
//! | `TOPOLOGY-STORE-LENGTH--repartition` | it has one: the length says where it begins |
//! | `TOPOLOGY-resetting---repartition` | the topology is being reset |

/// End of the name of every internal topic.
pub const REPARTITION_SUFFIX: &str = "-repartition";

/// What a reset appends to a topology's name, before the suffix.
const RESETTING: &str = "-resetting--";

/// The topic between the steps of `topology` before its store `store` and the store itself.
pub(crate) fn repartition_topic(topology: &str, store: &str) -> String {
    if store.contains('-') {
        format!("{topology}-{store}-{}-{REPARTITION_SUFFIX}", store.len())
    } else {
        format!("{topology}-{store}{REPARTITION_SUFFIX}")
    }
}

/// The topic that exists while `topology` is being reset.
pub(crate) fn resetting_topic(topology: &str) -> String {
    format!("{topology}{RESETTING}{REPARTITION_SUFFIX}")
}

/// Whether `topic` is named as a repartition topic of `topology`, for whichever store.
pub(crate) fn is_repartition_topic_of(topology: &str, topic: &str) -> bool {
    let store = || {
        let rest = topic.strip_prefix(topology)?.strip_prefix('-')?.strip_suffix(REPARTITION_SUFFIX)?;
        match rest.strip_suffix('-') {
            None => Some(rest),
            Some(rest) => rest.rsplit_once('-').map(|(store, _)| store),
        }
    };
    store().is_some_and(|store| !store.is_empty() && repartition_topic(topology, store) == topic)
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

    use super::*;

    /// All names of up to three of the characters that matter here, and some that look like parts of others.
    fn names() -> Vec<String> {
        let mut names: Vec<String> =
            ["resetting", "resetting-", "repartition", "a-repartition", "a-b-3", "a-resetting-"]
                .map(str::to_owned)
                .to_vec();
        let mut last = vec![String::new()];
        for _ in 0..3 {
            let longer = |name: &String| ['a', '1', '3', '-'].map(|end| format!("{name}{end}"));
            last = last.iter().flat_map(longer).collect();
            names.extend(last.iter().cloned());
        }
        names
    }

    #[test]
    fn no_two_pairs_of_topology_and_store_share_a_topic() {
        let mut owners = BTreeMap::new();
        for topology in names() {
            let resetting = owners.insert(resetting_topic(&topology), (topology.clone(), None));
            assert_eq!(resetting, None);
            for store in names() {
                let topic = repartition_topic(&topology, &store);
                let other = owners.insert(topic.clone(), (topology.clone(), Some(store.clone())));
                assert_eq!(other, None, "{topology} {store}: {topic}");
            }
        }
        assert!(owners.len() > 8000);
    }

    #[test]
    fn a_topic_is_told_from_those_of_other_topologies() {
        for owner in names() {
            for store in names() {
                let topic = repartition_topic(&owner, &store);
                for other in names() {
                    assert_eq!(is_repartition_topic_of(&other, &topic), other == owner, "{other}: {topic}");
                }
            }
            assert!(!is_repartition_topic_of(&owner, &resetting_topic(&owner)));
        }
    }

    #[test]
    fn a_store_without_a_dash_is_named_as_it_reads() {
        assert_eq!(repartition_topic("word-count", "counts"), "word-count-counts-repartition");
        assert_eq!(repartition_topic("wc", "word-counts"), "wc-word-counts-11--repartition");
    }
}
