# Starting and stopping the one node of ./run. Sourced; uses $home, $CLARENCE_S3, $CLARENCE_SQL, $CLARENCE_SQL_HTTP and sets $node.
# shellcheck shell=bash

# Founds the cloud if it is new, and serves in the background. Waits until it serves, or is sealed if told so.
start_node() {
  local sql=()
  [ "$CLARENCE_SQL" = none ] || sql=(--sql "$CLARENCE_SQL")
  [ "$CLARENCE_SQL_HTTP" = none ] || sql+=(--sql-http "$CLARENCE_SQL_HTTP")
  clarence up --data "$home" --s3 "$CLARENCE_S3" "${sql[@]}" "$@" < /dev/null >> "$home/node.log" 2>&1 &
  node=$!
  local wanted=ready tries=0
  [ "${1:-}" != --sealed ] || wanted=alive
  until node_is "$wanted"; do
    if ! kill -0 "$node" 2> /dev/null; then
      echo "The node did not start. Its last words, from $home/node.log:" >&2
      tail -n 15 "$home/node.log" >&2
      node=""
      return 1
    fi
    tries=$((tries + 1))
    if [ "$tries" -gt 600 ]; then
      echo "The node did not serve within a minute; see $home/node.log" >&2
      return 1
    fi
    sleep 0.1
  done
}

# ready: serves S3. alive: answers at all, perhaps sealed.
node_is() {
  local status
  status=$(clarence status --json --data "$home" 2> /dev/null) || return 1
  [ "$1" = alive ] && return 0
  [[ $status == *'"sealed":false'* && -e $home/connect.json ]]
}

# Ends the node cleanly.
stop_node() {
  [ -n "$node" ] || return 0
  kill -TERM "$node" 2> /dev/null || true
  wait "$node" 2> /dev/null || true
  node=""
}
