//! DNS over HTTP (RFC 8484), whatever version of HTTP carries it: from a request to its question, from a reply to its
//! response.
//!
//! | request                                       | status                     |
//! |-----------------------------------------------|----------------------------|
//! | of another path                               | 404                        |
//! | neither GET nor POST                          | 405                        |
//! | GET without a good `dns=`                     | 400                        |
//! | POST of more than a message can have          | 413                        |
//! | POST of another type                          | 415                        |
//! | POST that takes too long                      | 408                        |
//! | anything, while others' messages take all room| 503                        |
//! | what DNS is silent to (a reply, a torn header)| 400                        |
//! | anything else                                 | 200, whatever the RCODE is |

use data_encoding::BASE64URL_NOPAD;
use hyper::body::Bytes;
use hyper::header::{ALLOW, CACHE_CONTROL, CONTENT_LENGTH, CONTENT_TYPE, HeaderMap, HeaderValue};
use hyper::{Method, Response, StatusCode, Uri};

use super::Visit;
use super::under_way::Unread;
use crate::io::live::Live;
use crate::io::turns::{MESSAGE_MAX, Turns};
use crate::wire::freshness::freshness;

const DNS_MESSAGE: &str = "application/dns-message";

/// What a request asks.
#[derive(Debug, PartialEq, Eq)]
pub enum Asked {
    /// This message.
    Message(Vec<u8>),
    /// What its body says.
    Body,
}

/// Finds the question, or why there is none.
pub fn question(path: &str, method: &Method, uri: &Uri, headers: &HeaderMap) -> Result<Asked, StatusCode> {
    if uri.path() != path {
        return Err(StatusCode::NOT_FOUND);
    }
    match *method {
        Method::GET => {
            let pairs = uri.query().unwrap_or("").split('&');
            let encoded = pairs.filter_map(|pair| pair.strip_prefix("dns=")).next();
            let encoded = encoded.ok_or(StatusCode::BAD_REQUEST)?;
            // RFC 8484, 6: without padding; some clients pad, and mean the same.
            // A URL has no room for a longer message than there can be: HEADERS_MAX is less.
            let message = BASE64URL_NOPAD.decode(encoded.trim_end_matches('=').as_bytes());
            message.map(Asked::Message).map_err(|_| StatusCode::BAD_REQUEST)
        }
        Method::POST => {
            if !is_dns_message(headers) {
                return Err(StatusCode::UNSUPPORTED_MEDIA_TYPE);
            }
            let length = headers.get(CONTENT_LENGTH).and_then(|length| length.to_str().ok()?.parse::<u64>().ok());
            if length.is_some_and(|length| length > MESSAGE_MAX as u64) {
                return Err(StatusCode::PAYLOAD_TOO_LARGE);
            }
            Ok(Asked::Body)
        }
        _ => Err(StatusCode::METHOD_NOT_ALLOWED),
    }
}

/// Parameters such as `charset` say nothing about a message.
fn is_dns_message(headers: &HeaderMap) -> bool {
    let told = headers.get(CONTENT_TYPE).and_then(|told| told.to_str().ok()).unwrap_or("");
    told.split(';').next().unwrap_or("").trim().eq_ignore_ascii_case(DNS_MESSAGE)
}

/// The response to a message.
pub fn response(visit: &Visit, turns: &Turns<Live>, message: &[u8]) -> Response<Bytes> {
    visit.asked();
    let mut turn = visit.turn(turns);
    let Some(reply) = visit.doors.under_way.reply(turn.reply(message, visit.caller.client)) else {
        return refusal(StatusCode::SERVICE_UNAVAILABLE);
    };
    let personal = turn.responder.is_personal();
    drop(turn);
    if reply.is_empty() {
        return refusal(StatusCode::BAD_REQUEST);
    }
    // RFC 8484, 5.1. A cache that others share doesn't know for whom an answer was steered.
    let sharing = if personal { "private, " } else { "" };
    let keep = format!("{sharing}max-age={}", freshness(&reply));
    let length = reply.len();
    let mut response = Response::new(reply);
    let headers = response.headers_mut();
    headers.insert(CONTENT_TYPE, HeaderValue::from_static(DNS_MESSAGE));
    headers.insert(CONTENT_LENGTH, length.into());
    if let Ok(keep) = HeaderValue::try_from(keep) {
        headers.insert(CACHE_CONTROL, keep);
    }
    response
}

/// The status that says why a question was not read.
pub fn unread(why: Unread) -> StatusCode {
    match why {
        Unread::TooLong => StatusCode::PAYLOAD_TOO_LARGE,
        Unread::NoRoom => StatusCode::SERVICE_UNAVAILABLE,
    }
}

/// A response that only says why there is no other.
pub fn refusal(status: StatusCode) -> Response<Bytes> {
    let mut response = Response::new(Bytes::new());
    *response.status_mut() = status;
    response.headers_mut().insert(CONTENT_LENGTH, 0.into());
    if status == StatusCode::METHOD_NOT_ALLOWED {
        response.headers_mut().insert(ALLOW, HeaderValue::from_static("GET, POST"));
    }
    response
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asked(method: Method, uri: &str, headers: &[(&'static str, &'static str)]) -> Result<Asked, u16> {
        let headers: HeaderMap =
            headers.iter().map(|(name, value)| (name.parse().unwrap(), HeaderValue::from_static(value))).collect();
        question("/dns-query", &method, &uri.parse().unwrap(), &headers).map_err(|status| status.as_u16())
    }

    #[test]
    fn a_get_has_its_question_in_the_url() {
        let message = |bytes: &[u8]| Ok(Asked::Message(bytes.to_vec()));
        for (uri, expected) in [
            ("/dns-query?dns=AAABAA", message(&[0, 0, 1, 0])),
            ("/dns-query?ct=x&dns=AAABAA&y=z", message(&[0, 0, 1, 0])),
            ("/dns-query?dns=AAABAA==", message(&[0, 0, 1, 0])),
            ("/dns-query?dns=-_8", message(&[0xfb, 0xff])),
            ("/dns-query?dns=", message(&[])),
            ("/dns-query?dns=+/8", Err(400)),
            ("/dns-query?dns=A", Err(400)),
            ("/dns-query?DNS=AAABAA", Err(400)),
            ("/dns-query", Err(400)),
            ("/", Err(404)),
            ("/dns-query/?dns=AAABAA", Err(404)),
            ("https://localhost/dns-query?dns=AAABAA", message(&[0, 0, 1, 0])),
        ] {
            assert_eq!(asked(Method::GET, uri, &[]), expected, "{uri}");
        }
    }

    #[test]
    fn a_post_has_it_in_its_body() {
        let dns = ("content-type", "application/dns-message");
        for (headers, expected) in [
            (&[dns][..], Ok(Asked::Body)),
            (&[("content-type", "Application/DNS-Message; charset=x")], Ok(Asked::Body)),
            (&[dns, ("content-length", "65535")], Ok(Asked::Body)),
            (&[dns, ("content-length", "65536")], Err(413)),
            (&[("content-type", "application/json")], Err(415)),
            (&[], Err(415)),
        ] {
            assert_eq!(asked(Method::POST, "/dns-query", headers), expected, "{headers:?}");
        }
        assert_eq!(asked(Method::PUT, "/dns-query", &[dns]), Err(405));
        assert_eq!(asked(Method::HEAD, "/dns-query?dns=AAABAA", &[]), Err(405));
    }
}
