//! Figures as a person reads them at a glance, four or five characters wide. Pure.

/// Bytes with binary steps: `0`, `999`, `1.0K`, `340K`, `1.2G`.
pub fn bytes(value: f64) -> String {
    const UNITS: [&str; 6] = ["", "K", "M", "G", "T", "P"];
    if !value.is_finite() {
        return "-".to_owned();
    }
    let mut value = value.max(0.0);
    let mut unit = 0;
    // 999.5 would print as 1000
    while value >= 999.5 && unit + 1 < UNITS.len() {
        value /= 1024.0;
        unit += 1;
    }
    if unit == 0 || value >= 9.95 {
        format!("{value:.0}{}", UNITS[unit])
    } else {
        format!("{value:.1}{}", UNITS[unit])
    }
}

/// Percent with one decimal, none from 100 up: `0.0`, `49.8`, `250`.
pub fn percent(value: f64) -> String {
    if value >= 99.95 { format!("{value:.0}") } else { format!("{value:.1}") }
}

/// Seconds as the two largest units: `45s`, `12m05s`, `3h40m`, `12d3h`.
pub fn time(seconds: u64) -> String {
    let (minutes, hours, days) = (seconds / 60, seconds / 3600, seconds / 86_400);
    match seconds {
        0..60 => format!("{seconds}s"),
        60..3600 => format!("{minutes}m{:02}s", seconds % 60),
        3600..86_400 => format!("{hours}h{:02}m", minutes % 60),
        _ => format!("{days}d{:02}h", hours % 24),
    }
}

/// A count: `30.1k`, `1.2M`.
pub fn count(value: u64) -> String {
    let (thousands, millions) = (value / 100, value / 100_000);
    match value {
        0..10_000 => value.to_string(),
        10_000..1_000_000 => format!("{}.{}k", thousands / 10, thousands % 10),
        _ => format!("{}.{}M", millions / 10, millions % 10),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn figures_are_short() {
        assert_eq!(
            [0.0, 999.0, 1000.0, 1023.0, 348_160.0].map(bytes),
            ["0", "999", "1.0K", "1.0K", "340K"]
        );
        assert_eq!([1_288_490_188.0, 1e18, f64::NAN].map(bytes), ["1.2G", "888P", "-"]);
        assert_eq!([0.0, 49.84, 99.97, 250.4].map(percent), ["0.0", "49.8", "100", "250"]);
        assert_eq!([45, 725, 13_200, 1_047_600].map(time), ["45s", "12m05s", "3h40m", "12d03h"]);
        assert_eq!([7, 9_999, 30_149, 1_250_000].map(count), ["7", "9999", "30.1k", "1.2M"]);
    }

    proptest! {
        #[test]
        fn no_size_is_wider_than_five(value in 0f64..1e18) {
            prop_assert!(bytes(value).len() <= 5, "{}", bytes(value));
        }
    }
}
