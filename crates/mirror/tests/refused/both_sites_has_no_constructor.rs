use mirror::{BothProof, Mirrored};

fn main() {
    let _claimed = Mirrored::BothSites(BothProof(()));
}
