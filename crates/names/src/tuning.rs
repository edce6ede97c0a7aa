//! The measures of the index. The defaults are what a node uses; tests use small ones, so that a few names
//! already make several pages, runs and levels.

use words::limits;

/// Measures of one index. All are bounds, none changes what a listing says.
#[derive(Clone, Copy, Debug)]
pub struct Tuning {
    /// Memory for opened pages, fences and deltas, in bytes.
    pub cache_bytes: usize,
    /// Largest plaintext of a page or of a row of fences, padding included. With the default a sealed page
    /// is one frame.
    pub page_bytes: usize,
    /// Fewer deltas than this are left where they are: reading them costs less than folding them.
    pub fold_deltas_min: usize,
    /// Most deltas that one level-0 run is made of, which bounds the memory of a fold.
    pub fold_deltas_max: usize,
    /// So many runs of one level are merged into one of the next.
    pub fan_out: usize,
    /// Sealed bytes in one commit of a fold: small, so that writers beside it do not wait long.
    pub commit_bytes: usize,
    /// How long rows that nothing refers to any more are kept for listings that are still on them, in
    /// milliseconds. It spares those listings a new start; their result is right without it.
    pub grace_ms: u64,
    /// Outstanding deltas at which writers are asked to wait.
    pub pending_max: u64,
    /// How long a count of outstanding deltas is believed, in milliseconds.
    pub pending_refresh_ms: u64,
}

impl Default for Tuning {
    fn default() -> Self {
        Self {
            cache_bytes: 32 * 1024 * 1024,
            page_bytes: 16 * 1024 - 256,
            fold_deltas_min: 1024,
            fold_deltas_max: 16 * 1024,
            fan_out: 4,
            commit_bytes: 256 * 1024,
            grace_ms: 60_000,
            pending_max: 64 * 1024,
            pending_refresh_ms: 250,
        }
    }
}

impl Tuning {
    /// Brings measures that could not work into the range that does.
    #[must_use]
    pub(crate) fn sane(mut self) -> Self {
        let page_max = limits::ROW_VALUE_BYTES_MAX - 1024;
        self.page_bytes = self.page_bytes.clamp(PAGE_BYTES_MIN, page_max);
        self.commit_bytes = self.commit_bytes.clamp(1, limits::COMMIT_BYTES_MAX / 2);
        self.fan_out = self.fan_out.max(2);
        self.fold_deltas_max = self.fold_deltas_max.max(1);
        self.fold_deltas_min = self.fold_deltas_min.clamp(1, self.fold_deltas_max);
        self
    }
}

/// A page must hold one entry of the longest name.
pub(crate) const PAGE_BYTES_MIN: usize = limits::OBJECT_KEY_BYTES_MAX + 512;
