// Sends its standard input while another task prints what comes back.
use tokio::io::AsyncWriteExt;

fn main() -> std::io::Result<()> {
    let port = std::env::args().nth(1).unwrap().parse::<u16>().unwrap();
    tokio::runtime::Runtime::new()?.block_on(async {
        let connection = tokio::net::TcpStream::connect(("localhost", port)).await?;
        let (mut reader, mut writer) = connection.into_split();
        let printing = tokio::spawn(async move {
            let mut out = tokio::io::stdout();
            tokio::io::copy(&mut reader, &mut out).await?;
            out.flush().await
        });
        tokio::io::copy(&mut tokio::io::stdin(), &mut writer).await?;
        writer.shutdown().await?;
        printing.await.unwrap()
    })
}
