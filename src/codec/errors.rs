//! The error codes that an answer tells, counted while it is written, so that no one need walk the answer for them.

/// Each code but 0 with how often it is told. An answer without errors takes no memory for it.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
pub struct ToldErrors(Option<Box<Codes>>);

/// They stand apart, so that an answer without errors is no larger for them than a pointer.
#[derive(Clone, PartialEq, Eq, Default, Debug)]
struct Codes(Vec<(i16, u32)>);

impl ToldErrors {
    #[inline]
    pub fn note(&mut self, code: i16) {
        if code != 0 {
            self.count(code);
        }
    }

    /// An answer has few different codes, mostly one.
    #[cold]
    fn count(&mut self, code: i16) {
        let codes = &mut self.0.get_or_insert_default().0;
        match codes.iter_mut().find(|(known, _)| *known == code) {
            Some((_, count)) => *count += 1,
            None => codes.push((code, 1)),
        }
    }

    pub fn iter(&self) -> impl Iterator<Item = (i16, u32)> {
        self.0.iter().flat_map(|codes| codes.0.iter().copied())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn codes_are_counted_and_none_is_no_error() {
        let mut told = ToldErrors::default();
        [3, 0, -1, 3].into_iter().for_each(|code| told.note(code));
        assert_eq!(told.iter().collect::<Vec<_>>(), [(3, 2), (-1, 1)]);
    }
}
