//! Reading committed state.

/// The committed state of a task's stores.
pub(crate) trait StateView {
    /// Lends the value of `key` in store number `store` (its place in the sub-topology's list of stores) to
    /// `then`, which is called exactly once.
    fn lend(&self, store: usize, key: &[u8], then: &mut dyn FnMut(Option<&[u8]>));
}
