//! Many hands, as a value: whoever does a piece of work in parts says who does them, and the work needs no threads of
//! its own.

/// Whoever does the parts of a piece of work.
pub trait Hands: Sync {
    /// How many parts are done at a time. With one, work is not cut into parts.
    fn count(&self) -> usize;

    /// Has each of so many parts done, in any order and maybe at the same time. Returns when all are.
    fn each(&self, parts: usize, part: &(dyn Fn(usize) + Sync));
}

/// One part after the other.
pub struct Alone;

impl Hands for Alone {
    fn count(&self) -> usize {
        1
    }

    fn each(&self, parts: usize, part: &(dyn Fn(usize) + Sync)) {
        (0..parts).for_each(part);
    }
}

/// As `Hands::each`, for parts that each make something; in the order of the parts.
pub fn collect<T: Send>(hands: &dyn Hands, parts: usize, part: &(dyn Fn(usize) -> T + Sync)) -> Vec<T> {
    let made: Vec<std::sync::Mutex<Option<T>>> = (0..parts).map(|_| std::sync::Mutex::new(None)).collect();
    hands.each(parts, &|number| {
        let one = part(number);
        if let Some(place) = made.get(number) {
            *place.lock().unwrap_or_else(std::sync::PoisonError::into_inner) = Some(one);
        }
    });
    made.into_iter().filter_map(|place| place.into_inner().unwrap_or_else(std::sync::PoisonError::into_inner)).collect()
}

/// Hands for tests.
pub mod testing {
    use super::Hands;

    /// One part after the other, the last one first, as if by so many.
    pub struct Backwards(pub usize);

    impl Hands for Backwards {
        fn count(&self) -> usize {
            self.0
        }

        fn each(&self, parts: usize, part: &(dyn Fn(usize) + Sync)) {
            (0..parts).rev().for_each(part);
        }
    }
}
