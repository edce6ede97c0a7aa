use bytes::Bytes;
use mirror::MirrorWriter;

async fn forgot_to_seal(writer: &mut MirrorWriter, plaintext: Bytes) {
    let _ = writer.append(plaintext).await;
}

fn main() {}
