# The guided tour: real data through a real cloud, in about a minute. Every step prints the plain command that a
# person would type, runs it, and checks what came of it; a step that does not hold ends the tour with an error.
# Sourced by ./run; uses $home, $CLARENCE_S3, start_node and stop_node.
# shellcheck shell=bash

place=""   # how the folder of the cloud is shown in the commands
work=""    # what the tour writes beside the cloud
steps=0 held=0

step() {
  steps=$((steps + 1))
  printf '\n\033[1m%s. %s\033[0m\n' "$steps" "$*" | plain_if_no_terminal
}

plain_if_no_terminal() { if [ -t 1 ] && [ -z "${NO_COLOR:-}" ]; then cat; else sed 's/\x1b\[[0-9;]*m//g'; fi; }

# Shows a command and runs it, with its output indented and kept in $said.
do_it() {
  printf '   $ %s\n' "$1"
  [ "${2:-}" != shown-only ] || return 0
  local code=0
  # As in a person's shell: a search that finds nothing does not make the count behind it fail.
  said=$(set +o pipefail; eval "$1" 2>&1) || code=$?
  [ -z "$said" ] || printf '%s\n' "$said" | shorten
  if [ "$code" != 0 ] && [ "${2:-}" != may-fail ]; then
    wrong "the command failed with $code"
  fi
  return 0
}

shorten() { awk 'NR <= 12 { print "     " substr($0, 1, 150) } NR == 13 { more = 1 } END { if (more) print "     … (" NR " lines)" }'; }

right() {
  held=$((held + 1))
  printf '   ✓ %s\n' "$*"
}

wrong() {
  printf '   ✗ %s\n' "$*"
  printf '\nThe tour stopped at step %s. The last lines of %s/node.log:\n' "$steps" "$place"
  tail -n 10 "$home/node.log"
  exit 1
}

# check "what holds" command…: the command has to succeed.
check() {
  local what=$1
  shift
  if "$@" > /dev/null 2>&1; then right "$what"; else wrong "not so: $what"; fi
}

status_has() { [[ $(clarence status --json --data "$place") == *"$1"* ]]; }

# The state of one site, out of the status.
site_state() { clarence status --json --data "$place" | tr '{' '\n' | grep "\"site\":\"site-$1\"" | sed -n 's/.*"state":"\([a-z]*\)".*/\1/p'; }

# wait_state letter state: until the status tells it.
wait_state() {
  local tries=0
  until [ "$(site_state "$1")" = "$2" ]; do
    tries=$((tries + 1))
    [ "$tries" -le 300 ] || wrong "site-$1 is still not $2 after 60 seconds but $(site_state "$1")"
    sleep 0.2
  done
}

load_credential() {
  local field
  field() { sed -n 's/.*"'"$1"'": *"\([^"]*\)".*/\1/p' "$home/connect.json"; }
  AWS_ENDPOINT_URL=$(field endpoint)
  AWS_DEFAULT_REGION=$(field region)
  AWS_ACCESS_KEY_ID=$(field access_key)
  AWS_SECRET_ACCESS_KEY=$(field secret_key)
  unset AWS_PROFILE AWS_SESSION_TOKEN AWS_REGION
  export AWS_ENDPOINT_URL AWS_DEFAULT_REGION AWS_ACCESS_KEY_ID AWS_SECRET_ACCESS_KEY
  export AWS_CONFIG_FILE=/dev/null AWS_SHARED_CREDENTIALS_FILE=/dev/null AWS_EC2_METADATA_DISABLED=true
}

store() {
  step "Store the real registers with a stock S3 client"
  if ! aws s3 ls s3://registers > /dev/null 2>&1; then do_it "aws s3 mb s3://registers"; fi
  do_it "aws s3 cp --recursive --no-progress data s3://registers"
  do_it "aws s3 ls --recursive --human-readable s3://registers"
  do_it "aws s3 cp --recursive --only-show-errors s3://registers $work/back"
  check "every file came back byte for byte" diff -r data "$work/back"
}

ciphertext() {
  step "Look for it on the disks: both sites hold ciphertext only"
  local canary="canary-$RANDOM$RANDOM$RANDOM"
  printf 'Mamer %s, matricule of nobody\n' "$canary" > "$work/$canary.txt"
  do_it "aws s3 cp --no-progress $work/$canary.txt s3://registers/$canary/$canary.txt"
  do_it "du -sh $place/site-a $place/site-b"
  do_it "grep -r -a -l -F $canary $place/site-a $place/site-b $place/parents $place/node.log | wc -l"
  [ "$said" = 0 ] && right "0 files hold the canary, neither as content nor as a name" || wrong "$said files hold the canary in clear"
  do_it "grep -r -a -l -F -e Mamer -e 'La Guardia' -e population-luxembourg $place/site-a $place/site-b | wc -l"
  [ "$said" = 0 ] && right "no commune, no airport, no file name either" || wrong "$said files hold clear text"
  do_it "aws s3 rm --recursive s3://registers/$canary/"
}

recorded() {
  step "Everything that touched data or names is in the ledger"
  do_it "clarence ledger tail -n 8 --data $place"
  check "the writes and the deletion are there" test "$(clarence ledger tail -n 30 --json --data "$place" | grep -o '"kind":"\(write\|delete\)"' | sort -u | wc -l)" = 2
}

flipped() {
  step "Flip one byte on the disk of one site"
  # The youngest large file: a chunk of the flights, sealed. Its byte 100,000 is turned over.
  local chunk byte before
  chunk=$(find "$place/site-a/chunks" -type f -size +1M -printf '%T@ %p\n' | sort -n | tail -n 1 | cut -d' ' -f2)
  byte=$(od -An -tu1 -j100000 -N1 "$chunk" | tr -d ' ')
  before=$(sha256sum < "$chunk")
  do_it "printf '\\x$(printf %02x $((255 - byte)))' | dd of=$chunk bs=1 seek=100000 conv=notrunc status=none"
  [ "$before" != "$(sha256sum < "$chunk")" ] || wrong "the byte is as it was"
  do_it "aws s3 cp --no-progress s3://registers/aviation/flights.csv.gz $work/flights.csv.gz"
  check "the right bytes were read all the same" cmp "$work/flights.csv.gz" data/aviation/flights.csv.gz
  do_it "clarence scrub --data $place"
  [ "$before" = "$(sha256sum < "$chunk")" ] || wrong "the file is still damaged"
  right "the file is whole again, mended from the other site without any key"
  do_it "clarence status --data $place"
  check "and the repair is told" repair_is_told
}

repair_is_told() {
  clarence status --json --data "$place" | grep -q '"repairs":[1-9]' || clarence ledger tail -n 100 --json --data "$place" | grep -q '"kind":"repair"'
}

site_lost() {
  step "Take one of the two sites away while the cloud serves"
  do_it "mv $place/site-b $place/site-b.gone"
  do_it "aws s3 cp --no-progress data/population-luxembourg.csv s3://registers/while-b-was-away.csv"
  do_it "aws s3 cp --no-progress data/aviation/flights.csv.gz s3://registers/while-b-was-away.csv.gz"
  do_it "aws s3 cp --only-show-errors s3://registers/aviation/planes.csv $work/planes.csv"
  check "writes and reads go on with one site" cmp "$work/planes.csv" data/aviation/planes.csv
  wait_state b away
  do_it "clarence status --data $place"
  right "the status says that site-b is away, and what it is owed"
  step "Bring it back"
  do_it "mv $place/site-b.gone $place/site-b"
  wait_state b serving
  do_it "clarence status --data $place"
  right "site-b has healed and is current again"
}

sealed_restart() {
  step "Restart it sealed: nobody opens it alone"
  do_it "clarence stop --data $place"
  wait "$node" 2> /dev/null || true
  node=""
  printf '   $ %s\n' "clarence up --sealed --data $place --s3 $CLARENCE_S3 &"
  start_node --sealed || wrong "it did not start"
  status_has '"sealed":true' || wrong "it is not sealed"
  do_it "AWS_MAX_ATTEMPTS=1 aws s3 ls s3://registers" may-fail
  if aws_refused; then right "it holds no key and serves nothing"; else wrong "a sealed node answered"; fi
  local shares
  mapfile -t shares < <(find "$place/parents" -name share.clarence | sort)
  [ "${#shares[@]}" -ge 2 ] || wrong "there are no share files under $place/parents"
  do_it "clarence unseal --data $place --share ${shares[0]}"
  status_has '"sealed":true' || wrong "one share opened it"
  right "one parent's share is not enough"
  do_it "clarence unseal --data $place --share ${shares[1]}"
  status_has '"sealed":false' || wrong "two shares did not open it"
  local tries=0
  until aws s3 ls s3://registers > /dev/null 2>&1; do
    tries=$((tries + 1))
    [ "$tries" -lt 50 ] || wrong "it does not serve although it is open"
    sleep 0.2
  done
  do_it "aws s3 cp --only-show-errors s3://registers/while-b-was-away.csv $work/again.csv"
  check "two of three opened it, and everything is there" cmp "$work/again.csv" data/population-luxembourg.csv
}

aws_refused() { ! AWS_MAX_ATTEMPTS=1 aws s3 ls s3://registers > /dev/null 2>&1; }

verified() {
  step "Verify the ledger offline, from the files alone"
  do_it "clarence ledger publish --data $place"
  do_it "clarence ledger verify --data $place"
  right "the whole log stands under one signed root, the same at both sites"
  do_it "cp -r $place/site-a/ledger $work/ledger"
  # One bit of one entry in the copy.
  local bundle
  bundle=$(find "$work/ledger/tile/entries" -type f | sort -V | tail -n 1) # of the partial ones the last counts
  printf '   $ %s\n' "# one bit of one entry is changed in a copy"
  local last
  last=$(od -An -tu1 -j20 -N1 "$bundle" | tr -d ' ')
  # shellcheck disable=SC2059
  printf "\\x$(printf %02x $((last ^ 1)))" | dd of="$bundle" bs=1 seek=20 conv=notrunc status=none
  do_it "clarence ledger verify --site $work/ledger" may-fail
  [[ $said == *entry* ]] || wrong "the changed entry was not found"
  check "the change is found and the entry is named" not clarence ledger verify --site "$work/ledger"
}

not() { ! "$@"; }

# Access key and secret of a tenant, which is made if it is new: "KEY SECRET".
credential_of() {
  clarence tenant add "$1" --data "$place" > /dev/null 2>&1 || true
  clarence key add --tenant "$1" --json --data "$place" 2> /dev/null | sed -n 's/.*"access_key":"\([^"]*\)".*"secret_key":"\([^"]*\)".*/\1 \2/p'
}

# as KEY SECRET command…: an S3 command of another tenant.
as() { AWS_ACCESS_KEY_ID=$1 AWS_SECRET_ACCESS_KEY=$2 "${@:3}"; }

# sql KEY SECRET DATABASE TEXT: shows a statement, asks it with psql, and keeps what came in $said.
sql() {
  do_it "PGPASSWORD=… psql -h ${CLARENCE_SQL%:*} -p ${CLARENCE_SQL##*:} -U ${1:0:6}… $3 -c \"$4\"" shown-only
  local code=0
  said=$(PGPASSWORD=$2 psql -X -q -h "${CLARENCE_SQL%:*}" -p "${CLARENCE_SQL##*:}" -U "$1" "$3" -c "$4" 2>&1) || code=$?
  printf '%s\n' "$said" | shorten
  return "$code"
}

shared() {
  step "Two authorities, two registers, one agreement: asked in SQL, exactly what was agreed"
  if [ "$CLARENCE_SQL" = none ] || ! command -v psql > /dev/null; then
    printf '   psql is not here, so this step is left out; sudo apt-get install postgresql-client, and run it again\n'
    return
  fi
  local register safety key tenant role side id until file
  register=$(credential_of aircraft-register)
  safety=$(credential_of flight-safety)
  # shellcheck disable=SC2086
  as $register aws s3 ls s3://aircraft > /dev/null 2>&1 || as $register aws s3 mb s3://aircraft > /dev/null
  # shellcheck disable=SC2086
  as $safety aws s3 ls s3://flights > /dev/null 2>&1 || as $safety aws s3 mb s3://flights > /dev/null
  gunzip -c data/aviation/flights.csv.gz > "$work/flights.csv"
  # shellcheck disable=SC2086
  as $register aws s3 cp --only-show-errors data/aviation/planes.csv s3://aircraft/planes/planes.csv
  # shellcheck disable=SC2086
  as $safety aws s3 cp --only-show-errors "$work/flights.csv" s3://flights/flights/flights.csv
  # shellcheck disable=SC2086
  sql $register clarence "CREATE EXTERNAL TABLE IF NOT EXISTS planes STORED AS CSV LOCATION 's3://aircraft/planes/' OPTIONS ('sensitive' 'seats')" || wrong "the register could not be declared"
  # shellcheck disable=SC2086
  sql $safety clarence "CREATE EXTERNAL TABLE IF NOT EXISTS flights STORED AS CSV LOCATION 's3://flights/flights/'" || wrong "the flights could not be declared"
  until=$(date -u -d '+30 days' +%F)
  cat > "$work/safety.toml" << TOML
format = 1
provider = "aircraft-register"
consumer = "flight-safety"
table = "planes"
purpose = "transport.aviation-safety"
legal_basis = ["eli/reg/2018/1139/oj#art_62"]
ops = ["link", "query"]
retention_days = $((RANDOM % 3000 + 30))
[valid]
from = "2026-01-01"
until = "$until"
[columns]
tailnum = { show = "clear", conditions = true }
manufacturer = { show = "clear", conditions = true }
[sign.provider]
dpo = 1
[sign.consumer]
head = 1
TOML
  do_it "clarence agreement check $work/safety.toml --out $work/safety.agreement"
  id=$(clarence agreement check "$work/safety.toml" --json | sed -n 's/.*"id":"\([0-9a-f]*\)".*/\1/p')
  do_it "clarence agreement page $work/safety.agreement --lang lb"
  for file in anna:aircraft-register:dpo:provider luc:flight-safety:head:consumer; do
    IFS=: read -r key tenant role side <<< "$file"
    do_it "clarence approver new --name $key --party $tenant --out $work"
    do_it "clarence agreement signers --tenant $tenant --signer $role=$work/$key.pub --data $place"
    do_it "clarence agreement sign $work/safety.agreement --key $work/$key.key --side $side --role $role --out $work/$key.signature"
  done
  do_it "clarence agreement propose $work/safety.agreement --data $place"
  # shellcheck disable=SC2086
  if sql $safety "agr_$id" "SELECT count(*) FROM planes"; then wrong "it was answered before it was signed"; fi
  right "without a signed agreement nothing is shown, and the refusal is on the ledger"
  do_it "clarence agreement hand-in $id $work/anna.signature --data $place"
  do_it "clarence agreement hand-in $id $work/luc.signature --data $place"
  do_it "clarence agreement activate $id --data $place"
  # shellcheck disable=SC2086
  sql $safety clarence "SELECT p.manufacturer, count(*) AS flights FROM flights f JOIN agr_$id.public.planes p ON f.tailnum = p.tailnum GROUP BY p.manufacturer ORDER BY flights DESC LIMIT 3" || wrong "the agreed question was refused"
  [[ $said == *BOEING*82912* ]] && right "flights of one authority, makers of the other's register: one question, the data stayed where it was" || wrong "not the number that is known for Boeing: $said"
  # shellcheck disable=SC2086
  if sql $safety "agr_$id" "SELECT seats FROM planes"; then wrong "a column was shown that was not agreed"; fi
  right "a column that was not agreed is not there"
  do_it "clarence agreement revoke $id --by provider --data $place"
  # shellcheck disable=SC2086
  if sql $safety "agr_$id" "SELECT count(*) FROM planes"; then wrong "it was answered after it was revoked"; fi
  right "revoked by one side alone: nothing more is shown"
  do_it "clarence ledger tail -n 6 --data $place"
}

take_the_tour() {
  local begun=$SECONDS
  place=$home
  [[ $home != "$PWD"/* ]] || place=${home#"$PWD"/}
  work=$(mktemp -d)
  load_credential
  store
  ciphertext
  recorded
  shared
  flipped
  site_lost
  sealed_restart
  verified
  rm -rf "$work"
  printf '\nTour done: %s steps, %s checks held, %s seconds.\n' "$steps" "$held" $((SECONDS - begun))
}
