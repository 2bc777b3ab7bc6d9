//! A keyed hash of lower-cased names that gives the hash of every suffix on the way.
