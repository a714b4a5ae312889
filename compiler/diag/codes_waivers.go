package diag

// waiverCodes are MSH09xx: what is accepted, by whom and until when.
var waiverCodes = []Entry{
	same(Warning, "MSH0901", "a waiver ends soon",
		"A waiver in meshc.yaml ends in less than 14 days. After its day the finding counts again, and an error fails the build. Mend what it is about, or agree on another day.",
		"waivers: [{code: MSH2107, expires: 2026-12-01, ...}]      # on 2026-11-25", "# the split is mended and the waiver deleted"),
	same(Warning, "MSH0902", "a waiver matches nothing",
		"No finding of this run is of the waiver's code and about its target. Most often it is mended: delete the waiver, so that the fault cannot come back unseen. Or a name is misspelt, or the object is part of another environment.",
		"waivers:\n- code: MSH2107\n  target: {kind: TrafficSplit, namespace: shop, name: card}      # it is called cart", "waivers:\n- code: MSH2107\n  target: {kind: TrafficSplit, namespace: shop, name: cart}"),
	same(Error, "MSH0903", "a waiver lasts too long",
		"A waiver lasts at most 90 days from now, or as long as `rules.maxWaiver` in meshc.yaml says, so that somebody looks again. Until its day comes nearer it waives nothing.",
		"expires: 2099-12-31", "expires: 2026-12-31"),
	same(Error, "MSH0904", "a finding cannot be waived",
		"Errors of the compiler itself, and everything from MSH0001 to MSH0999, say that something could not be read, understood or resolved. Accepting that would mean to serve something undefined, so these findings have no waivers: mend what they are about. What can be waived are findings of rules, and warnings and hints from MSH1000 on.",
		"waivers: [{code: MSH1004, ...}]      # a rule refers to a route that does not exist", "# the route is written, or the rule deleted"),
	same(Error, "MSH0905", "a waiver covers everything",
		"Kind, namespace and name of a waiver's target may be globs, but not all three: that would turn a rule off, for objects that nobody has written yet too. To turn a rule off, say so under `rules.severity`.",
		"target: {kind: \"*\", namespace: \"*\", name: \"*\"}", "target: {kind: TrafficTarget, namespace: legacy, name: \"*\"}"),
	same(Error, "MSH0906", "the baseline is damaged",
		"The file that `--baseline` names cannot be read whole: it is another file, a merge conflict was left in it, or somebody edited a fingerprint. Lines that can be read count; the run fails all the same, because nobody can tell what the others were to accept. Mend the line, or write the file anew with `--write-baseline`.",
		"# meshc baseline v1\n<<<<<<< HEAD\nMSH1503 HTTPRouteGroup/shop/web 2f0c... \"read\" allows TRACE", "# meshc baseline v1\nMSH1503 HTTPRouteGroup/shop/web 2f0c6d1e8a9b47c3a1d2e3f405162738 \"read\" allows TRACE"),
	same(Warning, "MSH0908", "a comment waives nothing here",
		"Comments that begin with `meshc:waive` are waivers only where `rules: {commentWaivers: true}` in meshc.yaml lets them be: whoever may edit a manifest could else accept what the team's rules find in it. Write the waiver in meshc.yaml, or in an object of kind Waivers in a file that others review.",
		"# meshc:waive MSH1503 until=2026-12-31 owner=team-shop reason=\"SEC-1234\"      # and meshc.yaml does not let comments be waivers", "# meshc.yaml\nspec:\n  rules: {commentWaivers: true}"),
	same(Info, "MSH0907", "a baseline entry matches nothing",
		"No finding of this run has the fingerprint of this line. Most often it is mended: delete the line, so that the fault cannot come back unseen. Or what it is about was renamed, and then the finding counts again; or it belongs to another environment. `meshc check --fix` deletes such lines.",
		"# meshc baseline v1\nMSH1503 HTTPRouteGroup/shop/web ...      # web allows TRACE no more", "# meshc baseline v1"),
}
