package main

import rego.v1

# A policy as it was written for conftest, on plain Deployments.
deny_latest contains msg if {
	input.kind == "Deployment"
	some container in input.spec.template.spec.containers
	endswith(container.image, ":latest")
	msg := sprintf("%s runs %s, which is another image tomorrow", [input.metadata.name, container.image])
}

test_latest_is_denied if {
	count(deny_latest) == 1 with input as {
		"kind": "Deployment", "metadata": {"name": "web"},
		"spec": {"template": {"spec": {"containers": [{"image": "example.org/web:latest"}]}}},
	}
}
