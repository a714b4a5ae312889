# METADATA
# scope: package
# title: an object is written in an old version of SMI
# description: |
#   All versions are read and mean the same here, but other tools and people have
#   forgotten the old ones, and some cannot say what the newer can: ports of a
#   TCPRoute, header and method together, whole weights. One version in a tree also
#   makes its diffs shorter.
# custom:
#   meshc:
#     id: MSH1515
#     severity: info
#     scope: object
#     kinds: [TrafficTarget, HTTPRouteGroup, TCPRoute, TrafficSplit]
#     help: write it in the version that the finding names
#     since: 0.2.0
#     params:
#       versions:
#         type: object
#         default:
#           access.smi-spec.io/v1alpha1: access.smi-spec.io/v1alpha3
#           access.smi-spec.io/v1alpha2: access.smi-spec.io/v1alpha3
#           specs.smi-spec.io/v1alpha1: specs.smi-spec.io/v1alpha4
#           specs.smi-spec.io/v1alpha2: specs.smi-spec.io/v1alpha4
#           specs.smi-spec.io/v1alpha3: specs.smi-spec.io/v1alpha4
#           split.smi-spec.io/v1alpha1: split.smi-spec.io/v1alpha4
#           split.smi-spec.io/v1alpha2: split.smi-spec.io/v1alpha4
#           split.smi-spec.io/v1alpha3: split.smi-spec.io/v1alpha4
#         help: "the old versions and what to write instead"
package meshc.rules.old_smi_version

deny contains {
	"path": ["apiVersion"],
	"message": sprintf("%s is old: write %s", [input.apiVersion, newer]),
	"fix": {"title": sprintf("write %s", [newer]), "path": ["apiVersion"], "value": newer},
} if {
	newer := data.params.versions[input.apiVersion]
}
