//! Reading of JSON that forgives: a value of another kind is the default. It streams, so that a list of 10,000 tasks is held once.
//!
//! Use on every field: `#[serde(default, deserialize_with = "tolerant::leaf")]`.

use serde::de::value::MapAccessDeserializer;
use serde::de::{
    Deserialize, DeserializeOwned, Deserializer, Error, IgnoredAny, MapAccess, SeqAccess, Visitor,
};
use std::collections::BTreeMap;
use std::fmt;
use std::marker::PhantomData;

/// What a type makes of each kind of JSON; the default of those it does not name.
pub(super) trait Tolerant<'de>: Default {
    fn text(_: &str) -> Self {
        Self::default()
    }

    /// A whole number that is not negative.
    fn number(_: u64) -> Self {
        Self::default()
    }

    fn flag(_: bool) -> Self {
        Self::default()
    }

    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        while list.next_element::<IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }

    fn map<A: MapAccess<'de>>(mut map: A) -> Result<Self, A::Error> {
        while map.next_entry::<IgnoredAny, IgnoredAny>()?.is_some() {}
        Ok(Self::default())
    }
}

impl Tolerant<'_> for String {
    fn text(text: &str) -> Self {
        text.to_owned()
    }
}

impl Tolerant<'_> for Option<String> {
    fn text(text: &str) -> Self {
        Some(text.to_owned())
    }
}

impl Tolerant<'_> for Option<bool> {
    fn flag(flag: bool) -> Self {
        Some(flag)
    }
}

macro_rules! numbers {
    ($($number:ty)+) => {
        $(impl Tolerant<'_> for Option<$number> {
            fn number(number: u64) -> Self {
                <$number>::try_from(number).ok()
            }
        })+
    };
}

numbers!(u16 u32);

/// An object, if it is one.
struct Object<T>(Option<T>);

impl<T> Default for Object<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Deserialize<'de>> Tolerant<'de> for Object<T> {
    fn map<A: MapAccess<'de>>(map: A) -> Result<Self, A::Error> {
        T::deserialize(MapAccessDeserializer::new(map)).map(|value| Self(Some(value)))
    }
}

/// A list, if it is one.
struct List<T>(Option<Vec<T>>);

impl<T> Default for List<T> {
    fn default() -> Self {
        Self(None)
    }
}

impl<'de, T: Tolerant<'de>> Tolerant<'de> for List<T> {
    fn list<A: SeqAccess<'de>>(mut list: A) -> Result<Self, A::Error> {
        let mut out = Vec::new();
        while let Some(Any(item)) = list.next_element()? {
            out.push(item);
        }
        Ok(Self(Some(out)))
    }
}

/// A field of any tolerant type.
pub(super) fn leaf<'de, D: Deserializer<'de>, T: Tolerant<'de>>(from: D) -> Result<T, D::Error> {
    from.deserialize_any(Reader(PhantomData))
}

/// A list of leaves; entries of another kind keep their place as the default.
pub(super) fn leaves<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: Tolerant<'de>,
{
    leaf(from).map(|List(list)| list.unwrap_or_default())
}

/// A field that is an object.
pub(super) fn object<'de, D, T>(from: D) -> Result<Option<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    leaf(from).map(|Object(value)| value)
}

/// A list of objects, None if it is no list; entries that are no objects are left out.
pub(super) fn some_objects<'de, D, T>(from: D) -> Result<Option<Vec<T>>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    let List(list) = leaf(from)?;
    Ok(list.map(|list| list.into_iter().filter_map(|Object(value)| value).collect()))
}

/// As [`some_objects`], where no list is an empty one.
pub(super) fn objects<'de, D, T>(from: D) -> Result<Vec<T>, D::Error>
where
    D: Deserializer<'de>,
    T: DeserializeOwned,
{
    some_objects(from).map(Option::unwrap_or_default)
}

/// An object with texts; values that are none are left out.
pub(super) fn texts<'de, D>(from: D) -> Result<BTreeMap<String, String>, D::Error>
where
    D: Deserializer<'de>,
{
    let Object(map) = leaf::<_, Object<BTreeMap<String, Any<Option<String>>>>>(from)?;
    let texts = map.unwrap_or_default().into_iter();
    Ok(texts.filter_map(|(key, Any(value))| Some((key, value?))).collect())
}

/// A tolerant type where serde wants one of its own.
struct Any<T>(T);

impl<'de, T: Tolerant<'de>> Deserialize<'de> for Any<T> {
    fn deserialize<D: Deserializer<'de>>(from: D) -> Result<Self, D::Error> {
        leaf(from).map(Self)
    }
}

struct Reader<T>(PhantomData<T>);

impl<'de, T: Tolerant<'de>> Visitor<'de> for Reader<T> {
    type Value = T;

    fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("anything")
    }

    fn visit_str<E: Error>(self, text: &str) -> Result<T, E> {
        Ok(T::text(text))
    }

    fn visit_u64<E: Error>(self, number: u64) -> Result<T, E> {
        Ok(T::number(number))
    }

    fn visit_i64<E: Error>(self, _: i64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_f64<E: Error>(self, _: f64) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_bool<E: Error>(self, flag: bool) -> Result<T, E> {
        Ok(T::flag(flag))
    }

    fn visit_unit<E: Error>(self) -> Result<T, E> {
        Ok(T::default())
    }

    fn visit_seq<A: SeqAccess<'de>>(self, list: A) -> Result<T, A::Error> {
        T::list(list)
    }

    fn visit_map<A: MapAccess<'de>>(self, map: A) -> Result<T, A::Error> {
        T::map(map)
    }
}
