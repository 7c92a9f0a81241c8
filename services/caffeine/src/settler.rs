//! Does with dead letters what people have decided about them: the gateway, where they decide, may only look.

use std::sync::Arc;
use std::time::Duration;

use caffeine_bus::{Bus, BusError, DeadLetter, Redelivery, Settlement};
use caffeine_contract::Decision;
use caffeine_store::{Store, StoreError};
use tokio::sync::Semaphore;
use tokio_util::sync::CancellationToken;

/// How long a letter waits for room, for the broker or for the database before it is tried again.
const RETRY: Duration = Duration::from_secs(5);

/// How many are settled at the same time.
const AT_ONCE: usize = 8;

/// Why a letter is not settled yet.
#[derive(Debug, thiserror::Error)]
enum SettleError {
    #[error(transparent)]
    Bus(#[from] BusError),
    #[error("ask for the run")]
    Store(#[from] StoreError),
    #[error("there is no room for it now")]
    NoRoom,
}

/// Follows the decisions until `shutdown`. One that was begun is heard again by the next process, and a letter that is
/// gone is settled.
///
/// # Errors
/// [`BusError::Missing`] if the stream of commands has not been provisioned; outages are waited out.
pub(crate) async fn settle_letters(bus: Bus, store: Store, shutdown: CancellationToken) -> Result<(), BusError> {
    let mut settlements = bus.settlements().await?;
    // A process that starts hears the decisions of a week.
    let at_once = Arc::new(Semaphore::new(AT_ONCE));
    loop {
        let settlement = tokio::select! {
            settlement = settlements.next() => settlement,
            () = shutdown.cancelled() => return Ok(()),
        };
        // Each on its own, so that one without room does not keep the next.
        let (bus, store, stop, at_once) = (bus.clone(), store.clone(), shutdown.clone(), Arc::clone(&at_once));
        tokio::spawn(async move {
            stop.run_until_cancelled(settle_patiently(&bus, &store, settlement, &at_once)).await;
        });
    }
}

async fn settle_patiently(bus: &Bus, store: &Store, settlement: Settlement, at_once: &Semaphore) {
    loop {
        // Held while it is tried and not while it waits. Nobody closes it.
        let permit = at_once.acquire().await;
        let settled = settle(bus, store, settlement).await;
        drop(permit);
        match settled {
            Ok(()) => return,
            Err(error) => {
                let error = &error as &dyn std::error::Error;
                tracing::warn!(letter = settlement.letter, error, "a dead letter is not settled yet; trying again");
            }
        }
        tokio::time::sleep(RETRY).await;
    }
}

async fn settle(bus: &Bus, store: &Store, settlement: Settlement) -> Result<(), SettleError> {
    let id = settlement.letter;
    let Some(letter) = bus.dead_letter(id).await? else { return Ok(()) };
    if !is_meant(&letter, settlement) {
        tracing::warn!(letter = id, "a decision about a dead letter is about another one of this number");
        return Ok(());
    }
    match settlement.decision {
        Decision::Drop => {
            bus.drop_dead_letter(id).await?;
            tracing::info!(letter = id, stage = letter.stage, "dead letter dropped");
        }
        Decision::Redeliver => {
            let over = match &letter.scope {
                Some(scope) => store.run_is_over(scope.run).await?,
                None => false,
            };
            match bus.redeliver(id, over).await? {
                Some(Redelivery::NoRoom) => return Err(SettleError::NoRoom),
                outcome => tracing::info!(letter = id, stage = letter.stage, ?outcome, "dead letter sent again"),
            }
        }
    }
    Ok(())
}

/// A stream that was made anew counts from 1 again, and decisions are kept for a week.
fn is_meant(letter: &DeadLetter, settlement: Settlement) -> bool {
    letter.workspace == Some(settlement.workspace) && letter.at.as_millis() == settlement.stored_at_ms.max(0) as u128
}
