//! Topics that come and go, while records are on their way to them.

use thalweg_engine::catalog::{CatalogError, TopicSettings};
use thalweg_engine::client::AppendError;
use thalweg_engine::model::{BatchBuilder, Timestamp, TopicName};

use super::life::{Driver, Over};

const PREFIX: &str = "passing-";

pub(super) async fn run(driver: Driver) -> Result<(), Over> {
    check(&driver);
    clean(&driver).await?;
    while !driver.process.is_over() && !driver.process.life.last {
        driver.pause(driver.below(10_000)).await;
        let number = driver.process.oracle.borrow().passing.len();
        let text = format!("{PREFIX}{number}");
        create(&driver, &text).await?;
        for _ in 0..driver.below(3) {
            use_it(&driver, &text).await?;
            driver.pause(driver.below(5_000)).await;
        }
        delete(&driver, &text).await?;
    }
    Ok(())
}

/// What was answered about topics in earlier lives is still so.
fn check(driver: &Driver) {
    let oracle = driver.process.oracle.borrow();
    for (text, passing) in &oracle.passing {
        let found = driver.client.topic(&name(text)).is_some();
        assert!(!(passing.deleted && found), "topic {text} was deleted and is back");
        assert!(!passing.created || passing.deletion_tried || found, "topic {text} is lost");
    }
    for topic in driver.client.topics() {
        let text = topic.name.as_str();
        assert!(!text.starts_with(PREFIX) || oracle.passing.contains_key(text), "topic {text} from nowhere");
    }
}

async fn clean(driver: &Driver) -> Result<(), Over> {
    for topic in driver.client.topics() {
        if topic.name.as_str().starts_with(PREFIX) {
            delete(driver, topic.name.as_str()).await?;
        }
    }
    driver.process.oracle.borrow_mut().passing_partitions.clear();
    Ok(())
}

async fn create(driver: &Driver, text: &str) -> Result<(), Over> {
    driver.process.oracle.borrow_mut().passing.insert(text.to_owned(), super::oracle::Passing::default());
    let partitions = 1 + driver.below(4) as u32;
    let topic = match driver.client.create_topic(&name(text), partitions, TopicSettings::default()).await {
        Ok(topic) => topic,
        Err(CatalogError::Closed) => return Err(Over),
        Err(error) => panic!("topic {text} was refused: {error}"),
    };
    assert_eq!(topic.partitions.len(), partitions as usize);
    assert_eq!(driver.client.topic(&name(text)), Some(topic.clone()));
    let mut oracle = driver.process.oracle.borrow_mut();
    oracle.passing.get_mut(text).expect("it was tried").created = true;
    oracle.passing_partitions = topic.partitions.iter().map(|partition| partition.id).collect();
    drop(oracle);
    driver.process.operation();
    Ok(())
}

async fn use_it(driver: &Driver, text: &str) -> Result<(), Over> {
    let topic = driver.client.topic(&name(text)).expect("it was created and not deleted");
    let mut batch = BatchBuilder::new();
    batch.push(Timestamp(0), None, Some(b"passing"), &[]).expect("a small record");
    let batch = batch.into_bytes();
    for partition in &topic.partitions {
        match driver.client.append(partition.id, &batch).await {
            Ok(_) => driver.process.operation(),
            Err(AppendError::Closed) => return Err(Over),
            Err(error) => panic!("an append to {text} was refused: {error}"),
        }
    }
    let total = topic.partitions.len() as u32 + 1;
    match driver.client.add_partitions(&name(text), total).await {
        Ok(_) => driver.process.operation(),
        Err(CatalogError::Closed) => return Err(Over),
        Err(error) => panic!("more partitions of {text} were refused: {error}"),
    }
    Ok(())
}

async fn delete(driver: &Driver, text: &str) -> Result<(), Over> {
    let tried = |passing: &mut super::oracle::Passing| passing.deletion_tried = true;
    driver.process.oracle.borrow_mut().passing.get_mut(text).map(tried);
    match driver.client.delete_topic(&name(text)).await {
        Ok(_) => {}
        Err(CatalogError::Closed) => return Err(Over),
        Err(error) => panic!("the deletion of {text} was refused: {error}"),
    }
    assert_eq!(driver.client.topic(&name(text)), None);
    let mut oracle = driver.process.oracle.borrow_mut();
    oracle.passing.get_mut(text).expect("it was tried").deleted = true;
    drop(oracle);
    driver.process.operation();
    Ok(())
}

fn name(text: &str) -> TopicName {
    TopicName::new(text).expect("a topic name")
}
