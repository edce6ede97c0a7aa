//! What a certificate says about itself, read by a reader of DER of our own: any bytes are refused or read
//! without harm; of a certificate that is put together here, times and names are the ones that were put in.
#![no_main]

use fuzz::{Input, calendar, damaged};
use libfuzzer_sys::fuzz_target;
use std::net::IpAddr;
use tls::CertificateFacts;
use words::UnixMillis;

fuzz_target!(|data: &[u8]| {
    let mut input = Input::new(data);
    match input.u8() % 2 {
        0 => any(input.rest(), UnixMillis(1_795_435_200_000)),
        _ => made_here(&mut input),
    }
});

fn any(der: &[u8], now: UnixMillis) {
    if let Ok(facts) = CertificateFacts::read(der) {
        let names: usize = facts.names.iter().map(String::len).sum();
        // An address of 16 bytes is at most 39 characters.
        assert!(names <= 3 * der.len() && facts.names.len() <= der.len());
        let left = facts.days_left(now);
        assert_eq!(left < 0, facts.not_after < now, "{left} days");
    }
}

/// One element: tag, length in its shortest form, content.
fn element(tag: u8, content: &[u8]) -> Vec<u8> {
    let length = content.len();
    let mut bytes = vec![tag];
    match u8::try_from(length) {
        Ok(short) if short < 0x80 => bytes.push(short),
        Ok(one) => bytes.extend([0x81, one]),
        Err(_) => {
            bytes.push(0x82);
            bytes.extend(
                u16::try_from(length)
                    .expect("a short certificate")
                    .to_be_bytes(),
            );
        }
    }
    bytes.extend(content);
    bytes
}

fn sequence(parts: &[Vec<u8>]) -> Vec<u8> {
    element(0x30, &parts.concat())
}

/// A moment until the year 9999, and how a certificate writes it.
fn moment(input: &mut Input<'_>) -> (UnixMillis, Vec<u8>) {
    let seconds = input.u64() % 253_402_300_800;
    let digits = calendar::digits(seconds);
    let der = match seconds < 2_524_608_000 {
        true => element(0x17, format!("{}Z", &digits[2..]).as_bytes()),
        false => element(0x18, format!("{digits}Z").as_bytes()),
    };
    (UnixMillis(seconds * 1000), der)
}

fn made_here(input: &mut Input<'_>) {
    let (not_before, from) = moment(input);
    let (not_after, until) = moment(input);
    let with_names = input.flag();
    let (mut names, mut general) = (Vec::new(), Vec::new());
    for _ in 0..input.u8() % 4 {
        match input.u8() % 4 {
            0 => {
                let name = input.text(20);
                general.push(element(0x82, name.as_bytes()));
                names.push(name);
            }
            1 => {
                let four: [u8; 4] = input.array();
                general.push(element(0x87, &four));
                names.push(IpAddr::from(four).to_string());
            }
            2 => {
                let sixteen: [u8; 16] = input.array();
                general.push(element(0x87, &sixteen));
                names.push(IpAddr::from(sixteen).to_string());
            }
            _ => general.push(element(0x86, input.bytes(20))),
        }
    }
    let mut body = vec![
        element(0xa0, &element(0x02, &[2])),
        element(0x02, input.bytes(20)),
        sequence(&[element(0x06, input.bytes(9))]),
        sequence(&[]),
        sequence(&[from, until]),
        sequence(&[]),
        sequence(&[
            sequence(&[element(0x06, input.bytes(9))]),
            element(0x03, input.bytes(99)),
        ]),
    ];
    if with_names {
        let critical = element(0x01, &[0xff]);
        let value = element(0x04, &sequence(&general));
        let other = sequence(&[
            element(0x06, &[0x55, 0x1d, 0x0f]),
            element(0x04, input.bytes(9)),
        ]);
        let own = sequence(&[element(0x06, &[0x55, 0x1d, 0x11]), critical, value]);
        body.push(element(0xa3, &sequence(&[other, own])));
    } else {
        names.clear();
    }
    let der = sequence(&[sequence(&body), sequence(&[]), element(0x03, &[0])]);
    let facts = CertificateFacts::read(&der).expect("it was made here");
    assert_eq!((facts.not_before, facts.not_after), (not_before, not_after));
    assert_eq!(facts.names, names);
    any(&damaged(&der, input), not_before);
}
