#!/usr/bin/env bash
# usage: .ci/docker-test.sh
#
# Builds the image and uses it as a user would, against a site in a container of its own that writes down every
# request. Networks, volumes and containers carry this run's name and are removed at the end, whatever happens; the
# image stays as seine-test, so that the next build starts from its layers.
set -euo pipefail
cd "$(dirname "$0")/.."

if ! docker version >/dev/null 2>&1; then
  echo "docker test: skipped, there is no docker engine here"
  exit 0
fi

image=seine-test
run=seine-test-$$
pages=300
work=$(mktemp -d)
passed=0 failed=0

clean() {
  docker ps -aq --filter "name=^$run" | xargs -r docker rm -fv >/dev/null
  docker volume ls -q --filter "name=^$run" | xargs -r docker volume rm >/dev/null
  docker network ls -q --filter "name=^$run" | xargs -r docker network rm >/dev/null
  if docker image inspect "$run-site" >/dev/null 2>&1; then docker rmi "$run-site" >/dev/null; fi
  rm -rf "$work"
}
trap clean EXIT

# ------------------------------------------------------------------------------------------------------ the pieces

# Builds an image and drops the one that had the name before, unless it has another name besides.
build() { # name docker-build-arguments...
  local name=$1 old new
  shift
  old=$(docker image inspect --format '{{.Id}}' "$name" 2>/dev/null || true)
  docker build -t "$name" "$@" >"$work/build.log" 2>&1 || { tail -n 60 "$work/build.log"; return 1; }
  new=$(docker image inspect --format '{{.Id}}' "$name")
  if [ -n "$old" ] && [ "$old" != "$new" ] && [ "$(docker image inspect --format '{{len .RepoTags}}' "$old")" = 0 ]; then
    docker rmi "$old" >/dev/null 2>&1 || true # something may still be built on it
  fi
}

# The site needs no image that the product does not: built on the first FROM, run on the last.
build_site() {
  local from
  from=$(awk '$1 == "FROM" { print $2 }' Dockerfile)
  mkdir "$work/site"
  docker run --name "$run-rustc" -i "$(head -n 1 <<<"$from")" rustc --edition 2024 -O -o /site - <.ci/site.rs
  docker cp "$run-rustc:/site" "$work/site/site" >/dev/null 2>&1
  printf 'FROM %s\nCOPY site /site\nENTRYPOINT ["/site"]\n' "$(tail -n 1 <<<"$from")" >"$work/site/Dockerfile"
  build "$run-site" "$work/site"
}

# As the README tells people to run it where security matters.
seine() { # docker-run-arguments... -- seine-arguments...
  local docker=()
  while [ "$1" != -- ]; do docker+=("$1"); shift; done
  shift
  docker run --network "$run" --read-only --cap-drop ALL --security-opt no-new-privileges \
    -v "$work/urls.txt:/urls.txt:ro" "${docker[@]}" "$image" "$@"
}

# What is in a volume, as a folder: nothing in the image could look at it.
copy_out() { # volume folder
  docker create --name "$run-copy" -v "$1:/data" "$image" >/dev/null
  rm -rf "$2"
  docker cp "$run-copy:/data" "$2" >/dev/null 2>&1
  docker rm "$run-copy" >/dev/null
}

sql() { sqlite3 -readonly "$@"; }
requests() { docker logs "$run-site" 2>/dev/null | grep -c '^GET /page/' || true; }

# A site that has written down no request yet, and answers.
forget() {
  docker rm -f "$run-site" >/dev/null 2>&1 || true
  docker run -d --name "$run-site" --network "$run" --network-alias site "$run-site" >/dev/null
  until docker logs "$run-site" 2>/dev/null | grep -q listening; do
    [ "$(docker inspect --format '{{.State.Running}}' "$run-site")" = true ] || { echo "  the site ended"; return 1; }
    sleep 0.05
  done
}

expect() { # what expected actual
  [ "$2" = "$3" ] || { echo "  $1: expected $2, got $3"; return 1; }
}

# Waits for the site to have served so many pages; a crawl that ends or hangs before fails the test.
wait_for_requests() { # count container
  local deadline=$((SECONDS + 60))
  until [ "$(requests)" -ge "$1" ]; do
    if [ "$(docker inspect --format '{{.State.Running}}' "$2")" != true ] || [ $SECONDS -ge $deadline ]; then
      echo "  the crawl ended or stood still after $(requests) pages"
      docker logs "$2" 2>&1 | tail -n 20
      return 1
    fi
    sleep 0.05
  done
}

every_page_is_there() { # store
  expect "integrity" ok "$(sql "$1" 'PRAGMA integrity_check')"
  expect "pages" "$pages" "$(sql "$1" 'SELECT count(*) FROM pages')"
  expect "right pages" "$pages" "$(sql "$1" "SELECT count(*) FROM pages WHERE status = 200
    AND title = 'Page ' || replace(url, 'http://site:8080/page/', '')
    AND h1 = 'Number ' || replace(url, 'http://site:8080/page/', '')")"
}

# Starts a crawl slow enough to be caught in the middle, and returns when it is there.
crawl_to_the_middle() { # container volume
  forget
  seine -d --name "$1" -v "$2:/data" -- crawl /urls.txt --delay 20ms >/dev/null
  wait_for_requests $((pages / 4)) "$1"
}

# ------------------------------------------------------------------------------------------------------- the tests

help_is_printed() {
  docker run --rm "$image" --help >"$work/help"
  grep -q 'crawl' "$work/help"
}

the_image_is_small_and_has_no_root_and_no_shell() {
  local size
  expect "user" 65532:65532 "$(docker image inspect --format '{{.Config.User}}' "$image")"
  expect "stop signal" SIGTERM "$(docker image inspect --format '{{.Config.StopSignal}}' "$image")"
  size=$(docker image inspect --format '{{.Size}}' "$image")
  [ "$size" -lt $((80 << 20)) ] || { echo "  the image has $((size >> 20)) MiB"; return 1; }
  if docker run --rm --entrypoint sh "$image" -c true 2>/dev/null; then echo "  there is a shell"; return 1; fi
}

a_hardened_container_crawls_another_container_into_a_volume() {
  forget
  seine --rm -v "$run-whole:/data" -- crawl /urls.txt --delay 0
  copy_out "$run-whole" "$work/whole"
  every_page_is_there "$work/whole/crawl.db"
  expect "requests" "$pages" "$(requests)"
}

urls_come_from_standard_input_too() {
  forget
  seine --rm -i -v "$run-stdin:/data" -- crawl - --db other.db --delay 0 <"$work/urls.txt"
  copy_out "$run-stdin" "$work/stdin"
  every_page_is_there "$work/stdin/other.db"
}

a_folder_of_somebody_elses_is_written_as_that_user() {
  mkdir "$work/folder"
  local user=12345:12345
  if [ "$(id -u)" = 0 ]; then chown $user "$work/folder"; else user=$(id -u):$(id -g); fi
  seine --rm --user "$user" -v "$work/folder:/data" -- crawl /urls.txt --delay 0
  expect "owner" "$user" "$(stat -c %u:%g "$work/folder/crawl.db")"
  every_page_is_there "$work/folder/crawl.db"
}

a_folder_that_cannot_be_written_is_said_so() {
  mkdir -m 755 "$work/closed"
  local code=0
  seine --rm --user 23456:23456 -v "$work/closed:/data" -- crawl /urls.txt --delay 0 >"$work/closed.log" 2>&1 || code=$?
  cat "$work/closed.log"
  # From 125 on it is docker that speaks, or a signal.
  if [ $code = 0 ] || [ $code -ge 125 ]; then echo "  exit code $code"; return 1; fi
  grep -q 'crawl\.db' "$work/closed.log"
}

docker_stop_in_the_middle_loses_nothing_and_the_next_run_goes_on() {
  local volume=$run-stop had
  crawl_to_the_middle "$run-stop-1" "$volume"
  docker top "$run-stop-1" -eo pid,stat,args >"$work/top"
  docker stop "$run-stop-1" >/dev/null
  expect "exit code" 143 "$(docker inspect --format '{{.State.ExitCode}}' "$run-stop-1")"
  if awk '$2 ~ /^Z/' "$work/top" | grep .; then echo "  a child was not reaped"; return 1; fi
  copy_out "$volume" "$work/stop"
  expect "integrity" ok "$(sql "$work/stop/crawl.db" 'PRAGMA integrity_check')"
  had=$(sql "$work/stop/crawl.db" 'SELECT count(*) FROM pages')
  if [ "$had" = 0 ] || [ "$had" = "$pages" ]; then echo "  stopped with $had of $pages pages"; return 1; fi

  seine --rm -v "$volume:/data" -- crawl /urls.txt --delay 0
  copy_out "$volume" "$work/stop"
  every_page_is_there "$work/stop/crawl.db"
  # What was in flight is finished before a stop, so no page is asked for twice.
  expect "requests" "$pages" "$(requests)"
}

docker_kill_in_the_middle_loses_no_committed_page() {
  local volume=$run-kill had again
  crawl_to_the_middle "$run-kill-1" "$volume"
  docker kill "$run-kill-1" >/dev/null
  copy_out "$volume" "$work/kill"
  had=$(sqlite3 "$work/kill/crawl.db" 'SELECT count(*) FROM pages') # may have to recover the log: not read-only
  [ "$had" -lt "$pages" ] || { echo "  killed with all pages"; return 1; }

  seine --rm -v "$volume:/data" -- crawl /urls.txt --delay 0
  copy_out "$volume" "$work/kill"
  every_page_is_there "$work/kill/crawl.db"
  again=$(($(requests) - pages))
  [ "$again" -le $((pages / 4)) ] || { echo "  $again pages were asked for twice"; return 1; }
}

# ------------------------------------------------------------------------------------------------------------- run

try() { # test
  local code=0 start=$SECONDS
  set +e
  (set -e; "$1") >"$work/out" 2>&1
  code=$?
  set -e
  if [ $code = 0 ]; then
    passed=$((passed + 1))
    echo "test $1 ... ok ($((SECONDS - start)) s)"
  else
    failed=$((failed + 1))
    echo "test $1 ... FAILED"
    sed 's/^/    /' "$work/out" | tail -n 60
  fi
}

if ! command -v sqlite3 >/dev/null; then
  if [ "$(id -u)" != 0 ] || ! command -v apt-get >/dev/null; then
    echo "docker test: needs the sqlite3 command; install it"
    exit 1
  fi
  apt-get update -qq && DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends sqlite3 >/dev/null
fi

.ci/standin-images.sh
echo "building the image"
# The first stage under a name of its own keeps its layers; without one they would be anybody's to prune.
build "$image:build" --target build .
build "$image:latest" .
build_site

for n in $(seq "$pages"); do echo "http://site:8080/page/$n"; done >"$work/urls.txt"
chmod 644 "$work/urls.txt"
docker network create --internal "$run" >/dev/null

try help_is_printed
try the_image_is_small_and_has_no_root_and_no_shell
try a_hardened_container_crawls_another_container_into_a_volume
try urls_come_from_standard_input_too
try a_folder_of_somebody_elses_is_written_as_that_user
try a_folder_that_cannot_be_written_is_said_so
try docker_stop_in_the_middle_loses_nothing_and_the_next_run_goes_on
try docker_kill_in_the_middle_loses_no_committed_page

echo
echo "docker: $passed passed, $failed failed"
[ "$failed" = 0 ]
