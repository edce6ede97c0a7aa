//! The Gregorian calendar, counted day by day: slow, and too plain to be wrong in the way that a formula is.

/// `YYYYMMDDHHMMSS` of a moment, in seconds since 1970.
pub fn digits(seconds: u64) -> String {
    let (mut days, of_day) = (seconds / 86_400, seconds % 86_400);
    let mut year = 1970;
    while days >= days_in_year(year) {
        days -= days_in_year(year);
        year += 1;
    }
    let mut month = 0;
    while days >= days_in_month(year, month) {
        days -= days_in_month(year, month);
        month += 1;
    }
    let (hour, minute, second) = (of_day / 3600, of_day / 60 % 60, of_day % 60);
    let (month, day) = (month + 1, days + 1);
    format!("{year:04}{month:02}{day:02}{hour:02}{minute:02}{second:02}")
}

fn is_leap(year: u64) -> bool {
    year % 400 == 0 || (year % 4 == 0 && year % 100 != 0)
}

fn days_in_year(year: u64) -> u64 {
    if is_leap(year) { 366 } else { 365 }
}

fn days_in_month(year: u64, month: usize) -> u64 {
    let days = [31, 28, 31, 30, 31, 30, 31, 31, 30, 31, 30, 31][month];
    days + u64::from(month == 1 && is_leap(year))
}
