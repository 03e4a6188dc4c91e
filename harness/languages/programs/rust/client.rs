// Sends its standard input while a thread prints what comes back.
use std::net::{Shutdown, TcpStream};

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap().parse::<u16>().unwrap();
    let mut sender = TcpStream::connect(("localhost", port))?;
    let mut receiver = sender.try_clone()?;
    let printing =
        std::thread::spawn(move || std::io::copy(&mut receiver, &mut std::io::stdout()));
    std::io::copy(&mut std::io::stdin(), &mut sender)?;
    sender.shutdown(Shutdown::Write)?;
    printing.join().unwrap()?;
    Ok(())
}
