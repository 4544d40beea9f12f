//! Conditions of a query, put together as they are asked for.

use sqlx::any::{AnyArguments, AnyRow};
use sqlx::query::Query;
use sqlx::{Any, AnyConnection};

#[derive(Debug, Clone)]
enum Value {
    Number(i64),
    Text(String),
}

/// `a = $1 AND b < $2`, and what the places stand for.
#[derive(Debug, Clone, Default)]
pub(super) struct Filter {
    conditions: Vec<String>,
    values: Vec<Value>,
}

impl Filter {
    /// Adds `condition`, an expression without values.
    pub(super) fn is(&mut self, condition: &str) {
        self.conditions.push(condition.to_owned());
    }

    /// Adds `<left> <value>`, `left` being a column and a comparison.
    pub(super) fn number(&mut self, left: &str, value: i64) {
        self.values.push(Value::Number(value));
        self.conditions.push(format!("{left} ${}", self.values.len()));
    }

    /// As [`Self::number`], of texts.
    pub(super) fn text(&mut self, left: &str, value: &str) {
        // nothing stored holds a NUL, and PostgreSQL would refuse the query
        self.values.push(Value::Text(value.replace('\0', "\u{fffd}")));
        self.conditions.push(format!("{left} ${}", self.values.len()));
    }

    /// Adds `<column> IN <values>`; no values ask for nothing.
    pub(super) fn one_of<'a>(&mut self, column: &str, values: impl Iterator<Item = &'a str>) {
        let mut places = Vec::new();
        for value in values {
            self.values.push(Value::Text(value.to_owned()));
            places.push(format!("${}", self.values.len()));
        }
        if !places.is_empty() {
            self.conditions.push(format!("{column} IN ({})", places.join(", ")));
        }
    }

    /// Lets through too what only `<left> <value>` holds for, instead of the last condition.
    pub(super) fn or_text(&mut self, left: &str, value: &str) {
        let first = self.conditions.pop();
        self.text(left, value);
        let second = self.conditions.pop();
        let either: Vec<_> = first.into_iter().chain(second).collect();
        self.conditions.push(format!("({})", either.join(" OR ")));
    }

    /// All rows of `<select> WHERE <conditions> <rest>`.
    pub(super) async fn rows(
        self,
        c: &mut AnyConnection,
        select: &str,
        rest: &str,
    ) -> Result<Vec<AnyRow>, super::Error> {
        let conditions = self.conditions.join(" AND ");
        let sql = format!("{select} WHERE {conditions} {rest}");
        let query: Query<'_, Any, AnyArguments<'_>> = sqlx::query(&sql);
        let query = self.values.into_iter().fold(query, |query, value| match value {
            Value::Number(number) => query.bind(number),
            Value::Text(text) => query.bind(text),
        });
        Ok(query.fetch_all(c).await?)
    }
}
