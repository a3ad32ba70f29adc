#!/bin/sh
# A crawl on machines that ssh reaches, each of which has seine in its PATH. Again, it goes on, or asks for changes:
#   config/ssh/crawl.sh urls.txt crawl.db one.example two.example three.example
set -eu
list=$1 out=$2
shift 2

# The shards are those of the list and of the number of machines: name as many the next time.
seine split "$list" --shards $# -o shards

number=0
crawls=
for machine in "$@"; do
  (
    scp -q "shards/shard-$number.jsonl" "$machine:"
    # What the connection costs is only what it shows: the same command again goes on.
    ssh "$machine" "seine crawl shard-$number.jsonl --db shard-$number.db --quiet" || echo "$machine ended with $?" >&2
    scp -q "$machine:shard-$number.db" "shard-$number.db"
  ) &
  crawls="$crawls $!"
  number=$((number + 1))
done
# A machine that is lost is left out, and comes the next time.
for crawl in $crawls; do
  wait "$crawl" || echo "a machine has brought nothing" >&2
done

seine merge "$out" shard-*.db
