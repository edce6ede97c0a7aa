//! Every framing of a body with every checksum, for objects and for parts.

use crate::client::{Answer, Ask, Signature, ask, checksum, md5, read_answer};
use crate::node::World;
use store::api::ChecksumKind;
use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

#[derive(Clone, Copy, PartialEq, Debug)]
enum Framing {
    Hex,
    Unsigned,
    Signed,
    SignedTrailer,
    UnsignedTrailer,
}

#[derive(Clone, Copy, PartialEq, Debug)]
enum Sum {
    None,
    Md5,
    Of(ChecksumKind),
}

const WORDS: [(Framing, Option<&str>); 5] = [
    (Framing::Hex, None),
    (Framing::Unsigned, Some("UNSIGNED-PAYLOAD")),
    (Framing::Signed, Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD")),
    (
        Framing::SignedTrailer,
        Some("STREAMING-AWS4-HMAC-SHA256-PAYLOAD-TRAILER"),
    ),
    (
        Framing::UnsignedTrailer,
        Some("STREAMING-UNSIGNED-PAYLOAD-TRAILER"),
    ),
];

/// Puts the framing around a body.
fn framed(
    framing: Framing,
    body: &[u8],
    trailer: Option<(&str, &str)>,
    sign: &mut Signature,
) -> Vec<u8> {
    let mut wire = Vec::new();
    let signed = matches!(framing, Framing::Signed | Framing::SignedTrailer);
    for piece in body.chunks(70_000).chain([&b""[..]]) {
        wire.extend(format!("{:x}", piece.len()).bytes());
        if signed {
            wire.extend(format!(";chunk-signature={}", sign.chunk(piece)).bytes());
        }
        wire.extend(b"\r\n");
        if !piece.is_empty() {
            wire.extend(piece);
            wire.extend(b"\r\n");
        }
    }
    if let Some((name, value)) = trailer {
        wire.extend(format!("{name}:{value}\r\n").bytes());
    }
    if framing == Framing::SignedTrailer {
        let text = trailer
            .map(|(name, value)| format!("{name}:{value}\n"))
            .unwrap_or_default();
        wire.extend(format!("x-amz-trailer-signature:{}\r\n", sign.trailer(&text)).bytes());
    }
    wire.extend(b"\r\n");
    wire
}

/// One cell of the table. `wrong` spoils the checksum.
async fn cell(
    world: &World,
    path: &str,
    framing: Framing,
    sum: Sum,
    body: &[u8],
    wrong: bool,
    chunked: bool,
) -> Option<Answer> {
    let word = WORDS.iter().find(|(f, _)| *f == framing).unwrap().1;
    let mut put = ask("PUT", path).body(body);
    put.payload = word.map(str::to_owned);
    let spoiled = |bytes: &[u8]| {
        if wrong {
            [bytes, b"!"].concat()
        } else {
            bytes.to_vec()
        }
    };
    let mut trailer = None;
    match sum {
        Sum::None if wrong => return None,
        Sum::None => {}
        Sum::Md5 => put = put.header("content-md5", md5(&spoiled(body))),
        Sum::Of(kind) => {
            let value = checksum(kind, &spoiled(body));
            if matches!(framing, Framing::SignedTrailer | Framing::UnsignedTrailer) {
                put = put.header("x-amz-trailer", kind.header());
                put = put.header("x-amz-sdk-checksum-algorithm", kind.name());
                trailer = Some((kind.header(), value));
            } else {
                put = put.header(kind.header(), value);
            }
        }
    }
    let plain = matches!(framing, Framing::Hex | Framing::Unsigned);
    if !plain {
        put = put.header("content-encoding", "gzip,aws-chunked");
        put = put.header("x-amz-decoded-content-length", body.len().to_string());
    }
    let host = world.address.to_string();
    let wire = |put: &Ask, length| {
        let (head, mut sign) = put.head(&host, length);
        let trailer = trailer.as_ref().map(|(n, v)| (*n, v.as_str()));
        let wire = if plain {
            body.to_vec()
        } else {
            framed(framing, body, trailer, &mut sign)
        };
        (head, wire)
    };
    let mut stream = TcpStream::connect(world.address).await.unwrap();
    if chunked {
        // HTTP's own chunks around it, as boto3 sends over TLS.
        put = put.header("transfer-encoding", "chunked");
        let (head, inner) = wire(&put, None);
        stream.write_all(head.as_bytes()).await.unwrap();
        for piece in inner.chunks(33_333) {
            stream
                .write_all(format!("{:x}\r\n", piece.len()).as_bytes())
                .await
                .unwrap();
            stream.write_all(piece).await.unwrap();
            stream.write_all(b"\r\n").await.unwrap();
        }
        stream.write_all(b"0\r\n\r\n").await.unwrap();
    } else {
        let (_, inner) = wire(&put, None);
        let (head, _) = put.head(&host, Some(inner.len()));
        // The signature's time may differ between the two heads; sign again until they agree.
        let (head, inner) = match wire(&put, Some(inner.len())) {
            (again, inner) if again == head => (head, inner),
            _ => wire(&put, Some(inner.len())),
        };
        stream
            .write_all(&[head.as_bytes(), &inner].concat())
            .await
            .unwrap();
    }
    Some(read_answer(&mut stream, false).await.expect("an answer"))
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn every_framing_with_every_checksum() {
    let world = World::start().await;
    world.bucket("table");
    let upload = ask("POST", "/table/parts?uploads")
        .send(&world)
        .await
        .element("UploadId")
        .unwrap();
    let part = format!("/table/parts?partNumber=3&uploadId={upload}");
    let large: Vec<u8> = (0..200_000u32).map(|n| (n % 251) as u8).collect();
    let mut cells = 0;
    for (framing, _) in WORDS {
        let sums = [Sum::None, Sum::Md5]
            .into_iter()
            .chain(ChecksumKind::ALL.map(Sum::Of));
        for sum in sums {
            for body in [&b""[..], b"hello world", &large] {
                for path in ["/table/object", part.as_str()] {
                    for wrong in [false, true] {
                        for chunked in [false, true] {
                            if chunked && matches!(framing, Framing::Hex | Framing::Unsigned) {
                                continue;
                            }
                            let name = format!(
                                "{framing:?} {sum:?} {} {path} {wrong} {chunked}",
                                body.len()
                            );
                            let Some(answer) =
                                cell(&world, path, framing, sum, body, wrong, chunked).await
                            else {
                                continue;
                            };
                            cells += 1;
                            if wrong {
                                assert_eq!(
                                    (answer.status, answer.code().as_str()),
                                    (400, "BadDigest"),
                                    "{name}"
                                );
                                continue;
                            }
                            assert_eq!(answer.status, 200, "{name}: {}", answer.text());
                            let kept = match path {
                                "/table/object" => world.object("table", "object").unwrap().0,
                                _ => world.part(3).unwrap(),
                            };
                            assert_eq!(kept, body, "{name}");
                            if let Sum::Of(kind) = sum {
                                assert_eq!(
                                    answer.header(kind.header()),
                                    Some(checksum(kind, body).as_str()),
                                    "{name}"
                                );
                            }
                            if path == "/table/object"
                                && !matches!(framing, Framing::Hex | Framing::Unsigned)
                            {
                                let info = world.object("table", "object").unwrap().1;
                                assert_eq!(
                                    info.metadata.headers.content_encoding.as_deref(),
                                    Some("gzip"),
                                    "{name}"
                                );
                            }
                        }
                    }
                }
            }
        }
    }
    assert_eq!(cells, (2 + 2 * 3) * 3 * 2 * (7 + 6), "the table has holes");
}
