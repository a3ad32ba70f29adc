# seine in a container: one command, one volume, no shell, no root.
#
#   docker build -t seine .
#   docker run --rm -v "$PWD:/data" --user "$(id -u):$(id -g)" seine crawl urls.txt
#
# Paths on the command line are below /data. With a named volume instead of a folder of yours, leave --user out.
# The image also runs with --read-only, --cap-drop ALL and --security-opt no-new-privileges.

FROM rust:1-trixie AS build
WORKDIR /src

# The dependencies alone, in a layer that only a change of the manifest or the lock file makes anew.
COPY Cargo.toml Cargo.lock ./
COPY crates/core/Cargo.toml crates/core/
COPY crates/unix/Cargo.toml crates/unix/
COPY crates/page/Cargo.toml crates/page/
COPY crates/follow/Cargo.toml crates/follow/
COPY crates/lists/Cargo.toml crates/lists/
COPY crates/http/Cargo.toml crates/http/
COPY crates/store/Cargo.toml crates/store/
COPY crates/export/Cargo.toml crates/export/
COPY crates/site/Cargo.toml crates/site/
COPY crates/testkit/Cargo.toml crates/testkit/
RUN mkdir src benches \
 && for crate in crates/*; do mkdir "$crate/src" && touch "$crate/src/lib.rs"; done \
 && echo 'fn main() {}' >src/main.rs \
 && mkdir crates/unix/tests \
 && touch src/lib.rs benches/parts.rs crates/unix/tests/sandbox.rs \
 && cargo build --profile dist --locked \
 && rm -r src crates

# Cargo goes by time stamps, and those of a checkout may be older than the placeholders just built.
COPY . .
RUN touch src/main.rs src/lib.rs crates/*/src/lib.rs \
 && cargo build --profile dist --locked \
 && mkdir -p /image/empty \
 && mv target/dist/seine /image/ \
 && cp "$(gcc -print-file-name=libgcc_s.so.1)" /image/

# glibc, CA certificates, time zones and a user called nonroot; nothing else. Of the larger images that also have a
# libgcc only that one file is used.
FROM gcr.io/distroless/base-nossl-debian13:nonroot
LABEL org.opencontainers.image.title="seine" \
      org.opencontainers.image.description="Web scraping orchestrator: files of URLs in, one SQLite file of scraped data out" \
      org.opencontainers.image.licenses="MIT OR Apache-2.0" \
      org.opencontainers.image.version="0.1.0"
COPY --from=build /image/libgcc_s.so.1 /usr/lib/libgcc_s.so.1
COPY --from=build /image/seine /usr/local/bin/seine
# A named volume takes its owner from the folder it is mounted on: one for the store, one for what is exported.
COPY --from=build --chown=65532:65532 /image/empty /data
COPY --from=build --chown=65532:65532 /image/empty /export

# By number, so that Kubernetes' runAsNonRoot can see that it is not root.
USER 65532:65532
WORKDIR /data
VOLUME /data

# seine is PID 1 here. On SIGTERM it finishes what is in flight within its --grace (8 seconds unless set), commits and
# exits; `docker stop` kills after 10, so give a longer grace a longer stop: `docker stop -t 70` for --grace 60s. A
# killed crawl keeps every committed page too: the same command again goes on from there.
STOPSIGNAL SIGTERM

# Whether a crawl is at work or the last one ended well, and not too long ago. In the form that needs no shell. For
# another store than /data/crawl.db say another (Compose and Kubernetes can), or --no-healthcheck.
HEALTHCHECK --interval=30s --timeout=10s --start-period=5m CMD ["seine", "health"]
ENTRYPOINT ["seine"]
