use std::collections::BTreeSet;
use std::time::Duration;

use caffeine_contract::Stream;

use crate::fixture::{Fixture, Script, output, quick};

#[tokio::test]
async fn a_full_window_blocks_and_nothing_is_lost() {
    const OUTPUTS: u32 = 100;
    let window = u64::try_from(Stream::Chunks.spec().max_per_subject).unwrap();
    let fixture = Fixture::new().await;
    fixture.publish_batches(1).await;
    let handler =
        Script::new(|seen, _| async move { Ok((0..OUTPUTS).map(|number| output(&seen.scope, number)).collect()) });
    let mut spec = quick();
    // Far less than the time spent blocked below, which does not count.
    spec.time_limit = Duration::from_secs(2);
    let worker = fixture.start(spec, &handler);
    fixture.wait_for(Stream::Chunks, window).await;
    let full_since = tokio::time::Instant::now();
    caffeine_testkit::eventually(crate::fixture::SOON, || async {
        full_since.elapsed() > Duration::from_millis(2_500)
    })
    .await;
    assert_eq!(fixture.count(Stream::Files).await, 1, "the job waits");

    let ids = fixture.drain(Stream::Chunks, OUTPUTS as usize).await;
    fixture.wait_for(Stream::Files, 0).await;
    worker.stop().await;
    assert_eq!(ids.iter().collect::<BTreeSet<_>>().len(), OUTPUTS as usize);
    assert_eq!(handler.calls().len(), 1, "no attempt was counted, nothing was started again");
    assert_eq!(fixture.count(Stream::Dead).await, 0);
}
