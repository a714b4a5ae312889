# METADATA
# scope: package
# title: one change touches many
# description: |
#   A change alters what many identities may do, or how many services are reached: what
#   is wrong in it is wrong everywhere at once, and nobody can review it well. It counts
#   the callers and destinations of grants that are other than before, and the services
#   whose ports, accounts, splits or grants are. It compares with the state before the
#   change, which a check knows by `--base` or `--changed-since`; without one it finds
#   nothing.
# custom:
#   meshc:
#     id: MSH1525
#     severity: warning
#     scope: mesh
#     help: split the change, and roll the parts out one after the other
#     since: 0.2.0
#     params:
#       identities: {type: number, default: 50, help: how many identities one change may touch}
#       services: {type: number, default: 30, help: how many services one change may touch}
package meshc.rules.blast_radius

deny contains {"message": sprintf("the change touches %d identities, more than %v", [count(touched), data.params.identities])} if {
	touched := {id | some grant in changed; some id in array.concat(grant.sources, [grant.destination])}
	count(touched) > data.params.identities
}

deny contains {"message": sprintf("the change touches %d services, more than %v", [count(touched), data.params.services])} if {
	touched := differing(data.mesh.before.services, data.mesh.services) | differing(data.mesh.services, data.mesh.before.services)
	count(touched) > data.params.services
}

# The grants that are other than before: as they are, and as they were.
changed contains data.mesh.grants[name] if some name in differing(data.mesh.before.grants, data.mesh.grants)

changed contains data.mesh.before.grants[name] if some name in differing(data.mesh.grants, data.mesh.before.grants)

# The names that the second map has otherwise than the first.
differing(a, b) := {name | some name, v in b; not same(a, name, v)}

same(a, name, v) if a[name] == v
