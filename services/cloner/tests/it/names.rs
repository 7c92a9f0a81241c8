//! A name server that says something else each time.

use std::collections::VecDeque;
use std::io;
use std::net::IpAddr;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex};

use async_trait::async_trait;
use caffeine_cloner::source::Names;

/// Answers any name with the next of its answers; the last one again and again.
pub(crate) struct Scripted {
    answers: Mutex<VecDeque<Vec<IpAddr>>>,
    asked: AtomicUsize,
    public: Vec<IpAddr>,
}

impl Scripted {
    pub(crate) fn new(answers: impl IntoIterator<Item = Vec<IpAddr>>) -> Arc<Self> {
        Self::with_public(answers, [])
    }

    /// These addresses, all of loopback, stand for public ones: no test leaves this machine.
    pub(crate) fn with_public(
        answers: impl IntoIterator<Item = Vec<IpAddr>>,
        public: impl IntoIterator<Item = IpAddr>,
    ) -> Arc<Self> {
        Arc::new(Self {
            answers: Mutex::new(answers.into_iter().collect()),
            asked: AtomicUsize::new(0),
            public: public.into_iter().collect(),
        })
    }

    pub(crate) fn asked(&self) -> usize {
        self.asked.load(Ordering::SeqCst)
    }
}

#[async_trait]
impl Names for Scripted {
    async fn lookup(&self, _name: &str) -> io::Result<Vec<IpAddr>> {
        self.asked.fetch_add(1, Ordering::SeqCst);
        let mut answers = self.answers.lock().unwrap();
        let next = answers.front().cloned().unwrap_or_default();
        if answers.len() > 1 {
            answers.pop_front();
        }
        Ok(next)
    }

    fn is_public(&self, ip: IpAddr) -> bool {
        self.public.contains(&ip)
    }
}
