//! The order to carry out an act: the request with everything that was signed on it, in one file. It proves
//! nothing by itself; whoever carries it out deliberates again on what is in it.

use super::decision::Decision;
use super::deliberation::{Chamber, Deliberation, Resolution};
use super::refusal::{DocumentError, Refusal};
use super::request::{RequestDigest, SignedRequest};
use sign::{Kind, Sheet, SheetReader, Stamp};
use words::limits::{APPROVALS_MAX, ORDER_BYTES_MAX};

const ORDER: Kind = Kind {
    name: "execution order",
    format: 1,
    comment: "#\n\
              # A request that enough have approved, with everything that was signed. Whoever carries it out checks all\n\
              # of it again; it is carried out once only.\n\
              #\n",
    bytes_max: ORDER_BYTES_MAX,
};

/// A request with the approvals that satisfied the charter.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Order {
    signed: SignedRequest,
    approvals: Vec<Decision>,
    decided: Stamp,
}

impl From<Resolution> for Order {
    /// Uses the resolution up.
    fn from(resolution: Resolution) -> Self {
        Self {
            signed: resolution.signed,
            approvals: resolution.approvals,
            decided: resolution.decided,
        }
    }
}

impl Order {
    /// The request.
    #[must_use]
    pub const fn signed(&self) -> &SignedRequest {
        &self.signed
    }
    /// The approvals in it.
    #[must_use]
    pub fn approvals(&self) -> &[Decision] {
        &self.approvals
    }
    /// When it was found to be enough, by the clock of whoever wrote the order.
    #[must_use]
    pub const fn decided(&self) -> Stamp {
        self.decided
    }
    /// The request's digest: what is carried out once only.
    #[must_use]
    pub fn digest(&self) -> RequestDigest {
        self.signed.request().digest()
    }

    /// Deliberates again on everything in the order.
    pub fn reopen<'a>(&self, chamber: Chamber<'a>) -> Result<Deliberation<'a>, Refusal> {
        let mut deliberation = Deliberation::open(chamber, self.signed.clone())?;
        for approval in &self.approvals {
            deliberation.approve(approval.clone())?;
        }
        Ok(deliberation)
    }

    /// The file's text.
    #[must_use]
    pub fn to_text(&self) -> String {
        let request = self.signed.request();
        let sheet = Sheet::begin(ORDER)
            .field("verb", request.verb().name)
            .field("class", request.class())
            .field("request", request.digest())
            .field("decided", self.decided)
            .field("approvals", self.approvals.len())
            .long("proposal", self.signed.to_text().as_bytes());
        self.approvals
            .iter()
            .enumerate()
            .fold(sheet, |sheet, (index, approval)| {
                sheet.long(&label(index), approval.to_text().as_bytes())
            })
            .finish()
            .to_string()
    }

    /// Reads an order and the documents in it.
    pub fn parse(bytes: &[u8]) -> Result<Self, DocumentError> {
        let mut reader = SheetReader::open(ORDER, bytes)?;
        reader.take("verb", Some)?;
        reader.take("class", Some)?;
        reader.take("request", RequestDigest::parse)?;
        let decided = reader.take("decided", Stamp::parse)?;
        let count = reader.take("approvals", |text| {
            sign::sheet::decimal::<usize>(text).filter(|count| *count <= APPROVALS_MAX)
        })?;
        let signed = SignedRequest::parse(&reader.long("proposal")?)?;
        let mut approvals = Vec::with_capacity(count);
        for index in 0..count {
            approvals.push(Decision::parse(&reader.long(&label(index))?)?);
        }
        let order = Self {
            signed,
            approvals,
            decided,
        };
        // The lines for people at the top are checked by this against the documents below.
        reader.finish(&order.to_text())?;
        Ok(order)
    }
}

fn label(index: usize) -> String {
    format!("approval {}", index + 1)
}
