#!/usr/bin/env bash
# s3cmd, told only where the store is and which region it has.
set -euo pipefail
echo "version $(s3cmd --version | sed 's/.* //')"
bucket=clients-s3cmd
cat > s3cfg <<CFG
[default]
access_key = $AWS_ACCESS_KEY_ID
secret_key = $AWS_SECRET_ACCESS_KEY
host_base = $CLARENCE_ENDPOINT_HOST
host_bucket = $CLARENCE_ENDPOINT_HOST
bucket_location = $AWS_DEFAULT_REGION
use_https = $([ -n "${AWS_CA_BUNDLE:-}" ] && echo True || echo False)
${AWS_CA_BUNDLE:+ca_certs_file = $AWS_CA_BUNDLE}
CFG
# s3cmd reads these two as well; the file has to be enough.
unset AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
s3() { s3cmd --config s3cfg --no-progress "$@"; }
head -c 20971520 /dev/urandom > big.bin

s3 mb "s3://$bucket"
s3 put "$CLARENCE_TEST_DATA/population-luxembourg.csv" "s3://$bucket/stat/population.csv"
s3 put big.bin "s3://$bucket/big.bin"
s3 get "s3://$bucket/big.bin" back.bin
cmp big.bin back.bin
s3 ls "s3://$bucket/" | grep 'DIR.*stat/' > /dev/null
s3 la | grep 'stat/population.csv\|big.bin' > /dev/null
s3 info "s3://$bucket" | grep "Location:.*$AWS_REGION" > /dev/null
s3 info "s3://$bucket/big.bin" | grep 'File size: 20971520' > /dev/null
s3 sync "$CLARENCE_TEST_DATA/" "s3://$bucket/data/"
mkdir folder
s3 sync "s3://$bucket/data/" folder/
diff -r "$CLARENCE_TEST_DATA" folder
s3 cp "s3://$bucket/stat/population.csv" "s3://$bucket/Zürich + é.csv"
s3 ls "s3://$bucket/Z" | grep -F 'Zürich + é.csv' > /dev/null
s3 mv "s3://$bucket/Zürich + é.csv" "s3://$bucket/moved.csv"
s3 modify --add-header=x-amz-meta-note:register "s3://$bucket/moved.csv"
s3 info "s3://$bucket/moved.csv" | grep 'x-amz-meta-note: register' > /dev/null
s3 get "s3://$bucket/moved.csv" - | cmp - "$CLARENCE_TEST_DATA/population-luxembourg.csv"
s3 du "s3://$bucket/data/" | grep '[0-9] objects' > /dev/null
# s3cmd signs its links with Signature Version 2 only, which is refused in words that say what to use.
s3 signurl "s3://$bucket/moved.csv" +600 > link.txt
curl -sS ${AWS_CA_BUNDLE:+--cacert "$AWS_CA_BUNDLE"} "$(sed "s|^http://|${AWS_ENDPOINT_URL%%:*}://|" link.txt)" | grep 'AWS4-HMAC-SHA256' > /dev/null
s3 del "s3://$bucket/stat/population.csv"
s3 del --recursive --force "s3://$bucket/"
[ -z "$(s3 ls "s3://$bucket/")" ]
s3 rb "s3://$bucket"
echo "did mb put(multipart) get ls info sync cp mv modify signurl(v2, refused) del rb"
