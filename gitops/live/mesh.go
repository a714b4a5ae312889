package live

// meshConditions are those of the Mesh: whether it is in force, and whether the mesh
// as a whole is as the cluster says.
func meshConditions(own []cond, s state, p Proxies, v view) []cond {
	is := cond{ready, "True", reasonSucceeded, "policy " + v.digest() + " is served; " + all(p.count(nil))}
	switch {
	case v.suspended:
		is = cond{ready, "True", reasonSuspended, "spec.suspend is set: what was in force stays, and nothing is looked at"}
	case len(v.failed) > 0:
		is = cond{ready, "False", reasonFailed, brief(v.failed) + "; what was served stays"}
	case v.err != nil:
		is = cond{ready, "False", reasonFailed, v.err.Error() + "; what was served stays"}
	case s.refused:
		is = cond{ready, "False", reasonInvalid, brief(s.found)}
	}
	return append([]cond{own[0], is}, own[2:]...)
}

// all says how many of all proxies have what is served.
func all(n Count) string {
	if n.Connected == 0 {
		return "no proxy is connected"
	}
	return n.String()
}

// describe puts into the status of the Mesh what is served, and to how many.
func (w *writer) describe(status map[string]any, s state, p Proxies, v view) {
	status["policyDigest"] = v.digest()
	n := p.count(nil)
	status["proxies"], status["programmed"] = int64(n.Connected), int64(n.Acknowledged)
	if v.suspended {
		delete(status, "lastHandledReconcileAt") // it was asked, and nobody looks
	}
	if v.fromBundle {
		if delete(status, "lastHandledReconcileAt"); v.requestedAt != "" {
			status["lastHandledReconcileAt"] = v.requestedAt // it was asked, and fetched since
		}
		status["observedBundle"] = v.source
		if v.bundle != nil {
			status["bundleEpoch"] = v.bundle.Manifest.Epoch
		}
	}
}
