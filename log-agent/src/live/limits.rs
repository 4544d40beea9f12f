//! Who may watch at a time: places for viewers by ticket, by instance and on the node. A place is given back when it is dropped.

use common::ids::InstanceId;
use std::collections::HashMap;
use std::hash::Hash;
use std::sync::{Arc, Mutex, PoisonError};

/// How many viewers at a time.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Limits {
    /// With one ticket.
    pub ticket: usize,
    /// Of one instance.
    pub instance: usize,
    /// Of the node.
    pub node: usize,
}

impl Default for Limits {
    fn default() -> Self {
        Self { ticket: 256, instance: 512, node: 1_024 }
    }
}

/// The places.
#[derive(Debug)]
pub struct Places {
    limits: Limits,
    taken: Mutex<Taken>,
}

#[derive(Debug, Default)]
struct Taken {
    tickets: HashMap<String, usize>,
    instances: HashMap<InstanceId, usize>,
    node: usize,
}

/// All places are taken.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error("{0} viewers watch {1} already; close one, or try again later")]
pub struct Full(usize, &'static str);

/// A viewer's place.
#[derive(Debug)]
pub struct Place {
    places: Arc<Places>,
    ticket: String,
    instance: InstanceId,
}

impl Places {
    /// All free.
    pub fn new(limits: Limits) -> Arc<Self> {
        Arc::new(Self { limits, taken: Mutex::default() })
    }

    /// Takes one.
    pub fn take(self: &Arc<Self>, ticket: &str, instance: &InstanceId) -> Result<Place, Full> {
        let mut taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        let of = |count: Option<&usize>| count.copied().unwrap_or(0);
        let Limits { ticket: by_ticket, instance: by_instance, node } = self.limits;
        if of(taken.tickets.get(ticket)) >= by_ticket {
            return Err(Full(by_ticket, "with this ticket"));
        }
        if of(taken.instances.get(instance)) >= by_instance {
            return Err(Full(by_instance, "this instance"));
        }
        if taken.node >= node {
            return Err(Full(node, "this node"));
        }
        *taken.tickets.entry(ticket.to_owned()).or_default() += 1;
        *taken.instances.entry(instance.clone()).or_default() += 1;
        taken.node += 1;
        let (ticket, instance) = (ticket.to_owned(), instance.clone());
        Ok(Place { places: self.clone(), ticket, instance })
    }

    /// How many are taken.
    pub fn taken(&self) -> usize {
        self.taken.lock().unwrap_or_else(PoisonError::into_inner).node
    }

    /// How many are taken, by instance.
    pub fn by_instance(&self) -> Vec<(InstanceId, usize)> {
        let taken = self.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.instances.iter().map(|(instance, count)| (instance.clone(), *count)).collect()
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let mut taken = self.places.taken.lock().unwrap_or_else(PoisonError::into_inner);
        taken.node = taken.node.saturating_sub(1);
        give_back(&mut taken.tickets, &self.ticket);
        give_back(&mut taken.instances, &self.instance);
    }
}

fn give_back<K: Hash + Eq>(counts: &mut HashMap<K, usize>, key: &K) {
    if let Some(count) = counts.get_mut(key) {
        *count -= 1;
        if *count == 0 {
            counts.remove(key);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn each_limit_holds_and_places_come_back() {
        let places = Places::new(Limits { ticket: 2, instance: 3, node: 4 });
        let id = InstanceId::new;
        let take = |ticket: &str, instance| places.take(ticket, &id(instance));
        let held = [take("a", "i").unwrap(), take("a", "i").unwrap()];
        assert_eq!(take("a", "j").unwrap_err(), Full(2, "with this ticket"));
        let third = take("b", "i").unwrap();
        assert_eq!(take("c", "i").unwrap_err(), Full(3, "this instance"));
        let fourth = take("c", "j").unwrap();
        assert_eq!(take("d", "k").unwrap_err(), Full(4, "this node"));
        assert_eq!(places.taken(), 4);
        drop((held, third, fourth));
        assert_eq!(places.taken(), 0);
        assert!(places.by_instance().is_empty() && take("a", "i").is_ok());
    }
}
