package diag

// verdictCodes are MSH035x: verdict tables.
var verdictCodes = []Entry{
	same(Error, "MSH0351", "a case asks nothing that can be asked",
		"A case of a verdict table names its client as `namespace/serviceaccount`, as a SPIFFE id or as `outside`, and what is called as `namespace/service:port` or `external:HOST:PORT`. Its request has a method of HTTP in capital letters, a path that begins with a slash, and header names without colons.",
		"from: bookbuyer\nto: bookstore:14001\nhttp: {method: get, path: books}", "from: bookbuyer/bookbuyer\nto: bookstore/bookstore:14001\nhttp: {method: GET, path: /books}"),
	same(Error, "MSH0352", "a case contradicts itself",
		"What the case expects cannot come true: a status for raw bytes, a grant that decides a denial, shares that are not 100% together, a denied share of something allowed, or no request at all. Such a case would fail for ever, or say nothing.",
		"expect: allow\nsplit: {bookstore-v1: 50, denied: 50}", "expect: mixed\nsplit: {bookstore-v1: 50, denied: 50}"),
	same(Warning, "MSH0353", "two cases of a table have the same name",
		"Reports name a case by its table and its own name, so one could be taken for the other.",
		"cases:\n- name: the buyer may read\n- name: the buyer may read", "cases:\n- name: the buyer may list books\n- name: the buyer may read one"),
}
