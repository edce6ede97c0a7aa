//! What a request is about: the service, a bucket or an object, from path and host. Keys are opaque bytes:
//! nothing here treats `.`, `..`, `//` or a leading `/` as a path would.

use crate::query::{decode, encode_into};
use crate::refuse::No;
use words::{BucketName, ObjectKey};

/// What a request is about.
#[derive(Debug, Clone)]
pub(crate) enum Target {
    /// The service.
    Root,
    /// A bucket.
    Bucket(BucketName),
    /// An object.
    Object(BucketName, ObjectKey),
}

impl Target {
    /// Reads path and host. Any host that is not below one of `domains` means path style.
    pub(crate) fn parse(
        raw_path: &str,
        host: Option<&str>,
        domains: &[String],
    ) -> Result<Self, No> {
        let path = raw_path
            .strip_prefix('/')
            .ok_or_else(|| No::new(400, "InvalidURI", "Couldn't parse the specified URI."))?;
        if let Some(bucket) = host.and_then(|host| bucket_in(host, domains)) {
            return Self::of(&bucket.to_ascii_lowercase(), path);
        }
        if path.is_empty() {
            return Ok(Self::Root);
        }
        let (bucket, key) = path.split_once('/').unwrap_or((path, ""));
        Self::of(&decode(bucket, false)?, key)
    }

    fn of(bucket: &str, raw_key: &str) -> Result<Self, No> {
        let bucket = BucketName::parse(bucket)?;
        if raw_key.is_empty() {
            return Ok(Self::Bucket(bucket));
        }
        Ok(Self::Object(
            bucket,
            ObjectKey::parse(&decode(raw_key, false)?)?,
        ))
    }

    /// The same in path style, spelled so that it can be read in one way only.
    pub(crate) fn path(&self) -> String {
        let mut path = String::from("/");
        match self {
            Self::Root => {}
            Self::Bucket(bucket) => path.push_str(bucket.as_str()),
            Self::Object(bucket, key) => {
                path.push_str(bucket.as_str());
                path.push('/');
                encode_into(&mut path, key.as_str(), true);
            }
        }
        path
    }
}

/// The bucket before one of our domains, whatever the port.
fn bucket_in<'a>(host: &'a str, domains: &[String]) -> Option<&'a str> {
    let name = match host.rsplit_once(':') {
        Some((name, port)) if port.bytes().all(|c| c.is_ascii_digit()) => name,
        _ => host,
    };
    domains.iter().find_map(|domain| {
        let at = name.len().checked_sub(domain.len())?;
        let (front, back) = (name.get(..at)?, name.get(at..)?);
        if !back.eq_ignore_ascii_case(domain) {
            return None;
        }
        front.strip_suffix('.').filter(|bucket| !bucket.is_empty())
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(path: &str, host: &str) -> String {
        let domains = [
            "s3.lu-1.clarence.internal".to_owned(),
            "localhost".to_owned(),
        ];
        match Target::parse(path, Some(host), &domains) {
            Ok(target) => target.path(),
            Err(no) => no.code.into_owned(),
        }
    }

    #[test]
    fn keys_are_opaque() {
        for (path, host, expected) in [
            ("/", "127.0.0.1:9000", "/"),
            ("/abc", "localhost:9000", "/abc"),
            ("/abc/", "localhost", "/abc"),
            ("/abc//", "localhost", "/abc//"),
            ("/abc//a//b", "s3.example", "/abc//a//b"),
            ("/abc/./../x", "h", "/abc/./../x"),
            ("/abc/a+b%2Bc%2Fd%20e", "h", "/abc/a%2Bb%2Bc/d%20e"),
            ("/k", "abc.localhost:9000", "/abc/k"),
            ("//k", "abc.LOCALHOST", "/abc//k"),
            ("/", "abc.s3.lu-1.clarence.internal", "/abc"),
            ("/abc/k", "s3.lu-1.clarence.internal", "/abc/k"),
            ("/abc/k", "[::1]:9000", "/abc/k"),
            ("/a.b.c/k", "h", "/a.b.c/k"),
            ("/k", "a.b.c.localhost", "/a.b.c/k"),
            ("/ABC/k", "h", "InvalidBucketName"),
            ("/ab/k", "h", "InvalidBucketName"),
            ("/abc%2Fk", "h", "InvalidBucketName"),
            ("/healthz/k", "h", "InvalidBucketName"),
            ("/abc/%ff", "h", "InvalidURI"),
            ("/abc/%2", "h", "InvalidURI"),
            ("*", "h", "InvalidURI"),
        ] {
            assert_eq!(read(path, host), expected, "{path} at {host}");
        }
        assert_eq!(read(&format!("/abc/{}", "k".repeat(1024)), "h").len(), 1029);
        assert_eq!(
            read(&format!("/abc/{}", "k".repeat(1025)), "h"),
            "KeyTooLongError"
        );
    }

    proptest::proptest! {
        /// What s3s is given says the same as what the client sent, for every key and query there is.
        #[test]
        fn one_spelling_means_one_thing(key in "\\PC{1,40}|[\\x00-\\x7f]{1,40}", name in ".{0,9}", value in ".{0,9}") {
            let target = Target::Object(BucketName::parse("own").unwrap(), ObjectKey::parse(&key).unwrap());
            let path = target.path();
            let uri: http::Uri = path.parse().unwrap();
            proptest::prop_assert_eq!(uri.path(), &path);
            match Target::parse(uri.path(), Some("h"), &[]) {
                Ok(Target::Object(_, again)) => proptest::prop_assert_eq!(again.as_str(), &key),
                other => proptest::prop_assert!(false, "{:?}", other),
            }
            let mut raw = String::new();
            encode_into(&mut raw, &name, false);
            raw.push('=');
            encode_into(&mut raw, &value, false);
            let query = crate::query::Query::parse(&raw).unwrap();
            let again = crate::query::Query::parse(&query.text()).unwrap();
            proptest::prop_assert_eq!(query.iter().collect::<Vec<_>>(), again.iter().collect::<Vec<_>>());
        }

        /// No path, host or query makes the reader stumble.
        #[test]
        fn anything_is_read_or_refused(path in ".{0,60}", host in ".{0,30}", query in ".{0,60}") {
            let _ = Target::parse(&path, Some(&host), &["localhost".to_owned(), "é.example".to_owned()]);
            let _ = crate::query::Query::parse(&query);
        }
    }
}
