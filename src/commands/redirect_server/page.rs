//! The pages that the redirect server shows.

use std::io::Write;

use super::Answer;
use crate::PROGRAM;

/// A constant page: nothing that was sent is in it.
#[derive(Debug)]
pub(super) struct Page {
    pub(super) status: &'static str,
    pub(super) title: &'static str,
    pub(super) text: &'static str,
}

pub(super) const RECEIVED: Page = Page {
    status: "200 OK",
    title: "Back from IBM Cloud",
    text: "The terminal shows whether the login succeeded. You can close this window.",
};

pub(super) const DENIED: Page = Page {
    status: "200 OK",
    title: "Not logged in",
    text: "IBM Cloud rejected the login. The terminal shows why. You can close this window.",
};

pub(super) const WRONG_STATE: Page = Page {
    status: "400 Bad Request",
    title: "Not logged in",
    text: "This answer belongs to another login (wrong state) and was not used. Start the login again. You can close this window.",
};

pub(super) const TOO_LATE: Page = Page {
    status: "410 Gone",
    title: "Too late",
    text: "This login has already been answered. The terminal shows the result. You can close this window.",
};

pub(super) const MALFORMED: Page = Page {
    status: "400 Bad Request",
    title: "Malformed request",
    text: "This is not an answer to a login.",
};

pub(super) const NOT_FOUND: Page = Page {
    status: "404 Not Found",
    title: "Not found",
    text: "A login is waiting here for the answer of IBM Cloud. Continue where you started it.",
};

pub(super) const NOT_ALLOWED: Page = Page {
    status: "405 Method Not Allowed",
    title: "Method not allowed",
    text: "This is not an answer to a login.",
};

pub(super) const TOO_LONG: Page = Page {
    status: "431 Request Header Fields Too Large",
    title: "Request too long",
    text: "Your browser sends too much, probably cookies of other programs on localhost. Start the login again in a private window.",
};

impl Page {
    /// Returns the page that shows what became of an answer.
    pub(super) fn for_answer(answer: &Answer) -> &'static Self {
        match answer {
            Answer::Code(_) => &RECEIVED,
            Answer::Denied { .. } => &DENIED,
            Answer::WrongState => &WRONG_STATE,
        }
    }

    pub(super) fn send(&self, mut connection: impl Write) {
        let text = format!("{}{}", self.head(), self.body());
        let _ = connection.write_all(text.as_bytes());
    }

    pub(super) fn send_head(&self, mut connection: impl Write) {
        let _ = connection.write_all(self.head().as_bytes());
    }

    /// Returns the status and the headers. The page's address holds the code: it is not
    /// cached, and not sent to others as a referrer. The policy also keeps the browser from
    /// requesting an icon.
    fn head(&self) -> String {
        let allow = if self.status == NOT_ALLOWED.status {
            "Allow: GET\r\n"
        } else {
            ""
        };
        format!(
            "HTTP/1.1 {}\r\n\
             Content-Type: text/html; charset=utf-8\r\n\
             Content-Length: {}\r\n\
             Cache-Control: no-store\r\n\
             Content-Security-Policy: default-src 'none'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'\r\n\
             Referrer-Policy: no-referrer\r\n\
             X-Content-Type-Options: nosniff\r\n\
             {allow}Connection: close\r\n\r\n",
            self.status,
            self.body().len()
        )
    }

    pub(super) fn body(&self) -> String {
        let Self { title, text, .. } = self;
        format!(
            "<!DOCTYPE html>\n<html lang=\"en\">\n<head><meta charset=\"utf-8\"><title>{title} - {PROGRAM}</title></head>\n\
             <body><h1>{title}</h1><p>{text}</p></body>\n</html>\n"
        )
    }
}
