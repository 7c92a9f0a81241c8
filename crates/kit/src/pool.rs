//! How many connections to the database a service has, in OpenTelemetry's words.

use caffeine_contract::Service;
use caffeine_store::Store;
use opentelemetry::{KeyValue, global};

const POOL: &str = "db.client.connection.pool.name";
const STATE: &str = "db.client.connection.state";

/// Counts a service's pool whenever somebody asks, for as long as the process lives. Several services of a process count
/// theirs side by side.
pub(crate) fn observe(service: Service, store: &Store) {
    let meter = global::meter("caffeine-kit");
    let (name, pool) = (KeyValue::new(POOL, service.as_str()), store.clone());
    meter
        .i64_observable_up_down_counter("db.client.connection.count")
        .with_unit("{connection}")
        .with_callback(move |observer| {
            let connections = pool.connections();
            for (state, count) in [("used", connections.used), ("idle", connections.idle)] {
                observer.observe(count.into(), &[name.clone(), KeyValue::new(STATE, state)]);
            }
        })
        .build();
    let (name, pool) = (KeyValue::new(POOL, service.as_str()), store.clone());
    meter
        .i64_observable_up_down_counter("db.client.connection.max")
        .with_unit("{connection}")
        .with_callback(move |observer| observer.observe(pool.connections().most.into(), std::slice::from_ref(&name)))
        .build();
}
