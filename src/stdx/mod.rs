//! What the standard library lacks. Names nothing of ours.
