//! The credential scope: `access-key/20130524/lu-1/s3/aws4_request`.

use crate::error::{AuthnError, Place, quotable};
use crate::time::SigningTime;
use std::fmt;
use words::AccessKeyId;

/// The day of a scope, `YYYYMMDD`: with the access key, what a cache of signing keys is keyed by.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct DateStamp([u8; 8]);

impl DateStamp {
    /// Reads eight decimal digits.
    #[must_use]
    pub fn parse(text: &str) -> Option<Self> {
        let bytes: [u8; 8] = text.as_bytes().try_into().ok()?;
        bytes.iter().all(u8::is_ascii_digit).then_some(Self(bytes))
    }
    /// The eight digits.
    #[must_use]
    pub const fn as_bytes(&self) -> &[u8; 8] {
        &self.0
    }
}

impl fmt::Display for DateStamp {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0
            .iter()
            .try_for_each(|byte| write!(f, "{}", char::from(*byte)))
    }
}

/// The service that a signature is for. What is signed for one is good for no other.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Service {
    /// Buckets and objects.
    S3,
    /// Sessions.
    Sts,
    /// Identities.
    Iam,
    /// Sessions for certificates.
    RolesAnywhere,
}

impl Service {
    /// Its name in scopes.
    #[must_use]
    pub const fn word(self) -> &'static str {
        match self {
            Self::S3 => "s3",
            Self::Sts => "sts",
            Self::Iam => "iam",
            Self::RolesAnywhere => "rolesanywhere",
        }
    }
}

/// The five fields of a credential, whatever names the signer.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Scoped<'a> {
    pub name: &'a str,
    pub date: DateStamp,
    pub region: &'a str,
    pub service: Service,
}

/// Who signed, for which day, region and service.
#[derive(Debug, Clone)]
pub(crate) struct Scope {
    pub access_key: AccessKeyId,
    pub date: DateStamp,
    pub region: String,
    pub service: Service,
}

impl<'a> Scoped<'a> {
    /// Reads the five fields. The region is compared later, by whoever knows ours.
    pub fn parse(
        credential: &'a str,
        place: Place,
        time: &SigningTime,
        services: &[Service],
    ) -> Result<Self, AuthnError> {
        let malformed = |why: String| AuthnError::malformed(place, why);
        let fields: Vec<&str> = credential.split('/').collect();
        let [key, date, region, service, end] = fields.as_slice() else {
            return Err(malformed(
                "the Credential must be access-key/YYYYMMDD/region/s3/aws4_request".to_owned(),
            ));
        };
        let stamp = DateStamp::parse(date)
            .filter(|_| *date == time.day())
            .ok_or_else(|| {
                malformed(format!(
                    "the credential date {} is not the day of the request",
                    quotable(date)
                ))
            })?;
        let Some(service) = services.iter().find(|known| known.word() == *service) else {
            let own: Vec<&str> = services.iter().map(|known| known.word()).collect();
            return Err(malformed(format!(
                "incorrect service '{}'; this endpoint belongs to '{}'",
                quotable(service),
                own.join("' and '")
            )));
        };
        if *end != "aws4_request" {
            return Err(malformed(
                "the Credential must end in aws4_request".to_owned(),
            ));
        }
        Ok(Self {
            name: key,
            date: stamp,
            region,
            service: *service,
        })
    }

    /// The scope without the signer, as it stands in strings to sign.
    pub fn text(&self) -> String {
        text(self.date, self.region, self.service)
    }
}

fn text(date: DateStamp, region: &str, service: Service) -> String {
    format!("{date}/{region}/{}/aws4_request", service.word())
}

impl Scope {
    /// Reads the five fields of a credential that an access key begins.
    pub fn parse(
        credential: &str,
        place: Place,
        time: &SigningTime,
        services: &[Service],
    ) -> Result<Self, AuthnError> {
        let scoped = Scoped::parse(credential, place, time, services)?;
        let access_key =
            AccessKeyId::parse(scoped.name).map_err(|_| AuthnError::UnknownAccessKey)?;
        Ok(Self {
            access_key,
            date: scoped.date,
            region: scoped.region.to_owned(),
            service: scoped.service,
        })
    }

    /// The scope without the key, as it stands in strings to sign.
    pub fn text(&self) -> String {
        text(self.date, &self.region, self.service)
    }
}
