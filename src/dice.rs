//! Chance, as a value: whoever needs chance is handed dice.

/// A source of chance. `roll` decides; `spin` only shuffles the order in which equal records are listed.
pub trait Dice {
    /// A number from 0 up to but not including `sides`, all equally likely. `sides` is at least 1.
    fn roll(&mut self, sides: u32) -> u32;

    /// Any number; where to start a rotation. No answer's content depends on it, so exact odds leave it out.
    fn spin(&mut self) -> u32 {
        0
    }
}
