#!/usr/bin/env bash
# rclone with provider "Other", as its own guide says for a store that it does not know by name.
set -euo pipefail
echo "version $(rclone version | sed -n '1s/rclone v//p')"
bucket=clients-rclone
export RCLONE_CONFIG="$PWD/rclone.conf"
cat > rclone.conf <<CFG
[lu]
type = s3
provider = Other
env_auth = true
endpoint = $AWS_ENDPOINT_URL
region = $AWS_DEFAULT_REGION
CFG
[ -z "${AWS_CA_BUNDLE:-}" ] || export RCLONE_CA_CERT="$AWS_CA_BUNDLE"
mkdir mine
cp -r "$CLARENCE_TEST_DATA" mine/data
head -c 225443840 /dev/zero | tr '\0' 'x' > mine/over-the-cutoff.bin # above 200 MiB rclone sends parts
mkdir -p 'mine/nested/Zürich + é (1)'
for i in $(seq 50); do echo "$i" > "mine/nested/Zürich + é (1)/$i.txt"; done

rclone mkdir "lu:$bucket"
rclone copy mine "lu:$bucket/copy"
rclone check mine "lu:$bucket/copy"
rclone check --download mine/data "lu:$bucket/copy/data"
rclone lsf -R --files-only "lu:$bucket/copy" | sort > there.txt
(cd mine && find . -type f | sed 's#^\./##' | sort) > here.txt
diff here.txt there.txt
rclone copy "lu:$bucket/copy" back
diff -r mine back
rclone sync mine/data "lu:$bucket/copy"
rclone check mine/data "lu:$bucket/copy"
rclone moveto "lu:$bucket/copy/population-luxembourg.csv" "lu:$bucket/moved.csv"
rclone cat --offset 100 --count 50 "lu:$bucket/moved.csv" | cmp - <(tail -c +101 mine/data/population-luxembourg.csv | head -c 50)
rclone hashsum md5 "lu:$bucket/moved.csv" | grep "$(md5sum < mine/data/population-luxembourg.csv | cut -d' ' -f1)" > /dev/null
rclone size "lu:$bucket" | grep 'Total objects' > /dev/null
rclone purge "lu:$bucket"
[ -z "$(rclone lsf lu: | grep "^$bucket/" || true)" ]
rm -rf mine back
echo "did mkdir copy(multipart) check lsf sync moveto cat hashsum purge"
