//! Graphite targets of a reader, confined to the apps that reader may see. Pure.
//!
//! A target is a path pattern (`qae.*.app.shop_*.inst.*.cpu.percent`) or a function over targets. For a reader of some apps only
//!
//! - a pattern must name the prefix, and `app` in its place, literally, and the app's node is replaced by the apps it matches among those
//!   allowed (`{shop_web,shop_api}`; none left: a pattern that matches nothing);
//! - a function must be one of [`HARMLESS`]: those that take series from their arguments alone. Others look up names of their own making
//!   (`useSeriesAbove`, `applyByNode`, `seriesByTag`...) and are refused.

/// Longest target, in bytes.
pub const LONGEST: usize = 8_192;
/// Deepest nesting of functions.
const DEEPEST: usize = 32;

/// Functions whose series all come from their arguments.
const HARMLESS: &[&str] = &[
    "absolute",
    "aggregate",
    "aggregateWithWildcards",
    "alias",
    "aliasByMetric",
    "aliasByNode",
    "aliasSub",
    "alpha",
    "areaBetween",
    "asPercent",
    "averageAbove",
    "averageBelow",
    "averageOutsidePercentile",
    "averageSeries",
    "averageSeriesWithWildcards",
    "avg",
    "cactiStyle",
    "changed",
    "color",
    "consolidateBy",
    "constantLine",
    "countSeries",
    "cumulative",
    "currentAbove",
    "currentBelow",
    "dashed",
    "delay",
    "derivative",
    "diffSeries",
    "divideSeries",
    "drawAsInfinite",
    "exclude",
    "fallbackSeries",
    "filterSeries",
    "grep",
    "group",
    "groupByNode",
    "groupByNodes",
    "highest",
    "highestAverage",
    "highestCurrent",
    "highestMax",
    "hitcount",
    "integral",
    "interpolate",
    "invert",
    "isNonNull",
    "keepLastValue",
    "legendValue",
    "limit",
    "lineWidth",
    "logarithm",
    "lowest",
    "lowestAverage",
    "lowestCurrent",
    "max",
    "maxSeries",
    "maximumAbove",
    "maximumBelow",
    "min",
    "minMax",
    "minSeries",
    "minimumAbove",
    "minimumBelow",
    "mostDeviant",
    "movingAverage",
    "movingMax",
    "movingMedian",
    "movingMin",
    "movingSum",
    "multiplySeries",
    "nPercentile",
    "nonNegativeDerivative",
    "offset",
    "offsetToZero",
    "perSecond",
    "percentileOfSeries",
    "pow",
    "randomWalk",
    "rangeOfSeries",
    "removeAbovePercentile",
    "removeAboveValue",
    "removeBelowPercentile",
    "removeBelowValue",
    "removeEmptySeries",
    "round",
    "scale",
    "scaleToSeconds",
    "secondYAxis",
    "smartSummarize",
    "sortBy",
    "sortByMaxima",
    "sortByMinima",
    "sortByName",
    "sortByTotal",
    "squareRoot",
    "stacked",
    "stddevSeries",
    "substr",
    "sum",
    "sumSeries",
    "sumSeriesWithWildcards",
    "summarize",
    "threshold",
    "timeShift",
    "timeSlice",
    "transformNull",
    "unique",
];

/// A target that cannot be answered.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TargetError {
    /// Its form is wrong.
    #[error("the target is not understood at byte {at}: {why}")]
    Form {
        /// Where.
        at: usize,
        /// What is wrong.
        why: &'static str,
    },
    /// A function that could show other apps.
    #[error("{0}() cannot be confined to your apps; a token for all apps may use it")]
    Function(String),
    /// A pattern outside of apps.
    #[error("{pattern:?} is not beneath {prefix}.<dc>.app.<app>, and your token is for apps")]
    Place {
        /// As asked.
        pattern: String,
        /// The configured prefix.
        prefix: String,
    },
}

/// The target, confined. `allowed` are the Graphite components of the apps the reader may see.
pub fn confine(text: &str, prefix: &str, allowed: &[String]) -> Result<String, TargetError> {
    if text.len() > LONGEST {
        return Err(TargetError::Form { at: LONGEST, why: "it is too long" });
    }
    let mut scan = Scan { text, at: 0, out: String::with_capacity(text.len()), prefix, allowed };
    scan.expression(0)?;
    scan.space();
    if scan.at < text.len() {
        return Err(scan.wrong("something follows its end"));
    }
    Ok(scan.out)
}

struct Scan<'a> {
    text: &'a str,
    at: usize,
    out: String,
    prefix: &'a str,
    allowed: &'a [String],
}

impl<'a> Scan<'a> {
    fn wrong(&self, why: &'static str) -> TargetError {
        TargetError::Form { at: self.at, why }
    }

    fn rest(&self) -> &'a str {
        &self.text[self.at..]
    }

    fn space(&mut self) {
        self.at += self.rest().len() - self.rest().trim_start_matches([' ', '\t', '\n']).len();
    }

    /// Takes `mark` if it comes next.
    fn mark(&mut self, mark: char) -> bool {
        self.space();
        let found = self.rest().starts_with(mark);
        if found {
            self.at += mark.len_utf8();
        }
        found
    }

    fn expression(&mut self, depth: usize) -> Result<(), TargetError> {
        if depth > DEEPEST {
            return Err(self.wrong("it is nested too deeply"));
        }
        self.space();
        let word = self.word()?;
        self.space();
        if !self.rest().starts_with('(') {
            let confined = self.pattern(word)?;
            self.out.push_str(&confined);
            return Ok(());
        }
        if !HARMLESS.contains(&word) {
            return Err(TargetError::Function(word.chars().take(60).collect()));
        }
        self.out.push_str(word);
        self.arguments(depth)
    }

    fn arguments(&mut self, depth: usize) -> Result<(), TargetError> {
        self.mark('(');
        self.out.push('(');
        let mut first = true;
        while !self.mark(')') {
            if !first {
                if !self.mark(',') {
                    return Err(self.wrong("a , or ) is missing"));
                }
                self.out.push(',');
            }
            first = false;
            self.argument(depth)?;
        }
        self.out.push(')');
        Ok(())
    }

    fn argument(&mut self, depth: usize) -> Result<(), TargetError> {
        self.space();
        match self.rest().chars().next() {
            Some(quote @ ('"' | '\'')) => self.string(quote),
            Some(_) if self.literal() => Ok(()),
            Some(_) => self.expression(depth + 1),
            None => Err(self.wrong("a ) is missing")),
        }
    }

    /// A quoted string. One with its own quote or a backslash in it is refused: Graphite's reading of those differs by version.
    fn string(&mut self, quote: char) -> Result<(), TargetError> {
        let inner = &self.rest()[1..];
        let end = inner.find(quote).ok_or_else(|| self.wrong("a quote is not closed"))?;
        if inner[..end].contains(['\\', '\n']) {
            return Err(self.wrong("a backslash in a string"));
        }
        self.out.push_str(&self.rest()[..end + 2]);
        self.at += end + 2;
        Ok(())
    }

    /// A number, true, false, or None: nothing that could be a path.
    fn literal(&mut self) -> bool {
        let end = self.rest().find([',', ')', ' ', '\t', '\n']).unwrap_or(self.rest().len());
        let word = &self.rest()[..end];
        let digits = |w: &str| !w.is_empty() && w.bytes().all(|b| b.is_ascii_digit());
        let (whole, part) = word
            .trim_start_matches('-')
            .split_once('.')
            .unwrap_or((word.trim_start_matches('-'), "0"));
        let number = digits(whole) && digits(part);
        if !number && !matches!(word, "true" | "false" | "True" | "False" | "None") {
            return false;
        }
        self.out.push_str(word);
        self.at += end;
        true
    }

    /// A function's name or a path pattern: up to what ends one outside of braces.
    fn word(&mut self) -> Result<&'a str, TargetError> {
        let mut braces = false;
        let mut end = self.rest().len();
        for (at, c) in self.rest().char_indices() {
            match c {
                '{' if braces => return Err(self.wrong("braces within braces")),
                '{' => braces = true,
                '}' if !braces => return Err(self.wrong("a } without a {")),
                '}' => braces = false,
                // a comma that outlives its brace would begin another pattern
                '.' if braces => return Err(self.wrong("a dot within braces")),
                ',' if braces => {}
                '(' | ')' | ',' | ' ' | '\t' | '\n' => {
                    end = at;
                    break;
                }
                c if c.is_ascii_alphanumeric() || "._-*?[]:#%".contains(c) => {}
                _ => return Err(self.wrong("a character no path has")),
            }
        }
        if braces || end == 0 {
            return Err(self.wrong(if braces {
                "a { is not closed"
            } else {
                "a path or function is missing"
            }));
        }
        let word = &self.rest()[..end];
        self.at += end;
        Ok(word)
    }

    fn pattern(&self, pattern: &str) -> Result<String, TargetError> {
        let outside = || TargetError::Place {
            pattern: pattern.chars().take(200).collect(),
            prefix: self.prefix.to_owned(),
        };
        let beneath = match self.prefix {
            "" => pattern,
            prefix => pattern
                .strip_prefix(prefix)
                .and_then(|rest| rest.strip_prefix('.'))
                .ok_or_else(outside)?,
        };
        let parts: Vec<&str> = beneath.split('.').collect();
        let [dc, "app", app, rest @ ..] = parts.as_slice() else { return Err(outside()) };
        if rest.is_empty() || dc.is_empty() || dc.contains(['{', '}']) {
            return Err(outside());
        }
        let may: Vec<&str> =
            self.allowed.iter().map(String::as_str).filter(|one| matches(app, one)).collect();
        let app = match may.as_slice() {
            // a component never holds only this, so nothing matches
            [] => "-".to_owned(),
            [one] => (*one).to_owned(),
            many => format!("{{{}}}", many.join(",")),
        };
        let dot = if self.prefix.is_empty() { "" } else { "." };
        Ok(format!("{}{dot}{dc}.app.{app}.{}", self.prefix, rest.join(".")))
    }
}

/// Whether a Graphite pattern of one node matches a component: `*`, `?`, `[abc]`, `{a,b*}`.
fn matches(pattern: &str, name: &str) -> bool {
    if let Some((head, tail)) = pattern.split_once('{') {
        let Some((inner, tail)) = tail.split_once('}') else { return false };
        return inner.split(',').any(|one| matches(&format!("{head}{one}{tail}"), name));
    }
    glob(pattern.as_bytes(), name.as_bytes())
}

fn glob(pattern: &[u8], name: &[u8]) -> bool {
    match pattern {
        [] => name.is_empty(),
        [b'*', rest @ ..] => (0..=name.len()).any(|skip| glob(rest, &name[skip..])),
        [b'?', rest @ ..] => !name.is_empty() && glob(rest, &name[1..]),
        [b'[', rest @ ..] => {
            let Some(end) = rest.iter().position(|b| *b == b']') else { return false };
            let Some((first, name)) = name.split_first() else { return false };
            in_set(&rest[..end], *first) && glob(&rest[end + 1..], name)
        }
        [byte, rest @ ..] => name.first() == Some(byte) && glob(rest, &name[1..]),
    }
}

/// `abc` or `a-z`.
fn in_set(set: &[u8], byte: u8) -> bool {
    match set {
        [from, b'-', to, rest @ ..] => (*from..=*to).contains(&byte) || in_set(rest, byte),
        [one, rest @ ..] => *one == byte || in_set(rest, byte),
        [] => false,
    }
}

#[cfg(test)]
mod tests;
