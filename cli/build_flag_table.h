// The flags that `build` and `plan` share.
#pragma once

#include <array>
#include <cstddef>

#include "cli/command.h"
#include "cli/error_format.h"
#include "cli/store_access.h"

namespace lamina::cli {

inline constexpr absl::string_view kNotYet = "lamina does not do this yet";

constexpr Flag RefusedFlag(absl::string_view name, absl::string_view value,
                       absl::string_view help, absl::string_view reason) {
  Flag flag;
  flag.name = name;
  flag.value = value;
  flag.help = help;
  flag.repeatable = true;
  flag.status = FlagStatus::kRefused;
  flag.reason = reason;
  flag.hidden = true;
  return flag;
}

constexpr Flag IneffectiveFlag(absl::string_view name, absl::string_view reason) {
  Flag flag;
  flag.name = name;
  flag.help = "accepted for docker's and podman's sake";
  flag.status = FlagStatus::kAcceptedWithWarning;
  flag.reason = reason;
  flag.hidden = true;
  return flag;
}

inline constexpr Flag kBuildFlags[] = {
    {.name = "tag", .short_name = 't', .value = "NAME",
     .help = "name of the image, [registry/]path[:tag]", .repeatable = true},
    {.name = "file", .short_name = 'f', .value = "FILE",
     .help = "the build file; - is standard input"},
    {.name = "target", .value = "STAGE", .help = "the stage to build"},
    {.name = "build-arg", .value = "NAME[=VALUE]",
     .help = "value of an ARG; without = the caller's environment",
     .repeatable = true},
    {.name = "label", .value = "NAME=VALUE",
     .help = "label of the image, wins over LABEL", .repeatable = true},
    {.name = "build-context", .value = "NAME=SOURCE",
     .help = "a folder, docker-image:NAME, oci-layout:FOLDER[:TAG] or a URL in "
             "the place of a stage, a base or a --from",
     .repeatable = true},
    {.name = "platform", .value = "OS/ARCH[/VARIANT]",
     .help = "platform of the image"},
    {.name = "ignorefile", .value = "FILE",
     .help = "patterns of files that are no part of the context"},
    {.name = "output", .short_name = 'o', .value = "SPEC",
     .help = "PATH.tar, or type=docker|oci|tar|local,dest=PATH[,compression=gzip]",
     .repeatable = true, .group = "Output"},
    {.name = "compression", .value = "none|gzip|zstd",
     .help = "of the layers in the output", .group = "Output"},
    {.name = "compression-level", .value = "N",
     .help = "of gzip (1-9) or zstd (1-19)", .group = "Output"},
    {.name = "iidfile", .value = "FILE", .help = "write the image id there",
     .group = "Output"},
    {.name = "metadata-file", .value = "FILE",
     .help = "write ids, steps and the error of estimates there, as JSON",
     .group = "Output"},
    {.name = "quiet", .short_name = 'q', .help = "print the image id only",
     .group = "Output"},
    {.name = "progress", .value = "auto|tty|plain|quiet",
     .help = "how running steps are shown", .default_value = "auto",
     .group = "Output"},
    kErrorFormatFlag,
    {.name = "emit", .value = "syntax|graph|plan|config",
     .help = "print this value and stop", .group = "Output"},
    {.name = "offline",
     .help = "fetch nothing; plan without what is not in the store",
     .group = "Running"},
    {.name = "retry", .value = "N",
     .help = "tries of a download after the first one", .default_value = "4",
     .group = "Running"},
    {.name = "retry-delay", .value = "DURATION",
     .help = "wait before the second try; doubled each time",
     .default_value = "1s", .group = "Running"},
    {.name = "no-cache", .help = "run every step anew", .group = "Running"},
    {.name = "cache-from", .value = "FOLDER",
     .help = "take cached steps from there; also type=local,src=FOLDER",
     .repeatable = true, .group = "Running"},
    {.name = "cache-to", .value = "FOLDER",
     .help = "write this build's steps there; also type=local,dest=FOLDER",
     .repeatable = true, .group = "Running"},
    {.name = "no-cache-filter", .value = "STAGE[,STAGE]",
     .help = "run the steps of these stages anew", .repeatable = true,
     .group = "Running"},
    {.name = "jobs", .value = "N",
     .help = "steps at once, at most; default: the number of cores",
     .group = "Running"},
    {.name = "secret", .value = "id=ID,src=FILE|env=NAME",
     .help = "what RUN --mount=type=secret shows; reaches no layer, key or log",
     .repeatable = true, .group = "Running"},
    {.name = "ssh", .value = "default|ID=SOCKET|ID=KEY",
     .help = "ssh agent for RUN --mount=type=ssh: its socket, or files with keys",
     .repeatable = true, .group = "Running"},
    {.name = "network", .value = "default|host|none",
     .help = "network of RUN steps", .default_value = "default",
     .group = "Running"},
    {.name = "allow", .value = "security.insecure",
     .help = "permit what a build file must not take by itself",
     .repeatable = true, .group = "Running"},
    {.name = "add-host", .value = "NAME:IP", .help = "a line of /etc/hosts",
     .repeatable = true, .group = "Running"},
    {.name = "hostname", .value = "NAME", .help = "host name of RUN steps",
     .default_value = "buildkitsandbox", .group = "Running"},
    {.name = "exit-code-from-step",
     .help = "end with the exit code of the step that failed",
     .group = "Running"},
    {.name = "source-date-epoch", .value = "SECONDS",
     .help = "time of everything new; also from SOURCE_DATE_EPOCH",
     .group = "Running"},
    {.name = "opt", .short_name = 'O', .value = "LEVEL",
     .help = "0: as written; 1: layers by cost; 2: the final tree laid out "
             "freely; s: one own layer",
     .default_value = "1", .group = "Layers"},
    {.name = "max-layers", .value = "N|PRESET",
     .help = "layers at the most, base included: a number, docker, portable, "
             "containerd, podman, aufs or none",
     .default_value = "portable", .group = "Layers"},
    {.name = "head-room", .value = "N",
     .help = "layers left free for images that build on this one",
     .group = "Layers"},
    {.name = "layout", .value = "verbatim|chain|partition",
     .help = "how layers are chosen; default: what the level says",
     .group = "Layers"},
    {.name = "empty-layers", .value = "drop|keep",
     .help = "layers of steps that changed nothing", .group = "Layers"},
    {.name = "layer-lock", .value = "FILE",
     .help = "layout of the last release, for -O2; default: layers.lock beside "
             "the build file, if there is one",
     .group = "Layers"},
    {.name = "no-lock", .help = "neither read nor write a layer lock",
     .group = "Layers"},
    {.name = "relayout", .value = "auto|never|now",
     .help = "when a layer lock's layout is given up", .default_value = "auto",
     .group = "Layers"},
    {.name = "write-trace", .value = "FILE",
     .help = "write down what each step wrote, as JSON lines",
     .group = "Layers"},
    {.name = "squash", .help = "the same as -Os", .group = "Layers"},
    {.name = "pass", .value = "NAME=on|off",
     .help = "run an optimiser pass or not, whatever the level says",
     .repeatable = true, .group = "Layers"},
    {.name = "verify-passes",
     .help = "check what each pass did; a mistake stops the build",
     .group = "Layers"},
    {.name = "durability", .value = "full|image|none",
     .help = "what is synced to the disk", .default_value = "full",
     .group = "Running"},
    kRootFlag,
    IneffectiveFlag("rm", "there are no intermediate containers"),
    IneffectiveFlag("force-rm", "there are no intermediate containers"),
    IneffectiveFlag("layers", "steps are always cached"),
    IneffectiveFlag("load", "the image always goes to the local store"),
    RefusedFlag("push", "", "push the image",
            "lamina does not speak to registries yet; push the archive with "
            "`skopeo copy docker-archive:FILE docker://NAME`"),
    RefusedFlag("pull", "", "pull the bases",
            "lamina does not speak to registries yet; fetch the base with "
            "`skopeo copy docker://NAME docker-archive:FILE` and `lamina load "
            "-i FILE`"),
    RefusedFlag("sbom", "SPEC", "attestation",
            "an image that silently lacks a promised attestation is worse "
            "than an error"),
    RefusedFlag("provenance", "SPEC", "attestation",
            "an image that silently lacks a promised attestation is worse "
            "than an error"),
    RefusedFlag("memory", "SIZE", "limit of a step", kNotYet),
    RefusedFlag("ulimit", "SPEC", "limit of a step", kNotYet),
    RefusedFlag("shm-size", "SIZE", "size of /dev/shm", kNotYet),
    RefusedFlag("builder", "NAME", "builder instance", "there is no daemon"),
    RefusedFlag("isolation", "KIND", "kind of sandbox",
            "chroot is no isolation; lamina always uses name spaces"),
};

template <size_t A, size_t B>
constexpr std::array<Flag, A + B> JoinFlags(const Flag (&first)[A],
                                            const Flag (&second)[B]) {
  std::array<Flag, A + B> joined;
  for (size_t i = 0; i < A; ++i) {
    joined[i] = first[i];
  }
  for (size_t i = 0; i < B; ++i) {
    joined[A + i] = second[i];
  }
  return joined;
}

// What `build` alone has.
inline constexpr Flag kCheckFlags[] = {
    {.name = "check",
     .help = "check the build file, every stage of it, and build nothing"},
    {.name = "call", .value = "build|check",
     .help = "the same as --check, or as nothing", .default_value = "build"},
};

}  // namespace lamina::cli
