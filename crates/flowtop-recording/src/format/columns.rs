//! Rows of numbers ⇄ named columns of bytes. The schema is additive: a reader passes over columns that it does not
//! know, and what a column says that is not there stays as it is in an empty row.
//!
//! Not in here: which columns there are (`flows`, `payload`).

use std::collections::BTreeMap;

use serde_bytes::ByteBuf;

use super::bits::{Packed, Unpacker};
use flowtop_core::varint::{count, put, take};

/// A column: one number per row.
#[derive(Debug)]
pub(super) struct Column<T, C> {
    /// Name in the formats; never changes.
    name: &'static str,
    /// The name of the column beside it that has its bits, if it is written so.
    bits: Option<&'static str>,
    /// Which rows have a number; it is 0 in all others.
    when: fn(&T) -> bool,
    /// Whether 0 leaves the row as it is, in which no column before has set the same.
    is_additive: bool,
    get: fn(&T, &Place<'_, T, C>) -> u64,
    set: fn(&mut T, &Place<'_, T, C>, u64) -> Option<()>,
}

/// Where a row stands, for columns whose numbers are relative to something.
#[derive(Debug)]
pub(super) struct Place<'a, T, C> {
    /// The row above; above the first one is an empty row.
    pub(super) above: &'a T,
    pub(super) row: usize,
    /// Tables that all rows share.
    pub(super) shared: &'a C,
}

/// A column: how its number is taken from a row, and how it is put into one. `set` may ask for all columns that stand
/// before its own, in its row and in the one above, and refuses a number that cannot be.
pub(super) const fn column<T, C>(
    name: &'static str,
    get: fn(&T, &Place<'_, T, C>) -> u64,
    set: fn(&mut T, &Place<'_, T, C>, u64) -> Option<()>,
) -> Column<T, C> {
    Column { name, bits: None, when: |_| true, is_additive: false, get, set }
}

/// The same column with its bits in one of their own, `bits`: for numbers that are hardly ever the same.
#[expect(clippy::needless_pass_by_value, reason = "a constant becomes another one")]
pub(super) const fn in_bits<T, C>(bits: &'static str, column: Column<T, C>) -> Column<T, C> {
    let Column { name, when, is_additive, get, set, .. } = column;
    Column { name, bits: Some(bits), when, is_additive, get, set }
}

/// The same column, of which 0 leaves the row as the columns before have left it: none is touched for one of zeros.
#[expect(clippy::needless_pass_by_value, reason = "a constant becomes another one")]
pub(super) const fn additive<T, C>(column: Column<T, C>) -> Column<T, C> {
    let Column { name, bits, when, get, set, .. } = column;
    Column { name, bits, when, is_additive: true, get, set }
}

/// The same column with numbers only in rows where they may be other than 0. What is asked stands in columns before.
#[expect(clippy::needless_pass_by_value, reason = "a constant becomes another one")]
pub(super) const fn only<T, C>(when: fn(&T) -> bool, column: Column<T, C>) -> Column<T, C> {
    let Column { name, bits, is_additive, get, set, .. } = column;
    Column { name, bits, when, is_additive, get, set }
}

/// Puts a number where it belongs, if it fits.
pub(super) fn fit<N: TryFrom<u64>>(field: &mut N, number: u64) -> Option<()> {
    *field = number.try_into().ok()?;
    Some(())
}

/// Columns by name, each a number a row.
pub(super) type Section = BTreeMap<String, ByteBuf>;

/// Rows as columns. One of zeros, other than the first, is empty.
pub(super) fn write<T: Default, C>(columns: &[Column<T, C>], rows: &[&T], shared: &C) -> Section {
    let empty = T::default();
    let mut section = Section::new();
    for column in columns {
        let number = |row: usize| {
            let above = if row == 0 { &empty } else { rows[row - 1] };
            (column.get)(rows[row], &Place { above, row, shared })
        };
        let with_number = (0..rows.len()).filter(|row| (column.when)(rows[*row]));
        if !section.is_empty() && with_number.clone().all(|row| number(row) == 0) {
            section.insert(column.name.to_owned(), ByteBuf::new());
            continue;
        }
        let numbers = with_number.map(number);
        if let Some(name) = column.bits {
            let mut written = Packed::default();
            numbers.for_each(|number| written.put(number));
            written.end();
            section.insert(column.name.to_owned(), ByteBuf::from(written.sizes));
            section.insert(name.to_owned(), ByteBuf::from(written.bits));
        } else {
            let mut written = Vec::with_capacity(rows.len());
            numbers.for_each(|number| put(&mut written, number));
            section.insert(column.name.to_owned(), ByteBuf::from(written));
        }
    }
    section
}

/// Columns as rows: as many as the first column has, and at most `max_rows`. The error is the column that is wrong.
pub(super) fn read<T: Clone + Default, C>(
    columns: &[Column<T, C>],
    section: Option<&Section>,
    shared: &C,
    max_rows: usize,
) -> Result<Vec<T>, &'static str> {
    let bytes = |name: &str| section?.get(name).map(|bytes| &bytes[..]);
    let Some(first) = columns.first() else { return Ok(Vec::new()) };
    let rows = bytes(first.name).map_or(0, count);
    if rows > max_rows {
        return Err(first.name);
    }
    let mut values = vec![T::default(); rows];
    for column in columns {
        let Some(mut numbers) = bytes(column.name) else { continue };
        let done = if numbers.is_empty() && column.is_additive {
            Some(())
        } else if numbers.is_empty() {
            set_all(column, || Some(0), &mut values, shared)
        } else if let Some(name) = column.bits {
            let mut reader = Unpacker::new(numbers, bytes(name).unwrap_or_default());
            set_all(column, || reader.take(), &mut values, shared)
        } else {
            set_all(column, || take(&mut numbers), &mut values, shared)
        };
        done.ok_or(column.name)?;
    }
    Ok(values)
}

fn set_all<T: Default, C>(
    column: &Column<T, C>,
    mut next: impl FnMut() -> Option<u64>,
    values: &mut [T],
    shared: &C,
) -> Option<()> {
    let empty = T::default();
    for row in 0..values.len() {
        let number = if (column.when)(&values[row]) { next()? } else { 0 };
        let (above, from_here) = values.split_at_mut(row);
        let above = above.last().unwrap_or(&empty);
        (column.set)(&mut from_here[0], &Place { above, row, shared }, number)?;
    }
    Some(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::format::flows::{FLOWS, IDENTITIES, KINDS, OWNERS};
    use flowtop_core::varint::{unzigzag, zigzag};
    use proptest::prelude::*;
    use std::fmt::Debug;

    type Row = (u64, u16);

    const TIME: Column<Row, ()> = column(
        "time",
        |row, place| zigzag(place.above.0, row.0),
        |row, place, number| {
            row.0 = unzigzag(place.above.0, number);
            Some(())
        },
    );
    const SIZE: Column<Row, ()> =
        in_bits("size+", column("size", |row, _| row.1.into(), |row, _, number| fit(&mut row.1, number)));
    const PORT: Column<Row, ()> =
        column("port", |row, _| row.1.into(), |row, _, number| fit(&mut row.1, number));

    fn written(rows: &[Row]) -> Section {
        write(&[TIME, PORT], &rows.iter().collect::<Vec<_>>(), &())
    }

    /// Names of the columns whose 0 does something though they say that it does not, and of how many it is said.
    fn wrong<T: Clone + Default + Debug, C: Default>(columns: &[Column<T, C>]) -> (Vec<&'static str>, usize) {
        let additive = columns.iter().filter(|column| column.is_additive);
        let is_wrong = |column: &&Column<T, C>| {
            let (mut row, above, shared) = (T::default(), T::default(), C::default());
            let done = (column.set)(&mut row, &Place { above: &above, row: 0, shared: &shared }, 0);
            done.is_none() || format!("{row:?}") != format!("{above:?}")
        };
        (additive.clone().filter(is_wrong).map(|column| column.name).collect(), additive.count())
    }

    #[test]
    fn zeros_of_additive_columns_say_nothing() {
        assert_eq!(wrong(KINDS), (vec![], 3));
        assert_eq!(wrong(FLOWS), (vec![], 15));
        assert_eq!(wrong(OWNERS), (vec![], 3));
        assert_eq!(wrong(IDENTITIES), (vec![], 0));
    }

    #[test]
    fn columns_may_be_new_or_missing() {
        let rows = [(7, 80), (9, 443)];
        let mut section = written(&rows);
        section.insert("later".to_owned(), ByteBuf::from(vec![1, 2, 3]));
        assert_eq!(read(&[TIME, PORT], Some(&section), &(), 9).unwrap(), rows);
        section.remove("port");
        assert_eq!(read(&[TIME, PORT], Some(&section), &(), 9).unwrap(), [(7, 0), (9, 0)]);
        assert_eq!(read(&[TIME, PORT], None, &(), 9).unwrap(), []);
    }

    #[test]
    fn what_cannot_be_is_refused() {
        let mut section = written(&[(7, 80), (9, 443)]);
        assert_eq!(read(&[TIME, PORT], Some(&section), &(), 1), Err("time"));
        section.insert("port".to_owned(), ByteBuf::from(vec![1]));
        assert_eq!(read(&[TIME, PORT], Some(&section), &(), 9), Err("port"));
        section.insert("port".to_owned(), ByteBuf::new());
        assert_eq!(read(&[TIME, PORT], Some(&section), &(), 9).unwrap(), [(7, 0), (9, 0)]);
        section.insert("port".to_owned(), ByteBuf::from(vec![1, 0xff, 0xff, 0x04]));
        assert_eq!(read(&[TIME, PORT], Some(&section), &(), 9), Err("port"));
    }

    proptest! {
        #[test]
        fn bits_come_back(rows: Vec<Row>) {
            let section = write(&[TIME, SIZE], &rows.iter().collect::<Vec<_>>(), &());
            prop_assert_eq!(read(&[TIME, SIZE], Some(&section), &(), rows.len()).unwrap(), rows);
        }

        #[test]
        fn rows_come_back(rows: Vec<Row>) {
            prop_assert_eq!(read(&[TIME, PORT], Some(&written(&rows)), &(), rows.len()).unwrap(), rows);
        }
    }
}
