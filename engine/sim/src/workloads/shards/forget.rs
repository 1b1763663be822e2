//! Throws away what was decided and is not committed, at any moment, while everything goes on.

use super::life::{Driver, Over};

pub(super) async fn run(driver: Driver) -> Result<(), Over> {
    let most_us = driver.process.mix.forget_us;
    while !driver.process.is_over() {
        driver.pause(1 + driver.below(most_us)).await;
        driver.shard.forget_speculation();
    }
    Ok(())
}
