//! Settings: text in, checked values out.
