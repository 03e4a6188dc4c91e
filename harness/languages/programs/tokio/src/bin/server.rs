// Serves one connection on tokio's threads: sends back what comes, until end of file.
fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap().parse::<u16>().unwrap();
    tokio::runtime::Runtime::new()?.block_on(async {
        let listener = tokio::net::TcpListener::bind(("127.0.0.1", port)).await?;
        let (mut connection, _) = listener.accept().await?;
        let (mut reader, mut writer) = connection.split();
        tokio::io::copy(&mut reader, &mut writer).await?;
        Ok(())
    })
}
