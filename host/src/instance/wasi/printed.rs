//! What a guest prints, kept for its step's log.

use std::sync::{Arc, Mutex, PoisonError};

use bytes::Bytes;
use tokio::io::AsyncWrite;
use wasmtime_wasi::cli::{IsTerminal, StdoutStream};
use wasmtime_wasi::p2::{OutputStream, Pollable, StreamResult};

/// Bytes of printed text that wait for the end of their line.
const LINE_BYTES: usize = 8 << 10;

/// What a guest printed, on its way to the log. Text beyond the line buffer is kept in lines of
/// that length; the log's own limit bounds how much is passed on.
#[derive(Debug, Clone, Default)]
pub(super) struct Printed(Arc<Mutex<Buffer>>);

#[derive(Debug, Default)]
struct Buffer {
    lines: Vec<String>,
    rest: Vec<u8>,
    bytes: usize,
}

/// Bytes of printed text, and what its lines cost, that are kept for the end of the attempt.
const PRINTED_BYTES: usize = 1 << 20;
const LINE_COST: usize = 64;

impl Printed {
    fn take(&self, bytes: &[u8]) {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let left = PRINTED_BYTES.saturating_sub(buffer.bytes);
        let bytes = &bytes[..bytes.len().min(left)];
        for part in bytes.split_inclusive(|&byte| byte == b'\n') {
            if buffer.bytes > PRINTED_BYTES {
                return;
            }
            // A line costs more than its text.
            buffer.bytes += part.len() + LINE_COST;
            buffer.rest.extend_from_slice(part);
            if part.ends_with(b"\n") || buffer.rest.len() >= LINE_BYTES {
                let line = std::mem::take(&mut buffer.rest);
                let text = String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned();
                buffer.lines.push(text);
            }
        }
    }

    /// Takes a whole line, apart from what the guest is about to print.
    pub(super) fn take_line(&self, line: &str) {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        buffer.bytes += line.len() + LINE_COST;
        buffer.lines.push(line.to_owned());
    }

    pub(super) fn take_lines(&self, all: bool) -> Vec<String> {
        let mut buffer = self.0.lock().unwrap_or_else(PoisonError::into_inner);
        let mut lines = std::mem::take(&mut buffer.lines);
        if all && !buffer.rest.is_empty() {
            let rest = std::mem::take(&mut buffer.rest);
            lines.push(String::from_utf8_lossy(&rest).into_owned());
        }
        lines
    }
}

impl IsTerminal for Printed {
    fn is_terminal(&self) -> bool {
        false
    }
}

impl StdoutStream for Printed {
    fn async_stream(&self) -> Box<dyn AsyncWrite + Send + Sync> {
        // Only preview 3 asks for this form, which is not offered.
        Box::new(tokio::io::sink())
    }

    fn p2_stream(&self) -> Box<dyn OutputStream> {
        Box::new(self.clone())
    }
}

#[wasmtime_wasi::async_trait]
impl Pollable for Printed {
    async fn ready(&mut self) {}
}

impl OutputStream for Printed {
    fn write(&mut self, bytes: Bytes) -> StreamResult<()> {
        self.take(&bytes);
        Ok(())
    }

    fn flush(&mut self) -> StreamResult<()> {
        Ok(())
    }

    fn check_write(&mut self) -> StreamResult<usize> {
        Ok(64 << 10)
    }
}
