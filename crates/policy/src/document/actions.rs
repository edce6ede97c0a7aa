//! The actions of S3, STS and IAM by the names that documents give them, and one that is ours, and what each is
//! here. A name that
//! is not in this table does not exist here and is refused.

use crate::action::Action;

/// Name in documents, and the actions it means.
const TABLE: &[(&str, &[Action])] = &[
    ("s3:ListAllMyBuckets", &[Action::ListBuckets]),
    ("s3:CreateBucket", &[Action::CreateBucket]),
    ("s3:DeleteBucket", &[Action::DeleteBucket]),
    ("s3:ListBucket", &[Action::ListObjects, Action::HeadBucket]),
    ("s3:ListBucketMultipartUploads", &[Action::ListUploads]),
    ("s3:ListMultipartUploadParts", &[Action::ListParts]),
    ("s3:GetObject", &[Action::GetObject, Action::HeadObject]),
    ("s3:GetObjectVersion", &[Action::GetObjectVersion]),
    (
        "s3:PutObject",
        &[
            Action::PutObject,
            Action::CreateUpload,
            Action::UploadPart,
            Action::CompleteUpload,
        ],
    ),
    ("s3:AbortMultipartUpload", &[Action::AbortUpload]),
    ("s3:DeleteObject", &[Action::DeleteObject]),
    ("s3:DeleteObjectVersion", &[Action::DeleteObjectVersion]),
    ("s3:GetBucketPolicy", &[Action::GetBucketPolicy]),
    ("s3:PutBucketPolicy", &[Action::PutBucketPolicy]),
    ("s3:DeleteBucketPolicy", &[Action::DeleteBucketPolicy]),
    ("sts:AssumeRole", &[Action::AssumeRole]),
    (
        "sts:AssumeRoleWithWebIdentity",
        &[Action::AssumeRoleWithWebIdentity],
    ),
    ("sts:TagSession", &[Action::TagSession]),
    ("sts:SetSourceIdentity", &[Action::SetSourceIdentity]),
    ("iam:CreateUser", &[Action::CreateUser]),
    ("iam:CreateRole", &[Action::CreateRole]),
    ("iam:PutUserPolicy", &[Action::PutUserPolicy]),
    ("iam:PutRolePolicy", &[Action::PutRolePolicy]),
    ("iam:CreateAccessKey", &[Action::CreateAccessKey]),
    ("iam:UpdateAccessKey", &[Action::UpdateAccessKey]),
    ("iam:ListUsers", &[Action::ListUsers]),
    ("clarence:LeaseKeys", &[Action::LeaseKeys]),
];

/// The name under which documents know an action; `None` for one that only a key of the whole tenant has.
#[must_use]
pub fn name_of(action: Action) -> Option<&'static str> {
    TABLE
        .iter()
        .find(|(_, actions)| actions.contains(&action))
        .map(|(name, _)| *name)
}

/// What a name or a pattern with `*` means. Names of actions are compared without case, as IAM does; a
/// pattern that means nothing is as unknown as a wrong name.
pub(crate) fn named(pattern: &str) -> Option<Vec<Action>> {
    let wanted = pattern.to_ascii_lowercase();
    if wanted.contains('?') {
        return None;
    }
    let mut found: Vec<Action> = if wanted == "*" {
        Action::ALL.to_vec()
    } else {
        TABLE
            .iter()
            .filter(|(name, _)| matches(&wanted, &name.to_ascii_lowercase()))
            .flat_map(|(_, actions)| actions.iter().copied())
            .collect()
    };
    if wanted == "s3:*" {
        // Settings of buckets that have no name of their own in the table.
        found.extend([Action::ReadBucketSettings, Action::ChangeBucketSettings]);
    }
    found.sort_unstable();
    found.dedup();
    Some(found).filter(|found| !found.is_empty())
}

/// Whether `text` is what `pattern` says, `*` standing for anything.
fn matches(pattern: &str, text: &str) -> bool {
    match pattern.split_once('*') {
        None => pattern == text,
        Some((head, rest)) => text.strip_prefix(head).is_some_and(|left| {
            (0..=left.len())
                .filter_map(|at| left.get(at..))
                .any(|tail| matches(rest, tail))
        }),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_patterns() {
        assert_eq!(named("s3:getobject").unwrap().len(), 2);
        assert_eq!(named("s3:*Bucket").unwrap().len(), 4);
        assert_eq!(named("*"), Some(Action::ALL.to_vec()));
        for unknown in ["s3:Fly", "s3:Get?bject", "s4:*", "", "s3:GetObjectTagging"] {
            assert_eq!(named(unknown), None, "{unknown}");
        }
        let all = named("s3:*").unwrap();
        assert!(all.contains(&Action::ReadBucketSettings) && !all.contains(&Action::CreateUser));
    }

    /// Each action is reached by one name at most, so a name never means half an act.
    #[test]
    fn no_action_has_two_names() {
        for action in Action::ALL {
            let names = TABLE.iter().filter(|(_, a)| a.contains(action)).count();
            assert!(names <= 1, "{action:?}");
        }
    }
}
