//! A decoder of server-sent events, fed with bytes as they come.
//!
//! Lines are found in bytes, before UTF-8 is decoded, so a chunk may end inside a character. Only
//! `event` and `data` are read; comments, `id` and `retry` are skipped. An event ends with an empty
//! line; one that is not ended when the bytes are is dropped, as the standard says.

/// Most bytes of one event, all its lines together.
pub(super) const MAX_EVENT_BYTES: usize = 1 << 20;

const BYTE_ORDER_MARK: &[u8] = "\u{feff}".as_bytes();

/// One event.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct SseEvent {
    /// Its name; empty if it has none.
    pub(super) name: String,
    /// Its data lines, joined by newlines. Invalid UTF-8 is replaced.
    pub(super) data: String,
}

/// An event was larger than [`MAX_EVENT_BYTES`]; nothing after it is decoded.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(super) struct EventTooLarge;

/// The decoder's state between two chunks.
#[derive(Debug, Default)]
pub(super) struct SseDecoder {
    line: Vec<u8>,
    name: Vec<u8>,
    data: Vec<u8>,
    has_data: bool,
    after_carriage_return: bool,
    past_first_line: bool,
    broken: bool,
}

impl SseDecoder {
    /// Decodes more bytes and appends the events they complete. How the bytes are cut into chunks
    /// makes no difference.
    pub(super) fn push(&mut self, bytes: &[u8], events: &mut Vec<SseEvent>) -> Result<(), EventTooLarge> {
        if self.broken {
            return Err(EventTooLarge);
        }
        let mut rest = bytes;
        if self.after_carriage_return && !rest.is_empty() {
            self.after_carriage_return = false;
            rest = rest.strip_prefix(b"\n").unwrap_or(rest);
        }
        while let Some(end) = rest.iter().position(|byte| matches!(byte, b'\n' | b'\r')) {
            self.extend_line(&rest[..end])?;
            self.end_line(events);
            let is_carriage_return = rest[end] == b'\r';
            rest = &rest[end + 1..];
            if is_carriage_return {
                self.after_carriage_return = rest.is_empty();
                rest = rest.strip_prefix(b"\n").unwrap_or(rest);
            }
        }
        self.extend_line(rest)
    }

    fn extend_line(&mut self, bytes: &[u8]) -> Result<(), EventTooLarge> {
        let held = self.line.len() + self.name.len() + self.data.len();
        if held + bytes.len() > MAX_EVENT_BYTES {
            *self = Self { broken: true, ..Self::default() };
            return Err(EventTooLarge);
        }
        self.line.extend_from_slice(bytes);
        Ok(())
    }

    fn end_line(&mut self, events: &mut Vec<SseEvent>) {
        let mut line = std::mem::take(&mut self.line);
        if !self.past_first_line {
            self.past_first_line = true;
            if line.starts_with(BYTE_ORDER_MARK) {
                line.drain(..BYTE_ORDER_MARK.len());
            }
        }
        if line.is_empty() {
            self.end_event(events);
            return;
        }
        let (field, value) = match line.iter().position(|byte| *byte == b':') {
            Some(colon) => (&line[..colon], &line[colon + 1..]),
            None => (&line[..], &[][..]),
        };
        let value = value.strip_prefix(b" ").unwrap_or(value);
        match field {
            b"event" => self.name = value.to_vec(),
            b"data" => {
                if self.has_data {
                    self.data.push(b'\n');
                }
                self.has_data = true;
                self.data.extend_from_slice(value);
            }
            _ => {}
        }
        line.clear();
        self.line = line;
    }

    fn end_event(&mut self, events: &mut Vec<SseEvent>) {
        let name = std::mem::take(&mut self.name);
        let data = std::mem::take(&mut self.data);
        if std::mem::take(&mut self.has_data) {
            events.push(SseEvent {
                name: String::from_utf8_lossy(&name).into_owned(),
                data: String::from_utf8_lossy(&data).into_owned(),
            });
        }
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    type Decoded = (Vec<SseEvent>, Result<(), EventTooLarge>);

    fn decode<'a>(chunks: impl IntoIterator<Item = &'a [u8]>) -> Decoded {
        let mut decoder = SseDecoder::default();
        let mut events = Vec::new();
        let mut result = Ok(());
        for chunk in chunks {
            result = decoder.push(chunk, &mut events);
        }
        (events, result)
    }

    #[test]
    fn lines_become_events() {
        let cases: &[(&str, &[(&str, &str)])] = &[
            ("", &[]),
            ("data: a", &[]),
            ("data: a\n", &[]),
            ("data: a\n\n", &[("", "a")]),
            ("event: x\ndata: a\n\n", &[("x", "a")]),
            ("event: x\r\ndata: a\r\n\r\n", &[("x", "a")]),
            ("event: x\rdata: a\r\r", &[("x", "a")]),
            ("data:a\ndata:  b\ndata\n\n", &[("", "a\n b\n")]),
            ("data\n\n", &[("", "")]),
            (": comment\n\nevent: x\n\ndata: a\n\n", &[("", "a")]),
            ("id: 1\nretry: 2\nunknown: 3\ndata: a\n\n", &[("", "a")]),
            ("\u{feff}data: a\n\n", &[("", "a")]),
            ("data: a\n\ndata: b\n\n", &[("", "a"), ("", "b")]),
            ("data: {\"a\": \"b:c\"}\n\n", &[("", "{\"a\": \"b:c\"}")]),
        ];
        for (text, expected) in cases {
            let expected: Vec<SseEvent> =
                expected.iter().map(|(name, data)| SseEvent { name: (*name).into(), data: (*data).into() }).collect();
            assert_eq!(decode([text.as_bytes()]), (expected, Ok(())), "events of {text:?}");
        }
    }

    #[test]
    fn a_character_may_be_cut_in_two() {
        let (events, _) = decode([&b"data: \xc3"[..], b"\xa9\n\n"]);
        assert_eq!(events[0].data, "é");
    }

    #[test]
    fn an_event_without_end_is_refused_and_nothing_after_it_is_read() {
        let line = [b'x'; 1 << 16];
        let mut decoder = SseDecoder::default();
        let mut events = Vec::new();
        let fitting = (0..100).take_while(|_| decoder.push(&line, &mut events).is_ok()).count();
        assert_eq!(fitting, MAX_EVENT_BYTES / line.len());
        assert_eq!(decoder.push(b"\n\ndata: a\n\n", &mut events), Err(EventTooLarge));
        assert_eq!(events, []);

        let lines = b"data: x\n".repeat(MAX_EVENT_BYTES / 2);
        assert_eq!(decode([&lines[..]]), (vec![], Err(EventTooLarge)));
    }

    /// Bytes that are mostly protocol, so that events really form.
    fn wire_bytes() -> impl Strategy<Value = Vec<u8>> {
        let token = prop_oneof![
            Just(b"data:".to_vec()),
            Just(b"event: ".to_vec()),
            Just(b"\n".to_vec()),
            Just(b"\r".to_vec()),
            Just(b"\r\n".to_vec()),
            Just(b"\n\n".to_vec()),
            Just(BYTE_ORDER_MARK.to_vec()),
            proptest::collection::vec(any::<u8>(), 0..6),
        ];
        proptest::collection::vec(token, 0..60).prop_map(|tokens| tokens.concat())
    }

    proptest! {
        #[test]
        fn any_chunking_gives_the_same_events(
            bytes in wire_bytes(),
            cuts in proptest::collection::vec(any::<prop::sample::Index>(), 0..20),
        ) {
            let mut cuts: Vec<usize> = cuts.iter().map(|cut| cut.index(bytes.len() + 1)).collect();
            cuts.sort_unstable();
            let mut chunks = Vec::new();
            let mut start = 0;
            for cut in cuts {
                chunks.push(&bytes[start..cut]);
                start = cut;
            }
            chunks.push(&bytes[start..]);
            prop_assert_eq!(decode(chunks), decode([&bytes[..]]));
            prop_assert_eq!(decode(bytes.chunks(1)).0, decode([&bytes[..]]).0);
        }
    }
}
