//! The site that the container test crawls: std only, so that any Rust image can build it.
//!
//! `/page/N` is a page titled `Page N` with a link to the next; `/huge` is a page of 272 MiB; `/robots.txt` forbids
//! nothing. Every request is one
//! line on standard output, `METHOD PATH`, so that a test can count what a crawler really asked for.

use std::io::{BufRead, BufReader, Write};
use std::net::{TcpListener, TcpStream};

fn main() -> std::io::Result<()> {
    let listener = TcpListener::bind("0.0.0.0:8080")?;
    println!("listening");
    for stream in listener.incoming() {
        let stream = stream?;
        // A client that hangs up in the middle of an answer ends its own thread and nothing else.
        std::thread::spawn(move || serve(stream));
    }
    Ok(())
}

/// Answers one connection until the client closes it.
fn serve(mut stream: TcpStream) -> std::io::Result<()> {
    let mut lines = BufReader::new(stream.try_clone()?).lines();
    while let Some(request) = lines.next().transpose()? {
        while lines.next().transpose()?.is_some_and(|header| !header.is_empty()) {}
        let mut words = request.split(' ');
        let (method, path) = (words.next().unwrap_or(""), words.next().unwrap_or(""));
        // One write, so that lines of several threads do not mix.
        std::io::stdout().write_all(format!("{method} {path}\n").as_bytes())?;
        if path == "/huge" {
            huge(&mut stream)?;
            continue;
        }
        let (status, kind, body) = match path.strip_prefix("/page/").map(str::parse::<u32>) {
            Some(Ok(n)) => ("200 OK", "text/html; charset=utf-8", page(n)),
            _ if path == "/robots.txt" => ("200 OK", "text/plain", "User-agent: *\nDisallow:\n".to_owned()),
            _ => ("404 Not Found", "text/plain", "no such page\n".to_owned()),
        };
        let length = body.len();
        let head = format!("HTTP/1.1 {status}\r\nContent-Type: {kind}\r\nContent-Length: {length}\r\n\r\n");
        stream.write_all((head + &body).as_bytes())?;
    }
    Ok(())
}

/// A page larger than the memory of whoever is to be tested with it.
fn huge(stream: &mut TcpStream) -> std::io::Result<()> {
    const PARTS: usize = 256;
    let part = b"<p>Never enough. ".repeat(1 << 16);
    let length = PARTS * part.len();
    write!(stream, "HTTP/1.1 200 OK\r\nContent-Type: text/html\r\nContent-Length: {length}\r\n\r\n")?;
    (0..PARTS).try_for_each(|_| stream.write_all(&part))
}

/// One page, a few kilobytes long.
fn page(n: u32) -> String {
    let next = n + 1;
    let text = format!("<p>What stands on page {n} stands there many times.</p>\n").repeat(40);
    format!("<!DOCTYPE html>\n<title>Page {n}</title>\n<h1>Number {n}</h1>\n<a href=\"{next}\">next</a>\n{text}")
}
