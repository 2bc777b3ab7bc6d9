//! Simple routing: one record set, and all its values are the answer.
//!
//! | the record set is   | chosen |
//! |---------------------|--------|
//! | healthy             | it     |
//! | unhealthy           | it: nobody else could answer |
//!
//! Route 53 Developer Guide, "Simple routing" and "How Amazon Route 53 chooses records when health checking is
//! configured". The order in which the values are listed is not chosen here; it turns with every answer.

use super::{Choice, Member};

#[derive(Clone, Copy, Debug)]
pub struct Simple;

impl Simple {
    pub fn choose(self) -> Choice {
        Choice::One(Member(0))
    }
}
