//! Looks for a text in the beginning of a body: 3.3.2.

use std::io::Read;

use flate2::read::{DeflateDecoder, GzDecoder, ZlibDecoder};
use http_body_util::BodyExt;
use hyper::Response;
use hyper::body::Incoming;
use hyper::header::CONTENT_ENCODING;

use crate::health::finding::BodyFailure;

/// The text must lie wholly within so many bytes, after decoding.
pub const SEARCHED: usize = 5120;

/// Compressed, these bytes take no more than this, whatever stands in gzip's header within reason; ours.
const ENCODED_MAX: usize = 16_384;

enum Coding {
    Identity,
    Gzip,
    Deflate,
}

/// Reads no more than is needed to know.
pub async fn contains(response: Response<Incoming>, search: &[u8]) -> Result<bool, BodyFailure> {
    let coding = match response.headers().get(CONTENT_ENCODING).map(|value| value.as_bytes().to_ascii_lowercase()) {
        None => Coding::Identity,
        Some(value) => match value.as_slice() {
            b"" | b"identity" => Coding::Identity,
            b"gzip" | b"x-gzip" => Coding::Gzip,
            b"deflate" => Coding::Deflate,
            _ => return Err(BodyFailure::Encoding),
        },
    };
    let most = if matches!(coding, Coding::Identity) { SEARCHED } else { ENCODED_MAX };
    let mut body = response.into_body();
    let mut read = Vec::new();
    while read.len() < most {
        let frame = match body.frame().await {
            None => break,
            Some(frame) => frame.map_err(|_| BodyFailure::Broken)?,
        };
        let Ok(bytes) = frame.into_data() else { continue };
        // A text that ended before these bytes was found before.
        let from = read.len().saturating_sub(search.len());
        let room = most - read.len();
        read.extend_from_slice(&bytes[..bytes.len().min(room)]);
        if matches!(coding, Coding::Identity) && finds(&read[from..], search) {
            return Ok(true);
        }
    }
    let text = match coding {
        Coding::Identity => return Ok(false),
        Coding::Gzip => decoded(GzDecoder::new(read.as_slice()))?,
        // RFC 9110 means zlib's format; many servers send the bare one.
        Coding::Deflate => {
            decoded(ZlibDecoder::new(read.as_slice())).or_else(|_| decoded(DeflateDecoder::new(read.as_slice())))?
        }
    };
    Ok(finds(&text, search))
}

fn decoded(decoder: impl Read) -> Result<Vec<u8>, BodyFailure> {
    let mut text = Vec::new();
    // What was decoded before the input ended or broke is looked at all the same.
    match decoder.take(SEARCHED as u64).read_to_end(&mut text) {
        Err(_) if text.is_empty() => Err(BodyFailure::Encoding),
        _ => Ok(text),
    }
}

fn finds(text: &[u8], search: &[u8]) -> bool {
    !search.is_empty() && text.windows(search.len()).any(|window| window == search)
}
