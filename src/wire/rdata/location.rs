//! LOC: latitude, longitude, altitude and how precise they are (RFC 1876).

use super::cursor::Cursor;
use super::fields::{Field, Fields, Outcome};

/// The equator and the prime meridian, in thousandths of a second of arc.
const CENTRE: u32 = 1 << 31;
/// Altitudes count centimetres from 100,000 m below the WGS 84 spheroid.
const BELOW: i64 = 10_000_000;
/// RFC 1876, 3: size 1 m, horizontal precision 10,000 m, vertical precision 10 m.
const PRECISIONS: [u8; 3] = [0x12, 0x16, 0x13];
const MINUTE: u32 = 60_000;
const DEGREE: u32 = 60 * MINUTE;

pub fn read(fields: &mut Fields<'_>, out: &mut Vec<u8>) -> Outcome<()> {
    let latitude = angle(fields, 90, b"N", b"S", "a latitude")?;
    let longitude = angle(fields, 180, b"E", b"W", "a longitude")?;
    let field = fields.required("an altitude")?;
    let altitude = centimetres(field.bytes).map(|value| value + BELOW).and_then(|value| u32::try_from(value).ok());
    let altitude = altitude.ok_or_else(|| field.is_not("an altitude in metres, from -100000.00 to 42849672.95"))?;
    let mut precisions = PRECISIONS;
    for precision in &mut precisions {
        if let Some(field) = fields.optional() {
            let value = centimetres(field.bytes).and_then(precision_byte);
            *precision = value.ok_or_else(|| field.is_not("a precision in metres, from 0 to 90000000.00"))?;
        }
    }
    out.push(0);
    out.extend_from_slice(&precisions);
    for value in [latitude, longitude, altitude] {
        out.extend_from_slice(&value.to_be_bytes());
    }
    Ok(())
}

/// Degrees, then minutes and seconds if given, then the direction.
fn angle(fields: &mut Fields<'_>, most: u32, plus: &[u8], minus: &[u8], wanted: &str) -> Outcome<u32> {
    let field = fields.required(wanted)?;
    let mut total =
        field.number(most).map_err(|_| field.is_not(format!("{wanted}: degrees from 0 to {most}")))? * DEGREE;
    let mut part = 0;
    loop {
        let field = fields.required("a direction (N, S, E or W)")?;
        if field.bytes.eq_ignore_ascii_case(plus) || field.bytes.eq_ignore_ascii_case(minus) {
            if total > most * DEGREE {
                return Err(field.fault(format!("{wanted} goes no further than {most} degrees")));
            }
            let north_or_east = field.bytes.eq_ignore_ascii_case(plus);
            return Ok(if north_or_east { CENTRE + total } else { CENTRE - total });
        }
        total += match part {
            0 => field.number(59).map_err(|_| field.is_not("minutes from 0 to 59 or a direction"))? * MINUTE,
            1 => thousandths(&field)?,
            _ => return Err(field.is_not("a direction (N, S, E or W)")),
        };
        part += 1;
    }
}

/// Seconds of arc with up to three decimals.
fn thousandths(field: &Field<'_>) -> Outcome<u32> {
    fixed(field.bytes, 3)
        .filter(|&value| value < 60_000)
        .and_then(|value| u32::try_from(value).ok())
        .ok_or_else(|| field.is_not("seconds from 0 to 59.999 or a direction"))
}

/// Metres with up to two decimals, an `m` behind them or not.
fn centimetres(text: &[u8]) -> Option<i64> {
    let text = text.strip_suffix(b"m").or_else(|| text.strip_suffix(b"M")).unwrap_or(text);
    match text.strip_prefix(b"-") {
        Some(rest) => fixed(rest, 2).map(|value| -value),
        None => fixed(text.strip_prefix(b"+").unwrap_or(text), 2),
    }
}

/// A decimal number without sign, as a whole number of its last decimal place.
fn fixed(text: &[u8], decimals: usize) -> Option<i64> {
    let mut parts = text.splitn(2, |&byte| byte == b'.');
    let whole = parts.next()?;
    let fraction = parts.next().unwrap_or_default();
    if whole.len() + fraction.len() == 0 || fraction.len() > decimals || whole.len() > 10 {
        return None;
    }
    let digits = whole.iter().chain(fraction).chain(std::iter::repeat_n(&b'0', decimals - fraction.len()));
    digits.copied().try_fold(0i64, |value, byte| byte.is_ascii_digit().then(|| value * 10 + i64::from(byte - b'0')))
}

/// Centimetres as a digit and a power of ten (RFC 1876, 2).
fn precision_byte(centimetres: i64) -> Option<u8> {
    let (mut base, mut exponent) = (u64::try_from(centimetres).ok()?, 0u8);
    while base > 9 {
        base /= 10;
        exponent += 1;
    }
    (exponent <= 9).then_some((base as u8) << 4 | exponent)
}

pub fn show(cursor: &mut Cursor<'_>, out: &mut String) -> Option<()> {
    let [version, sizes @ ..] = cursor.array::<4>()?;
    let (latitude, longitude, altitude) = (cursor.u32()?, cursor.u32()?, cursor.u32()?);
    // A zero has one form only, or what is shown would not read back to the same bytes.
    let precise = sizes.iter().all(|size| size >> 4 <= 9 && size & 15 <= 9 && (size >> 4 > 0 || *size == 0));
    if version != 0 || !precise || latitude.abs_diff(CENTRE) > 90 * DEGREE || longitude.abs_diff(CENTRE) > 180 * DEGREE
    {
        return None;
    }
    let altitude = i64::from(altitude) - BELOW;
    let sign = if altitude < 0 { "-" } else { "" };
    let (metres, cents) = (altitude.unsigned_abs() / 100, altitude.unsigned_abs() % 100);
    let latitude = show_angle(latitude, 'N', 'S');
    let longitude = show_angle(longitude, 'E', 'W');
    out.push_str(&format!("{latitude} {longitude} {sign}{metres}.{cents:02}m"));
    for size in sizes {
        let value = u64::from(size >> 4) * 10u64.pow(u32::from(size & 15));
        match value % 100 {
            0 => out.push_str(&format!(" {}m", value / 100)),
            cents => out.push_str(&format!(" {}.{cents:02}m", value / 100)),
        }
    }
    Some(())
}

fn show_angle(value: u32, plus: char, minus: char) -> String {
    let direction = if value >= CENTRE { plus } else { minus };
    let value = value.abs_diff(CENTRE);
    let (degrees, minutes, rest) = (value / DEGREE, value % DEGREE / MINUTE, value % MINUTE);
    format!("{degrees} {minutes} {}.{:03} {direction}", rest / 1000, rest % 1000)
}
