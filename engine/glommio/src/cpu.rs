//! Which cores this process may use.

/// Numbers of the cores that the scheduler may run this thread on, ascending.
pub(crate) fn allowed() -> Vec<usize> {
    // SAFETY: a cpu_set_t is plain bits; all zeroes is the empty set.
    let mut set: libc::cpu_set_t = unsafe { std::mem::zeroed() };
    // SAFETY: `set` is valid for writes of the size given and outlives the call.
    let outcome = unsafe { libc::sched_getaffinity(0, size_of::<libc::cpu_set_t>(), &raw mut set) };
    if outcome != 0 {
        return Vec::new();
    }
    (0..libc::CPU_SETSIZE.unsigned_abs() as usize)
        // SAFETY: `set` was filled by the kernel and `cpu` is below the set's size.
        .filter(|&cpu| unsafe { libc::CPU_ISSET(cpu, &set) })
        .collect()
}
