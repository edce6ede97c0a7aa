"""Identities, sessions and policies as boto3 and the AWS command line speak to them: IAM, STS, bucket policies."""

import json
import os
import subprocess
import urllib.error
import urllib.request
import ssl

import boto3
from botocore.exceptions import ClientError

print("version", boto3.__version__)
s3, sts, iam = boto3.client("s3"), boto3.client("sts"), boto3.client("iam")
B = "clients-sts"
tenant = sts.get_caller_identity()["Account"]


def code(call, **arguments):
    """The error code of a call that has to fail."""
    try:
        call(**arguments)
    except ClientError as error:
        return error.response["Error"]["Code"]
    raise AssertionError(f"{call.__name__} {arguments} succeeded")


def allow(actions, resources, **more):
    statement = {"Effect": "Allow", "Action": actions, "Resource": resources, **more}
    return json.dumps({"Version": "2012-10-17", "Statement": [statement]})


def client(service, credentials):
    return boto3.client(service, aws_access_key_id=credentials["AccessKeyId"], aws_secret_access_key=credentials["SecretAccessKey"],
                        aws_session_token=credentials.get("SessionToken"))


def fetch(url):
    context = ssl.create_default_context(cafile=os.environ["AWS_CA_BUNDLE"]) if url.startswith("https") else None
    try:
        with urllib.request.urlopen(url, context=context) as answer:
            return answer.status, answer.read()
    except urllib.error.HTTPError as error:
        return error.code, error.read()


s3.create_bucket(Bucket=B, CreateBucketConfiguration={"LocationConstraint": os.environ["AWS_DEFAULT_REGION"]})
for key in ("a/doc", "b/doc", "c/doc"):
    s3.put_object(Bucket=B, Key=key, Body=key.encode())
assert sts.get_caller_identity()["Arn"] == f"arn:aws:iam::{tenant}:root"

# A role for two prefixes; a session of it that is narrowed to one.
trust = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Principal": {"AWS": f"arn:aws:iam::{tenant}:root"}, "Action": "sts:AssumeRole"}]}
role = iam.create_role(RoleName="reader", AssumeRolePolicyDocument=json.dumps(trust))["Role"]["Arn"]
iam.put_role_policy(RoleName="reader", PolicyName="policy", PolicyDocument=allow(["s3:GetObject"], [f"arn:aws:s3:::{B}/a/*", f"arn:aws:s3:::{B}/b/*"]))
plain = sts.assume_role(RoleArn=role, RoleSessionName="plain", DurationSeconds=900)
narrow = sts.assume_role(RoleArn=role, RoleSessionName="narrow", Policy=allow("s3:GetObject", [f"arn:aws:s3:::{B}/b/*", f"arn:aws:s3:::{B}/c/*"]))
assert plain["AssumedRoleUser"]["Arn"] == f"arn:aws:sts::{tenant}:assumed-role/reader/plain"
for credentials, may in ((plain["Credentials"], ("a/doc", "b/doc")), (narrow["Credentials"], ("b/doc",))):
    session = client("s3", credentials)
    for key in ("a/doc", "b/doc", "c/doc"):
        url = session.generate_presigned_url("get_object", {"Bucket": B, "Key": key}, ExpiresIn=60)
        if key in may:
            assert session.get_object(Bucket=B, Key=key)["Body"].read() == key.encode()
            assert fetch(url) == (200, key.encode())
        else:
            assert code(session.get_object, Bucket=B, Key=key) == "AccessDenied"
            assert fetch(url)[0] == 403
    assert code(session.put_object, Bucket=B, Key="a/new", Body=b"x") == "AccessDenied"
    assert code(session.list_objects_v2, Bucket=B) == "AccessDenied"
    assert client("sts", credentials).get_caller_identity()["Arn"].startswith(f"arn:aws:sts::{tenant}:assumed-role/reader/")
    broken = {**credentials, "SessionToken": credentials["SessionToken"][:-4] + "AAAA"}
    assert code(client("s3", broken).list_buckets) == "InvalidToken"
    assert code(client("iam", credentials).create_access_key) == "AccessDenied"

# A person with a policy, whose administrator may not make more than it may.
iam.create_user(UserName="anna")
iam.put_user_policy(UserName="anna", PolicyName="policy", PolicyDocument=allow(["s3:ListBucket", "s3:GetObject", "s3:PutObject"], [f"arn:aws:s3:::{B}", f"arn:aws:s3:::{B}/a/*"]))
anna = client("s3", iam.create_access_key(UserName="anna")["AccessKey"])
assert len(anna.list_objects_v2(Bucket=B)["Contents"]) == 3
anna.put_object(Bucket=B, Key="a/new", Body=b"x" * (9 << 20))
assert code(anna.delete_object, Bucket=B, Key="a/new") == "AccessDenied"
assert code(anna.put_object, Bucket=B, Key="b/new", Body=b"x") == "AccessDenied"
assert code(anna.copy_object, Bucket=B, Key="a/copy", CopySource={"Bucket": B, "Key": "c/doc"}) == "AccessDenied"
assert [user["UserName"] for user in iam.list_users()["Users"]] == ["anna"]
answer = s3.delete_objects(Bucket=B, Delete={"Objects": [{"Key": "a/new"}]})
assert len(answer["Deleted"]) == 1

# A bucket's policy narrows; what cannot be translated is refused with place and word.
assert code(s3.get_bucket_policy, Bucket=B) == "NoSuchBucketPolicy"
deny = json.dumps({"Version": "2012-10-17", "Statement": [{"Effect": "Deny", "Principal": "*", "Action": "s3:GetObject", "Resource": f"arn:aws:s3:::{B}/c/*"}]})
s3.put_bucket_policy(Bucket=B, Policy=deny)
assert json.loads(s3.get_bucket_policy(Bucket=B)["Policy"]) == json.loads(deny)
assert s3.get_bucket_policy_status(Bucket=B)["PolicyStatus"]["IsPublic"] is False
assert code(s3.get_object, Bucket=B, Key="c/doc") == "AccessDenied"
for bad in (deny.replace('"Action"', '"NotAction"'), deny.replace("Deny", "Allow"), deny.replace(B, "another"), "{}", "not JSON"):
    assert code(s3.put_bucket_policy, Bucket=B, Policy=bad) == "MalformedPolicy", bad
s3.delete_bucket_policy(Bucket=B)
assert s3.get_object(Bucket=B, Key="c/doc")["Body"].read() == b"c/doc"

# The command line.
def aws(*words):
    return json.loads(subprocess.run(["aws", "--output", "json", *words], check=True, capture_output=True, text=True).stdout)

assert aws("sts", "get-caller-identity")["Account"] == tenant
made = aws("sts", "assume-role", "--role-arn", role, "--role-session-name", "shell")
assert client("s3", made["Credentials"]).get_object(Bucket=B, Key="a/doc")["Body"].read() == b"a/doc"
assert code(sts.assume_role, RoleArn=role.replace("reader", "nobody"), RoleSessionName="plain") == "AccessDenied"
assert code(sts.assume_role, RoleArn=role, RoleSessionName="plain", DurationSeconds=43200) == "ValidationError"
assert code(sts.assume_role_with_web_identity, RoleArn=role, RoleSessionName="plain", WebIdentityToken="e30.e30.e30e") == "AccessDenied"

for key in ("a/doc", "b/doc", "c/doc"):
    s3.delete_object(Bucket=B, Key=key)
s3.delete_bucket(Bucket=B)
