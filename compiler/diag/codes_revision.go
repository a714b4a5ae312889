package diag

// revisionCodes are MSH093x: what a tree is judged by beside itself.
var revisionCodes = []Entry{
	same(Warning, "MSH0930", "the tree would judge less strictly than the revision that judges it",
		"With --rules-from the rules, parameters, severities and waivers of a revision, or of a rule set, judge the tree, so that a change cannot excuse itself. Here the tree says something else, and what it says judges less strictly, or nobody can tell: a rule is gone or other, a severity is lower, a waiver is added, a key is trusted. It is not in force in this run, and will be when the tree is merged: look at it as at the change of a policy.",
		"rules: {severity: {MSH1502: info}}      # main says error", "# the severity is as in main, or is changed in a review of its own"),
	same(Info, "MSH0931", "the tree would judge otherwise than the revision that judges it",
		"With --rules-from the rules, parameters, severities and waivers of a revision, or of a rule set, judge the tree. Here the tree says something else, which judges at least as strictly: a rule is new, a severity is higher, a waiver is gone. It is not in force in this run: run a check without --rules-from to see what it finds.",
		"", ""),
}
