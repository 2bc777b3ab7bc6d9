//! DNS over QUIC (RFC 9250): one question for each stream.
//!
//! | a client that                                              | finds                                          |
//! |------------------------------------------------------------|------------------------------------------------|
//! | sends a message ID other than 0 (4.2.1)                    | the connection closed with DOQ_PROTOCOL_ERROR  |
//! | ends a stream before its message does, or after (4.3.3)    | the same                                       |
//! | asks for a keepalive, which is for TCP (5.5.2)             | the same                                       |
//! | sends what is no question (4.3.3)                          | the same                                       |
//! | takes its question back, or lets us wait for its end       | nothing on that stream                         |
//! | asks while others' messages take all room                  | that stream reset with DOQ_INTERNAL_ERROR      |
//! | has to make room for others                                | the connection closed with DOQ_EXCESSIVE_LOAD  |
//! | asked what one connection may, or the server ends          | its answers, then DOQ_NO_ERROR                 |

use std::sync::Arc;
use std::time::Duration;

use quinn::{Connection, RecvStream, SendStream, VarInt};
use tokio::sync::watch;
use tokio::task::JoinSet;
use tokio::time::{Instant, sleep_until, timeout};

use super::super::framed::{LAST_CALL, PREFIX};
use super::super::turns::MESSAGE_MAX;
use super::Visit;
use super::under_way::{Question, Unread};

pub const ALPN: [&str; 1] = ["doq"];

/// RFC 9250, 8.4.
const NO_ERROR: VarInt = VarInt::from_u32(0);
const PROTOCOL_ERROR: VarInt = VarInt::from_u32(2);
const INTERNAL_ERROR: VarInt = VarInt::from_u32(1);
const REQUEST_CANCELLED: VarInt = VarInt::from_u32(3);
const EXCESSIVE_LOAD: VarInt = VarInt::from_u32(4);

/// A connection's end throws away what its client has not acknowledged; so long it may.
const ACKNOWLEDGED: Duration = Duration::from_millis(200);

/// What a client did that ends its connection.
struct Violation(&'static str);

pub async fn converse(connection: Connection, visit: Arc<Visit>, mut stop: watch::Receiver<bool>) {
    let mut running = JoinSet::new();
    let mut last_call = None;
    loop {
        let last = last_call.unwrap_or_else(Instant::now);
        tokio::select! {
            biased;
            () = visit.caller.seat.taken() => return connection.close(EXCESSIVE_LOAD, b"make room for others"),
            Some(answered) = running.join_next() => match answered {
                Ok(Err(Violation(rule))) => {
                    visit.doors.counts.quic_violation();
                    return connection.close(PROTOCOL_ERROR, rule.as_bytes());
                }
                _ if visit.asked_enough() => break,
                _ => {}
            },
            stream = connection.accept_bi() => match stream {
                Ok((send, receive)) => _ = running.spawn(answer(visit.clone(), send, receive)),
                // The client closed it, or has been silent for too long.
                Err(_) => return,
            },
            _ = stop.wait_for(|stop| *stop), if last_call.is_none() => last_call = Some(Instant::now() + LAST_CALL),
            () = sleep_until(last), if last_call.is_some() => break,
        }
    }
    while running.join_next().await.is_some() {}
    let _ = timeout(ACKNOWLEDGED, connection.closed()).await;
    connection.close(NO_ERROR, b"");
}

async fn answer(visit: Arc<Visit>, mut send: SendStream, receive: RecvStream) -> Result<(), Violation> {
    let answered = exchange(&visit, &mut send, receive).await;
    if answered.is_err() {
        // Left to itself the stream would end well, with an empty reply.
        let _ = send.reset(PROTOCOL_ERROR);
    }
    answered
}

async fn exchange(visit: &Visit, send: &mut SendStream, mut receive: RecvStream) -> Result<(), Violation> {
    let patience = &visit.doors.framed;
    let mut question = visit.doors.under_way.question(PREFIX);
    let no_more = match timeout(patience.read, read(&mut receive, &mut question)).await {
        Ok(Ok(true)) => None,
        // Taken back, or the connection is gone.
        Ok(Ok(false)) => return Ok(()),
        Ok(Err(Unread::TooLong)) => return Err(Violation("more than one message on a stream")),
        Ok(Err(Unread::NoRoom)) => Some(INTERNAL_ERROR),
        Err(_) => Some(REQUEST_CANCELLED),
    };
    if let Some(code) = no_more {
        let _ = receive.stop(code);
        let _ = send.reset(code);
        return Ok(());
    }
    let reply = reply(visit, question.bytes())?;
    drop(question);
    let Some(reply) = visit.doors.under_way.reply(&reply) else {
        let _ = send.reset(INTERNAL_ERROR);
        return Ok(());
    };
    // A client that doesn't want it any more, or doesn't take it, goes without.
    if let Ok(Ok(())) = timeout(patience.write, send.write_all(&reply)).await {
        let _ = send.finish();
    }
    Ok(())
}

/// Reads a stream to its end. False: it has no end.
async fn read(receive: &mut RecvStream, question: &mut Question) -> Result<bool, Unread> {
    loop {
        match receive.read_chunk(PREFIX + MESSAGE_MAX, true).await {
            Ok(Some(chunk)) => question.push(&chunk.bytes)?,
            Ok(None) => return Ok(true),
            Err(_) => return Ok(false),
        }
    }
}

/// The framed reply to a framed question.
fn reply(visit: &Visit, bytes: &[u8]) -> Result<Vec<u8>, Violation> {
    let Some((&prefix, message)) = bytes.split_first_chunk::<PREFIX>() else {
        return Err(Violation("a stream ended before its message"));
    };
    match message.len().cmp(&usize::from(u16::from_be_bytes(prefix))) {
        std::cmp::Ordering::Less => return Err(Violation("a stream ended before its message")),
        std::cmp::Ordering::Equal => {}
        std::cmp::Ordering::Greater => return Err(Violation("more than one message on a stream")),
    }
    if !message.starts_with(&[0, 0]) {
        return Err(Violation("the message ID is not 0"));
    }
    visit.asked();
    let mut turn = visit.turn(&visit.doors.quic);
    let reply = turn.reply(message, visit.caller.client);
    let Some(length) = u16::try_from(reply.len()).ok().filter(|length| *length > 0) else {
        return Err(Violation("this is no question"));
    };
    let framed = [&length.to_be_bytes()[..], reply].concat();
    if turn.responder.keepalive_asked() {
        return Err(Violation("a keepalive is for TCP"));
    }
    Ok(framed)
}
