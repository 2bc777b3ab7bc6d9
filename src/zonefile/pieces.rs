//! A large file, cut into pieces that are read by many hands.
//!
//! What comes out is what one hand would have read, problems and their places included. A piece is read as if an entry
//! began where it was cut, under the origin and TTLs that held when its turn was far off. Then pieces are taken in their
//! order, each if that is how it was: what is before it ended exactly there (so that no parenthesis and no string was
//! open), and what it went by is still so. Any other piece is read again, in its turn. Directives, routing and whatever
//! else means something to later lines are not read in pieces at all.

use std::sync::Arc;

use super::Includes;
use super::reader::Reader;
use super::source::Source;
use crate::hands::{self, Hands};
use crate::model::ZoneData;
use crate::model::zone::Records;
use crate::problem::Problems;

/// How a file is cut.
#[derive(Clone, Copy)]
pub struct Sizes {
    /// The length of a piece.
    piece: usize,
    /// So much of a file is read by one hand at least: what holds for the rest is known by then.
    head: usize,
    /// A file shorter than this is left to one hand.
    worth_sharing: usize,
    /// An owner to cut before is looked for no further than this.
    cut_within: usize,
}

/// A piece of this length has some thirty thousand records.
pub const USUAL: Sizes = Sizes { piece: 1 << 20, head: 1 << 14, worth_sharing: 1 << 20, cut_within: 1 << 18 };

/// How many pieces for each hand are read before they are put together.
const PIECES_FOR_EACH: usize = 2;

/// Where a piece begins and ends, and on which line it begins.
struct Cut {
    start: usize,
    end: usize,
    line: u32,
}

/// What a piece goes by.
struct Ground<'t> {
    text: &'t [u8],
    file: Arc<str>,
    number: u16,
    origin: Vec<u8>,
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
    warned_of_ttl: bool,
}

/// What a piece holds, and what it leaves behind.
struct Piece {
    records: Records,
    problems: Problems,
    /// Where the last entry that begins in it ends.
    end: usize,
    line: u32,
    owner: Vec<u8>,
    default_ttl: Option<u32>,
    last_ttl: Option<u32>,
    warned_of_ttl: bool,
    said_ttl: bool,
    leaned_on_ttl: bool,
    gave_up: bool,
}

/// Reads as much of a file as many hands can; the rest is left.
pub fn read(reader: &mut Reader<'_>, source: &mut Source<'_>, hands: &dyn Hands, sizes: Sizes) {
    if hands.count() < 2 || source.text.len() < sizes.worth_sharing {
        return;
    }
    let head = last_directive(source.text).max(sizes.head);
    reader.until(source, head);
    let together = hands.count() * PIECES_FOR_EACH;
    while source.start < source.text.len() {
        let cuts = cut(source, together, sizes);
        if cuts.len() < 2 {
            return;
        }
        let ground = Ground::of(reader, source);
        let pieces = hands::collect(hands, cuts.len(), &|number| ground.read(&cuts[number]));
        let mut taken = 0;
        for (cut, piece) in cuts.iter().zip(pieces) {
            if source.start == cut.start && ground.fits(&piece, reader, source) {
                taken += usize::from(piece.take(reader, source));
            }
            // Nothing is left to read of a piece that was taken.
            reader.until(source, cut.end);
        }
        // It is not the kind of file that can be read in pieces.
        if taken * 2 < cuts.len() {
            return;
        }
    }
}

/// The line behind the last one that begins with a dollar sign.
fn last_directive(text: &[u8]) -> usize {
    let Some(at) = memchr::memmem::rfind(text, b"\n$") else { return 0 };
    memchr::memchr(b'\n', &text[at + 1..]).map_or(text.len(), |length| at + 1 + length + 1)
}

/// Cuts the next so many pieces. Lines are counted on the way: where no entry is open, each line end counts.
fn cut(source: &Source<'_>, most: usize, sizes: Sizes) -> Vec<Cut> {
    let text = source.text;
    let (mut start, mut line) = (source.start, source.line);
    let mut cuts = Vec::with_capacity(most);
    while start < text.len() && cuts.len() < most {
        let end = place_to_cut(text, start + sizes.piece, sizes);
        cuts.push(Cut { start, end, line });
        let lines = memchr::memchr_iter(b'\n', &text[start..end]).count();
        line = line.saturating_add(u32::try_from(lines).unwrap_or(u32::MAX));
        start = end;
    }
    cuts
}

/// The start of a line, from `from` on, that looks like that of a record with an owner.
fn place_to_cut(text: &[u8], from: usize, sizes: Sizes) -> usize {
    let within = text.len().min(from + sizes.cut_within);
    let Some(rest) = text.get(from..within) else { return text.len() };
    let starts = memchr::memchr_iter(b'\n', rest).map(|end| from + end + 1);
    let is_owner = |&start: &usize| text.get(start).is_some_and(|&byte| byte.is_ascii_alphanumeric() || byte == b'_');
    match starts.into_iter().find(is_owner) {
        Some(start) => start,
        None if within == text.len() => text.len(),
        // Any line end will do: what can't be read without knowing the owner is read in its turn.
        None => memchr::memchr(b'\n', &text[within..]).map_or(text.len(), |end| within + end + 1),
    }
}

impl<'t> Ground<'t> {
    fn of(reader: &Reader<'_>, source: &Source<'t>) -> Ground<'t> {
        Ground {
            text: source.text,
            file: source.file.clone(),
            number: source.number,
            origin: source.origin.clone(),
            default_ttl: reader.default_ttl,
            last_ttl: reader.last_ttl,
            warned_of_ttl: reader.warned_of_ttl,
        }
    }

    fn read(&self, cut: &Cut) -> Piece {
        let mut problems = Problems::default();
        let mut zone = ZoneData::new(crate::wire::name::Name::root(), self.file.clone());
        zone.records = Records::expected_of(cut.end - cut.start);
        let mut reader = Reader::new(zone, &Nothing, &mut problems);
        reader.alone = true;
        reader.default_ttl = self.default_ttl;
        reader.last_ttl = self.last_ttl;
        reader.warned_of_ttl = self.warned_of_ttl;
        let mut source = Source {
            text: self.text,
            file: self.file.clone(),
            number: self.number,
            start: cut.start,
            line: cut.line,
            origin: self.origin.clone(),
            owner: Vec::new(),
        };
        reader.until(&mut source, cut.end);
        let Reader { zone, default_ttl, last_ttl, warned_of_ttl, said_ttl, leaned_on_ttl, gave_up, .. } = reader;
        Piece {
            records: zone.records,
            problems,
            end: source.start,
            line: source.line,
            owner: source.owner,
            default_ttl,
            last_ttl,
            warned_of_ttl,
            said_ttl,
            leaned_on_ttl,
            gave_up,
        }
    }

    /// Whether a piece that begins where the reader is was read as the reader would have.
    fn fits(&self, piece: &Piece, reader: &Reader<'_>, source: &Source<'_>) -> bool {
        let same_ttl = self.last_ttl == reader.last_ttl && self.warned_of_ttl == reader.warned_of_ttl;
        !piece.gave_up
            && self.origin == source.origin
            && self.default_ttl == reader.default_ttl
            && (same_ttl || !piece.leaned_on_ttl)
    }
}

impl Piece {
    /// Makes it part of what was read. False where the zone has become too large: then reading on will say so.
    fn take(self, reader: &mut Reader<'_>, source: &mut Source<'_>) -> bool {
        if reader.zone.records.append(self.records).is_err() {
            return false;
        }
        reader.problems.append(self.problems);
        reader.default_ttl = self.default_ttl;
        if self.said_ttl {
            reader.last_ttl = self.last_ttl;
        }
        reader.warned_of_ttl |= self.warned_of_ttl;
        (source.start, source.line, source.owner) = (self.end, self.line, self.owner);
        true
    }
}

/// A piece includes nothing.
struct Nothing;

impl Includes for Nothing {
    fn read(&self, _path: &str, _from_file: &str) -> Result<(Arc<str>, Vec<u8>), String> {
        Err("pieces include nothing".into())
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;
    use crate::hands::Alone;
    use crate::hands::testing::Backwards;
    use crate::wire::name::Name;

    /// Pieces of a few lines.
    const SMALL: Sizes = Sizes { piece: 60, head: 20, worth_sharing: 0, cut_within: 40 };

    /// Includes that have one file for all paths.
    struct One;

    impl Includes for One {
        fn read(&self, path: &str, _from_file: &str) -> Result<(Arc<str>, Vec<u8>), String> {
            Ok((path.into(), b"inner 7 A 192.0.2.7\n A 192.0.2.8\n".into()))
        }
    }

    /// All that a zone is, and all that is wrong with it, as read by these hands.
    fn read_by(hands: &dyn Hands, text: &str) -> (String, String) {
        let origin = Name::parse_absolute("example.com").unwrap();
        let mut problems = Problems::default();
        let mut reader = Reader::new(ZoneData::new(origin.clone(), "f".into()), &One, &mut problems);
        let mut source = Source::new(text.as_bytes(), "f".into(), 0, origin.wire().to_vec(), Vec::new());
        read(&mut reader, &mut source, hands, SMALL);
        reader.file(&mut source);
        let zone = reader.zone;
        let records: Vec<String> = zone.records.iter().map(|record| format!("{record:?}\n")).collect();
        let problems: Vec<String> = problems.iter().map(|problem| format!("{problem:?}\n")).collect();
        (records.concat() + &format!("{:?}", zone.record_sets), problems.concat())
    }

    #[track_caller]
    fn check(text: &str) {
        let (records, problems) = read_by(&Alone, text);
        for hands in 2..4 {
            let (by_many, theirs) = read_by(&Backwards(hands), text);
            assert_eq!(by_many, records, "{text}");
            assert_eq!(theirs, problems, "{text}");
        }
    }

    /// Lines that carry something over to those behind them, and some that are wrong.
    const LINES: [&str; 32] = [
        "a A 192.0.2.1",
        "b 60 IN A 192.0.2.2",
        " AAAA 2001:db8::1",
        "\t120 TXT \"a b\" c",
        "c MX 10 mail",
        "d.example.com. 5m NS ns1.example.net.",
        "e TXT ( \"one\"",
        "f A 192.0.2.3",
        "  \"two\" )",
        ") ; closes",
        "g TXT \"a ; no comment (\"",
        "; a comment ( \" \\",
        "",
        "   ",
        "h SOA ns1 host 1 2 3 4 300",
        "$ORIGIN sub.example.com.",
        "$ORIGIN example.com.",
        "$TTL 77",
        " $TTL 88",
        "$INCLUDE other",
        "$GENERATE 1-3 n$ A 192.0.2.$",
        "i A 192.0.2.4 ; AWS routing=\"WEIGHTED\" weight=1 identifier=\"one\"",
        "i A 192.0.2.5 ; AWS routing=\"WEIGHTED\" weight=2 identifier=\"two\"",
        "j AWS ALIAS A i $self false",
        "; AWS hostedzone name=\"example.org\"",
        "k A 192.0.2.256",
        "l..x A 192.0.2.6",
        "m\\",
        "n TXT \"open",
        "o TXT \"line\\",
        "p UNKNOWN x",
        "\u{feff}q A 192.0.2.9\r",
    ];

    proptest! {
        #![proptest_config(ProptestConfig::with_cases(2_000))]

        #[test]
        fn pieces_say_what_the_whole_says(lines in prop::collection::vec(0..LINES.len(), 0..60)) {
            let text: Vec<String> = lines.iter().map(|&line| format!("{}\n", LINES[line])).collect();
            check(&text.concat());
        }

        /// Mostly lines that can be read in pieces, so that many are.
        #[test]
        fn good_pieces_do_too(lines in prop::collection::vec(0..LINES.len() * 8, 0..100), ttl in any::<bool>()) {
            let text: Vec<String> = lines.iter().map(|&line| format!("{}\n", LINES[if line < LINES.len() { line } else { line % 6 }])).collect();
            check(&format!("{}{}", if ttl { "$TTL 60\n" } else { "" }, text.concat()));
        }
    }

    #[test]
    fn a_plain_file_is_read_in_pieces_but_for_its_head() {
        let text: String = (0..40).map(|number| format!("n{number} 60 A 192.0.2.1\n")).collect();
        let origin = Name::parse_absolute("example.com").unwrap();
        let mut problems = Problems::default();
        let mut reader = Reader::new(ZoneData::new(origin.clone(), "f".into()), &One, &mut problems);
        let mut source = Source::new(text.as_bytes(), "f".into(), 0, origin.wire().to_vec(), Vec::new());
        read(&mut reader, &mut source, &Backwards(2), SMALL);
        assert_eq!((source.start, source.line), (text.len(), 41));
        // Each piece brings a chunk, and the head has one.
        assert!(reader.zone.records.chunks() > 10, "{}", reader.zone.records.chunks());
    }
}
