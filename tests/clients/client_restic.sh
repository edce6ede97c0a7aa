#!/usr/bin/env bash
# restic: a repository over the bucket, backed up, checked with all data read, restored and compared.
set -euo pipefail
echo "version $(restic version | sed 's/restic \([^ ]*\).*/\1/')"
export RESTIC_REPOSITORY="s3:$AWS_ENDPOINT_URL/clients-restic/repository"
export RESTIC_PASSWORD=loopback-test-only
export RESTIC_CACHE_DIR="$PWD/cache"
[ -z "${AWS_CA_BUNDLE:-}" ] || export SSL_CERT_FILE="$AWS_CA_BUNDLE"
mkdir mine
cp -r "$CLARENCE_TEST_DATA" mine/data
head -c 33554432 /dev/urandom > mine/random.bin

restic init
restic backup mine
echo changed >> mine/data/population-luxembourg.csv
rm mine/random.bin
restic backup mine
restic snapshots
restic check --read-data
restic restore latest --target back
diff -r mine "back$(pwd)/mine" 2>/dev/null || diff -r mine back/mine
restic forget --keep-last 1 --prune
restic check --read-data
restic dump latest "$(pwd)/mine/data/population-luxembourg.csv" 2>/dev/null | cmp - mine/data/population-luxembourg.csv \
  || restic dump latest /mine/data/population-luxembourg.csv | cmp - mine/data/population-luxembourg.csv
rm -rf mine back cache
echo "did init backup check(read-data) restore forget prune dump"
