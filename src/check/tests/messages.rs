//! One test for each kind of message.
