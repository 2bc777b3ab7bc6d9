//! Directives: lines that begin with a dollar sign and say how to read the lines behind them.

use std::sync::Arc;

use super::reader::Reader;
use super::source::Source;
use crate::problem::nearest;
use crate::wire::name::NAME_MAX;
use crate::wire::rdata::entry::Entry;
use crate::wire::rdata::fields::{Fault, Field, Fields, Outcome};

/// Files may include files this deep; deeper is taken for a mistake.
const DEPTH_MAX: usize = 16;

/// One zone may include this many files in all, so that a few files can't include each other without end.
const INCLUDES_MAX: u32 = 10_000;

const DIRECTIVES: [&str; 4] = ["$ORIGIN", "$TTL", "$INCLUDE", "$GENERATE"];

impl Reader<'_> {
    pub fn directive(&mut self, source: &mut Source<'_>, entry: &Entry) -> Outcome<()> {
        let text = source.text;
        let mut fields = Fields::new(text, entry, &source.origin);
        let word = fields.required("a directive")?;
        if !word.is("$GENERATE")
            && let Some((_, (start, end))) = self.annotation(text, entry)?
        {
            return Err(Fault::new(start, end, "a directive has no routing").remedy("put the comment behind a record"));
        }
        if word.is("$TTL") {
            let field = fields.required("the default TTL").map_err(|fault| fault.remedy("write: $TTL 3600"))?;
            let ttl = self.ttl_value(&field)?;
            finish(&fields, "write: $TTL 3600")?;
            self.default_ttl = Some(ttl);
            return Ok(());
        }
        // The others may read on from here with an origin of their own.
        let origin = source.origin.clone();
        let mut fields = Fields::new(text, entry, &origin);
        let word = fields.required("a directive")?;
        if word.is("$GENERATE") {
            return self.generate(source, fields, entry);
        }
        if word.is("$ORIGIN") {
            let field =
                fields.required("the new origin").map_err(|fault| fault.remedy("write: $ORIGIN example.com."))?;
            let mut name = Vec::with_capacity(NAME_MAX);
            field.name_into(&origin, &mut name)?;
            finish(&fields, "write: $ORIGIN example.com.")?;
            source.origin = name;
            return Ok(());
        }
        if word.is("$INCLUDE") {
            let path =
                fields.required("the file to include").map_err(|fault| fault.remedy("write: $INCLUDE file origin"))?;
            let mut inner = origin.clone();
            if let Some(field) = fields.optional() {
                inner.clear();
                field.name_into(&origin, &mut inner)?;
            }
            finish(&fields, "write: $INCLUDE file origin")?;
            return self.include(source, &path, inner);
        }
        if word.is("$DATE") {
            // BIND's dumps say when they were written; it changes nothing.
            return Ok(());
        }
        let fault = word.is_not("a directive");
        let known = nearest(&String::from_utf8_lossy(word.bytes).to_ascii_uppercase(), DIRECTIVES);
        Err(match known {
            Some(known) => fault.remedy(format!("did you mean {known}?")),
            None => fault.remedy("a name that begins with a dollar sign is written \\$name"),
        })
    }

    fn include(&mut self, source: &Source<'_>, path: &Field<'_>, origin: Vec<u8>) -> Outcome<()> {
        let mut name = Vec::new();
        path.unescape_into(&mut name)?;
        let name = String::from_utf8(name).map_err(|_| path.is_not("a file name in UTF-8"))?;
        if self.open.len() >= DEPTH_MAX {
            return Err(path
                .fault(format!("files include each other more than {DEPTH_MAX} deep"))
                .remedy("include the file from further outside"));
        }
        if self.included >= INCLUDES_MAX {
            return Err(path.fault(format!("the zone includes more than {INCLUDES_MAX} files")).remedy("join some"));
        }
        let (shown, text) = self.includes.read(&name, &source.file).map_err(|why| {
            path.fault(format!("{} cannot be included", path.shown())).why(why).remedy("correct the path")
        })?;
        let open = self.zone.files.first().into_iter().chain(&self.open);
        if open.clone().any(|file| *file == shown) {
            let chain: Vec<&str> = open.chain([&shown]).map(|file| &**file).collect();
            return Err(path
                .fault("the file includes itself")
                .why(chain.join(" includes "))
                .remedy("remove one of these lines"));
        }
        let number = self.file_number(&shown).ok_or_else(|| path.fault("the zone has too many files"))?;
        self.included += 1;
        self.open.push(shown.clone());
        let mut inner = Source::new(&text, shown, number, origin, source.owner.clone());
        // What the outer entry is warned of must not be taken for the inner file's.
        let warnings = std::mem::take(&mut self.warnings);
        self.file(&mut inner);
        self.warnings = warnings;
        self.open.pop();
        Ok(())
    }

    fn file_number(&mut self, file: &Arc<str>) -> Option<u16> {
        let files = &mut self.zone.files;
        let index = files.iter().position(|known| known == file).unwrap_or_else(|| {
            files.push(file.clone());
            files.len() - 1
        });
        u16::try_from(index).ok()
    }
}

fn finish(fields: &Fields<'_>, form: &str) -> Outcome<()> {
    fields.finish().map_err(|fault| fault.remedy(form))
}
