# The image of reconcile: one static binary and the certificates of the public authorities, nothing else.
#   docker build -t reconcile .                                          compiles, in the image of the Rust project
#   buildah bud --target prebuilt -f Dockerfile -t reconcile FOLDER      takes what deploy/static.sh put into FOLDER

# What both have in common.
FROM scratch AS settings
LABEL org.opencontainers.image.title="reconcile" \
      org.opencontainers.image.description="A reconciler for container-image factories on Alibaba Cloud and GitHub" \
      org.opencontainers.image.licenses="BSD-2-Clause"
USER 65532:65532
# The user's own, for the journal and the status. The status lies one folder deeper: what is mounted here may belong to
# somebody else, or be open to others, and a folder that the binary makes in it is neither.
WORKDIR /var/lib/reconcile
VOLUME /var/lib/reconcile
ENV RECONCILE_STATE=/state RECONCILE_STATUS_DIR=/var/lib/reconcile/status TMPDIR=/var/lib/reconcile
ENTRYPOINT ["/reconcile"]

FROM settings AS prebuilt
COPY --chmod=0644 ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --chmod=0755 reconcile /reconcile

FROM docker.io/library/rust:1.95.0-bookworm@sha256:6258907abe69656e41cd992e0b705cdcfabcbbe3db374f92ed2d47121282d4a1 AS build
WORKDIR /project
COPY . .
RUN --mount=type=cache,target=/usr/local/cargo/registry --mount=type=cache,target=/project/target \
    deploy/static.sh /image

FROM settings
COPY --from=build --chmod=0644 /image/ca-certificates.crt /etc/ssl/certs/ca-certificates.crt
COPY --from=build --chmod=0755 /image/reconcile /reconcile
