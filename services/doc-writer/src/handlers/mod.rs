//! Between the bus and the logic: nothing but passing on.

mod page;
mod plan;

pub(crate) use page::PageHandler;
pub(crate) use plan::PlanHandler;
