//! Forms to the service beside the buckets: a POST to its root, signed for STS, answered in XML. Nothing is
//! tried again after the other side has answered.

use crate::bucket::Bucket;
use crate::call::{ANSWER_BYTES_MAX, Call};
use crate::error::S3Error;
use crate::pieces::Pieces;
use authn::Service;
use bytes::Bytes;
use std::time::Duration;

/// The version that goes with forms to STS.
const VERSION: &str = "2011-06-15";

/// What was answered to a form.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Said(String);

impl Said {
    /// Every text under this name, as it stands there. Only texts without references are asked for.
    #[must_use]
    pub fn texts(&self, name: &str) -> Vec<&str> {
        let (open, close) = (format!("<{name}>"), format!("</{name}>"));
        let from = self.0.split(open.as_str()).skip(1);
        from.filter_map(|rest| rest.split_once(close.as_str()))
            .map(|(text, _)| text)
            .collect()
    }
}

impl Bucket {
    /// Sends a form and reads its answer, within `deadline`.
    pub async fn form(
        &self,
        action: &str,
        fields: &[(&str, &str)],
        deadline: Duration,
    ) -> Result<Said, S3Error> {
        let mut body = format!("Action={action}&Version={VERSION}");
        for (name, value) in fields {
            body.push_str(&format!("&{name}={}", crate::bucket::encoded(value, false)));
        }
        let call = Call {
            method: "POST",
            service: Service::Sts,
            path: "/".to_owned(),
            query: "",
            headers: vec![(
                "content-type",
                "application/x-www-form-urlencoded".to_owned(),
            )],
            body: Pieces::from(Bytes::from(body)),
            answer_max: ANSWER_BYTES_MAX,
            deadline,
        };
        let answer = self.perform(&call).await?;
        match answer.status {
            200 => String::from_utf8(answer.body.to_vec())
                .map(Said)
                .map_err(|_| self.answer("it is no text")),
            _ => Err(self.refused(&answer)),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::Said;

    #[test]
    fn texts_are_found_by_name() {
        let said =
            Said("<R><member>YQ==</member><member>Yg==</member><Seconds>45</Seconds></R>".into());
        assert_eq!(said.texts("member"), ["YQ==", "Yg=="]);
        assert_eq!(said.texts("Seconds"), ["45"]);
        assert!(said.texts("Request").is_empty());
    }
}
