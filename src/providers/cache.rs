//! What was read in this pass, so that who asks again gets it without a call.

use std::collections::BTreeMap;
use std::future::Future;
use std::sync::{Arc, Mutex, PoisonError};

use tokio::sync::OnceCell;

use crate::fault::Fault;

type Cell<V> = Arc<OnceCell<Arc<V>>>;

/// Values that were read, by what they were asked for. A failure is not remembered.
#[derive(Debug)]
pub struct Cache<K, V>(Mutex<BTreeMap<K, Cell<V>>>);

impl<K, V> Default for Cache<K, V> {
    fn default() -> Self {
        Self(Mutex::default())
    }
}

impl<K: Clone + Ord, V> Cache<K, V> {
    /// The value that is remembered, or else what `read` gives; who asks meanwhile waits for the same reading.
    pub async fn get<R: Future<Output = Result<V, Fault>>>(
        &self,
        key: &K,
        read: impl FnOnce() -> R,
    ) -> Result<Arc<V>, Fault> {
        let cell = {
            let mut cells = self.0.lock().unwrap_or_else(PoisonError::into_inner);
            Arc::clone(cells.entry(key.clone()).or_default())
        };
        let value = cell
            .get_or_try_init(|| async { read().await.map(Arc::new) })
            .await?;
        Ok(Arc::clone(value))
    }

    /// Forgets one value; a reading that is under way will not be remembered either.
    pub fn forget(&self, key: &K) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .remove(key);
    }

    /// Forgets everything.
    pub fn clear(&self) {
        self.0
            .lock()
            .unwrap_or_else(PoisonError::into_inner)
            .clear();
    }
}
