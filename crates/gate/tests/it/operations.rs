//! Every operation of S3 that s3s 0.14.1 routes, by name: none is reached before the sender is identified,
//! and each is either offered or answers 501.

use crate::client::{Ask, ask};
use crate::node::World;
use std::sync::atomic::Ordering;

/// Name in snake case, method, path and query, the status when a signed caller asks. `K` is a key that
/// exists, `U` an upload.
const ALL: &[(&str, &str, &str, u16)] = &[
    ("abort_multipart_upload", "DELETE", "/own/K?uploadId=U", 204),
    (
        "complete_multipart_upload",
        "POST",
        "/own/K?uploadId=U",
        400,
    ),
    ("copy_object", "PUT", "/own/copy", 200),
    ("create_bucket", "PUT", "/fresh", 200),
    (
        "create_bucket_metadata_table_configuration",
        "POST",
        "/own?metadataTable",
        501,
    ),
    ("create_multipart_upload", "POST", "/own/K?uploads", 200),
    ("create_session", "GET", "/own?session", 501),
    ("delete_bucket", "DELETE", "/spare", 204),
    (
        "delete_bucket_analytics_configuration",
        "DELETE",
        "/own?analytics&id=1",
        501,
    ),
    ("delete_bucket_cors", "DELETE", "/own?cors", 501),
    ("delete_bucket_encryption", "DELETE", "/own?encryption", 501),
    (
        "delete_bucket_intelligent_tiering_configuration",
        "DELETE",
        "/own?intelligent-tiering&id=1",
        501,
    ),
    (
        "delete_bucket_inventory_configuration",
        "DELETE",
        "/own?inventory&id=1",
        501,
    ),
    ("delete_bucket_lifecycle", "DELETE", "/own?lifecycle", 501),
    (
        "delete_bucket_metadata_table_configuration",
        "DELETE",
        "/own?metadataTable",
        501,
    ),
    (
        "delete_bucket_metrics_configuration",
        "DELETE",
        "/own?metrics&id=1",
        501,
    ),
    (
        "delete_bucket_ownership_controls",
        "DELETE",
        "/own?ownershipControls",
        501,
    ),
    ("delete_bucket_policy", "DELETE", "/own?policy", 204),
    (
        "delete_bucket_replication",
        "DELETE",
        "/own?replication",
        501,
    ),
    ("delete_bucket_tagging", "DELETE", "/own?tagging", 501),
    ("delete_bucket_website", "DELETE", "/own?website", 501),
    ("delete_object", "DELETE", "/own/gone", 204),
    ("delete_object_tagging", "DELETE", "/own/K?tagging", 501),
    ("delete_objects", "POST", "/own?delete", 400),
    (
        "delete_public_access_block",
        "DELETE",
        "/own?publicAccessBlock",
        501,
    ),
    (
        "get_bucket_accelerate_configuration",
        "GET",
        "/own?accelerate",
        200,
    ),
    ("get_bucket_acl", "GET", "/own?acl", 200),
    (
        "get_bucket_analytics_configuration",
        "GET",
        "/own?analytics&id=1",
        501,
    ),
    ("get_bucket_cors", "GET", "/own?cors", 404),
    ("get_bucket_encryption", "GET", "/own?encryption", 200),
    (
        "get_bucket_intelligent_tiering_configuration",
        "GET",
        "/own?intelligent-tiering&id=1",
        501,
    ),
    (
        "get_bucket_inventory_configuration",
        "GET",
        "/own?inventory&id=1",
        501,
    ),
    (
        "get_bucket_lifecycle_configuration",
        "GET",
        "/own?lifecycle",
        404,
    ),
    ("get_bucket_location", "GET", "/own?location", 200),
    ("get_bucket_logging", "GET", "/own?logging", 200),
    (
        "get_bucket_metadata_table_configuration",
        "GET",
        "/own?metadataTable",
        501,
    ),
    (
        "get_bucket_metrics_configuration",
        "GET",
        "/own?metrics&id=1",
        501,
    ),
    (
        "get_bucket_notification_configuration",
        "GET",
        "/own?notification",
        200,
    ),
    (
        "get_bucket_ownership_controls",
        "GET",
        "/own?ownershipControls",
        404,
    ),
    ("get_bucket_policy", "GET", "/own?policy", 404),
    ("get_bucket_policy_status", "GET", "/own?policyStatus", 404),
    ("get_bucket_replication", "GET", "/own?replication", 404),
    (
        "get_bucket_request_payment",
        "GET",
        "/own?requestPayment",
        200,
    ),
    ("get_bucket_tagging", "GET", "/own?tagging", 404),
    ("get_bucket_versioning", "GET", "/own?versioning", 200),
    ("get_bucket_website", "GET", "/own?website", 404),
    ("get_object", "GET", "/own/K", 200),
    ("get_object_acl", "GET", "/own/K?acl", 200),
    ("get_object_attributes", "GET", "/own/K?attributes", 200),
    ("get_object_legal_hold", "GET", "/own/K?legal-hold", 404),
    (
        "get_object_lock_configuration",
        "GET",
        "/own?object-lock",
        404,
    ),
    ("get_object_retention", "GET", "/own/K?retention", 404),
    ("get_object_tagging", "GET", "/own/K?tagging", 200),
    ("get_object_torrent", "GET", "/own/K?torrent", 501),
    (
        "get_public_access_block",
        "GET",
        "/own?publicAccessBlock",
        404,
    ),
    ("head_bucket", "HEAD", "/own", 200),
    ("head_object", "HEAD", "/own/K", 200),
    (
        "list_bucket_analytics_configurations",
        "GET",
        "/own?analytics",
        501,
    ),
    (
        "list_bucket_intelligent_tiering_configurations",
        "GET",
        "/own?intelligent-tiering",
        501,
    ),
    (
        "list_bucket_inventory_configurations",
        "GET",
        "/own?inventory",
        501,
    ),
    (
        "list_bucket_metrics_configurations",
        "GET",
        "/own?metrics",
        501,
    ),
    ("list_buckets", "GET", "/", 200),
    (
        "list_directory_buckets",
        "GET",
        "/?x-id=ListDirectoryBuckets",
        501,
    ),
    ("list_multipart_uploads", "GET", "/own?uploads", 200),
    ("list_object_versions", "GET", "/own?versions", 200),
    ("list_objects", "GET", "/own", 200),
    ("list_objects_v2", "GET", "/own?list-type=2", 200),
    ("list_parts", "GET", "/own/K?uploadId=U", 200),
    ("post_object", "POST", "/own", 501),
    (
        "put_bucket_accelerate_configuration",
        "PUT",
        "/own?accelerate",
        501,
    ),
    ("put_bucket_acl", "PUT", "/own?acl", 501),
    (
        "put_bucket_analytics_configuration",
        "PUT",
        "/own?analytics&id=1",
        501,
    ),
    ("put_bucket_cors", "PUT", "/own?cors", 501),
    ("put_bucket_encryption", "PUT", "/own?encryption", 501),
    (
        "put_bucket_intelligent_tiering_configuration",
        "PUT",
        "/own?intelligent-tiering&id=1",
        501,
    ),
    (
        "put_bucket_inventory_configuration",
        "PUT",
        "/own?inventory&id=1",
        501,
    ),
    (
        "put_bucket_lifecycle_configuration",
        "PUT",
        "/own?lifecycle",
        501,
    ),
    ("put_bucket_logging", "PUT", "/own?logging", 501),
    (
        "put_bucket_metrics_configuration",
        "PUT",
        "/own?metrics&id=1",
        501,
    ),
    (
        "put_bucket_notification_configuration",
        "PUT",
        "/own?notification",
        501,
    ),
    (
        "put_bucket_ownership_controls",
        "PUT",
        "/own?ownershipControls",
        501,
    ),
    ("put_bucket_policy", "PUT", "/own?policy", 400),
    ("put_bucket_replication", "PUT", "/own?replication", 501),
    (
        "put_bucket_request_payment",
        "PUT",
        "/own?requestPayment",
        501,
    ),
    ("put_bucket_tagging", "PUT", "/own?tagging", 501),
    ("put_bucket_versioning", "PUT", "/own?versioning", 501),
    ("put_bucket_website", "PUT", "/own?website", 501),
    ("put_object", "PUT", "/own/K", 200),
    ("put_object_acl", "PUT", "/own/K?acl", 501),
    ("put_object_legal_hold", "PUT", "/own/K?legal-hold", 501),
    (
        "put_object_lock_configuration",
        "PUT",
        "/own?object-lock",
        501,
    ),
    ("put_object_retention", "PUT", "/own/K?retention", 501),
    ("put_object_tagging", "PUT", "/own/K?tagging", 501),
    (
        "put_public_access_block",
        "PUT",
        "/own?publicAccessBlock",
        501,
    ),
    ("restore_object", "POST", "/own/K?restore", 501),
    (
        "select_object_content",
        "POST",
        "/own/K?select&select-type=2",
        501,
    ),
    ("upload_part", "PUT", "/own/K?partNumber=1&uploadId=U", 200),
    (
        "upload_part_copy",
        "PUT",
        "/own/K?partNumber=2&uploadId=U",
        200,
    ),
    ("write_get_object_response", "POST", "/own", 501),
];

fn request(name: &str, method: &str, path: &str, upload: &str) -> Ask {
    let path = path
        .replace("/K", "/key")
        .replace("=U", &format!("={upload}"));
    let asked = ask(method, &path);
    match name {
        "copy_object" | "upload_part_copy" => asked.header("x-amz-copy-source", "own/key"),
        "get_object_attributes" => asked.header("x-amz-object-attributes", "ETag,ObjectSize"),
        "write_get_object_response" => asked
            .header("x-amz-request-route", "r")
            .header("x-amz-request-token", "t"),
        "post_object" => asked.header("content-type", "multipart/form-data; boundary=x"),
        "complete_multipart_upload" | "delete_objects" => asked.body("<no"),
        "put_object" | "upload_part" => asked.body("hello"),
        _ => asked,
    }
}

#[tokio::test]
async fn none_without_identification_and_each_offered_or_501() {
    assert_eq!(ALL.len(), 99, "s3s 0.14.1 has 99 operations");
    let world = World::start().await;
    world.bucket("own");
    world.bucket("spare");
    world.put("own", "key", b"hello");
    world.put("own", "gone", b"hello");
    for (name, method, path, status) in ALL {
        let upload = ask("POST", "/own/key?uploads")
            .send(&world)
            .await
            .element("UploadId")
            .unwrap();
        let good = request(name, method, path, &upload);

        // Unsigned, signed wrongly, and with a link that was tampered with.
        let unsigned = Ask {
            signed: false,
            ..good.clone()
        };
        let forged = good.clone().header("authorization", "AWS4-HMAC-SHA256 Credential=TESTKEY/20260101/lu-1/s3/aws4_request, SignedHeaders=host, Signature=00").unsigned();
        let link = good
            .presigned(&world.address.to_string(), 60)
            .replace("X-Amz-Signature=", "X-Amz-Signature=0");
        let (link_path, link_query) = link.split_once('?').unwrap();
        let tampered = Ask {
            path: link_path.to_owned(),
            query: link_query.to_owned(),
            ..unsigned.clone()
        };
        let verbs = world.node.verbs.load(Ordering::SeqCst);
        for (how, bad) in [
            ("unsigned", unsigned),
            ("forged", forged),
            ("tampered", tampered),
        ] {
            let identified = world.node.identified.load(Ordering::SeqCst);
            let answer = bad.send(&world).await;
            let form = *name == "post_object";
            assert!(
                matches!(answer.status, 400 | 403) || form,
                "{name} {how}: {}",
                answer.status
            );
            let asked = world.node.identified.load(Ordering::SeqCst) - identified;
            assert_eq!(asked, usize::from(!form), "{name} {how}");
        }
        assert_eq!(
            world.node.verbs.load(Ordering::SeqCst),
            verbs,
            "{name} was reached without identification"
        );

        let answer = good.send(&world).await;
        assert_eq!(answer.status, *status, "{name}: {}", answer.text());
        let offered = gate::IMPLEMENTED.contains(name);
        let acl = matches!(*name, "put_bucket_acl" | "put_object_acl"); // private only
        assert_eq!(offered, *status != 501 || acl, "{name}");
        if *status == 501 {
            assert_eq!(answer.code(), "NotImplemented", "{name}");
        }
    }
    for name in gate::IMPLEMENTED {
        assert!(
            ALL.iter().any(|(other, ..)| other == name),
            "{name} is not in the table"
        );
    }
}

#[tokio::test]
async fn settings_that_are_not_there() {
    let world = World::start().await;
    world.bucket("own");
    world.put("own", "key", b"hello");
    for (path, code) in [
        ("/own?policy", "NoSuchBucketPolicy"),
        ("/own?lifecycle", "NoSuchLifecycleConfiguration"),
        ("/own?cors", "NoSuchCORSConfiguration"),
        ("/own?tagging", "NoSuchTagSet"),
        ("/own?website", "NoSuchWebsiteConfiguration"),
        ("/own?replication", "ReplicationConfigurationNotFoundError"),
        ("/own?ownershipControls", "OwnershipControlsNotFoundError"),
        (
            "/own?publicAccessBlock",
            "NoSuchPublicAccessBlockConfiguration",
        ),
        ("/own?object-lock", "ObjectLockConfigurationNotFoundError"),
        ("/own/key?retention", "NoSuchObjectLockConfiguration"),
        ("/own/nothing?acl", "NoSuchKey"),
        ("/other?policy", "NoSuchBucket"),
        ("/other?acl", "NoSuchBucket"),
    ] {
        let answer = ask("GET", path).send(&world).await;
        assert_eq!(
            (answer.status, answer.code().as_str()),
            (404, code),
            "{path}"
        );
    }
    for (path, text) in [
        (
            "/own?location",
            "<LocationConstraint xmlns=\"http://s3.amazonaws.com/doc/2006-03-01/\">lu-1</LocationConstraint>",
        ),
        ("/own?versioning", "VersioningConfiguration"),
        ("/own?requestPayment", "<Payer>BucketOwner</Payer>"),
        ("/own?acl", "<Permission>FULL_CONTROL</Permission>"),
        ("/own?acl", "xsi:type=\"CanonicalUser\""),
        ("/own?encryption", "<SSEAlgorithm>AES256</SSEAlgorithm>"),
        ("/own/key?acl", "<Permission>FULL_CONTROL</Permission>"),
        ("/own/key?tagging", "<TagSet></TagSet>"),
    ] {
        let answer = ask("GET", path).send(&world).await;
        assert!(answer.text().contains(text), "{path}: {}", answer.text());
    }
    assert!(
        !ask("GET", "/own?versioning")
            .send(&world)
            .await
            .text()
            .contains("Status")
    );
    let set = |path, acl| ask("PUT", path).header("x-amz-acl", acl);
    assert_eq!(set("/own?acl", "private").send(&world).await.status, 200);
    assert_eq!(
        set("/own/key?acl", "private").send(&world).await.status,
        200
    );
    assert_eq!(
        set("/own/key?acl", "public-read").send(&world).await.status,
        501
    );
}
