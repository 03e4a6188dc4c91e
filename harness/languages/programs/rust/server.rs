// Serves one connection in a thread: sends back what comes, until end of file.
use std::net::TcpListener;

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap().parse::<u16>().unwrap();
    let (connection, _) = TcpListener::bind(("127.0.0.1", port))?.accept()?;
    std::thread::spawn(move || std::io::copy(&mut &connection, &mut &connection))
        .join()
        .unwrap()?;
    Ok(())
}
