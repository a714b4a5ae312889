package crds

// duration is a length of time such as 24h.
var duration = str

// mesh is spec of kind Mesh: what meshc.yaml takes, and the source of policy on a cluster.
func mesh() object {
	side := object{"mode": str, "egress": str, "plaintext": str}
	fields := plus(side, object{
		"trustDomain": str, "clusterDomain": str, "compat": str,
		"namespaces": object{"type": "object", "additionalProperties": rec(side)},
		// A text, or a record with path, kustomize and namespace.
		"sources":           list(object{"x-kubernetes-preserve-unknown-fields": true}),
		"suspend":           truth,
		"bundle":            rec(object{"path": str, "oci": str}),
		"rules":             anyRecord,
		"lock":              rec(object{"file": str, "maxAge": duration}),
		"assume":            list(anyRecord),
		"waivers":           list(anyRecord),
		"denial":            rec(object{"body": truth, "header": truth}),
		"tcpDrain":          duration,
		"maxStreamDuration": duration,
		"authGrace":         duration,
		"breakGlass":        rec(object{"longest": duration}),
		"certificates":      rec(object{"leaf": duration, "intermediate": duration}),
		"targets":           strs,
		"rollout":           rec(object{"rings": list(object{"x-kubernetes-preserve-unknown-fields": true}), "step": duration}),
		"ranges":            rec(object{"services": strs, "pods": strs}),
	})
	fields["environments"] = object{"type": "object", "additionalProperties": anyRecord}
	return rec(fields)
}

// said is a text that says something.
var said = object{"type": "string", "minLength": 1}

// glassStatus is what a BreakGlass came to.
var glassStatus = object{
	"state":   enum("Active", "Ended", "Refused", "NotInForce"),
	"beganAt": object{"type": "string", "format": "date-time"},
	"endedAt": object{"type": "string", "format": "date-time"},
}

// breakGlass is spec of kind BreakGlass: a record of what somebody opened, of which
// only the end may be written later.
var breakGlass = rec(object{
	"from":   object{"type": "string", "minLength": 1, "description": "NAMESPACE/SERVICEACCOUNT that may call."},
	"to":     object{"type": "string", "minLength": 1, "description": "NAMESPACE/SERVICE[:PORT] that it may call; without a port all of its ports."},
	"reason": said, "by": said,
	"until":   object{"type": "string", "format": "date-time", "description": "When it ends by itself."},
	"endedBy": object{"type": "string", "description": "Who ended it before that."},
}, "from", "to", "reason", "by", "until")
