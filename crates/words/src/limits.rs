//! Every limit of Clarence stands here. Sizes in bytes unless the name says otherwise.

/// One mebibyte.
pub const MIB: u64 = 1024 * 1024;

/// Longest object key, in bytes of UTF-8 (as S3 has it).
pub const OBJECT_KEY_BYTES_MAX: usize = 1024;
/// Shortest and longest bucket name.
pub const BUCKET_NAME_LEN: std::ops::RangeInclusive<usize> = 3..=63;
/// Largest object of a single PUT and largest part of a multipart upload.
pub const PART_BYTES_MAX: u64 = 5 * 1024 * MIB;
/// Smallest part of a multipart upload, the last one excepted.
pub const PART_BYTES_MIN: u64 = 5 * MIB;
/// Highest part number.
pub const PARTS_MAX: u32 = 10_000;
/// All user metadata of one object, names and values together.
pub const USER_METADATA_BYTES_MAX: usize = 2 * 1024;
/// Largest object whose sealed bytes lie in the catalog's row instead of in chunk files.
pub const INLINE_BYTES_MAX: u64 = 32 * 1024;
/// Plaintext carried by one chunk file: 512 frames.
pub const CHUNK_PLAINTEXT_BYTES: u64 = 8 * MIB;
/// Names in one DeleteObjects request and in one page of a listing.
pub const KEYS_PER_REQUEST_MAX: usize = 1000;
/// Largest XML body that is read before it is parsed.
pub const XML_BODY_BYTES_MAX: usize = 2 * 1024 * 1024;
/// Largest signed chunk of `aws-chunked` framing, which has to be held before its signature is known.
pub const SIGNED_CHUNK_BYTES_MAX: usize = 16 * 1024 * 1024;
/// All request headers together.
pub const HEADER_BYTES_MAX: usize = 32 * 1024;
/// How far a request's signing time may be from ours, in milliseconds.
pub const CLOCK_SKEW_MS_MAX: u64 = 15 * 60 * 1000;
/// Longest life of a presigned URL, in seconds.
pub const PRESIGN_SECONDS_MAX: u64 = 7 * 24 * 3600;
/// Buckets of one tenant.
pub const BUCKETS_PER_TENANT_MAX: usize = 10_000;
/// Longest identifier of a subject (a person, a case), in bytes of UTF-8.
pub const SUBJECT_BYTES_MAX: usize = 256;
/// Longest statement that a share was destroyed, in bytes.
pub const STATEMENT_BYTES_MAX: usize = 16 * 1024;
/// Longest request for a lease of a key, and longest lease, in bytes.
pub const LEASE_BYTES_MAX: usize = 24 * 1024;
/// Longest receipt of an erasure, in bytes.
pub const RECEIPT_BYTES_MAX: usize = 1024 * 1024;
/// Connections that are served at once.
pub const CONNECTIONS_MAX: usize = 4096;

/// Catalog: longest key.
pub const ROW_KEY_BYTES_MAX: usize = 2 * 1024;
/// Catalog: largest value.
pub const ROW_VALUE_BYTES_MAX: usize = 64 * 1024;
/// Catalog: largest commit.
pub const COMMIT_BYTES_MAX: usize = 1024 * 1024;
/// Catalog: most mutations in one commit.
pub const COMMIT_MUTATIONS_MAX: usize = 1000;
/// Catalog: most rows in one page of a scan.
pub const SCAN_ROWS_MAX: usize = 1000;
/// Catalog: most requests that share one sync.
pub const BATCH_REQUESTS_MAX: usize = 512;
/// Catalog: most bytes that share one sync.
pub const BATCH_BYTES_MAX: usize = 4 * 1024 * 1024;
/// How long a site may take over one durable write before it counts as away, in milliseconds.
pub const SITE_DEADLINE_MS: u64 = 5_000;
/// Errors of a site within [`SITE_TROUBLE_WINDOW_MS`] that count as its loss.
pub const SITE_TROUBLES_MAX: usize = 3;
/// The time within which [`SITE_TROUBLES_MAX`] errors count as a loss, in milliseconds.
pub const SITE_TROUBLE_WINDOW_MS: u64 = 10_000;
/// How long a site that failed is left alone before one request tries it again, in milliseconds.
pub const SITE_RETRY_MS: u64 = 2_000;
/// How long a read waits for one site before it turns to the other, in milliseconds.
pub const READ_PATIENCE_MS: u64 = 1_000;
/// Sealed bytes on their way to the sites, all chunks together.
pub const MIRROR_BYTES_MAX: usize = 96 * 1024 * 1024;
/// Sealed bytes that one site makes durable at the same time. A slow disk (100 MB/s for both sites) has to
/// be done with them well within [`SITE_DEADLINE_MS`], or mere load would pass for a loss.
pub const MIRROR_SYNC_BYTES_MAX: usize = 96 * 1024 * 1024;
/// What a chunk counts at least against [`MIRROR_SYNC_BYTES_MAX`]: short ones are bounded in number.
pub const MIRROR_SYNC_BYTES_LEAST: usize = 1024 * 1024;
/// Damaged copies that wait for their repair.
pub const REPAIRS_WAITING_MAX: usize = 10_000;
/// How long a deleted chunk is kept for readers that are still on it, in milliseconds.
pub const CHUNK_GRACE_MS: u64 = 3_600_000;
/// How old a chunk without an owner must be before it is swept, in milliseconds.
pub const ORPHAN_AGE_MS: u64 = 24 * 3_600_000;

/// Longest file with a charter and its signatures, in bytes.
pub const CHARTER_BYTES_MAX: usize = 256 * 1024;
/// Longest formula of a charter, in characters.
pub const FORMULA_CHARS_MAX: usize = 1024;
/// Deepest nesting of a formula.
pub const FORMULA_DEPTH_MAX: usize = 8;
/// Most parties, conditions and parentheses in a formula together.
pub const FORMULA_PIECES_MAX: usize = 128;
/// Most jurisdictions that a charter allows.
pub const JURISDICTIONS_MAX: usize = 32;
/// Longest chain of amendments that is read.
pub const AMENDMENTS_MAX: usize = 1000;
/// Most approvers on one roll.
pub const APPROVERS_MAX: usize = 1024;
/// Longest key file, public key file or approver's card, in bytes.
pub const CARD_BYTES_MAX: usize = 16 * 1024;
/// Longest request, approval or veto, in bytes.
pub const REQUEST_BYTES_MAX: usize = 32 * 1024;
/// Longest execution order, in bytes: a request and [`APPROVALS_MAX`] approvals.
pub const ORDER_BYTES_MAX: usize = 1024 * 1024;
/// Most approvals, and most vetoes, of one request.
pub const APPROVALS_MAX: usize = 64;
/// Most parameters of one request.
pub const PARAMETERS_MAX: usize = 16;
/// Longest value of a parameter, in characters.
pub const PARAMETER_CHARS_MAX: usize = 256;
/// Most requests that the docket of a cloud keeps, an equal part of them for each party; what has expired makes
/// room.
pub const DOCKET_REQUESTS_MAX: usize = 512;
/// Longest reason of a request or a veto, in characters.
pub const REASON_CHARS_MAX: usize = 1000;
