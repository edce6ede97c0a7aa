//! Seeds for the doors: S3 requests, the control socket, the configuration.

use crate::Seeds;
use std::io;

pub fn write(seeds: &Seeds) -> io::Result<()> {
    requests(seeds)?;
    control(seeds)?;
    let file = "unsafe_unseal_from_this_machine = true\n[s3]\nlisten = \"0.0.0.0:7480\"\nregion = \"lu-1\"\n\
                base_domains = [\"s3.lu-1.clarence.internal\", \"localhost\"]\ntls_cert = \"cert.pem\"\n\
                tls_key = \"\"\n[sites]\na = \"/disk/a\"\n[writes]\nwhile_a_site_is_away = \"strict\"\n[log]\n\
                level = \"info,catalog=debug\"\nformat = \"json\"\n[cache]\nnames = \"64 MiB\"\ncatalog = 33554432\n";
    seeds.put("clarence_config", "file", &[&[0], file.as_bytes()])?;
    let variables = "S3__LISTEN=[::1]:0\nCACHE__NAMES=1GiB\n[s3]\nlisen = 5\n";
    seeds.put(
        "clarence_config",
        "variables",
        &[&[2], variables.as_bytes()],
    )?;
    let dotted = "s3.listen = \"127.0.0.1:1\"\nlog = { level = \"warn\" }\nsites.a = '''a'''\n";
    seeds.put("clarence_config", "dotted", &[&[0], dotted.as_bytes()])
}

fn requests(seeds: &Seeds) -> io::Result<()> {
    for (at, text) in [
        "/bucket/a%20b//./..\nbucket.localhost:7480\nlist-type=2&prefix=a+b&response-content-type=x\n\
         range:bytes=5-9\nif-none-match:\"a\", W/\"b\"\nif-modified-since:Wed, 21 Oct 2015 07:28:00 GMT",
        "/bucket/key\nh\nAAAAAA==\ncontent-md5:1B2M2Y8AsgTpgAmY7PhCfg==\nx-amz-checksum-crc32:AAAAAA==\n\
         x-amz-sdk-checksum-algorithm:CRC32\nx-amz-meta-a:1\nx-amz-meta-b:\u{e4}\ncontent-encoding:aws-chunked,gzip",
        "/bucket/key\nh\nuploadId=1&partNumber=2\nx-amz-trailer:x-amz-checksum-sha256\n\
         x-amz-copy-source-range:bytes=0-9\nx-amz-copy-source-if-match:*",
        "/bucket\nh\nYzE6YQ\nx-amz-acl:public-read",
        "/\n[::1]:80\nX-Amz-Signature=1&x-id=a\nx-amz-expected-bucket-owner:owner\nrange:bytes=-5",
        "/b%ff\nh\nAAAAAAAAAAA=-3\ncache-control:no-cache\nexpires:0\ncontent-type:text/plain;charset=utf-8",
    ]
    .iter()
    .enumerate()
    {
        for choice in [0_u8, 2, 12, 13] {
            let name = format!("{at}-{choice}");
            seeds.put("gate_request", &name, &[&[choice], text.as_bytes()])?;
        }
    }
    for (at, document) in [
        "<Delete><Object><Key>a</Key></Object><Quiet>true</Quiet></Delete>",
        "<?xml version=\"1.0\"?><!-- a --><CompleteMultipartUpload><Part><ETag>&quot;a&quot;</ETag></Part>",
        "<!DOCTYPE lolz [<!ENTITY lol \"lol\">]><Delete><Key><![CDATA[a]]></Key></Delete>",
    ]
    .iter()
    .enumerate()
    {
        seeds.put("gate_document", &format!("{at}"), &[document.as_bytes()])?;
    }
    Ok(())
}

fn control(seeds: &Seeds) -> io::Result<()> {
    for (at, line) in [
        r#"{"verb":"status"}"#,
        r#"{"verb":"unseal","share":"clarence share file, format 1\n"}"#,
        r#"{"verb":"tenant-add","name":"tax-office"}"#,
        r#"{"verb":"key-add","tenant":"tax-office","expires_seconds":60}"#,
        r#"{"verb":"key-suspend","access_key":"CLR0"}"#,
        r#"{"verb":"ledger-tail","count":10,"before":null}"#,
        r#"{"verb":"accept-loss","site":"a","shares":["1","2"]}"#,
        r#"{"progress":{"what":"scrub","done":1,"total":null}}"#,
        r#"{"done":{"a":[1,2.5,"x"]}}"#,
        r#"{"failed":{"kind":"usage","message":"no"}}"#,
    ]
    .iter()
    .enumerate()
    {
        seeds.put("site_control", &format!("{at}"), &[line.as_bytes()])?;
    }
    Ok(())
}
