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
  [ ! -f "$work/override.yaml" ] || compose down --volumes >/dev/null 2>&1 || true
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

# The site needs no image that the product does not: built on the first FROM, run on what was made of the last.
build_site() {
  mkdir "$work/site"
  docker run --name "$run-rustc" -i "$(awk '$1 == "FROM" { print $2; exit }' Dockerfile)" \
    rustc --edition 2024 -O -o /site - <.ci/site.rs
  docker cp "$run-rustc:/site" "$work/site/site" >/dev/null 2>&1
  printf 'FROM %s\nCOPY site /site\nENTRYPOINT ["/site"]\nHEALTHCHECK NONE\n' "$image" >"$work/site/Dockerfile"
  build "$run-site" "$work/site"
}

# As docs/guide/docker.md tells people to run it where security matters.
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
  docker rm -v "$run-copy" >/dev/null
}

# Compose by either of its names.
compose() {
  local command=(docker compose)
  "${command[@]}" version >/dev/null 2>&1 || command=(docker-compose)
  "${command[@]}" -p "$run" -f config/compose.yaml -f "$work/override.yaml" "$@"
}

# Waits until a command succeeds; fails with what it is waited for after a minute.
eventually() { # what command...
  local what=$1 deadline=$((SECONDS + 60))
  shift
  until "$@"; do
    [ $SECONDS -lt $deadline ] || { echo "  waited in vain for: $what"; return 1; }
    sleep 0.2
  done
}

sql() { sqlite3 -readonly "$@"; }
requests() { docker logs "$run-site" 2>/dev/null | grep -c '^GET /page/' || true; }

# A site that has written down no request yet, and answers.
forget() {
  docker rm -fv "$run-site" >/dev/null 2>&1 || true
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
  [ "$size" -lt 44000000 ] || { echo "  the image has $((size >> 20)) MiB"; return 1; }
  expect "version" "$(sed -n 's/^version = "\(.*\)"/\1/p' Cargo.toml | head -n 1)" \
    "$(docker image inspect --format '{{index .Config.Labels "org.opencontainers.image.version"}}' "$image")"
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
  grep -q 'crawl\.db.* /data belongs to user 0 .* user 23456.*--user 0:0' "$work/closed.log"
}

docker_stop_in_the_middle_loses_nothing_and_docker_start_goes_on() {
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

  docker start "$run-stop-1" >/dev/null
  expect "exit code" 0 "$(docker wait "$run-stop-1")"
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

fetchers_follow_the_cpus_and_the_memory_of_the_container() {
  local volume=$run-fit
  forget
  seine --rm --cpus 1 -v "$volume:/data" -- crawl /urls.txt --delay 0 --limit 10 >"$work/fit" 2>&1 || true
  grep 'with 1 fetcher, 128 requests' "$work/fit"
  seine --rm --memory 64m -v "$volume:/data" -- crawl /urls.txt --delay 0 --limit 10 >"$work/fit" 2>&1 || true
  grep 'with 1 fetcher, 16 requests' "$work/fit"
  grep 'limit of 64 MiB of memory.*buffers of 1/8' "$work/fit"
  if [ "$(docker info --format '{{.NCPU}}')" -gt 1 ]; then grep '1 fetcher instead of' "$work/fit"; fi
  seine --rm --memory 64m -v "$volume:/data" -- crawl /urls.txt --delay 0 --fetchers 2 >"$work/fit" 2>&1
  grep 'with 2 fetchers,' "$work/fit"
  grep 'warning: .* 64 MiB.*--fetchers' "$work/fit"
}

a_page_too_large_for_the_memory_costs_two_fetchers_and_is_quarantined() {
  forget
  { cat "$work/urls.txt"; echo http://site:8080/huge; } >"$work/huge.txt"
  chmod 644 "$work/huge.txt"
  seine --name "$run-huge" --memory 96m --memory-swap 96m -v "$work/huge.txt:/huge.txt:ro" -v "$run-huge:/data" \
    -- crawl /huge.txt --delay 0 --max-body 1GiB
  expect "deaths" 2 "$(docker logs "$run-huge" 2>&1 | grep -c '^seine: fetcher .* lack of memory .*the limit is 96 MiB')"
  expect "exit code" 0 "$(docker inspect --format '{{.State.ExitCode}}' "$run-huge")"
  copy_out "$run-huge" "$work/huge"
  expect "quarantined" "http://site:8080/huge|crash" \
    "$(sql "$work/huge/crawl.db" "SELECT url, error FROM pages WHERE outcome = 'quarantined'")"
  expect "other pages" "$pages" "$(sql "$work/huge/crawl.db" "SELECT count(*) FROM pages WHERE outcome = 'ok'")"
}

is_healthy() { [ "$(docker inspect --format '{{.State.Health.Status}}' "$1")" = healthy ]; }

a_schedule_runs_every_few_seconds_becomes_healthy_and_stops() {
  local volume=$run-schedule
  forget
  seine -d --name "$run-schedule" --health-interval 1s -v "$volume:/data" \
    -- schedule --cron '*/4 * * * * *' --timezone Europe/Vienna -- crawl /urls.txt --delay 0 >/dev/null
  # Asks for every page again each time.
  wait_for_requests $((2 * pages)) "$run-schedule"
  eventually "a healthy container" is_healthy "$run-schedule"
  docker top "$run-schedule" -eo pid,stat,args >"$work/top"
  if awk '$2 ~ /^Z/' "$work/top" | grep .; then echo "  a child was not reaped"; return 1; fi
  docker stop "$run-schedule" >/dev/null
  expect "exit code" 143 "$(docker inspect --format '{{.State.ExitCode}}' "$run-schedule")"
  copy_out "$volume" "$work/schedule"
  every_page_is_there "$work/schedule/crawl.db"
  [ "$(sql "$work/schedule/crawl.db" "SELECT count(*) FROM runs WHERE ended_by = 'completed'")" -ge 2 ]
}

compose_has_exported() { copy_out "${run}_export" "$work/export" && [ -s "$work/export/pages.parquet" ]; }

the_compose_file_crawls_and_exports() {
  if ! docker compose version >/dev/null 2>&1 && ! command -v docker-compose >/dev/null; then
    echo "skipped: there is no docker compose here"
    return
  fi
  forget
  cat >"$work/override.yaml" <<EOF
x-here: &here
  image: $image
  networks: [site]
services:
  crawl:
    <<: *here
    healthcheck: {interval: 1s}
  export:
    <<: *here
networks:
  site: {external: true, name: $run}
EOF
  export LIST=$work/urls.txt CRAWL_AT='*/30 * * * * *' EXPORT_AT='*/2 * * * * *'
  compose up -d --no-build
  eventually "an export" compose_has_exported
  head -c 4 "$work/export/pages.parquet" | grep PAR1
  compose stop
  compose down --volumes
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
try docker_stop_in_the_middle_loses_nothing_and_docker_start_goes_on
try docker_kill_in_the_middle_loses_no_committed_page
try fetchers_follow_the_cpus_and_the_memory_of_the_container
try a_page_too_large_for_the_memory_costs_two_fetchers_and_is_quarantined
try a_schedule_runs_every_few_seconds_becomes_healthy_and_stops
try the_compose_file_crawls_and_exports

echo
echo "docker: $passed passed, $failed failed"
[ "$failed" = 0 ]
