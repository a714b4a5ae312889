# METADATA
# scope: package
# title: a target has no owner
# description: |
#   Nobody can be asked about a grant that has no owner.
# custom:
#   meshc:
#     id: SHOP001
#     severity: error
#     scope: object
#     kinds: [TrafficTarget]
#     help: say by a label whose it is
#     params:
#       label:
#         type: string
#         default: owner
#         help: the label that names the owner
package rules.owners

deny contains {
	"path": ["metadata", "name"],
	"message": sprintf("%q has no label %q", [input.object.metadata.name, data.params.label]),
} if {
	not input.object.metadata.labels[data.params.label]
}
