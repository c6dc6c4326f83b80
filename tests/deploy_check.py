# SPDX-License-Identifier: MIT
"""deploy_check.py KIND FILE - what is rendered for Kubernetes asks for no more than it has to.

KIND is daemonset or sidecar: the first may look at the node, the second may not. Prints each
objection; 1 if there is one.
"""
import sys

import yaml

CAPABILITIES = {"daemonset": {"BPF", "PERFMON", "SYS_PTRACE", "SETUID", "SETGID"}, "sidecar": set()}
HOST_PATHS = {"daemonset": {"/run/ttlog", "/var/lib/ttlog"}, "sidecar": set()}
REQUIRED = ("privileged", "allowPrivilegeEscalation", "readOnlyRootFilesystem", "capabilities")


def objections_to_container(kind, pod, container):
    context = container.get("securityContext", {})
    inherited = pod.get("securityContext", {})
    capabilities = context.get("capabilities", {})
    for key in REQUIRED:
        if key not in context:
            yield f"securityContext has no {key}"
    for key in ("runAsNonRoot", "seccompProfile"):
        if key not in context and key not in inherited:
            yield f"neither it nor its pod has {key}"
    if context.get("privileged") is not False or context.get("allowPrivilegeEscalation") is not False:
        yield "may have more privileges than are named"
    if context.get("readOnlyRootFilesystem") is not True:
        yield "its root may be written"
    if capabilities.get("drop") != ["ALL"]:
        yield "keeps capabilities that are not named"
    extra = set(capabilities.get("add", [])) - CAPABILITIES[kind]
    if extra:
        yield f"has {sorted(extra)}"
    if kind == "sidecar" and not context.get("runAsNonRoot", inherited.get("runAsNonRoot")):
        yield "may be root"
    if "memory" not in container.get("resources", {}).get("limits", {}):
        yield "its memory has no limit"
    names = {volume["name"] for volume in pod.get("volumes", [])}
    for mount in container.get("volumeMounts", []):
        if mount["name"] not in names:
            yield f"mounts {mount['name']}, which there is none of"
    ports = {port["name"] for port in container.get("ports", [])}
    for probe in ("startupProbe", "livenessProbe", "readinessProbe"):
        port = container.get(probe, {}).get("httpGet", {}).get("port")
        if port is not None and port not in ports:
            yield f"{probe} asks at {port}, which there is none of"


def objections_to_pod(kind, pod, maps):
    for key in ("hostNetwork", "hostIPC"):
        if pod.get(key):
            yield f"has {key}"
    if kind == "sidecar" and pod.get("hostPID"):
        yield "has hostPID"
    if pod.get("automountServiceAccountToken") is not False:
        yield "has a token for the API"
    for volume in pod.get("volumes", []):
        path = volume.get("hostPath", {}).get("path")
        if path and path not in HOST_PATHS[kind]:
            yield f"has {path} of the host"
        name = volume.get("configMap", {}).get("name")
        if name and name not in maps:
            yield f"mounts the map {name}, which there is none of"
    for container in pod.get("initContainers", []) + pod["containers"]:
        for what in objections_to_container(kind, pod, container):
            yield f"{container['name']}: {what}"


def main():
    kind, path = sys.argv[1:]
    with open(path, encoding="utf-8") as file:
        documents = [document for document in yaml.safe_load_all(file) if document]
    maps = {d["metadata"]["name"]: d["data"] for d in documents if d["kind"] == "ConfigMap"}
    pods = [d["spec"]["template"]["spec"] for d in documents if "template" in d.get("spec", {})]
    found = [what for pod in pods for what in objections_to_pod(kind, pod, maps)]
    recorders = [c for pod in pods for c in pod.get("initContainers", []) + pod["containers"]
                 if "recorder" in c["name"]]
    if len(recorders) != 1:
        found.append(f"{len(recorders)} recorders")
    for what in found:
        print(f"{kind}: {what}")
    # For the recorder itself to judge.
    for data in maps.values():
        with open(f"{path}.conf", "w", encoding="utf-8") as file:
            file.write(data["recorder.conf"])
    for recorder in recorders:
        print(" ".join(recorder.get("args", [])), file=sys.stderr)
    return 1 if found else 0


sys.exit(main())
