//! Many rows in one statement: on a database across a network every statement is a journey. Pure.

/// Rows of one statement. A few sizes only, so that the statements stay prepared.
const SIZES: [usize; 4] = [64, 16, 4, 1];

/// Cuts a list into groups of those sizes.
pub(crate) fn groups<T>(mut items: &[T]) -> impl Iterator<Item = &[T]> {
    std::iter::from_fn(move || {
        let size = SIZES.into_iter().find(|size| *size <= items.len())?;
        let (group, rest) = items.split_at(size);
        items = rest;
        Some(group)
    })
}

/// `($1,$2),($3,$4)` for two rows of two columns.
pub(crate) fn places(rows: usize, columns: usize) -> String {
    let row = |r: usize| {
        let places: Vec<_> = (1..=columns).map(|c| format!("${}", r * columns + c)).collect();
        format!("({})", places.join(","))
    };
    (0..rows).map(row).collect::<Vec<_>>().join(",")
}

/// As the databases keep numbers.
pub(crate) fn number(number: u64) -> i64 {
    i64::try_from(number).unwrap_or(i64::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn groups_hold_everything_in_order() {
        let items: Vec<_> = (0..150).collect();
        let groups: Vec<_> = groups(&items).collect();
        assert_eq!(groups.concat(), items);
        assert_eq!(groups.iter().map(|g| g.len()).collect::<Vec<_>>(), [64, 64, 16, 4, 1, 1]);
        assert_eq!(places(2, 2), "($1,$2),($3,$4)");
    }
}
