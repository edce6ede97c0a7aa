use chunks::ChunkWriter;

async fn forgot_to_seal(writer: &mut dyn ChunkWriter, plaintext: &[u8]) {
    let _ = writer.append(plaintext).await;
}

fn main() {}
