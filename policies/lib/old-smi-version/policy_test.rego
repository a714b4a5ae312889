package meshc.rules.old_smi_version_test

import data.meshc.rules.old_smi_version

found(version) := all if {
	all := old_smi_version.deny with input as {"apiVersion": version, "object": {}}
		with data.params.versions as {"split.smi-spec.io/v1alpha2": "split.smi-spec.io/v1alpha4"}
}

test_old_versions_are_found if {
	found("split.smi-spec.io/v1alpha2") == {{
		"path": ["apiVersion"],
		"message": "split.smi-spec.io/v1alpha2 is old: write split.smi-spec.io/v1alpha4",
		"fix": {"title": "write split.smi-spec.io/v1alpha4", "path": ["apiVersion"], "value": "split.smi-spec.io/v1alpha4"},
	}}
}

test_current_versions_are_fine if count(found("split.smi-spec.io/v1alpha4")) == 0
