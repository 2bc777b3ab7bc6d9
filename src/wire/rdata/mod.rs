//! Record data: presentation form to wire form and back, for every type.
