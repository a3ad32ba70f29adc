#!/usr/bin/env bash
# usage: .ci/standin-images.sh      (as root, on Debian; needs a docker engine)
#
# Sees to it that every image the Dockerfile starts FROM is there. What the engine has is used, what it lacks is
# pulled, and where no registry answers a stand-in of the same name is made from Debian's packages and this machine's
# own Rust toolchain, so that the Dockerfile is tested as it is. The Rust stand-in carries the crates of Cargo.lock,
# because a build may reach no registry either.
set -euo pipefail
cd "$(dirname "$0")/.."

suite=trixie
work=
trap '[ -z "$work" ] || rm -rf --one-file-system "$work"' EXIT
say() { printf 'stand-in images: %s\n' "$*" >&2; }
have() { docker image inspect "$1" >/dev/null 2>&1; }
label() { docker image inspect --format "{{index .Config.Labels \"$2\"}}" "$1" 2>/dev/null || true; }

# Files of Debian packages in the image that stands in for distroless' base-nossl: those that its own build lists.
base_packages=(base-files netbase tzdata tzdata-legacy media-types libc6)
rust_packages=(gcc g++ make libc6-dev pkg-config ca-certificates)

# One Debian tree serves both: whole for the Rust image, in parts for the other.
debian() {
  [ -z "$work" ] || return 0
  if [ "$(id -u)" != 0 ]; then
    say "cannot make stand-ins: debootstrap needs root; pull the images that the Dockerfile names instead"
    exit 1
  fi
  if ! command -v debootstrap >/dev/null; then
    say "installing debootstrap"
    apt-get update -qq >&2
    DEBIAN_FRONTEND=noninteractive apt-get install -y -qq --no-install-recommends debootstrap >/dev/null
  fi
  local mirror packages
  packages=$(IFS=,; echo "${base_packages[*]},${rust_packages[*]}")
  # shellcheck disable=SC2016 # apt fills these in
  mirror=$(apt-get indextargets --format '$(ORIGIN)|$(LABEL)|$(REPO_URI)' 'Created-By: Packages' |
    sed -n 's/^Debian|Debian|//p' | head -n 1)
  if [ -z "$mirror" ]; then
    say "cannot make stand-ins: no Debian mirror among apt's sources; pull the images that the Dockerfile names instead"
    exit 1
  fi
  work=$(mktemp -d)
  say "installing Debian $suite into a folder"
  if ! debootstrap --variant=minbase --include="$packages" "$suite" "$work/debian" "$mirror" >"$work/log" 2>&1; then
    tail -n 20 "$work/log" >&2
    exit 1
  fi
  rm -rf "$work"/debian/var/cache/apt/* "$work"/debian/var/lib/apt/lists/* "$work"/debian/dev/*
}

# The toolchain in use, where the official image has its own; no rustup, no documentation.
rust_toolchain() { # image
  debian
  local root=$work/debian to=/usr/local/rustup/toolchains/stand-in from
  from=$(rustc --print sysroot)
  mkdir -p "$root$to" "$root/usr/local/cargo/bin"
  tar -C "$from" -c --exclude=lib/rustlib/src bin/cargo bin/rustc bin/rustdoc lib | tar -C "$root$to" -x --no-same-owner
  for tool in cargo rustc rustdoc; do ln -sfn "$to/bin/$tool" "$root/usr/local/cargo/bin/$tool"; done
  tar -C "$root" -c . | docker import \
    --change 'ENV RUSTUP_HOME=/usr/local/rustup CARGO_HOME=/usr/local/cargo' \
    --change 'ENV PATH=/usr/local/cargo/bin:/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'CMD ["bash"]' --change 'LABEL stand-in=toolchain' - "$1" >/dev/null
}

# The toolchain and a Cargo home that holds the crates of Cargo.lock and asks no registry.
rust_crates() { # image toolchain-image lock
  local home config
  home=$(mktemp -d)
  config=${CARGO_HOME:-$HOME/.cargo}/config.toml
  [ ! -f "$config" ] || cp "$config" "$home/"
  say "fetching the crates of Cargo.lock"
  # Cargo wants to see a target to fetch for; the placeholder keeps the sources of the checkout out of it.
  mkdir -p "$home/package/benches"
  cp --parents Cargo.toml Cargo.lock crates/*/Cargo.toml "$home/package/"
  for crate in "$home/package" "$home"/package/crates/*; do
    mkdir -p "$crate/src"
    touch "$crate/src/lib.rs"
  done
  mkdir "$home/package/crates/unix/tests"
  touch "$home/package/benches/parts.rs" "$home/package/crates/unix/tests/sandbox.rs"
  CARGO_HOME=$home cargo fetch -q --locked --manifest-path "$home/package/Cargo.toml" \
    --target "$(rustc -vV | sed -n 's/^host: //p')"
  rm -rf "$home/package" "$home/registry/src"
  printf '\n[net]\noffline = true\n' >>"$home/config.toml"
  printf 'FROM %s\nCOPY . /usr/local/cargo/\nLABEL stand-in=crates crates="%s"\n' "$2" "$3" >"$home/Dockerfile"
  printf 'Dockerfile\n' >"$home/.dockerignore"
  docker build -q -t "$1" "$home" >/dev/null
  rm -rf "$home"
}

rust() { # image
  local toolchain="seine-stand-in/$1" lock old
  lock=$(sha256sum Cargo.lock | cut -d ' ' -f 1)
  [ "$(label "$1" crates)" != "$lock" ] || return 0
  have "$toolchain" || rust_toolchain "$toolchain"
  old=$(docker image inspect --format '{{.Id}}' "$1" 2>/dev/null || true)
  rust_crates "$1" "$toolchain" "$lock"
  [ -z "$old" ] || docker rmi "$old" >/dev/null 2>&1 || true # something may still be built on it
  say "$1 is a stand-in"
}

base() { # image
  debian
  local root=$work/base
  mkdir -p "$root"/{tmp,usr,root,home/nonroot,etc/ssl/certs}
  for link in bin lib lib64 sbin; do ln -s "usr/$link" "$root/$link"; done
  chroot "$work/debian" dpkg -L "${base_packages[@]}" | grep -vE '^/usr/share/(man|locale|lintian)/|^/\.$' | sort -u >"$work/list"
  tar -C "$work/debian" -c --no-recursion -T <(sed 's/^/./' "$work/list") | tar -C "$root" -x --keep-directory-symlink
  cp "$work/debian/etc/ssl/certs/ca-certificates.crt" "$root/etc/ssl/certs/"
  cat >"$root/etc/passwd" <<'EOF'
root:x:0:0:root:/root:/sbin/nologin
nobody:x:65534:65534:nobody:/nonexistent:/sbin/nologin
nonroot:x:65532:65532:nonroot:/home/nonroot:/sbin/nologin
EOF
  printf 'root:x:0:\nnobody:x:65534:\ntty:x:5:\nstaff:x:50:\nnonroot:x:65532:\n' >"$root/etc/group"
  printf 'hosts: files dns\n' >"$root/etc/nsswitch.conf"
  chmod 1777 "$root/tmp"
  chmod 700 "$root/root" "$root/home/nonroot"
  chown 65532:65532 "$root/home/nonroot"
  tar -C "$root" -c . | docker import \
    --change 'ENV PATH=/usr/local/sbin:/usr/local/bin:/usr/sbin:/usr/bin:/sbin:/bin' \
    --change 'ENV SSL_CERT_FILE=/etc/ssl/certs/ca-certificates.crt' \
    --change 'USER 65532' --change 'WORKDIR /home/nonroot' --change 'LABEL stand-in=base' - "$1" >/dev/null
  say "$1 is a stand-in"
}

mapfile -t images < <(awk '$1 == "FROM" { print $2 }' Dockerfile)
for image in "${images[@]}"; do
  made=$(label "$image" stand-in)
  if have "$image" && [ "$made" != crates ]; then continue; fi # a Rust stand-in may lack a crate by now
  if [ -z "$made" ] && docker pull -q "$image" >/dev/null 2>&1; then continue; fi
  case $image in
    rust:*"$suite") rust "$image" ;;
    gcr.io/distroless/base-nossl-*) base "$image" ;;
    *) say "$image can neither be pulled nor stood in for"; exit 1 ;;
  esac
done
