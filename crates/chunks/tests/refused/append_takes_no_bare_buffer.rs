use bytes::Bytes;
use chunks::ChunkWriter;

async fn forgot_to_seal(writer: &mut dyn ChunkWriter, plaintext: Bytes) {
    let _ = writer.append(&plaintext).await;
}

fn main() {}
