#!/usr/bin/env bash
# awscli with its default settings: high-level `aws s3` and a few plain calls.
set -euo pipefail
echo "version $(aws --version 2>&1 | sed 's#aws-cli/\([^ ]*\).*#\1#')"
bucket=clients-awscli
head -c 20971520 /dev/urandom > big.bin

aws s3 mb "s3://$bucket"
aws s3 cp --no-progress "$CLARENCE_TEST_DATA/population-luxembourg.csv" "s3://$bucket/stat/population.csv"
aws s3 cp --no-progress big.bin "s3://$bucket/big.bin"
aws s3 cp --no-progress "s3://$bucket/big.bin" back.bin
cmp big.bin back.bin
aws s3 cp --no-progress "s3://$bucket/stat/population.csv" - | cmp - "$CLARENCE_TEST_DATA/population-luxembourg.csv"
aws s3 ls "s3://$bucket/" | grep 'PRE stat/' > /dev/null
aws s3 ls "s3://$bucket/" | grep '20971520 big.bin' > /dev/null
aws s3 ls | grep "$bucket" > /dev/null

# A whole folder there and back; a second sync has nothing to do.
aws s3 sync --no-progress "$CLARENCE_TEST_DATA" "s3://$bucket/data"
again=$(aws s3 sync --no-progress "$CLARENCE_TEST_DATA" "s3://$bucket/data")
[ -z "$again" ] || { echo "a second sync was not empty: $again"; exit 1; }
aws s3 sync --no-progress "s3://$bucket/data" folder
diff -r "$CLARENCE_TEST_DATA" folder
mkdir fewer && cp folder/population-luxembourg.csv fewer/
aws s3 sync --no-progress --delete fewer "s3://$bucket/data"
[ "$(aws s3 ls --recursive "s3://$bucket/data/" | wc -l)" = 1 ]

# Names that have to be encoded.
awkward='Zürich + Lëtzebuerg & 100% (a=b).csv'
aws s3 cp --no-progress folder/subdivisions-luxembourg.tsv "s3://$bucket/$awkward"
aws s3 ls "s3://$bucket/Z" | grep -F "$awkward" > /dev/null
aws s3 mv --no-progress "s3://$bucket/$awkward" "s3://$bucket/moved/$awkward"
aws s3 cp --no-progress "s3://$bucket/moved/$awkward" - | cmp - folder/subdivisions-luxembourg.tsv
aws s3 cp --no-progress "s3://$bucket/big.bin" "s3://$bucket/big-copy.bin"
aws s3 cp --no-progress "s3://$bucket/big-copy.bin" - | cmp - big.bin

# A link that works without a credential, and not with one letter changed.
link=$(aws s3 presign "s3://$bucket/stat/population.csv")
curl -fsS ${AWS_CA_BUNDLE:+--cacert "$AWS_CA_BUNDLE"} "$link" | cmp - "$CLARENCE_TEST_DATA/population-luxembourg.csv"
status=$(curl -s ${AWS_CA_BUNDLE:+--cacert "$AWS_CA_BUNDLE"} -o /dev/null -w '%{http_code}' "${link/population/populations}")
[ "$status" = 403 ]

aws s3api head-object --bucket "$bucket" --key big.bin --checksum-mode ENABLED > head.json
grep -q '"ContentLength": 20971520' head.json
aws s3api get-object --bucket "$bucket" --key big.bin --range bytes=10485750-10485779 part.bin > /dev/null
cmp part.bin <(tail -c +10485751 big.bin | head -c 30)
aws s3api list-objects --bucket "$bucket" --delimiter / | grep '"Prefix": "stat/"' > /dev/null
aws s3api get-bucket-location --bucket "$bucket" | grep "$AWS_DEFAULT_REGION" > /dev/null

aws s3 rm --quiet --recursive "s3://$bucket"
[ -z "$(aws s3 ls --recursive "s3://$bucket" || true)" ]
aws s3 rb "s3://$bucket"
! aws s3 ls "s3://$bucket" 2> gone.txt
grep -q NoSuchBucket gone.txt
echo "did mb cp(multipart) ls sync mv copy presign range rm rb"
